"""Whether arrays are finite, without another array of their size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from gazelle._core.dtypes import is_float


def all_finite(arrays: Iterable[Any]) -> bool:
    """Whether all values of NumPy or JAX arrays are finite; arrays of whole numbers are."""
    return all(_is_finite(np.asarray(array)) for array in arrays)


def _is_finite(array: np.ndarray) -> bool:
    if not array.size or not is_float(array.dtype):
        return True
    # NaN is passed on by both, and an infinite value is the largest or the smallest.
    return bool(np.isfinite(array.max()) and np.isfinite(array.min()))
