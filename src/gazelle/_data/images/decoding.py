"""Decoding of image files, in this process and in worker processes that run this file as a script.

A worker must start fast, so this file imports little: pillow, and NumPy only for the rare images
that need it.
"""

from __future__ import annotations

import functools
import importlib
import math
import os
import signal
import stat
import struct
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if __name__ == "__main__":  # a worker, see `command`
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Ctrl-C the main process ends its workers
    sys.path += sys.argv[7:]

from gazelle._core.console import shown
from gazelle._core.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
MAX_PIXELS = 64_000_000  # an image with more is refused before it is decoded
MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
INTERPOLATIONS = {
    "nearest": "NEAREST",
    "bilinear": "BILINEAR",
    "bicubic": "BICUBIC",
    "lanczos": "LANCZOS",
    "lanczos3": "LANCZOS",
    "box": "BOX",
    "area": "BOX",
    "hamming": "HAMMING",
}
# A request to a worker: the number of the first file and the length in bytes of the file names,
# which follow, separated by 0. The reply: the same number, then one byte per file (its outcome, see
# below), then the pixels of all files. The first thing a worker sends is READY.
REQUEST = struct.Struct("<qi")
REPLY = struct.Struct("<q")
READY = REPLY.pack(-1)
# The outcome of a file: not decoded; decoded; decoded, and its transparency replaced.
BAD, OPAQUE, TRANSPARENT = 0, 1, 2
_NEARLY_WHITE = 224  # mean brightness of the visible pixels, of 255
_VISIBLE = [255 if alpha > 127 else 0 for alpha in range(256)]  # by the alpha of a pixel


class ImageSpec(NamedTuple):
    """What all images of a folder are decoded to.

    Args:
        height: Rows.
        width: Columns.
        color_mode: A name in `MODES`.
        interpolation: A name in `INTERPOLATIONS`.
        fit: How to fit other aspect ratios, see `resized`.
        reference: The file whose size the images must have; empty if they are resized.
    """

    height: int
    width: int
    color_mode: str
    interpolation: str
    fit: str
    reference: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        return self.height, self.width, CHANNELS[self.color_mode]


class SizeError(DataError):
    """An image does not have the size of the others."""


def decode_into(pixels: memoryview, file: str, spec: ImageSpec) -> int:
    """Decode a file.

    Args:
        pixels: Memory for the pixels, as many bytes as `spec.shape` has elements.
        file: Path of the file.
        spec: What to decode it to.

    Returns:
        `OPAQUE` or `TRANSPARENT`.

    Raises:
        DataError: The file cannot be read. The message names it.
        SizeError: It does not have the size of `spec.reference`.
    """
    height, width = spec.height, spec.width
    with opened(file) as image:
        if spec.reference and image.size != (width, height):
            raise _sizes_differ(spec, file, image)
        picture, was_transparent = decoded(image, spec.color_mode, file)
        picture = resized(picture, (height, width), spec.interpolation, spec.fit)
    pixels[:] = picture.tobytes()
    return TRANSPARENT if was_transparent else OPAQUE


def command(spec: ImageSpec, packages: Sequence[str]) -> list[str]:
    """The command line that starts a worker.

    Args:
        spec: What to decode the images to.
        packages: The folders that contain the packages gazelle, PIL and numpy.
    """
    # -I and -S keep Python from searching the user's folders and .pth files, which would take as
    # long as the rest of the start.
    return [sys.executable, "-I", "-S", __file__, *map(str, spec), *packages]


def opened(path: Any) -> Image:
    """Open an image file without decoding it.

    Args:
        path: A path or an open binary file.

    Raises:
        DataError: The file is missing, not a regular file, not an image, or has more than
            `MAX_PIXELS` pixels.
    """
    from PIL import Image, UnidentifiedImageError

    _load_formats()
    _refuse_irregular(path)
    try:
        image = Image.open(path, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path, str(error)) from None
    except UnidentifiedImageError:
        raise _unreadable(path, "an empty file, or not an image of a known format") from None
    except (OSError, ValueError, SyntaxError, EOFError, OverflowError, struct.error) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or error) from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise _too_large(path, f"{width} x {height} pixels")
    return image


def decoded(image: Image, color_mode: str, path: Any) -> tuple[Image, bool]:
    """Decode an open image to 8 bits per channel.

    Transparency is replaced by a background, unless `color_mode` is `"rgba"`. The background is
    white, or black if the visible part is nearly white, which would vanish on white.

    Args:
        image: An open image.
        color_mode: A name in `MODES`.
        path: What it was opened from, for messages.

    Returns:
        The image, and whether transparency was replaced.

    Raises:
        DataError: The image is truncated or damaged, or has values of an unknown range.
    """
    try:
        image.load()
        if image.mode.startswith("I;16"):
            image = _eight_bits(image)
        elif image.mode in ("I", "F"):
            raise ValueError(f"32-bit values (mode {image.mode}) of unknown range")
        mode = MODES[color_mode]
        was_transparent = False
        if mode != "RGBA" and image.has_transparency_data:
            image, was_transparent = _without_transparency(image.convert("RGBA"))
        if image.mode != mode:
            image = image.convert(mode)
        return image, was_transparent
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error) as error:
        raise DataError(
            f"Could not decode the image {_name(path)}.",
            expected="a complete image of 8 or 16 bits per channel",
            received=error,
            fix="remove or replace this file",
        ) from None


