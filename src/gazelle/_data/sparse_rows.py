"""Sparse data: rows of a CSR matrix on the host, and batches of them on the device.

A program needs arrays of one shape, and batches have different numbers of nonzeros. So each batch
of a window has the same number of slots, and the slots that are left over hold a 0 in its last row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from gazelle._core.dtypes import is_float
from gazelle._core.errors import DataError, ShapeError
from gazelle._core.sparse import is_scipy, scipy_csr
from gazelle._data.memory import aligned_empty
from gazelle._data.numeric import check_range, place

_SLOT_BYTES = 12  # a value, its row and its column
_KEPT_BITS = 4  # of a number of slots; there are few different programs then


class SparseRows:
    """Data with the samples as the rows of a sparse matrix; nothing is copied.

    Args:
        matrix: A CSR matrix of SciPy, `(samples, columns)`.

    Attributes:
        matrix: That matrix.
        shape: `(samples, columns)`.
        dtype: The type of the values.
    """

    ndim = 2

    def __init__(self, matrix: Any):
        self.matrix = matrix
        self.shape: tuple[int, int] = tuple(matrix.shape)
        self.dtype = np.dtype(matrix.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> SparseRows:
        """These rows: a view for a slice, else a copy."""
        matrix = self.matrix
        if not isinstance(rows, slice):
            return SparseRows(matrix[rows])
        start, stop, _ = rows.indices(len(self))
        first, last = matrix.indptr[start], matrix.indptr[max(start, stop)]
        parts = matrix.data[first:last], matrix.indices[first:last]
        counted = matrix.indptr[start : max(start, stop) + 1] - first
        view = type(matrix)((*parts, counted), shape=(len(counted) - 1, self.shape[1]), copy=False)
        return SparseRows(view)

    def copy(self) -> SparseRows:
        """The same data in memory of its own."""
        return SparseRows(self.matrix.copy())

    @property
    def row_bytes(self) -> int:
        """Bytes of an average row on the device."""
        return -(-self.matrix.nnz * _SLOT_BYTES // max(1, len(self)))

    def slots(self, order: np.ndarray | None, batch_size: int) -> int:
        """The slots that every batch of a pass has room in, a number that is kept for many passes.

        Args:
            order: The order of the pass, ints `(samples,)`; None for that of the rows.
            batch_size: Samples per batch.
        """
        counts = np.diff(self.matrix.indptr)
        counts = counts if order is None else counts[order]
        starts = np.arange(0, len(counts), batch_size)
        return _rounded(int(np.add.reduceat(counts, starts, dtype=np.int64).max()))

    def toarray(self) -> np.ndarray:
        """The rows with all their zeros."""
        return self.matrix.toarray()


class SparseBatches:
    """Batches of sparse rows as arrays of one shape, which programs take.

    Attributes:
        values: `(batches, slots)`.
        places: Row within its batch and column of each value, int32 `(batches, slots, 2)`.
        shape: `(samples, columns)`, samples for which there is room.
        batch_size: Samples per batch.
    """

    ndim = 2

    def __init__(self, values: Any, places: Any, shape: tuple[int, int], batch_size: int):
        self.values, self.places = values, places
        self.shape, self.batch_size = shape, batch_size

    @classmethod
    def empty(
        cls, shape: tuple[int, int], dtype: Any, batch_size: int, slots: int
    ) -> SparseBatches:
        """Room for batches, in aligned memory of the host."""
        batches = -(-shape[0] // batch_size)
        values = aligned_empty((batches, slots), dtype)
        places = aligned_empty((batches, slots, 2), np.int32)
        # Programs may read room that is never filled; what they find must be within the matrix.
        values[:], places[:] = 0, 0
        return cls(values, places, shape, batch_size)

    @property
    def dtype(self) -> Any:
        """The type of the values."""
        return self.values.dtype

    @property
    def slots(self) -> int:
        """Values for which a batch has room."""
        return self.values.shape[1]

    def fill(self, data: SparseRows, rows: slice | np.ndarray) -> None:
        """Write these rows into the first batches; the memory is that of `empty`."""
        matrix, size = data[rows].matrix, self.batch_size
        ends = matrix.indptr
        for batch, start in enumerate(range(0, matrix.shape[0], size)):
            of_rows = ends[start : start + size + 1]
            first, last = of_rows[0], of_rows[-1]
            count, held = last - first, len(of_rows) - 1
            values, places = self.values[batch], self.places[batch]
            with np.errstate(over="ignore"):
                np.copyto(values[:count], matrix.data[first:last], casting="unsafe")
            places[:count, 0] = np.repeat(np.arange(held, dtype=np.int32), np.diff(of_rows))
            places[:count, 1] = matrix.indices[first:last]
            values[count:] = 0
            places[count:] = held - 1, 0

    def batch(self, start: Any, size: int) -> Any:
        """The `size` samples from position `start` on, the first of a batch, as a BCOO array."""
        from jax.experimental.sparse import BCOO

        values, places = (
            jax.lax.dynamic_index_in_dim(part, start // self.batch_size, keepdims=False)
            for part in (self.values, self.places)
        )
        return BCOO((values, places), shape=(size, self.shape[1]))


jax.tree_util.register_pytree_node(
    SparseBatches,
    lambda x: ((x.values, x.places), (x.shape, x.batch_size)),
    lambda kept, parts: SparseBatches(*parts, *kept),
)


def as_sparse_rows(name: str, value: Any) -> SparseRows:
    """A sparse matrix or BCOO array as data.

    Args:
        name: Its name in error messages.
        value: A sparse matrix of SciPy in any form (CSR is used in place), or a BCOO array.

    Raises:
        ShapeError: It does not have two axes.
        DataError: It is empty, or its values are not real numbers or too large.
    """
    if len(value.shape) != 2:
        raise ShapeError(
            f"{name} is sparse and not a matrix.",
            expected="two axes: (samples, columns)",
            received=f"shape {tuple(value.shape)}",
            fix="reshape it to one row per sample",
        )
    if 0 in value.shape:
        raise DataError(
            f"{name} is empty.",
            expected="at least one row and one column",
            received=f"shape {tuple(value.shape)}",
            fix="check how the data is loaded and split",
        )
    matrix = scipy_csr(value)
    if matrix.dtype.kind not in "biuf" and not is_float(matrix.dtype):
        raise DataError(
            f"{name} does not hold real numbers.",
            expected="numbers",
            received=f"dtype {matrix.dtype}",
            fix=f"pass {name}.astype('float32')",
        )
    check_range(name, matrix.data)
    return SparseRows(matrix)


def check_sparse_finite(name: str, x: SparseRows, columns: Sequence[str] | None = None) -> None:
    """Refuse NaN and infinity among the values.

    Raises:
        DataError: The message tells where the first one is.
    """
    matrix = x.matrix
    if not is_float(x.dtype) or np.isfinite(matrix.data).all():
        return
    bad = np.flatnonzero(~np.isfinite(matrix.data))
    row = int(np.searchsorted(matrix.indptr, bad[0], side="right")) - 1
    where = place((row, matrix.indices[bad[0]]), columns)
    raise DataError(
        f"{name} has {len(bad):,} values that are NaN or infinite.",
        expected="finite numbers",
        received=f"{matrix.data[bad[0]]} at {where}",
        fix="remove these rows, or replace the values",
    )


def sparse_to_device(x: SparseRows, dtype: Any) -> Any:
    """All rows as one BCOO array on the device, its size rounded up to a power of two."""
    count = max(1, x.matrix.nnz)
    room = SparseBatches.empty(x.shape, dtype, len(x), 1 << (count - 1).bit_length())
    room.fill(x, slice(None))
    return jax.device_put(room).batch(0, len(x))


def joined_rows(*parts: Any) -> Any:
    """Arrays, or sparse rows, one below the other."""
    if not isinstance(parts[0], SparseRows):
        return np.concatenate(parts)
    from scipy.sparse import vstack

    return SparseRows(vstack([part.matrix for part in parts], format="csr"))


def is_sparse_matrix(value: Any) -> bool:
    """Whether data is a sparse matrix of SciPy, or a BCOO array."""
    return is_scipy(value) or type(value).__name__ == "BCOO"


def _rounded(number: int) -> int:
    """A number rounded up so that only its first bits may be set."""
    unit = 1 << max(number.bit_length() - _KEPT_BITS, 0)
    return max(1, -(-number // unit)) * unit
