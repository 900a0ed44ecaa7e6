"""Feeds: where fit, evaluate and predict get their batches.

An `ArrayFeed` holds whole arrays; `windows.py` brings them to the device. A `StreamFeed` draws
batches one by one from a generator, a `PyDataset` or any other iterable. `as_feed` makes the one
that fits what the user passed.

"Structure" below means what users may pass as `x`, `y` or `sample_weight`: an array, or arrays in
lists, tuples and dicts.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from gazelle._core import layouts
from gazelle._core.dtypes import floatx
from gazelle._core.errors import ArgumentError, ArgumentTypeError, DataError
from gazelle._core.symbolic import KerasTensor, map_structure
from gazelle._data.checks import as_numeric, check_lengths, column_names
from gazelle._data.dataset import ArrayDataset, PyDataset, unpack_x_y_sample_weight
from gazelle._data.memory import aligned_cast
from gazelle._data.numeric import is_target
from gazelle._data.sparse_rows import (
    SparseRows,
    as_sparse_rows,
    is_sparse_matrix,
    sparse_to_device,
)

DEFAULT_BATCH_SIZE = 32
_LARGEST_INT32 = 2**31 - 1  # programs count samples and steps with int32
_END = object()  # of an iterator; None would be a batch that somebody forgot to return


class ArrayFeed:
    """Arrays with the samples along their first axis, cut into batches.

    Args:
        x: Inputs: an array, or a list or dict of arrays, each `(samples, ...)`; also sparse
            matrices, which stay sparse.
        y: Targets in the same forms, or None.
        sample_weight: Weights in the same forms, or None.
        batch_size: Samples per batch. None means `ceil(samples / steps)` if `steps` is given, else
            32.
        steps: Steps per epoch; None for all batches.
        shuffle: True to shuffle the samples before each epoch, `"batch"` to shuffle them within
            each batch only.
        label: Prefix of `x` and `y` in error messages, such as `"validation "`.

    Raises:
        DataError: No data, or data that is not numeric.
        ShapeError: The arrays have different lengths.
        ArgumentError: `batch_size` or `steps` is not a positive int.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int | None = None,
        steps: int | None = None,
        shuffle: bool | str = False,
        label: str = "",
    ):
        self.columns = column_names(x)
        (self.x, self.y, self.sample_weight), arrays = _checked(label, x, y, sample_weight)
        self.samples = len(next(iter(arrays.values())))
        self.steps = None if steps is None else _positive("steps_per_epoch", steps)
        self._given_batch_size = batch_size
        if batch_size is None:
            batch_size = DEFAULT_BATCH_SIZE if steps is None else math.ceil(self.samples / steps)
        self.batch_size = _positive("batch_size", batch_size)
        self.shuffle = shuffle
        self.full_batches, self.tail = divmod(self.samples, self.batch_size)
        self.batches = self.full_batches + (self.tail > 0)

    @property
    def spec(self) -> tuple[Any, Any, Any]:
        """Symbolic x, y and sample_weight.

        Shapes have None for the samples' axis; dtypes are those on the device.
        """
        return map_structure(_spec, (self.x, self.y, self.sample_weight))

    def on_device(self) -> Any:
        """`(x, y, sample_weight)` as JAX arrays of the device's types, see `device_dtype`."""
        return map_structure(to_device, (self.x, self.y, self.sample_weight))

    def order(self) -> np.ndarray | None:
        """Draw the order of the samples for a new pass.

        It comes from NumPy's global generator, which `set_random_seed` seeds, as in Keras.

        Returns:
            Ints `(samples,)`, or None for the order of the arrays.
        """
        if self.shuffle is False or self.shuffle is None:
            return None
        if self.shuffle == "batch":
            ends = [*range(0, self.samples, self.batch_size), self.samples]
            batches = [np.arange(start, stop) for start, stop in itertools.pairwise(ends)]
            return np.concatenate([np.random.permutation(batch) for batch in batches])  # noqa: NPY002
        return np.random.permutation(self.samples)  # noqa: NPY002

    def split(
        self, fraction: float, *, batch_size: int | None = None, steps: int | None = None
    ) -> tuple[ArrayFeed, ArrayFeed]:
        """Split off the last `fraction` of the samples for validation.

        Args:
            fraction: Share of the validation data, between 0 and 1.
            batch_size: Samples per validation step; None for the batch size of training.
            steps: Validation steps; None for all.

        Returns:
            `(training, validation)`.

        Raises:
            ArgumentError: `fraction` is out of range, or one side would be empty.
        """
        is_number = isinstance(fraction, int | float | np.number) and not isinstance(fraction, bool)
        if not is_number or not 0 < fraction < 1:
            raise ArgumentError(
                "validation_split must be a number between 0 and 1.",
                expected="a share of the samples, such as 0.2",
                received=repr(fraction),
            )
        at = math.floor(self.samples * (1 - fraction))
        if not 0 < at < self.samples:
            raise ArgumentError(
                f"validation_split={fraction} leaves no samples to train or to validate on.",
                expected="a fraction between 0 and 1 that leaves samples on both sides",
                received=f"{self.samples} samples, split at {at}",
            )

        given = self._given_batch_size
        training = ArrayFeed(
            *self._rows(slice(0, at)), batch_size=given, steps=self.steps, shuffle=self.shuffle
        )
        validation = ArrayFeed(
            *self._rows(slice(at, None)),
            batch_size=batch_size or given or DEFAULT_BATCH_SIZE,
            steps=steps,
        )
        return training, validation

    def batch(self, index: int, order: np.ndarray | None) -> Any:
        """Batch number `index` of a pass in this order, as `(x, y, sample_weight)`."""
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return self._rows(rows if order is None else order[rows])

    def _rows(self, rows: slice | np.ndarray) -> Any:
        """These rows of every array, as `(x, y, sample_weight)`."""
        return map_structure(
            lambda array: None if array is None else array[rows],
            (self.x, self.y, self.sample_weight),
        )


