"""Aligned arrays: on a CPU, XLA can use them in place, so that sending them costs no copy."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

_ALIGNMENT = 64  # bytes; XLA uses a host buffer in place only if it is aligned to this


def aligned_empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> np.ndarray:
    """Like `np.empty`, with the first element at a multiple of 64 bytes.

    Args:
        shape: Shape of the array.
        dtype: Type of the array.

    Returns:
        An uninitialized array in C order.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    raw = np.empty(size + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def is_aligned(array: np.ndarray) -> bool:
    """Whether the array is in C order with its first element at a multiple of 64 bytes."""
    return array.flags.c_contiguous and array.ctypes.data % _ALIGNMENT == 0


def aligned_cast(array: np.ndarray, dtype: npt.DTypeLike) -> np.ndarray:
    """Copy an array into an aligned one of another type.

    Floats that are too large for the new type become infinite.
    """
    out = aligned_empty(array.shape, dtype)
    with np.errstate(over="ignore"):
        np.copyto(out, array, casting="unsafe")
    return out
