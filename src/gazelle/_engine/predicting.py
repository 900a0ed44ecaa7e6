"""Predictions: blocks of few sizes, so that a new number of samples compiles nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from gazelle._core.dtypes import is_float
from gazelle._core.symbolic import leaves, map_structure, samples_in
from gazelle._core.variable import Variable
from gazelle._data.feeds import ArrayFeed, Feed, StreamFeed, device_dtype, to_device
from gazelle._data.sparse_rows import SparseRows, joined_rows
from gazelle._engine.engine import Engine
from gazelle._engine.programs import settings
from gazelle.callbacks import CallbackList
from gazelle.layers._graph import Graph

# The limits of a block, in samples and in numbers. Larger blocks were measured slower: the outputs
# of layers no longer stay in the processor's cache.
_MAX_ROWS = 16384
_MAX_NUMBERS = 1 << 20
_IN_FLIGHT = 2  # blocks that are computed while another one is prepared or read


def predict(
    engine: Engine,
    feed: Feed,
    callbacks: CallbackList,
    *,
    eager: bool = False,
    steps_per_execution: int = 1,
    stopped: Callable[[], bool] = lambda: False,
) -> Any:
    """The model's outputs for all samples of a feed.

    Args:
        engine: The programs.
        feed: The data.
        callbacks: The callback list.
        eager: Whether to run operation by operation.
        steps_per_execution: Steps between batch hooks.
        stopped: Whether to end with the outputs so far (`model.stop_predicting`).

    Returns:
        NumPy arrays in the structure of the outputs, `(samples, ...)`.
    """
    callbacks.on_predict_begin({})
    hooked = callbacks.has_batch_hooks("predict")
    # Where rows may have a part in each other's outputs, batches are what the user says they are;
    # so they are for code that runs operation by operation and can look at them.
    sample = feed.x if isinstance(feed, ArrayFeed) else feed.first[0]
    apart = not eager and engine.rows_are_apart(sample)
    results = _Results(feed.samples if isinstance(feed, ArrayFeed) else None)
    running: deque[tuple[int, Any]] = deque()  # blocks with their numbers of samples
    group = steps_per_execution if hooked else 1
    for number, batches in enumerate(_blocks(feed, group if hooked or not apart else None)):
        step = number * group
        if hooked:
            callbacks.on_predict_batch_begin(step, {})
        for x in [_joined(batches)] if apart else batches:
            running.append((samples_in(x), _started(engine, x, eager, padded=apart)))
        if hooked:
            parts = [results.add(*running.popleft()) for _ in range(len(running))]
            outputs = map_structure(lambda *arrays: np.concatenate(arrays), *parts)
            callbacks.on_predict_batch_end(step + group - 1, {"outputs": outputs})
        elif len(running) > _IN_FLIGHT:
            results.add(*running.popleft())
        callbacks.on_progress("predict", step + group, {})
        if stopped():
            break
    for rows, outputs in running:
        results.add(rows, outputs)
    callbacks.on_predict_end({})
    return results.whole()


class _Results:
    """The outputs of all blocks, each written into its place as it comes.

    Args:
        samples: The number of samples; None where it is not known.
    """

    def __init__(self, samples: int | None):
        self._samples = samples
        self._arrays: Any = None
        self._parts: list[Any] = []
        self._done = 0

    def add(self, rows: int, outputs: Any) -> Any:
        """Take the first `rows` outputs of the next block, and return them as NumPy arrays."""
        block = map_structure(lambda array: np.asarray(array)[:rows], outputs)
        samples = self._samples
        if samples is None:
            self._parts.append(block)
            return block
        if self._arrays is None:
            self._arrays = map_structure(
                lambda array: np.empty((samples, *array.shape[1:]), array.dtype), block
            )
        for whole, part in zip(leaves(self._arrays), leaves(block), strict=True):
            whole[self._done : self._done + rows] = part
        self._done += rows
        return block

    def whole(self) -> Any:
        """All outputs."""
        if self._samples is None:
            return map_structure(lambda *parts: np.concatenate(parts), *self._parts)
        return map_structure(lambda array: array[: self._done], self._arrays)


class Shortcut:
    """Predictions for arrays like those of an earlier prediction, without checks and set-up.

    A model with a graph computes the same function of its variables until it gets another graph or
    other variables.

    Args:
        engine: The programs.
        graph: The model's graph.
        x: The array that was predicted for.
    """

    def __init__(self, engine: Engine, graph: Graph | None, x: np.ndarray):
        self._engine = engine
        self._graph = graph
        self._kind = x.shape[1:], x.dtype
        self._variables_made = Variable.made
        self._settings = settings()
        self._dtype = device_dtype(x.dtype)
        self._largest = float(jax.numpy.finfo(self._dtype).max) if is_float(self._dtype) else None
        self._most = _largest_block([x])
        self._predictors: dict[int, Callable[[Any], Any]] = {}  # by the number of samples

    def predict(self, graph: Graph | None, x: Any, *, exact: bool = False) -> Any:
        """The outputs for `x`, `(samples, ...)`, or None where the full path is needed.

        Args:
            graph: The model's graph as it is now.
            x: Anything.
            exact: Whether the program gets these samples alone, without padding.
        """
        if (
            type(x) is not np.ndarray
            or (x.shape[1:], x.dtype) != self._kind
            or graph is not self._graph
            or Variable.made != self._variables_made
            or settings() != self._settings
            or not 0 < len(x) <= self._most
        ):
            return None
        rows = len(x)
        size = rows if exact else padded_size(rows)
        if size != rows or x.dtype != self._dtype:
            padded = np.empty((size, *x.shape[1:]), self._dtype)
            if x.dtype == self._dtype:
                padded[:rows] = x
            elif not _cast(x, padded[:rows], self._largest):
                return None  # the full path has the error
            padded[rows:] = padded[rows - 1]
            x = padded
        if size not in self._predictors:
            self._predictors[size] = self._engine.predictor(x)
        outputs = self._predictors[size](x)
        if isinstance(outputs, jax.Array):
            return np.array(outputs)[:rows]
        return map_structure(lambda array: np.array(array)[:rows], outputs)


def _cast(given: np.ndarray, out: np.ndarray, largest: float | None) -> bool:
    """Write numbers as another type; False where one would become infinite or another number.

    Looking for a zero byte among truth values takes a quarter of the time of NumPy's `all` for a
    few numbers.
    """
    if largest is None:
        out[:] = given
        return b"\0" not in (given == out).tobytes()
    fits = abs(given) <= largest
    if b"\0" in fits.tobytes() and not (fits | ~np.isfinite(given)).all():
        return False
    out[:] = given
    return True


def padded_size(rows: int) -> int:
    """The block size for `rows` samples: the next power of two."""
    return 1 << max(rows - 1, 0).bit_length()


def _blocks(feed: Feed, group: int | None) -> Iterator[list[Any]]:
    """The batches of the inputs, some at a time.

    Args:
        feed: The data.
        group: How many batches at a time; None for one large one, where the data allows it.
    """
    if not isinstance(feed, ArrayFeed):
        yield from _batches_of_stream(feed, group or 1)
        return
    stop = feed.samples if feed.steps is None else min(feed.samples, feed.steps * feed.batch_size)
    size = feed.batch_size if group else _largest_block(leaves(feed.x))
    starts = range(0, stop, size)
    for first in range(0, len(starts), group or 1):
        yield [
            _rows(feed.x, slice(start, min(start + size, stop)))
            for start in starts[first : first + (group or 1)]
        ]


def _rows(x: Any, rows: slice) -> Any:
    return map_structure(lambda array: None if array is None else array[rows], x)


def _batches_of_stream(feed: StreamFeed, group: int) -> Iterator[list[Any]]:
    feed.begin_epoch()
    batches: list[Any] = []
    done = 0
    while (feed.steps is None or done < feed.steps) and (batch := feed.next_batch()) is not None:
        batches.append(batch[0])
        done += 1
        if len(batches) == group:
            yield batches
            batches = []
    if batches:
        yield batches


def _joined(batches: list[Any]) -> Any:
    if len(batches) == 1:
        return batches[0]
    return map_structure(joined_rows, *batches)


def _largest_block(arrays: list[Any]) -> int:
    numbers = max(
        int(np.prod(array.shape[1:], dtype=np.int64)) for array in arrays if array is not None
    )
    return max(1, min(_MAX_ROWS, 1 << max(_MAX_NUMBERS // max(numbers, 1), 1).bit_length() - 1))


def _started(engine: Engine, x: Any, eager: bool, *, padded: bool) -> Any:
    """Start the prediction of a block.

    Args:
        engine: The programs.
        x: The inputs.
        eager: Whether to run operation by operation.
        padded: Whether the block is padded to a power of two with copies of its last sample.
    """
    rows = samples_in(x)
    size = padded_size(rows) if padded else rows

    def pad(array: Any) -> Any:
        if array is None or size == rows:
            return array
        if isinstance(array, SparseRows):
            return array[np.minimum(np.arange(size), rows - 1)]
        array = np.asarray(array)
        return np.concatenate([array, np.broadcast_to(array[-1:], (size - rows, *array.shape[1:]))])

    return engine.predict_batch(map_structure(lambda array: to_device(pad(array)), x), eager=eager)