class StreamFeed:
    """Batches from a generator, a `PyDataset` or another iterable.

    A batch is `(x,)`, `(x, y)` or `(x, y, sample_weight)`. The first batch is drawn at once, since
    its shapes are needed to build and compile the model.

    Args:
        source: The iterable.
        steps: Steps per epoch; None for as many as there are.
        shuffle: Whether a `PyDataset` gives its batches in a new order each epoch.
        label: Prefix of `x` and `y` in error messages, such as `"validation "`.
        replay: Whether to keep a generator's batches, so that `begin_epoch(from_start=True)` can
            repeat them.
        prepare: What is done to the inputs of each batch first; None for nothing.

    Raises:
        DataError: The source is empty, or a batch is not numeric.
    """

    def __init__(
        self,
        source: Any,
        *,
        steps: int | None = None,
        shuffle: bool | str = False,
        label: str = "",
        replay: bool = False,
        prepare: Callable[[Any], Any] | None = None,
    ):
        self.source = source
        self._prepare = prepare
        self.steps = None if steps is None else _positive("steps_per_epoch", steps)
        self.shuffle = shuffle
        self.label = label
        self.indexed = isinstance(source, PyDataset)
        self.batches: int | None = None
        if self.indexed:
            self.batches = source.num_batches
        elif hasattr(source, "__len__"):
            with contextlib.suppress(TypeError):  # of a data set that does not know it
                self.batches = len(source)
        self._repeatable = self.indexed or (
            hasattr(source, "__iter__") and iter(source) is not source
        )
        self._iterator: Iterator[Any] | None = None
        self._replay = replay and not self._repeatable
        self._kept: list[Any] = []  # for replay
        self._waiting: list[Any] = []  # batches that are drawn but not yet returned
        self._begun = False  # whether the first epoch has begun only to draw its first batch
        self._weigh: Callable[[Any], Any] | None = None
        # Of a `PyDataset`: batches taken in this pass, and the state of NumPy's generator before
        # their order was drawn.
        self._taken = 0
        self._random_before: Any = None
        self.drawn = 0  # batches so far
        self.first = self._draw_first()

    @property
    def spec(self) -> tuple[Any, Any, Any]:
        """Symbolic x, y and sample_weight of the first batch, with None for the samples' axis."""
        return map_structure(_spec, self.first)

    def _draw_first(self) -> Any:
        """Begin the first epoch and draw its first batch, which `next_batch` will return."""
        self.begin_epoch()
        batch = self.next_batch()
        if batch is None:
            raise DataError(
                f"{self.label}x gave no batch.",
                expected="an iterable of batches (x, y)",
                received=f"an empty {type(self.source).__name__}",
            )
        self._waiting.insert(0, batch)
        self._begun = True
        return batch

    def begin_epoch(self, from_start: bool = False) -> None:
        """Start an epoch.

        Args:
            from_start: Whether to start from the first batch if that is possible. Otherwise a
                source with `steps` continues where the last epoch stopped, as long as it has
                batches left.
        """
        if self._begun:  # by `_draw_first`
            self._begun = False
            return
        if self.indexed:
            self.source.on_epoch_begin()
        if self._repeatable and (from_start or self.steps is None):
            self._iterator = None
        elif from_start and self._replay:
            self._waiting = list(self._kept)

    def end_epoch(self) -> None:
        """Tell a `PyDataset` that an epoch has ended."""
        if self.indexed:
            self.source.on_epoch_end()

    def next_batch(self) -> Any:
        """The next `(x, y, sample_weight)` as arrays, or None at the end of the source."""
        if self._waiting:
            return self._waiting.pop(0)
        if self._iterator is None:
            self._iterator = self._dataset_batches() if self.indexed else iter(self.source)
        item = next(self._iterator, _END)
        if item is _END:
            if self._repeatable:
                self._iterator = None
            return None
        self.drawn += 1
        if item is None:
            raise DataError(
                f"{self.label}x: batch {self.drawn} is None.",
                expected="(x,), (x, y) or (x, y, sample_weight)",
                received="None",
                fix="return or yield a batch on every path; a generator ends with return",
            )
        if isinstance(item, list) and not self.indexed:
            item = tuple(item)
        x, y, sample_weight = unpack_x_y_sample_weight(item)
        if self._prepare is not None:
            x = self._prepare(x)
        parts, _ = _checked(self.label, x, y, sample_weight)
        batch: Any = tuple(map_structure(_copied, part) for part in parts)
        if self._weigh is not None:
            batch = self._weigh(batch)
        if self._replay:
            self._kept.append(batch)
        return batch

    def weigh(self, weights_of: Callable[[Any, Any], Any]) -> None:
        """Give every batch the sample weights `weights_of(y, sample_weight)`."""

        def weigh(batch: Any) -> Any:
            x, y, sample_weight = batch
            return x, y, weights_of(y, sample_weight)

        self._weigh = weigh
        self.first = weigh(self.first)
        self._waiting = [weigh(batch) for batch in self._waiting]

    def _dataset_batches(self, skip: int = 0) -> Iterator[Any]:
        """The batches of a `PyDataset` for one epoch, without end if it has no length.

        Args:
            skip: How many to leave out.
        """
        indexes = itertools.islice(self._drawn_indexes(), skip, None)
        self._taken = skip
        return map(self._take, indexes)

    def _take(self, index: int) -> Any:
        self._taken += 1
        return self.source[index]

    def _drawn_indexes(self) -> Iterator[int]:
        """The numbers of the batches of a `PyDataset` in the order of a new pass."""
        count = self.batches
        if count is None:
            return itertools.count()
        order = np.arange(count)
        if self.shuffle:
            self._random_before = np.random.get_state(legacy=False)  # noqa: NPY002
            order = np.random.permutation(count)  # noqa: NPY002
        return (int(index) for index in order)

    # ---- Resuming ----

    @property
    def place(self) -> dict[str, Any]:
        """Where the feed is, as plain data; `move_on` goes there."""
        taken = 0 if self._iterator is None else self._taken
        return {"taken": taken, "random_before": self._random_before}

    def move_on(self, place: dict[str, Any], epochs: int, steps: int) -> None:
        """Go to where the feed of an interrupted fit was.

        A `PyDataset` gives its batches by number, so only its hooks are called. Every other source
        is drawn from again, because only that brings it into the same state.

        Args:
            place: The `place` of that feed.
            epochs: The epochs that it has begun and ended.
            steps: The steps of the epoch after these that it has done.
        """
        for _ in range(epochs):
            self.begin_epoch()
            self._draw_away(self.steps)
            self.end_epoch()
        if steps:
            self.begin_epoch()
            self._draw_away(steps)
        if not self.indexed:
            return
        self._waiting, self._iterator = [], None
        if place["taken"]:
            if place["random_before"] is not None:
                np.random.set_state(place["random_before"])  # noqa: NPY002
            self._iterator = self._dataset_batches(skip=place["taken"])

    def _draw_away(self, steps: int | None) -> None:
        """Draw the batches of an epoch, or so many of them, and forget them."""
        if self.indexed:
            return
        done = 0
        while done != steps and self.next_batch() is not None:
            done += 1
        if self.batches is None and steps is None:
            self.batches = done


