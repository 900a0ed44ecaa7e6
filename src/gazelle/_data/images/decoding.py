"""Image files to pixels: in this process, and in worker processes that run this file as a script.

A worker is to start fast, so this file imports little: pillow, and NumPy only for the rare images
that need it.
"""

from __future__ import annotations

import functools
import math
import os
import signal
import stat
import struct
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if __name__ == "__main__":  # see `command`
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for the process that asks: it ends its workers
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
REQUEST = struct.Struct(
    "<qi"
)  # to a worker: number of the first file, bytes of the names that follow, 0 between them
REPLY = struct.Struct(
    "<q"
)  # from it: the same number, then a byte for each file (see below), then all pixels
BAD, OPAQUE, TRANSPARENT = (
    0,
    1,
    2,
)  # what a file was: not decoded, decoded, decoded and laid on a ground
_NEARLY_WHITE = 224  # mean of what can be seen, of 255
_SEEN = [
    255 if alpha > 127 else 0 for alpha in range(256)
]  # pixels that count as seen, by their alpha
READY = REPLY.pack(-1)  # what it says first


class Wanted(NamedTuple):
    """How all images of a folder are to be.

    Args:
        height: Rows.
        width: Columns.
        color_mode: A name in `MODES`.
        interpolation: A name in `INTERPOLATIONS`.
        fit: How other proportions fit, see `resized`.
        model: The file whose size the images must have; empty where they are resized.
    """

    height: int
    width: int
    color_mode: str
    interpolation: str
    fit: str
    model: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        return self.height, self.width, CHANNELS[self.color_mode]


class SizeError(DataError):
    """An image has another size than the others."""


def decode_into(pixels: memoryview, file: str, wanted: Wanted) -> int:
    """Decode a file.

    Args:
        pixels: Bytes, as many as the image has.
        file: Its path.
        wanted: How it is to be.

    Returns:
        `OPAQUE` or `TRANSPARENT`.

    Raises:
        DataError: The file cannot be read; it is named.
        SizeError: It has another size than `wanted.model`.
    """
    height, width = wanted.height, wanted.width
    with opened(file) as image:
        if wanted.model and image.size != (width, height):
            raise _sizes_differ(wanted, file, image)
        picture, laid = decoded(image, wanted.color_mode, file)
        picture = resized(picture, (height, width), wanted.interpolation, wanted.fit)
    pixels[:] = picture.tobytes()
    return TRANSPARENT if laid else OPAQUE


def command(wanted: Wanted, packages: Sequence[str]) -> list[str]:
    """What starts a worker.

    Args:
        wanted: How its images are to be.
        packages: The folders that hold Gazelle, pillow and NumPy.
    """
    # -I and -S: folders and .pth files of the user's are not looked for, which would take as long
    # as all the rest.
    return [sys.executable, "-I", "-S", __file__, *map(str, wanted), *packages]


def opened(path: Any) -> Image:
    """An image file, opened and not decoded yet.

    Raises:
        DataError: It is missing, no regular file, no image, or has more than `MAX_PIXELS`.
    """
    from PIL import Image, UnidentifiedImageError

    _load_formats()
    _refuse_irregular(path)
    try:
        image = Image.open(path, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path, str(error)) from None
    except (OSError, ValueError, SyntaxError, EOFError, OverflowError, struct.error) as error:
        raise _unreadable(
            path,
            (
                "empty or no image of a known format"
                if isinstance(error, UnidentifiedImageError)
                else getattr(error, "strerror", None) or error
            ),
        ) from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise _too_large(path, f"{width} x {height} pixels")
    return image


def decoded(image: Image, color_mode: str, path: Any) -> tuple[Image, bool]:
    """Decode an opened image into 8 bits a channel; a transparent one is laid on a ground, but for `"rgba"`.

    The ground is white; black where all that can be seen is nearly white, which would vanish on
    white.

    Returns:
        The image, and whether it was laid on a ground.

    Raises:
        DataError: It is cut off, damaged, or of a kind without a scale.
    """
    try:
        image.load()
        if image.mode.startswith("I;16"):
            image = _eight_bits(image)
        elif image.mode in ("I", "F"):
            raise ValueError(f"values of 32 bits (mode {image.mode}), whose range is not known")
        mode = MODES[color_mode]
        if mode != "RGBA" and image.has_transparency_data:
            image, laid = _on_ground(image.convert("RGBA"))
        else:
            laid = False
        return image if image.mode == mode else image.convert(mode), laid
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error) as error:
        raise DataError(
            f"Could not decode the image {_name(path)}.",
            expected="a whole image of 8 or 16 bits a channel",
            received=error,
            fix="remove or replace this file",
        ) from None


