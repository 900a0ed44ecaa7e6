"""Single images: reading and writing files, and conversion to and from arrays."""

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

    The EXIF orientation of a camera is ignored, as in Keras. Images of 16 bits per channel are
    scaled to 8. Transparent images get a white background (black if the visible part is nearly
    white), unless `color_mode` is `"rgba"`. Keras instead drops the alpha channel, which shows the
    hidden colors, mostly black.

    Args:
        path: A path or an open binary file.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        target_size: `(height, width)` to resize to, or None.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos"`, `"box"` or `"hamming"`.
        keep_aspect_ratio: Whether to crop the image to the target's aspect ratio instead of
            distorting it.

    Raises:
        PackageError: pillow is not installed.
        ArgumentError: An argument has an unknown value.
        DataError: The file is missing, damaged, not an image or far too large. The message names
            it.
    """
    need("load_img", "PIL")
    one_of("color_mode", color_mode, tuple(MODES), "load_img")
    one_of("interpolation", interpolation, tuple(INTERPOLATIONS), "load_img")
    with opened(path) as image:
        converted, _ = decoded(image, color_mode, path)
    if target_size is None:
        return converted
    fit = "crop" if keep_aspect_ratio else "stretch"
    return resized(converted, target_size, interpolation, fit)


def img_to_array(img: Image, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """Convert a Pillow image to an array of values from 0 to 255.

    Args:
        img: A Pillow image.
        data_format: `"channels_last"` (the default) or `"channels_first"`.
        dtype: Type of the array; None for the default float type.

    Returns:
        `(height, width, channels)`, or `(channels, height, width)` for `"channels_first"`.

    Raises:
        ArgumentError: Unknown `data_format`.
    """
    data_format = _data_format(data_format)
    array = np.asarray(img, dtype=dtype or floatx())
    if array.ndim == 2:
        array = array[:, :, None]
    return array.transpose(2, 0, 1) if data_format == "channels_first" else array


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Image:
    """Convert an array to a Pillow image.

    Args:
        x: `(height, width, channels)` with 1, 3 or 4 channels.
        data_format: `"channels_last"` (the default) or `"channels_first"`.
        scale: Whether to rescale the values to 0 to 255; otherwise they are used unchanged.
        dtype: Type to compute in; None for the default float type.

    Raises:
        PackageError: pillow is not installed.
        ArgumentError: Unknown `data_format`.
        ShapeError: `x` does not have three axes, or has another number of channels.
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
            fix="pass one image of a batch; for a grayscale image pass x[..., None]",
        )
    if data_format == "channels_first":
        array = array.transpose(1, 2, 0)
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
        path: Path of the file. Its extension determines the format if `file_format` is None.
        x: `(height, width, channels)` with 1, 3 or 4 channels.
        data_format: `"channels_last"` (the default) or `"channels_first"`.
        file_format: `"png"`, `"jpeg"`, ...
        scale: Whether to rescale the values to 0 to 255.
        **kwargs: Passed to Pillow's `Image.save`.

    Raises:
        ArgumentError: The format is unknown.
        ShapeError: `x` is not an image.
    """
    image = array_to_img(x, data_format, scale)
    if file_format is not None and file_format.lower() == "jpg":
        file_format = "jpeg"  # Pillow's name
    ending = (file_format or Path(path).suffix.lstrip(".")).lower()
    if image.mode == "RGBA" and ending in ("jpg", "jpeg"):
        image = image.convert("RGB")  # JPEG has no transparency
    with atomic_path(path) as temporary:
        try:
            image.save(temporary, format=file_format, **kwargs)
        except (ValueError, KeyError):
            raise ArgumentError(
                f"save_img cannot determine which format to write {path} in.",
                expected="a file name that ends with .png, .jpg, ..., or file_format",
                received=repr(file_format or Path(path).suffix),
            ) from None


def _data_format(data_format: str | None) -> str:
    return one_of(
        "data_format", data_format or "channels_last", ("channels_last", "channels_first"), "image"
    )