def _copied(array: Any) -> Any:
    """A copy of a batch's array: a generator may write the next batch into the same memory."""
    if isinstance(array, SparseRows):
        return array.copy()
    if isinstance(array, np.ndarray):
        return aligned_cast(array, device_dtype(array.dtype))
    return array


Feed = ArrayFeed | StreamFeed


def as_feed(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: bool | str = False,
    label: str = "",
    prepare: Callable[[Any], Any] | None = None,
) -> Feed:
    """Make a feed from whatever fit, evaluate and predict accept as `x`.

    Args:
        x: Arrays, a data set of images or texts, a `PyDataset`, a generator or another iterable of
            batches.
        y: Targets, for arrays only.
        sample_weight: Weights, for arrays only.
        batch_size: See `ArrayFeed`.
        steps: Steps per epoch; None for all.
        shuffle: See `ArrayFeed` and `StreamFeed`.
        label: Prefix of `x` and `y` in error messages, such as `"validation "`.
        prepare: What is done to the inputs first, once to arrays and to each batch of a stream;
            None for nothing.

    Raises:
        ArgumentError: `y` or `sample_weight` with a generator or dataset, which brings its own.
        DataError: Empty data.
        ShapeError: The arrays have different lengths.
        ArgumentTypeError: Something that is not data.
    """
    if isinstance(x, ArrayDataset) and y is None and sample_weight is None:
        size = batch_size or x.batch_size
        shuffle = shuffle and x.shuffle
        inputs = x.x if prepare is None else prepare(x.x)
        return ArrayFeed(inputs, x.y, batch_size=size, steps=steps, shuffle=shuffle, label=label)
    whole = getattr(x, "array_feed", None)  # of a pipeline that knows all its rows
    if whole is not None and y is None and sample_weight is None and prepare is None:
        feed = whole(steps=steps, shuffles=bool(shuffle), label=label)
        if feed is not None:
            return feed
    if is_stream(x):
        for name, value in (("y", y), ("sample_weight", sample_weight)):
            if value is not None:
                raise ArgumentError(
                    f"When providing `x` as a generator or dataset, `{name}` should not be passed.",
                    expected=f"{name} as part of the batches that `x` gives",
                    received=f"{name} of type {type(value).__name__}",
                    fix="yield tuples (x, y, sample_weight) from the generator",
                )
        return StreamFeed(x, steps=steps, shuffle=shuffle, label=label, prepare=prepare)
    if prepare is not None and x is not None:
        x = prepare(x)
    if x is None or isinstance(x, str | bytes):
        raise ArgumentTypeError(
            f"Unrecognized data type: {label}x={x!r} (of type {type(x).__name__}).",
            expected="arrays, a list or dict of arrays, a generator or a dataset",
            fix="pass a NumPy array",
        )
    return ArrayFeed(
        x, y, sample_weight, batch_size=batch_size, steps=steps, shuffle=shuffle, label=label
    )


