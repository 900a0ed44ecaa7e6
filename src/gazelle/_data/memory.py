"""Arrays at addresses that the device can use in place: on a CPU, sending them costs no copy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_ALIGNMENT = 64  # bytes: what XLA asks of a buffer that it is to use where it is


def aligned_empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Like `np.empty`, with the first element at a multiple of 64 bytes.

    Args:
        shape: The array's shape.
        dtype: Its type.

    Returns:
        An array in C order.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    raw = np.empty(size + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def is_aligned(array: np.ndarray) -> bool:
    """Whether the device can use the array where it is: in C order, the first element at a multiple of 64 bytes."""
    return array.flags.c_contiguous and array.ctypes.data % _ALIGNMENT == 0


def aligned_cast(array: np.ndarray, dtype: Any) -> np.ndarray:
    """The values as another type, in an aligned array; floats that do not fit become infinite."""
    out = aligned_empty(array.shape, dtype)
    with np.errstate(over="ignore"):
        np.copyto(out, array, casting="unsafe")
    return out
