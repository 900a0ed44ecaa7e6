"""Digests of rows, by which data is recognized again, and counts of class labels."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gazelle._core.symbolic import leaves
from gazelle._data.sparse_rows import SparseRows

MOST_SAMPLED = 128
_MOST_CLASSES = 10_000
_NUMBERS_AT_A_TIME = 1 << 20


def sample_digests(x: Any) -> list[str]:
    """Digests of up to 128 rows, evenly spread over the data.

    Args:
        x: An array, or a list or dict of arrays, with the rows along the first axis.

    Returns:
        One digest per row; empty if the data is not in NumPy arrays.
    """
    arrays = _arrays(x)
    rows = len(arrays[0]) if arrays else 0
    if not rows:
        return []
    places = np.unique(np.linspace(0, rows - 1, MOST_SAMPLED).astype(np.int64))
    return list(_digests(arrays, places))


def share_known(sample: list[str], x: Any) -> float | None:
    """The share of sampled rows that are among the rows of `x`.

    Args:
        sample: Digests from `sample_digests`.
        x: Data in the same form.

    Returns:
        A number from 0 to 1, or None if there is no sample or `x` is not in NumPy arrays.
    """
    arrays = _arrays(x)
    if not sample or not arrays:
        return None
    wanted = set(sample)
    found = wanted.intersection(_digests(arrays, np.arange(len(arrays[0]))))
    return len(found) / len(wanted)


def label_counts(y: Any) -> list[int]:
    """Rows of each class.

    Args:
        y: Targets. Whole numbers `(rows,)` or `(rows, 1)` and one-hot rows are classes.

    Returns:
        One count per class; empty if `y` does not hold classes.
    """
    if not isinstance(y, np.ndarray) or y.size == 0:
        return []
    if y.ndim == 2 and y.shape[1] > 1:
        return y.sum(axis=0, dtype=np.float64).astype(np.int64).tolist() if _is_one_hot(y) else []
    if y.size != len(y) or y.dtype.kind not in "iubf":
        return []
    low, high = y.min(), y.max()
    if not 0 <= low <= high < _MOST_CLASSES:  # NaN fails this too
        return []
    flat = y.reshape(-1)
    labels = flat.astype(np.int64)
    return np.bincount(labels).tolist() if np.array_equal(labels, flat) else []


def _is_one_hot(y: np.ndarray) -> bool:
    if y.shape[1] > _MOST_CLASSES or not np.array_equal(y, y.astype(bool)):
        return False
    return bool((y.sum(axis=1) == 1).all())


def _arrays(x: Any) -> list[Any]:
    """The arrays in `x`, those of a dict by sorted keys; empty if one is not in main memory."""
    if isinstance(x, dict):
        x = {key: x[key] for key in sorted(x, key=str)}
    arrays = leaves(x)
    if all(isinstance(array, np.ndarray | SparseRows) and array.ndim for array in arrays):
        return arrays
    return []


def _rows(array: Any, places: np.ndarray) -> np.ndarray:
    """These rows, with all the zeros of sparse ones."""
    return array[places].toarray() if isinstance(array, SparseRows) else array[places]


def _digests(arrays: list[Any], places: np.ndarray) -> Iterator[str]:
    """One digest per row.

    Numbers are converted to float32 first, so that a row has the same digest in every type. So it
    has as a row of a sparse matrix, of which a few rows at a time are made dense.
    """
    numbers = sum(math.prod(array.shape[1:]) for array in arrays)
    step = max(1, _NUMBERS_AT_A_TIME // max(1, numbers))
    for start in range(0, len(places), step):
        yield from _digests_of_piece(arrays, places[start : start + step])


def _digests_of_piece(arrays: list[Any], places: np.ndarray) -> Iterator[str]:
    with np.errstate(over="ignore", invalid="ignore"):
        parts = [
            np.ascontiguousarray(_rows(array, places), np.float32).reshape(len(places), -1)
            for array in arrays
        ]
    table = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
    content = table.tobytes()
    width = table.strides[0] if table.size else 0
    for start in range(0, len(content), max(1, width)):
        yield hashlib.blake2b(content[start : start + width], digest_size=8).hexdigest()