def is_stream(x: Any) -> bool:
    """Whether `x` gives batches one by one (generator, `PyDataset`, loader) and is not data."""
    if isinstance(x, PyDataset):
        return True
    if isinstance(x, list | tuple | dict | str | bytes | np.ndarray | jax.Array):
        return False
    if hasattr(x, "__array__"):
        return False
    return hasattr(x, "__next__") or (hasattr(x, "__iter__") and not hasattr(x, "shape"))


def named_leaves(name: str, structure: Any) -> dict[str, Any]:
    """The arrays of a structure by their names in error messages: `x`, `x[0]`, `x['age']`.

    Leaves that are None are left out.
    """
    if structure is None:
        return {}
    if isinstance(structure, dict):
        pairs = [(f"{name}[{key!r}]", value) for key, value in structure.items()]
    elif isinstance(structure, list | tuple):
        pairs = [(f"{name}[{i}]", value) for i, value in enumerate(structure)]
    else:
        return {name: structure}
    found: dict[str, Any] = {}
    for inner_name, value in pairs:
        found |= named_leaves(inner_name, value)
    return found


def to_device(array: Any) -> Any:
    """Put an array on the device, in the device's type; returns None for None.

    Sparse rows become a BCOO array.
    """
    if array is None:
        return None
    dtype, sharding = device_dtype(array.dtype), layouts.data_sharding()
    if isinstance(array, SparseRows):
        return sparse_to_device(array, dtype)
    if isinstance(array, np.ndarray):
        array = array if array.dtype == dtype else aligned_cast(array, dtype)
        return jax.device_put(array, sharding)
    array = array if array.dtype == dtype else array.astype(dtype)
    return array if sharding is None else jax.device_put(array, sharding)