def _without_transparency(image: Image) -> tuple[Image, bool]:
    """An RGBA image on a background, and whether it had any transparency."""
    from PIL import Image, ImageStat

    alpha = image.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return image.convert("RGB"), False
    visible = ImageStat.Stat(image.convert("L"), alpha.point(_VISIBLE))
    nearly_white = visible.count[0] > 0 and visible.mean[0] > _NEARLY_WHITE
    background = Image.new("RGBA", image.size, "black" if nearly_white else "white")
    background.alpha_composite(image)
    return background.convert("RGB"), True


def resized(image: Image, size: tuple[int, int], interpolation: str, fit: str) -> Image:
    """Resize an image.

    Args:
        image: A Pillow image.
        size: `(height, width)` of the result.
        interpolation: A name in `INTERPOLATIONS`. Shrinking averages over all pixels
            (antialiasing).
        fit: How to fit another aspect ratio: `"stretch"`, `"crop"` (keep the center) or `"pad"`
            (add black borders).
    """
    height, width = size
    if image.size == (width, height):
        return image
    from PIL import Image

    filter_ = Image.Resampling[INTERPOLATIONS[interpolation]]
    if fit == "stretch":
        return image.resize((width, height), filter_)
    if fit == "crop":
        kept_width = min(image.width, max(1, image.height * width // height))
        kept_height = min(image.height, max(1, image.width * height // width))
        left, top = (image.width - kept_width) // 2, (image.height - kept_height) // 2
        return image.resize(
            (width, height), filter_, (left, top, left + kept_width, top + kept_height)
        )
    ratio = min(width / image.width, height / image.height)
    inner_width = max(1, round(image.width * ratio))
    inner_height = max(1, round(image.height * ratio))
    canvas = Image.new(image.mode, (width, height))
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    canvas.paste(image.resize((inner_width, inner_height), filter_), (left, top))
    return canvas


@functools.cache
def _load_formats() -> None:
    """Load Pillow's plugins for the five formats.

    Otherwise Pillow would load all of its plugins, about forty, with the first image.
    """
    for name in ("Bmp", "Gif", "Jpeg", "Png", "WebP"):
        importlib.import_module(f"PIL.{name}ImagePlugin")


def _eight_bits(image: Image) -> Image:
    import numpy as np
    from PIL import Image

    return Image.fromarray((np.asarray(image) >> 8).astype("uint8"))


def _refuse_irregular(path: Any) -> None:
    """Refuse anything but regular files: reading a pipe or a device might never end."""
    if not isinstance(path, (str, os.PathLike)):
        return
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise DataError(
            f"There is no image {_name(path)}.",
            expected="an image file",
            received="a broken link" if os.path.islink(path) else "nothing at this path",
            fix="check the path",
        ) from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or error) from None
    if stat.S_ISDIR(mode):
        raise DataError(
            f"{_name(path)} is a folder.",
            expected="an image file",
            received="a folder",
            fix="pass the path of an image in it",
        )
    if not stat.S_ISREG(mode):
        raise _unreadable(path, "a pipe, a device or a socket")


def _unreadable(path: Any, received: object) -> DataError:
    return DataError(
        f"Could not read the image {_name(path)}.",
        expected=f"an image file ({', '.join(FORMATS)})",
        received=received,
        fix="remove or replace this file",
    )


def _too_large(path: Any, received: str) -> DataError:
    return DataError(
        f"The image {_name(path)} is too large to be decoded safely.",
        expected=f"at most {MAX_PIXELS} pixels",
        received=received,
        fix="shrink it with an image editor, or remove it",
    )


def _sizes_differ(spec: ImageSpec, other: str, image: Image) -> SizeError:
    height, width = spec.height, spec.width
    return SizeError(
        "The images have different sizes.",
        expected=f"{height} x {width} pixels (height x width), the size of {shown(spec.reference)}",
        received=f"{image.height} x {image.width} pixels in {shown(other)}",
        fix=f"pass image_size=({height}, {width}) or another size to resize all images",
    )


def _name(path: Any) -> str:
    """The name of an image in messages."""
    if not isinstance(path, (str, os.PathLike)):
        path = getattr(path, "name", "in memory")
    return shown(path)


def _work() -> None:
    """Answer requests until there are no more, or until the main process has ended.

    A file that raises or warns is only marked as bad. The main process then decodes it again, so
    that the error or warning appears there, as if there were no workers.
    """
    height, width, *rest = sys.argv[1:7]
    spec = ImageSpec(int(height), int(width), *rest)
    size = math.prod(spec.shape)
    caught: list[Any] = []
    warnings.simplefilter("default")  # each warning once
    warnings.showwarning = lambda *warning: caught.append(warning)
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    _load_formats()
    replies.write(READY)
    replies.flush()
    while len(head := requests.read(REQUEST.size)) == REQUEST.size:
        number, length = REQUEST.unpack(head)
        files = [os.fsdecode(name) for name in requests.read(length).split(b"\0")]
        outcomes, pixels = bytearray(len(files)), bytearray(len(files) * size)
        for i, file in enumerate(files):
            memory = memoryview(pixels)[i * size : (i + 1) * size]
            outcomes[i] = _outcome(memory, file, spec, caught)
        replies.write(REPLY.pack(number))
        replies.write(outcomes)
        replies.write(pixels)
        replies.flush()


def _outcome(pixels: memoryview, file: str, spec: ImageSpec, caught: list[Any]) -> int:
    """Decode a file; `BAD` if it raises or warns."""
    caught.clear()
    try:
        outcome = decode_into(pixels, file, spec)
    except Exception:
        return BAD
    return BAD if caught else outcome


if __name__ == "__main__":
    _work()
