"""Resizing arrays of images without distortion."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from gazelle._core.checks import one_of
from gazelle._core.errors import ArgumentError, ShapeError

_METHODS = {
    "bilinear": "linear",
    "nearest": "nearest",
    "bicubic": "cubic",
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}


def smart_resize(
    x: Any,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    data_format: str = "channels_last",
) -> Any:
    """Resize images without distortion: crop the middle to the aspect ratio, then resize it.

    Args:
        x: Images `(height, width, channels)` or `(n, height, width, channels)`; with
            `"channels_first"` the channels come before the height.
        size: `(height, width)` of the result.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Images of that size, floats: a NumPy array for a NumPy array, otherwise a JAX array.

    Raises:
        ArgumentError: `size` is not a pair of ints above 0, or an argument has an unknown value.
        ShapeError: `x` does not have three or four axes.
    """
    owner = "smart_resize"
    one_of("interpolation", interpolation, tuple(_METHODS), owner)
    one_of("data_format", data_format, ("channels_last", "channels_first"), owner)
    if len(size) != 2 or min(size) < 1:
        raise ArgumentError(
            "Expected `size` to be a tuple of 2 integers.",
            expected="(height, width)",
            received=repr(size),
        )
    images = jax.numpy.asarray(x)
    if images.ndim not in (3, 4):
        raise ShapeError(
            "smart_resize: the images have a wrong number of axes.",
            expected="(height, width, channels) or (n, height, width, channels)",
            received=images.shape,
        )
    first = images.ndim - (3 if data_format == "channels_last" else 2)  # the axis of the height
    height, width = images.shape[first : first + 2]
    box: list[slice] = [slice(None)] * images.ndim
    box[first] = _middle(height, width * size[0] / size[1])
    box[first + 1] = _middle(width, height * size[1] / size[0])
    shape = list(images.shape)
    shape[first : first + 2] = size
    cropped = images[tuple(box)]
    if not jax.numpy.issubdtype(images.dtype, jax.numpy.floating):
        cropped = cropped.astype("float32")
    result = jax.image.resize(cropped, shape, _METHODS[interpolation], antialias=False)
    return np.array(result) if isinstance(x, np.ndarray) else result


def _middle(size: int, wanted: float) -> slice:
    """The middle of an axis: `wanted` pixels, at least one and at most all."""
    kept = max(min(size, int(wanted)), 1)
    start = (size - kept) // 2
    return slice(start, start + kept)