def device_dtype(dtype: Any) -> np.dtype:
    """The type that data of `dtype` has on the device.

    Floats become the default float type, 64-bit integers become 32-bit, other types stay.
    """
    if jax.numpy.issubdtype(dtype, np.floating):
        return np.dtype(jax.numpy.dtype(floatx()))
    return np.dtype(jax.dtypes.canonicalize_dtype(dtype))


def _spec(array: Any) -> KerasTensor | None:
    if array is None:
        return None
    shape, dtype = (None, *array.shape[1:]), device_dtype(array.dtype)
    return KerasTensor(shape, dtype, isinstance(array, SparseRows), name="data")


def _checked(
    label: str, x: Any, y: Any, sample_weight: Any
) -> tuple[tuple[Any, Any, Any], dict[str, Any]]:
    """Numeric `(x, y, sample_weight)` of equal lengths, and their arrays by name."""
    parts = {"x": x, "y": y, "sample_weight": sample_weight}
    parts = {name: _numeric(f"{label}{name}", part) for name, part in parts.items()}
    arrays: dict[str, Any] = {}
    for name, part in parts.items():
        arrays |= named_leaves(f"{label}{name}", part)
    check_lengths(arrays)
    return (parts["x"], parts["y"], parts["sample_weight"]), arrays


def _numeric(name: str, structure: Any) -> Any:
    """A structure with numeric arrays as leaves.

    A list of numbers becomes one array, a list of arrays stays a list.
    """
    if structure is None or isinstance(structure, SparseRows):
        return structure
    if isinstance(structure, dict):
        return {key: _numeric(f"{name}[{key!r}]", value) for key, value in structure.items()}
    if isinstance(structure, list | tuple) and any(map(_holds_arrays, structure)):
        parts = [_numeric(f"{name}[{i}]", item) for i, item in enumerate(structure)]
        return getattr(structure, "_make", type(structure))(parts)  # of a named tuple too
    if is_sparse_matrix(structure) and not is_target(name) and "weight" not in name:
        return as_sparse_rows(name, structure)
    array = as_numeric(name, structure)
    if array.ndim == 0:
        raise DataError(
            f"{name} is a single number.", expected="an array of samples", received="shape ()"
        )
    return array


def _holds_arrays(item: Any) -> bool:
    """Whether an item of a list is an array, or a structure of arrays, not a number or a row."""
    if isinstance(item, list | tuple):
        return any(map(_holds_arrays, item))
    return getattr(item, "shape", ()) != () or isinstance(item, dict)


def _positive(name: str, value: Any) -> int:
    is_int = hasattr(value, "__index__") and not isinstance(value, bool)
    if not is_int or not 0 < int(value) <= _LARGEST_INT32:
        raise ArgumentError(
            f"{name} must be a positive integer.",
            expected=f"an int from 1 to {_LARGEST_INT32:,}",
            received=repr(value),
        )
    return int(value)


def warn_out_of_data(done: int, wanted: int | None) -> None:
    """Warn that the data ended early.

    Args:
        done: Steps that were run.
        wanted: Steps that were asked for; None if it is not known.
    """
    warnings.warn(
        "Your input ran out of data; interrupting training. Make sure that your dataset or"
        " generator can generate at least `steps_per_epoch * epochs` batches (expected"
        f" {wanted or 'more'} steps, received {done}).",
        UserWarning,
        stacklevel=2,
    )
