"""One image: a file to a picture, a picture to an array, and back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gazelle._core.checks import one_of
from gazelle._core.dtypes import floatx
from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.packages import need
from gazelle._data.images.decoding import INTERPOLATIONS, MODES, decoded, opened, resized
from gazelle._files.writing import atomic_path

if TYPE_CHECKING:
    from PIL.Image import Image


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Image:
    """Open an image file (PNG, JPEG, GIF's first frame, BMP, WebP) as a Pillow image.

    A camera's note on how it was held (EXIF orientation) is not followed, as in Keras. Pictures of
    16 bits a channel are scaled to 8. Unlike Keras, which drops transparency and so shows what lies
    hidden under it (mostly black), a transparent picture is laid on white (nearly white strokes: on
    black) unless `color_mode` is `"rgba"`.

    Args:
        path: A path or an open binary file.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        target_size: `(height, width)` to resize to, or None.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos"`, `"box"` or `"hamming"`.
        keep_aspect_ratio: Whether to cut the middle out first instead of distorting.

    Raises:
        PackageError: pillow is not installed.
        ArgumentError: An argument has an unknown value.
        DataError: The file is missing, damaged, no image or far too large; it is named.
    """
    need("load_img", "PIL")
    one_of("color_mode", color_mode, tuple(MODES), "load_img")
    one_of("interpolation", interpolation, tuple(INTERPOLATIONS), "load_img")
    with opened(path) as image:
        converted, _ = decoded(image, color_mode, path)
    if target_size is None:
        return converted
    return resized(
        converted, target_size, interpolation, "crop" if keep_aspect_ratio else "stretch"
    )


def img_to_array(img: Image, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """A Pillow image as an array, values 0 to 255.

    Args:
        img: A Pillow image.
        data_format: `"channels_last"` (when None) or `"channels_first"`.
        dtype: Its type; floatx when None.

    Returns:
        `(height, width, channels)`.

    Raises:
        ArgumentError: Unknown `data_format`.
    """
    data_format = _data_format(data_format)
    array = np.asarray(img, dtype=dtype or floatx())
    array = array[:, :, None] if array.ndim == 2 else array
    return array.transpose(2, 0, 1) if data_format == "channels_first" else array


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Image:
    """An array as a Pillow image.

    Args:
        x: `(height, width, channels)` with 1, 3 or 4 channels.
        data_format: `"channels_last"` (when None) or `"channels_first"`.
        scale: Whether to stretch the values to 0 to 255; otherwise they are taken as they are.
        dtype: Type to compute in; floatx when None.

    Raises:
        PackageError: pillow is not installed.
        ArgumentError: Unknown `data_format`.
        ShapeError: Not three axes, or another number of channels.
    """
    need("An image", "PIL")
    from PIL import Image

    data_format = _data_format(data_format)
    array = np.array(x, dtype=dtype or floatx())
    if array.ndim != 3:
        raise ShapeError(
            "Expected image array to have rank 3 (single image). Got array with shape:"
            f" {array.shape}",
            expected="(height, width, channels)",
            received=array.shape,
            fix="pass one image of a batch; of a grey one x[..., None]",
        )
    array = array.transpose(1, 2, 0) if data_format == "channels_first" else array
    if array.shape[2] not in (1, 3, 4):
        raise ShapeError(
            f"Unsupported channel number: {array.shape[2]}",
            expected="1, 3 or 4 channels",
            received=array.shape,
        )
    if scale:
        array -= array.min()
        if array.max() != 0:
            array /= array.max()
        array *= 255
    if array.shape[2] == 1:
        flat = array[:, :, 0]
        return Image.fromarray(flat.astype("int32" if flat.max() > 255 else "uint8"))
    return Image.fromarray(array.astype("uint8"))


def save_img(
    path: str | os.PathLike[str],
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array to an image file.

    Args:
        path: The file; its ending names the format where `file_format` is None.
        x: `(height, width, channels)` with 1, 3 or 4 channels.
        data_format: `"channels_last"` (when None) or `"channels_first"`.
        file_format: `"png"`, `"jpeg"`, ...
        scale: Whether to stretch the values to 0 to 255.
        **kwargs: For Pillow's `Image.save`.

    Raises:
        ArgumentError: The format is not known.
        ShapeError: `x` is no image.
    """
    image = array_to_img(x, data_format, scale)
    file_format = "jpeg" if (file_format or "").lower() == "jpg" else file_format
    if image.mode == "RGBA" and (file_format or Path(path).suffix.lstrip(".")).lower() in (
        "jpg",
        "jpeg",
    ):
        image = image.convert("RGB")  # JPEG has no transparency
    with atomic_path(path) as temporary:
        try:
            image.save(temporary, format=file_format, **kwargs)
        except (ValueError, KeyError):
            raise ArgumentError(
                f"save_img cannot tell which format to write {path} in.",
                expected="a file name that ends with .png, .jpg, ..., or file_format",
                received=repr(file_format or Path(path).suffix),
            ) from None


def _data_format(data_format: str | None) -> str:
    return one_of(
        "data_format", data_format or "channels_last", ("channels_last", "channels_first"), "image"
    )
