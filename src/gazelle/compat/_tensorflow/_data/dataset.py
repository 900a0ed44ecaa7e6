"""`tf.data.Dataset`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.symbolic import leaves, map_structure
from gazelle.compat._tensorflow._data import orders
from gazelle.compat._tensorflow._data.elements import (
    as_arrays,
    as_numpy,
    as_tensors,
    as_tuple,
    at_most,
    batches,
    groups,
    padded,
    plain_element,
    shortest,
    stacked,
    times,
    typed,
)
from gazelle.compat._tensorflow._data.feed import array_feed
from gazelle.compat._tensorflow._data.rows import (
    INFINITE,
    UNKNOWN,
    Rows,
    Shuffle,
    call,
    rows_of,
)
from gazelle.compat._tensorflow._host import HostTensor, host_tensor
from gazelle.compat._tensorflow._random import last_seed
from gazelle.compat._tensorflow._shapes import TensorSpec
from gazelle.compat._tensorflow._tracing import NotTraceableError, Traceable, is_tracing
from gazelle.compat._tensorflow._values import convert_to_tensor

AUTOTUNE = -1


class DatasetIterator:
    """An iterator over a data set, whose elements are tensors."""

    def __init__(self, elements: Iterator[Any]):
        self._elements = elements

    def __iter__(self) -> DatasetIterator:
        return self

    def __next__(self) -> Any:
        return as_tensors(next(self._elements))

    get_next = __next__


class Dataset:
    """A pipeline of elements: rows, batches, or anything else. Its methods give new pipelines.

    Args:
        iterate: Gives the elements of one pass as structures of arrays.
        length: The number of elements; `INFINITE` or `UNKNOWN`.
        rows: Rows, where the elements are such.
        batched: The rows, the size and whether the remainder is dropped, where the elements are
            batches of rows.
    """

    def __init__(
        self,
        iterate: Callable[[], Iterator[Any]],
        length: int = UNKNOWN,
        *,
        rows: Rows | None = None,
        batched: tuple[Rows, int, bool] | None = None,
    ):
        self._iterate, self._length = iterate, length
        self._rows, self._batched = rows, batched

    @classmethod
    def of_rows(cls, rows: Rows) -> Dataset:
        """A data set of rows."""
        return Dataset(rows.elements, rows.length, rows=rows)

    # ---- Sources ----

    @staticmethod
    def from_tensor_slices(tensors: Any, name: Any = None) -> Dataset:
        """The rows of an array, or of arrays of one length in a tuple or dict.

        Raises:
            ShapeError: The arrays have other lengths.
        """
        arrays = as_arrays(tensors)
        lengths = [array.shape[:1] for array in leaves(arrays)]
        if () in lengths or len(set(lengths)) != 1:
            raise ShapeError(
                "from_tensor_slices: the tensors need first axes of one length.",
                received=[array.shape for array in leaves(arrays)],
            )
        return Dataset.of_rows(rows_of(arrays))

    @staticmethod
    def from_tensors(tensors: Any, name: Any = None) -> Dataset:
        """A data set of one element."""
        arrays = as_arrays(tensors)
        return Dataset.of_rows(rows_of(map_structure(lambda array: array[None], arrays)))

    @staticmethod
    def from_generator(
        generator: Callable[..., Any],
        output_types: Any = None,
        output_shapes: Any = None,
        args: Any = None,
        output_signature: Any = None,
        name: Any = None,
    ) -> Dataset:
        """The elements of a generator, which a function makes for each pass."""
        types = output_types
        if output_signature is not None:
            types = map_structure(lambda spec: spec.dtype, output_signature)

        def iterate() -> Iterator[Any]:
            for element in generator(*(args or ())):
                yield typed(element, types)

        return Dataset(iterate)

    @staticmethod
    def range(*args: Any, output_type: Any = None, name: Any = None) -> Dataset:
        """Whole numbers, with the arguments of Python's `range`."""
        numbers = np.arange(*(int(arg) for arg in args), dtype=np.int64)
        return Dataset.from_tensor_slices(numbers)

    @staticmethod
    def zip(*datasets: Any, name: Any = None) -> Dataset:
        """Tuples (or a dict) of the elements of several data sets."""
        parts = (
            datasets[0] if len(datasets) == 1 and not isinstance(datasets[0], Dataset) else datasets
        )
        sources = jax.tree.leaves(parts)
        structure = jax.tree.structure(parts)
        rows = [source._rows for source in sources]
        plain = [one for one in rows if one is not None and one.is_plain]
        if isinstance(parts, tuple | list) and len(plain) == len(sources) == len(parts):
            return Dataset.of_rows(plain[0].with_other(tuple(plain[1:])))

        def iterate() -> Iterator[Any]:
            for elements in zip(*(source._iterate() for source in sources), strict=False):
                yield as_tuple(jax.tree.unflatten(structure, elements))

        return Dataset(iterate, shortest([source._length for source in sources]))

    # ---- Rows and batches ----

    def map(
        self,
        map_func: Callable[..., Any],
        num_parallel_calls: Any = None,
        deterministic: Any = None,
        name: Any = None,
        **_: Any,
    ) -> Dataset:
        """The results of a function for each element.

        A function that computes from its arguments alone is compiled and called on many rows at
        once; any other one on each element.
        """
        if self._rows is not None and (rows := self._rows.mapped(map_func)) is not None:
            return Dataset.of_rows(rows)
        function = Traceable(lambda element: call(map_func, element))

        def iterate() -> Iterator[Any]:
            for element in self._iterate():
                yield as_tuple(plain_element(function(as_tensors(element))))

        return Dataset(iterate, self._length)

    def filter(self, predicate: Callable[..., Any], name: Any = None) -> Dataset:
        """The elements for which a function holds."""
        if self._rows is not None and (rows := self._rows.filtered(predicate)) is not None:
            return Dataset.of_rows(rows)

        def iterate() -> Iterator[Any]:
            for element in self._iterate():
                if bool(call(predicate, as_tensors(element))):
                    yield element

        return Dataset(iterate)

    def shuffle(
        self,
        buffer_size: Any,
        seed: Any = None,
        reshuffle_each_iteration: bool | None = None,
        name: Any = None,
    ) -> Dataset:
        """The elements in a random order, drawn from a buffer of `buffer_size`."""
        size = max(int(buffer_size), 1)
        is_seeded = seed is not None or last_seed() is not None
        seeds = (last_seed() or 0, int(seed or 0)) if is_seeded else None
        shuffle = Shuffle(seeds, reshuffle_each_iteration is not False)
        if self._rows is not None:
            again = reshuffle_each_iteration is not False
            return Dataset.of_rows(
                self._rows.ordered(
                    lambda order: orders.shuffled(order, size, shuffle.rng()),
                    self._rows.length,
                    is_fixed=self._rows.is_fixed and not again,
                )
            )

        def iterate() -> Iterator[Any]:
            rng, buffer = shuffle.rng(), []
            for element in self._iterate():
                if len(buffer) < size:
                    buffer.append(element)
                    continue
                place = int(rng.integers(size))
                buffer[place], drawn = element, buffer[place]
                yield drawn
            for place in rng.permutation(len(buffer)):
                yield buffer[place]

        return Dataset(iterate, self._length)

    def batch(
        self,
        batch_size: Any,
        drop_remainder: bool = False,
        num_parallel_calls: Any = None,
        deterministic: Any = None,
        name: Any = None,
    ) -> Dataset:
        """Batches of consecutive elements."""
        size, drop = int(batch_size), bool(drop_remainder)
        if size < 1:
            raise ArgumentError("batch: batch_size must be at least 1.", received=size)
        length = batches(self._length, size, drop)
        if self._rows is not None:
            rows = self._rows
            return Dataset(lambda: rows.batches(size, drop), length, batched=(rows, size, drop))

        def iterate() -> Iterator[Any]:
            for group in groups(self._iterate(), size, drop):
                yield stacked(group)

        return Dataset(iterate, length)

    def padded_batch(
        self,
        batch_size: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: bool = False,
        name: Any = None,
    ) -> Dataset:
        """Batches of elements of different sizes, filled up to one size."""
        size, drop = int(batch_size), bool(drop_remainder)

        def iterate() -> Iterator[Any]:
            for group in groups(self._iterate(), size, drop):
                yield padded(group, padded_shapes, padding_values)

        return Dataset(iterate, batches(self._length, size, drop))

    def unbatch(self, name: Any = None) -> Dataset:
        """The rows of batches."""
        if self._batched is not None and not self._batched[2]:
            return Dataset.of_rows(self._batched[0])

        def iterate() -> Iterator[Any]:
            for batch in self._iterate():
                for place in range(len(leaves(batch)[0])):
                    yield map_structure(lambda array, place=place: array[place], batch)

        return Dataset(iterate)

    def rebatch(self, batch_size: Any, drop_remainder: bool = False, name: Any = None) -> Dataset:
        """The same rows in batches of another size."""
        return self.unbatch().batch(batch_size, drop_remainder)

    def repeat(self, count: Any = None, name: Any = None) -> Dataset:
        """The elements several times; endlessly for None or -1."""
        passes = INFINITE if count is None else int(count)
        length = INFINITE if passes < 0 else times(self._length, passes)
        if self._rows is not None:
            rows = self._rows
            return Dataset.of_rows(
                Rows(
                    rows.take,
                    rows.spec,
                    rows.total,
                    lambda: orders.repeated(rows.orders, passes),
                    length,
                    is_plain=False,
                    is_fixed=rows.is_fixed,
                )
            )

        def iterate() -> Iterator[Any]:
            for _ in itertools.count() if passes < 0 else range(passes):
                some = False
                for element in self._iterate():
                    some = True
                    yield element
                if not some:
                    return

        return Dataset(iterate, length)

    def take(self, count: Any, name: Any = None) -> Dataset:
        """The first elements; all for -1."""
        count = int(count)
        if count < 0:
            return self
        length = count if self._length == INFINITE else at_most(self._length, count)
        if self._rows is not None:
            return Dataset.of_rows(
                self._rows.ordered(lambda order: orders.first(order, count), length)
            )
        return Dataset(lambda: itertools.islice(self._iterate(), count), length)

    def skip(self, count: Any, name: Any = None) -> Dataset:
        """All elements but the first; none for -1."""
        count = int(count)
        if count < 0:
            return self.take(0)
        length = self._length if self._length < 0 else max(self._length - count, 0)
        if self._rows is not None:
            return Dataset.of_rows(
                self._rows.ordered(lambda order: orders.behind(order, count), length)
            )
        return Dataset(lambda: itertools.islice(self._iterate(), count, None), length)

    def shard(self, num_shards: Any, index: Any, name: Any = None) -> Dataset:
        """Every element whose place divides by `num_shards`, from `index` on."""
        number, start = int(num_shards), int(index)
        length = self._length if self._length < 0 else len(range(start, self._length, number))
        if self._rows is not None:
            return Dataset.of_rows(
                self._rows.ordered(lambda order: orders.every(order, number, start), length)
            )
        return Dataset(lambda: itertools.islice(self._iterate(), start, None, number), length)

    def concatenate(self, dataset: Dataset, name: Any = None) -> Dataset:
        """The elements of this data set, then those of another."""

        def iterate() -> Iterator[Any]:
            yield from self._iterate()
            yield from dataset._iterate()

        lengths = self._length, dataset._length
        return Dataset(iterate, min(lengths) if min(lengths) < 0 else sum(lengths))

    def enumerate(self, start: int = 0, name: Any = None) -> Dataset:
        """Pairs of a number and an element."""

        def iterate() -> Iterator[Any]:
            for number, element in enumerate(self._iterate(), start):
                yield np.int64(number), element

        return Dataset(iterate, self._length)

    def cache(self, filename: Any = "", name: Any = None) -> Dataset:
        """The same elements, computed once."""
        if self._rows is not None:
            return Dataset.of_rows(self._rows.cached())
        kept: list[Any] = []
        done: list[bool] = []

        def iterate() -> Iterator[Any]:
            if done:
                yield from kept
                return
            found = []
            for element in self._iterate():
                found.append(element)
                yield element
            kept[:], done[:] = found, [True]

        return Dataset(iterate, self._length, batched=self._batched)

    def prefetch(self, buffer_size: Any = None, name: Any = None) -> Dataset:
        """The same elements."""
        return self

    def window(
        self,
        size: Any,
        shift: Any = None,
        stride: Any = 1,
        drop_remainder: bool = False,
        name: Any = None,
    ) -> Dataset:
        """Data sets of `size` elements each, which begin `shift` elements apart."""
        size, stride = int(size), int(stride)
        shift = size if shift is None else int(shift)

        def iterate() -> Iterator[Any]:
            elements, waiting = self._iterate(), []
            span = (size - 1) * stride + 1
            while True:
                waiting += itertools.islice(elements, span - len(waiting))
                found = waiting[:span:stride]
                if not found or (drop_remainder and len(found) < size):
                    return
                yield _window(found)
                missing = shift - len(waiting)
                waiting = waiting[shift:]
                if missing > 0:
                    next(itertools.islice(elements, missing - 1, None), None)

        return Dataset(iterate)

    # ---- Other pipelines of elements ----

    def flat_map(self, map_func: Callable[..., Any], name: Any = None) -> Dataset:
        """The elements of the data sets that a function gives, one after another."""

        def iterate() -> Iterator[Any]:
            for element in self._iterate():
                yield from call(map_func, as_tensors(element))._iterate()

        return Dataset(iterate)

    def interleave(
        self,
        map_func: Callable[..., Any],
        cycle_length: Any = None,
        block_length: Any = None,
        num_parallel_calls: Any = None,
        deterministic: Any = None,
        name: Any = None,
    ) -> Dataset:
        """The elements of the data sets that a function gives, in turns."""
        most = int(cycle_length) if cycle_length not in (None, AUTOTUNE) else 4
        block = int(block_length or 1)

        def iterate() -> Iterator[Any]:
            sources = (call(map_func, as_tensors(one))._iterate() for one in self._iterate())
            running = list(itertools.islice(sources, most))
            while running:
                still = []
                for source in running:
                    found = list(itertools.islice(source, block))
                    yield from found
                    following = source if len(found) == block else next(sources, None)
                    if following is not None:
                        still.append(following)
                running = still

        return Dataset(iterate)

    def apply(self, transformation_func: Callable[[Dataset], Any]) -> Any:
        """What a function makes of the data set."""
        return transformation_func(self)

    def reduce(self, initial_state: Any, reduce_func: Callable[..., Any], name: Any = None) -> Any:
        """The last result of a function of its own result and the next element."""
        state = map_structure(convert_to_tensor, initial_state)
        for element in self:
            state = reduce_func(state, element)
        return state

    def scan(self, initial_state: Any, scan_func: Callable[..., Any], name: Any = None) -> Dataset:
        """The results of a function that also gives its next state."""

        def iterate() -> Iterator[Any]:
            state = map_structure(convert_to_tensor, initial_state)
            for element in self._iterate():
                state, found = scan_func(state, as_tensors(element))
                yield plain_element(found)

        return Dataset(iterate, self._length)

    def take_while(self, predicate: Callable[..., Any], name: Any = None) -> Dataset:
        """The elements up to the first for which a function does not hold."""

        def holds(element: Any) -> bool:
            return bool(call(predicate, as_tensors(element)))

        return Dataset(lambda: itertools.takewhile(holds, self._iterate()))

    def unique(self, name: Any = None) -> Dataset:
        """Each element once."""

        def iterate() -> Iterator[Any]:
            seen: set[Any] = set()
            for element in self._iterate():
                key = np.asarray(element).tobytes()
                if key not in seen:
                    seen.add(key)
                    yield element

        return Dataset(iterate)

    def with_length(self, length: int) -> Dataset:
        """The same elements, of which there are `length`."""
        return Dataset(self._iterate, length, batched=self._batched)

    def options(self) -> Any:
        """Settings without effect."""
        return Options()

    def with_options(self, options: Any, name: Any = None) -> Dataset:
        """The same elements."""
        return self

    def ignore_errors(self, log_warning: bool = False, name: Any = None) -> Dataset:
        """The same elements."""
        return self

    # ---- Reading ----

    def __iter__(self) -> DatasetIterator:
        if is_tracing():
            raise NotTraceableError("It goes over a data set.")
        return DatasetIterator(self._iterate())

    def make_one_shot_iterator(self) -> DatasetIterator:
        """An iterator over the elements."""
        return iter(self)

    make_initializable_iterator = make_one_shot_iterator

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements as arrays of NumPy's."""
        for element in self._iterate():
            yield map_structure(as_numpy, element)

    def get_single_element(self, name: Any = None) -> Any:
        """The only element."""
        return next(iter(self))

    def cardinality(self, name: Any = None) -> HostTensor:
        """The number of elements; -1 for endless data, -2 where it is not known."""
        return host_tensor(self._length, np.int64)

    def __len__(self) -> int:
        if self._length < 0:
            raise TypeError("The dataset is infinite or its length is unknown.")
        return self._length

    def __bool__(self) -> bool:
        return True

    @property
    def element_spec(self) -> Any:
        """The shapes and types of the elements."""
        if self._rows is not None:
            return map_structure(lambda s: TensorSpec(s.shape, s.dtype), self._rows.spec)
        if self._batched is not None:
            rows, size, drop = self._batched
            first = size if drop else None
            return map_structure(lambda s: TensorSpec((first, *s.shape), s.dtype), rows.spec)
        element = next(self._iterate())
        return map_structure(lambda a: TensorSpec(np.shape(a), np.asarray(a).dtype), element)

    def array_feed(self, *, steps: int | None, shuffles: bool, label: str) -> Any:
        """The whole data for `fit` and its like, where they can take it at once; else None.

        Args:
            steps: Steps per epoch, or None.
            shuffles: Whether an order of its own may be drawn for each epoch.
            label: Prefix of names in errors.
        """
        if self._batched is None or self._length == INFINITE or steps is not None:
            return None
        return array_feed(*self._batched, shuffles=shuffles, label=label)

    def __repr__(self) -> str:
        length = {INFINITE: "endless", UNKNOWN: "unknown"}.get(self._length, self._length)
        return f"<Dataset length={length}>"


class Options:
    """Settings of data sets, which have no effect."""

    def __init__(self) -> None:
        self._held: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._held.setdefault(name, Options())


def _window(elements: list[Any]) -> Any:
    """A window: a data set, or a structure of them where the elements are such."""
    if isinstance(elements[0], tuple):
        return tuple(_window([element[i] for element in elements]) for i in range(len(elements[0])))
    if isinstance(elements[0], dict):
        return {key: _window([element[key] for element in elements]) for key in elements[0]}
    return Dataset.of_rows(rows_of(np.stack([np.asarray(element) for element in elements])))
