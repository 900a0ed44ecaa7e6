"""Digests of rows, by which data can be known again, and counts of class labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from gazelle._core.symbolic import leaves

MOST_SAMPLED = 128
_MOST_CLASSES = 10_000
_PIECE = 4096  # rows at a time


def sample_digests(x: Any) -> list[str]:
    """Digests of up to 128 rows, evenly spread over the data; empty where it is not in NumPy arrays.

    Args:
        x: An array, or a list or dict of arrays, with the rows along the first axis.
    """
    arrays = _arrays(x)
    rows = len(arrays[0]) if arrays else 0
    places = np.unique(np.linspace(0, rows - 1, MOST_SAMPLED).astype(np.int64)) if rows else []
    return list(_digests(arrays, places))


def share_known(sample: list[str], x: Any) -> float | None:
    """The share of sampled rows that are among the rows of `x`; None where it cannot be told."""
    arrays = _arrays(x)
    if not sample or not arrays:
        return None
    wanted, rows = set(sample), len(arrays[0])
    found: set[str] = set()
    for begin in range(0, rows, _PIECE):
        found |= wanted & set(_digests(arrays, np.arange(begin, min(begin + _PIECE, rows))))
    return len(found) / len(wanted)


def label_counts(y: Any) -> list[int]:
    """Rows of each class; empty where `y` holds no classes: whole numbers `(rows,)` or `(rows, 1)`, or one-hot rows."""
    if not isinstance(y, np.ndarray) or y.size == 0:
        return []
    if y.ndim == 2 and y.shape[1] > 1:
        one_hot = (
            y.shape[1] <= _MOST_CLASSES
            and np.array_equal(y, y.astype(bool))
            and (y.sum(axis=1) == 1).all()
        )
        return [int(count) for count in y.sum(axis=0, dtype=np.float64)] if one_hot else []
    if y.size != len(y) or y.dtype.kind not in "iubf":
        return []
    low, high = y.min(), y.max()
    if not 0 <= low <= high < _MOST_CLASSES:  # also where it is NaN
        return []
    whole = y.reshape(-1).astype(np.int64)
    return np.bincount(whole).tolist() if np.array_equal(whole, y.reshape(-1)) else []


def _arrays(x: Any) -> list[np.ndarray]:
    arrays = leaves({key: x[key] for key in sorted(x, key=str)} if isinstance(x, dict) else x)
    return (
        arrays
        if arrays and all(isinstance(array, np.ndarray) and array.ndim for array in arrays)
        else []
    )


def _digests(arrays: list[np.ndarray], places: Any) -> Iterable[str]:
    """One digest a row. Numbers are brought to float32 first, so that the same row of another type has the same one."""
    if not len(places):
        return
    with np.errstate(over="ignore", invalid="ignore"):
        parts = [
            np.ascontiguousarray(array[places], dtype=np.float32).reshape(len(places), -1)
            for array in arrays
        ]
    block = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
    content, width = block.tobytes(), block.strides[0] if block.size else 0
    for begin in range(0, len(content), max(1, width)):
        yield hashlib.blake2b(content[begin : begin + width], digest_size=8).hexdigest()