def _on_ground(image: Image) -> tuple[Image, bool]:
    """An RGBA image without its transparency, and whether it had any."""
    from PIL import Image, ImageStat

    alpha = image.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return image.convert("RGB"), False
    visible = ImageStat.Stat(image.convert("L"), alpha.point(_SEEN))
    light = visible.count[0] > 0 and visible.mean[0] > _NEARLY_WHITE
    ground = Image.new("RGBA", image.size, "black" if light else "white")
    ground.alpha_composite(image)
    return ground.convert("RGB"), True


def resized(image: Image, size: tuple[int, int], interpolation: str, fit: str) -> Image:
    """An image of `size`, `(height, width)`.

    Args:
        image: A Pillow image.
        size: Wanted height and width.
        interpolation: A name in `INTERPOLATIONS`. Shrinking averages over all pixels
            (antialiasing).
        fit: How other proportions fit: `"stretch"`, `"crop"` (the middle is cut out) or `"pad"`
            (black beside).
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
    inner = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
    canvas = Image.new(image.mode, (width, height))
    canvas.paste(image.resize(inner, filter_), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas


@functools.cache
def _load_formats() -> None:
    """Loads what reads the five formats; pillow would else load all that it has, some forty, with the first image."""


def _eight_bits(image: Image) -> Image:
    import numpy as np
    from PIL import Image

    return Image.fromarray((np.asarray(image) >> 8).astype("uint8"))


def _refuse_irregular(path: Any) -> None:
    """Refuse what is no file, or a file that never ends or never answers: a folder, a pipe, a device."""
    if not isinstance(path, (str, os.PathLike)):
        return
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise DataError(
            f"There is no image {_name(path)}.",
            expected="an image file",
            received="a link to nothing" if os.path.islink(path) else "nothing there",
            fix="check the path",
        ) from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or error) from None
    if stat.S_ISDIR(mode):
        raise DataError(
            f"{_name(path)} is a folder.",
            expected="an image file",
            received="a folder",
            fix="name the images in it",
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
        fix="make it smaller with an image program, or remove it",
    )


def _sizes_differ(wanted: Wanted, other: str, image: Image) -> SizeError:
    height, width = wanted.height, wanted.width
    return SizeError(
        "The images have different sizes.",
        expected=f"{height} x {width} pixels (height x width), as {shown(wanted.model)} has",
        received=f"{image.height} x {image.width} pixels in {shown(other)}",
        fix=f"pass image_size=({height}, {width}) or another size to bring all to it",
    )


def _name(path: Any) -> str:
    return shown(
        path if isinstance(path, (str, os.PathLike)) else getattr(path, "name", "in memory")
    )


def _work() -> None:
    """Answers requests until there are no more (also because the process that asks has ended).

    A file that raises or warns is not reported here: the process that asks decodes it again by
    itself, which raises or warns there, as if there were no workers.
    """
    height, width, *rest = sys.argv[1:7]
    wanted = Wanted(int(height), int(width), *rest)
    size = math.prod(wanted.shape)
    warned: list[Any] = []
    warnings.simplefilter("default")  # each warning once
    warnings.showwarning = lambda *warning: warned.append(warning)
    ask, answer = sys.stdin.buffer, sys.stdout.buffer
    _load_formats()
    answer.write(READY)
    answer.flush()
    while len(head := ask.read(REQUEST.size)) == REQUEST.size:
        number, length = REQUEST.unpack(head)
        files = [os.fsdecode(name) for name in ask.read(length).split(b"\0")]
        flags, pixels = bytearray(len(files)), bytearray(len(files) * size)
        for i, file in enumerate(files):
            flags[i] = _decoded_well(
                memoryview(pixels)[i * size : (i + 1) * size], file, wanted, warned
            )
        answer.write(REPLY.pack(number))
        answer.write(flags)
        answer.write(pixels)
        answer.flush()


def _decoded_well(pixels: memoryview, file: str, wanted: Wanted, warned: list[Any]) -> int:
    warned.clear()
    try:
        kind = decode_into(pixels, file, wanted)
    except Exception:
        return BAD
    return BAD if warned else kind


if __name__ == "__main__":
    _work()
