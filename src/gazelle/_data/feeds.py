"""Feeds: what fit, evaluate and predict draw their batches from.

An `ArrayFeed` holds whole arrays; `windows.py` says how they come to the device. A `StreamFeed`
draws batch after batch from a generator, a `PyDataset` or any other iterable.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from gazelle._core.dtypes import floatx
from gazelle._core.errors import ArgumentError, ArgumentTypeError, DataError
from gazelle._core.symbolic import KerasTensor, map_structure
from gazelle._data.checks import as_numeric, check_lengths, column_names
from gazelle._data.dataset import ImageDataset, PyDataset, unpack_x_y_sample_weight
from gazelle._data.memory import aligned_cast

DEFAULT_BATCH_SIZE = 32
_MOST = 2**31 - 1  # programs count samples and steps with int32


class ArrayFeed:
    """Arrays with the samples along their first axis, cut into batches.

    Args:
        x: Inputs: an array, or a list or dict of arrays, each `(samples, ...)`.
        y: Targets in the same forms, or None.
        sample_weight: Weights in the same forms, or None.
        batch_size: Samples a batch; 32, or `ceil(samples / steps)` where `steps` is given, when
            None.
        steps: Steps an epoch, or None for all.
        shuffle: True to draw the samples in a new order each epoch, `"batch"` to reorder within
            batches only.
        label: A word before `x` and `y` in error texts: `"validation "`.

    Raises:
        DataError: No data, or arrays of different lengths.
        ArgumentError: `batch_size` or `steps` is no int > 0.
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
        self.x = _numeric(f"{label}x", x)
        self.y = _numeric(f"{label}y", y)
        self.sample_weight = _numeric(f"{label}sample_weight", sample_weight)
        named = {}
        for name, part in (
            (f"{label}x", self.x),
            (f"{label}y", self.y),
            (f"{label}sample_weight", self.sample_weight),
        ):
            named |= named_leaves(name, part)
        check_lengths(named)
        self.samples = len(next(iter(named.values())))
        self.steps = None if steps is None else _positive("steps_per_epoch", steps)
        given = batch_size
        if batch_size is None:
            batch_size = DEFAULT_BATCH_SIZE if steps is None else math.ceil(self.samples / steps)
        self.batch_size = _positive("batch_size", batch_size)
        self._given_batch_size = given
        self.shuffle = shuffle
        self.full_batches, self.tail = divmod(self.samples, self.batch_size)
        self.batches = self.full_batches + (self.tail > 0)

    @property
    def spec(self) -> tuple[Any, Any, Any]:
        """Symbolic x, y and sample_weight: shapes with None for the samples' axis, and the dtypes on the device."""
        return map_structure(_spec, (self.x, self.y, self.sample_weight))

    def on_device(self) -> Any:
        """`(x, y, sample_weight)` as JAX arrays. Bytes stay bytes, other floats become floatx."""
        return map_structure(to_device, (self.x, self.y, self.sample_weight))

    def order(self) -> np.ndarray | None:
        """The samples' order for a new pass: ints `(samples,)`, or None for the order of the arrays."""
        if self.shuffle is False or self.shuffle is None:
            return None
        if self.shuffle == "batch":
            ends = [*range(0, self.samples, self.batch_size), self.samples]
            pieces = [np.random.permutation(np.arange(a, b)) for a, b in itertools.pairwise(ends)]  # noqa: NPY002
            return np.concatenate(pieces)
        return np.random.permutation(self.samples)  # noqa: NPY002 (seeded by set_random_seed, as Keras's)

    def split(
        self, fraction: float, *, batch_size: int | None = None, steps: int | None = None
    ) -> tuple[ArrayFeed, ArrayFeed]:
        """The first `1 - fraction` of the samples to train on and the last `fraction` to validate on.

        Args:
            fraction: Share of the validation, between 0 and 1.
            batch_size: Samples a step of validation; as given for training when None.
            steps: Steps of a validation; all when None.

        Raises:
            ArgumentError: One side would be empty.
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

        def part(rows: slice) -> Any:
            return map_structure(
                lambda a: None if a is None else a[rows], (self.x, self.y, self.sample_weight)
            )

        given = self._given_batch_size
        return (
            ArrayFeed(
                *part(slice(0, at)), batch_size=given, steps=self.steps, shuffle=self.shuffle
            ),
            ArrayFeed(
                *part(slice(at, None)),
                batch_size=batch_size or given or DEFAULT_BATCH_SIZE,
                steps=steps,
            ),
        )

    def batch(self, index: int, order: np.ndarray | None) -> Any:
        """Batch number `index` as `(x, y, sample_weight)`."""
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        pick: Any = rows if order is None else order[rows]
        return map_structure(
            lambda a: None if a is None else a[pick], (self.x, self.y, self.sample_weight)
        )


class StreamFeed:
    """Batches from a generator, a `PyDataset` or another iterable of `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    Args:
        source: The iterable.
        steps: Steps an epoch; None for as many as there are.
        shuffle: Whether a `PyDataset` gives its batches in a new order each epoch.
        label: A word before `x` and `y` in error texts.
        replay: Whether a generator's batches are kept, to be given again when a pass starts anew.
    """

    def __init__(
        self,
        source: Any,
        *,
        steps: int | None = None,
        shuffle: bool | str = False,
        label: str = "",
        replay: bool = False,
    ):
        self.source = source
        self.steps = None if steps is None else _positive("steps_per_epoch", steps)
        self.shuffle = shuffle
        self.label = label
        self.indexed = isinstance(source, PyDataset)
        self.batches: int | None = None
        if self.indexed:
            self.batches = source.num_batches
        elif hasattr(source, "__len__"):
            self.batches = len(source)
        self._repeatable = self.indexed or (
            hasattr(source, "__iter__") and iter(source) is not source
        )
        self._iterator: Iterator[Any] | None = None
        self._replay = replay and not self._repeatable
        self._kept: list[Any] = []
        self._waiting: list[Any] = []  # batches that were drawn already
        self._begun = False
        self._weigh: Callable[[Any], Any] | None = None
        self.drawn = 0  # batches so far
        self.first = self._peek()

    @property
    def spec(self) -> tuple[Any, Any, Any]:
        """Symbolic x, y and sample_weight of the first batch, None for the samples' axis."""
        return map_structure(_spec, self.first)

    def _peek(self) -> Any:
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

    def begin_epoch(self, anew: bool = False) -> None:
        """Start an epoch.

        Args:
            anew: Whether to start from the first batch where that is possible. Otherwise a source
                goes on where the last epoch left it, as long as `steps` are counted and it has
                batches left.
        """
        if self._begun:  # with the first batch, whose shape was looked at
            self._begun = False
            return
        if self.indexed:
            self.source.on_epoch_begin()
        if self._repeatable and (anew or self.steps is None):
            self._iterator = None
        elif anew and self._replay:
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
            self._iterator = self._indices() if self.indexed else iter(self.source)
        item = next(self._iterator, _END)
        if item is _END:
            self._iterator = None if self._repeatable else self._iterator
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
        x, y, weight = unpack_x_y_sample_weight(item)
        names = (f"{self.label}x", f"{self.label}y", f"{self.label}sample_weight")
        parts = [_numeric(name, part) for name, part in zip(names, (x, y, weight), strict=True)]
        named = {}
        for name, part in zip(names, parts, strict=True):
            named |= named_leaves(name, part)
        check_lengths(named)
        batch = tuple(map_structure(_taken, part) for part in parts)
        if self._weigh is not None:
            batch = self._weigh(batch)
        if self._replay:
            self._kept.append(batch)
        return batch

    def weigh(self, weights_of: Callable[[Any, Any], Any]) -> None:
        """Give every batch the sample weights `weights_of(y, sample_weight)`."""

        def weighed(batch: Any) -> Any:
            x, y, sample_weight = batch
            return x, y, weights_of(y, sample_weight)

        self._weigh = weighed
        self.first, *self._waiting = [weighed(batch) for batch in (self.first, *self._waiting)]

    def _indices(self) -> Iterator[Any]:
        count = self.batches
        if count is None:
            return (self.source[i] for i in itertools.count())
        order = np.arange(count)
        if self.shuffle:
            order = np.random.permutation(count)  # noqa: NPY002
        return (self.source[int(i)] for i in order)


_END = object()  # of an iterator; None is a batch that somebody forgot to return


def _taken(array: Any) -> Any:
    """A batch's array as it is at this moment: a generator may write the next batch into the same memory."""
    return (
        aligned_cast(array, device_dtype(array.dtype)) if isinstance(array, np.ndarray) else array
    )


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
) -> Feed:
    """A feed for whatever fit, evaluate and predict accept as `x`.

    Raises:
        ArgumentError: `y` or `sample_weight` beside a generator or dataset, which brings its own.
        DataError: Empty data or lengths that differ.
        ArgumentTypeError: Something that is no data.
    """
    if isinstance(x, ImageDataset) and y is None and sample_weight is None:
        size = batch_size or x.batch_size
        return ArrayFeed(
            x.x, x.y, batch_size=size, steps=steps, shuffle=shuffle and x.shuffle, label=label
        )
    if is_stream(x):
        for name, value in (("y", y), ("sample_weight", sample_weight)):
            if value is not None:
                raise ArgumentError(
                    f"When providing `x` as a generator or dataset, `{name}` should not be passed.",
                    expected=f"{name} as a part of what `x` gives",
                    received=f"{name} of type {type(value).__name__}",
                    fix="give tuples (x, y, sample_weight) from the generator",
                )
        return StreamFeed(x, steps=steps, shuffle=shuffle, label=label)
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
    """Whether `x` gives batches one by one (generator, `PyDataset`, loader) rather than being data itself."""
    if isinstance(x, PyDataset):
        return True
    if isinstance(x, list | tuple | dict | str | bytes | np.ndarray | jax.Array) or hasattr(
        x, "__array__"
    ):
        return False
    return hasattr(x, "__next__") or (hasattr(x, "__iter__") and not hasattr(x, "shape"))


def named_leaves(name: str, structure: Any) -> dict[str, Any]:
    """The arrays of a structure by a name for error texts: `x`, `x[0]`, `x['age']`; None is left out."""
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
    """An array on the device: 64-bit integers become 32-bit, floats become floatx, bytes stay; None stays None."""
    if array is None:
        return None
    dtype = device_dtype(array.dtype)
    if isinstance(array, np.ndarray):
        return jax.device_put(array if array.dtype == dtype else aligned_cast(array, dtype))
    return array if array.dtype == dtype else array.astype(dtype)


def device_dtype(dtype: Any) -> Any:
    """The type that data of `dtype` has on the device."""
    if jax.numpy.issubdtype(dtype, np.floating):
        return np.dtype(jax.numpy.dtype(floatx()))
    return np.dtype(jax.dtypes.canonicalize_dtype(dtype))


def _spec(array: Any) -> KerasTensor | None:
    if array is None:
        return None
    return KerasTensor((None, *array.shape[1:]), device_dtype(array.dtype), name="data")


def _numeric(name: str, structure: Any) -> Any:
    """Every leaf as a numeric array; lists of numbers are one array, lists of arrays stay lists."""
    if structure is None:
        return None
    if isinstance(structure, dict):
        return {key: _numeric(f"{name}[{key!r}]", value) for key, value in structure.items()}
    if isinstance(structure, list | tuple) and any(
        getattr(item, "shape", ()) != () or isinstance(item, dict) for item in structure
    ):
        return type(structure)(_numeric(f"{name}[{i}]", item) for i, item in enumerate(structure))
    array = as_numeric(name, structure)
    if array.ndim == 0:
        raise DataError(
            f"{name} is a single number.", expected="an array of samples", received="shape ()"
        )
    return array


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or not 0 < int(value) <= _MOST:
        raise ArgumentError(
            f"{name} must be a positive integer.",
            expected=f"an int from 1 to {_MOST:,}",
            received=repr(value),
        )
    return int(value)


def warn_out_of_data(done: int, wanted: int | None) -> None:
    """Warn that the data ended before `wanted` steps; None where not even one was there."""
    warnings.warn(
        "Your input ran out of data; interrupting training. Make sure that your dataset or"
        " generator can generate at least `steps_per_epoch * epochs` batches (expected"
        f" {wanted or 'more'} steps, received {done}).",
        UserWarning,
        stacklevel=2,
    )
