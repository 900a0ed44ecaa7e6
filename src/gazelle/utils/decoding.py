"""Image files to pixels: in this process, and in worker processes that run this file as a script.

A worker is to start fast, so this file imports little: pillow, and NumPy only for the rare images that need it.
"""

from __future__ import annotations

import functools
import math
import os
import signal
import struct
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if __name__ == "__main__":  # see `command`
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks: it ends its workers
    sys.path += sys.argv[7:]

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
REQUEST = struct.Struct("<qi")  # to a worker: number of the first file, bytes of the names that follow, 0 between them
REPLY = struct.Struct("<q")  # from it: the same number, then a byte for each file (1: decoded), then all pixels
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


def decode_into(pixels: memoryview, files: Sequence[str], wanted: Wanted) -> None:
    """Decode files, one after the other.

    Args:
        pixels: Bytes, as many as the images have together.
        files: Their paths.
        wanted: How they are to be.

    Raises:
        DataError: A file cannot be read, or has another size than `wanted.model`; it is named.
    """
    size = len(pixels) // len(files)
    height, width = wanted.height, wanted.width
    for i, file in enumerate(files):
        with opened(file) as image:
            if wanted.model and image.size != (width, height):
                raise _sizes_differ(wanted, file, image)
            picture = resized(
                decoded(image, wanted.color_mode, file), (height, width), wanted.interpolation, wanted.fit
            )
        pixels[i * size : (i + 1) * size] = picture.tobytes()


def command(wanted: Wanted, packages: Sequence[str]) -> list[str]:
    """What starts a worker.

    Args:
        wanted: How its images are to be.
        packages: The folders that hold Gazelle, pillow and NumPy.
    """
    # -I and -S: folders and .pth files of the user's are not looked for, which would take as long as all the rest.
    return [sys.executable, "-I", "-S", __file__, *map(str, wanted), *packages]


def opened(path: Any) -> Image:
    """An image file, opened and not decoded yet.

    Raises:
        DataError: It is missing, no image, or has more than `MAX_PIXELS`.
    """
    from PIL import Image, UnidentifiedImageError

    _load_formats()
    try:
        image = Image.open(path, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path, str(error)) from error
    except (OSError, ValueError, SyntaxError, EOFError, OverflowError, struct.error) as error:
        what = "empty or no image of a known format" if isinstance(error, UnidentifiedImageError) else error
        raise DataError(
            f"Could not read the image {_name(path)}.",
            expected=f"an image file ({', '.join(FORMATS)})",
            received=what,
            fix="remove or replace this file",
        ) from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise _too_large(path, f"{width} x {height} pixels")
    return image


def decoded(image: Image, color_mode: str, path: Any) -> Image:
    """Decode an opened image into 8 bits a channel.

    Raises:
        DataError: It is cut off, damaged, or of a kind without a scale.
    """
    try:
        image.load()
        if image.mode.startswith("I;16"):
            image = _eight_bits(image)
        elif image.mode in ("I", "F"):
            raise ValueError(f"values of 32 bits (mode {image.mode}), whose range is not known")
        return image if image.mode == MODES[color_mode] else image.convert(MODES[color_mode])
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error) as error:
        raise DataError(
            f"Could not decode the image {_name(path)}.",
            expected="a whole image of 8 or 16 bits a channel",
            received=error,
            fix="remove or replace this file",
        ) from error


def resized(image: Image, size: tuple[int, int], interpolation: str, fit: str) -> Image:
    """An image of `size`, `(height, width)`.

    Args:
        image: A Pillow image.
        size: Wanted height and width.
        interpolation: A name in `INTERPOLATIONS`. Shrinking averages over all pixels (antialiasing).
        fit: How other proportions fit: `"stretch"`, `"crop"` (the middle is cut out) or `"pad"` (black beside).
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
        return image.resize((width, height), filter_, (left, top, left + kept_width, top + kept_height))
    ratio = min(width / image.width, height / image.height)
    inner = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
    canvas = Image.new(image.mode, (width, height))
    canvas.paste(image.resize(inner, filter_), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas


@functools.cache
def _load_formats() -> None:
    """Loads what reads the five formats; pillow would else load all that it has, some forty, with the first image."""
    from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401


def _eight_bits(image: Image) -> Image:
    import numpy as np
    from PIL import Image

    return Image.fromarray((np.asarray(image) >> 8).astype("uint8"))


def _too_large(path: Any, received: str) -> DataError:
    return DataError(
        f"The image {_name(path)} is too large to be decoded safely.",
        expected=f"at most {MAX_PIXELS} pixels",
        received=received,
        fix="make it smaller with an image program, or remove it",
    )


def _sizes_differ(wanted: Wanted, other: str, image: Image) -> DataError:
    height, width = wanted.height, wanted.width
    return DataError(
        "The images have different sizes.",
        expected=f"{height} x {width} pixels (height x width), as {wanted.model} has",
        received=f"{image.height} x {image.width} pixels in {other}",
        fix=f"pass image_size=({height}, {width}) or another size to bring all to it",
    )


def _name(path: Any) -> str:
    return str(path) if isinstance(path, (str, os.PathLike)) else str(getattr(path, "name", "in memory"))


def _work() -> None:
    """Answers requests until there are no more (also because the process that asks has ended).

    A file that raises or warns is not reported here: the process that asks decodes it again by itself, which raises
    or warns there, as if there were no workers.
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
            flags[i] = _decoded_well(memoryview(pixels)[i * size : (i + 1) * size], file, wanted, warned)
        answer.write(REPLY.pack(number))
        answer.write(flags)
        answer.write(pixels)
        answer.flush()


def _decoded_well(pixels: memoryview, file: str, wanted: Wanted, warned: list[Any]) -> bool:
    warned.clear()
    try:
        decode_into(pixels, [file], wanted)
    except Exception:
        return False
    return not warned


if __name__ == "__main__":
    _work()
