"""Data of which every row can be read by its number, so that whole batches are taken at once."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from gazelle._core.symbolic import leaves, map_structure
from gazelle.compat._tensorflow._data import orders
from gazelle.compat._tensorflow._data.orders import Order
from gazelle.compat._tensorflow._tracing import Traceable

INFINITE, UNKNOWN = -1, -2
_CHUNK = 1024  # rows that are read at once where there are no batches
_MOST_BYTES = 2**30  # that `cache` keeps


def call(function: Callable[..., Any], element: Any) -> Any:
    """A function's result for an element of a data set: a tuple is several arguments."""
    return function(*element) if isinstance(element, tuple) else function(element)


@dataclass(frozen=True)
class Rows:
    """Rows that can be read by their numbers, and the order of them in a pass.

    Attributes:
        take: Gives the rows with some numbers, as a structure of arrays with one row per number.
        spec: One row as a structure of `jax.ShapeDtypeStruct`s; text has the type `object`.
        total: How many rows there are.
        orders: Gives the order of one pass.
        length: The rows of a pass; `INFINITE` or `UNKNOWN`.
        is_plain: Whether a pass has all rows in their order.
        is_fixed: Whether all passes have one order.
    """

    take: Callable[[np.ndarray], Any]
    spec: Any
    total: int
    orders: Callable[[], Order]
    length: int
    is_plain: bool = True
    is_fixed: bool = True

    def elements(self) -> Iterator[Any]:
        """The rows of a pass, one by one."""
        for part in self.orders():
            for start in range(0, len(part), _CHUNK):
                chunk = self.take(part[start : start + _CHUNK])
                for place in range(len(leaves(chunk)[0])):
                    yield map_structure(lambda array, place=place: array[place], chunk)

    def batches(self, size: int, drop_remainder: bool) -> Iterator[Any]:
        """The rows of a pass in batches."""
        for part in orders.grouped(self.orders(), size, drop_remainder):
            yield self.take(part)

    @property
    def row_bytes(self) -> int:
        """The bytes of a row."""
        return sum(int(np.prod(leaf.shape)) * leaf.dtype.itemsize for leaf in leaves(self.spec))

    # ---- Other rows of these ----

    def ordered(self, change: Callable[[Order], Order], length: int, **changes: Any) -> Rows:
        """The same rows in another order."""
        before = self.orders
        return replace(
            self, orders=lambda: change(before()), length=length, is_plain=False, **changes
        )

    def mapped(self, function: Callable[..., Any]) -> Rows | None:
        """The results of a function for the rows; None if it must be called on single ones."""
        if any(leaf.dtype == object for leaf in leaves(self.spec)):
            return None

        def of_row(row: Any) -> Any:
            return call(function, row)

        traceable = Traceable(of_row, by_row=True)
        spec = traceable.spec(self.spec)
        if spec is None:
            return None

        def take(numbers: np.ndarray) -> Any:
            count = len(numbers)
            # A power of two, so that few sizes are compiled.
            padded = np.pad(numbers, (0, (1 << (count - 1).bit_length()) - count), mode="edge")
            results = traceable(self.take(padded))
            return map_structure(lambda array: np.asarray(array)[:count], results)

        return replace(self, take=take, spec=_without_lists(spec))

    def filtered(self, predicate: Callable[..., Any]) -> Rows | None:
        """The rows for which a function holds; None if it must be called on single ones."""
        held = self.mapped(predicate)
        if held is None:
            return None

        @functools.cache
        def mask() -> np.ndarray:
            chunks = range(0, self.total, _CHUNK)
            numbers = (np.arange(start, min(start + _CHUNK, self.total)) for start in chunks)
            found = [np.asarray(held.take(part), bool) for part in numbers]
            return np.concatenate(found) if found else np.empty(0, bool)

        return self.ordered(lambda order: orders.kept(order, mask()), UNKNOWN)

    def cached(self) -> Rows:
        """The same rows, computed once, in the order of the first pass."""
        if self.length == INFINITE or self.row_bytes * self.total > _MOST_BYTES:
            return self

        @functools.cache
        def arrays() -> Any:
            return self.take(np.arange(self.total))

        def take(numbers: np.ndarray) -> Any:
            return map_structure(lambda array: array[numbers], arrays())

        if self.is_fixed:
            return replace(self, take=take)
        kept = functools.cache(lambda: orders.joined(self.orders()))
        return replace(self, take=take, orders=lambda: iter([kept()]), is_fixed=True)

    def with_other(self, others: tuple[Rows, ...]) -> Rows:
        """Rows of these and of others side by side; all are in their own order."""
        every = (self, *others)
        count = min(rows.total for rows in every)
        return Rows(
            lambda numbers: tuple(rows.take(numbers) for rows in every),
            tuple(rows.spec for rows in every),
            count,
            lambda: orders.whole(count),
            count,
        )


def _without_lists(spec: Any) -> Any:
    return tuple(spec) if isinstance(spec, list) else spec


def rows_of(arrays: Any) -> Rows:
    """The rows of a structure of arrays of NumPy's with equal first axes."""
    count = len(leaves(arrays)[0])

    def take(numbers: np.ndarray) -> Any:
        return map_structure(lambda array: array[numbers], arrays)

    def row(array: np.ndarray) -> Any:
        if array.dtype == object:
            return _TextSpec(array.shape[1:], array.dtype)
        return jax.ShapeDtypeStruct(array.shape[1:], jax.dtypes.canonicalize_dtype(array.dtype))

    spec = map_structure(row, arrays)
    return Rows(take, spec, count, lambda: orders.whole(count), count)


@dataclass(frozen=True)
class _TextSpec:
    """The shape of text."""

    shape: tuple[int, ...]
    dtype: Any


class Shuffle:
    """The random numbers of a `shuffle`.

    Args:
        seeds: The global seed and that of the call; None for random numbers.
        again: Whether every pass has an order of its own.
    """

    def __init__(self, seeds: tuple[int, int] | None, again: bool):
        self._seeds = (
            np.random.SeedSequence().generate_state(2).tolist() if seeds is None else seeds
        )
        self._again = again
        self._passes = itertools.count()

    def rng(self) -> np.random.Generator:
        """The generator for the next pass."""
        number = next(self._passes) if self._again else 0
        return np.random.default_rng([*(seed % 2**63 for seed in self._seeds), number])
