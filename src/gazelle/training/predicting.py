"""Predictions: blocks of few sizes, so that no number of samples compiles anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from gazelle._core.symbolic import leaves, map_structure
from gazelle._core.variable import Variable
from gazelle.data.feeds import ArrayFeed, Feed, device_dtype, to_device
from gazelle.training.engine import Engine
from gazelle.training.programs import settings

# The largest block: so many samples, as long as they hold no more than so many numbers.
_MAX_ROWS = 4096
_MAX_NUMBERS = 1 << 23


def predict(engine: Engine, feed: Feed, callbacks: Any, *, eager: bool = False) -> Any:
    """The model's outputs for all samples of a feed.

    Args:
        engine: The programs.
        feed: The data.
        callbacks: The callback list.
        eager: Whether to run operation by operation.

    Returns:
        NumPy arrays in the structure of the outputs, `(samples, ...)`.
    """
    callbacks.on_predict_begin({})
    hooked = callbacks.has_batch_hooks("predict")
    blocks: list[Any] = []
    for step, x in enumerate(_blocks(feed, hooked)):
        if hooked:
            callbacks.on_predict_batch_begin(step, {})
        outputs = _block(engine, x, eager)
        blocks.append(outputs)
        if hooked:
            callbacks.on_predict_batch_end(step, {"outputs": outputs})
        callbacks.on_progress("predict", step + 1, {})
    callbacks.on_predict_end({})
    if len(blocks) == 1:
        return jax.tree.map(np.array, blocks[0])  # a copy, which the user may write to
    return jax.tree.map(lambda *parts: np.concatenate(parts), *blocks)


class Shortcut:
    """Predictions for arrays of a kind that was predicted for before: nothing is checked or set up again.

    A model with a graph computes the same function of its variables until it gets another graph or other variables.

    Args:
        engine: The programs.
        graph: The model's graph.
        x: The array that was predicted for.
    """

    def __init__(self, engine: Engine, graph: Any, x: np.ndarray):
        self._engine = engine
        self._graph = graph
        self._kind = x.shape[1:], x.dtype
        self._variables_made = Variable.made
        self._settings = settings()
        self._dtype = device_dtype(x.dtype)
        self._most = _largest_block([x])
        self._predictors: dict[int, Callable[[Any], Any]] = {}  # by the number of samples

    def predict(self, graph: Any, x: Any, *, exact: bool = False) -> Any:
        """The outputs for `x`, `(samples, ...)`, or None where the long way must be gone.

        Args:
            graph: The model's graph as it is now.
            x: Anything.
            exact: Whether the program gets just these samples, none besides.
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
            padded[:rows] = x
            padded[rows:] = padded[rows - 1]
            x = padded
        if size not in self._predictors:
            self._predictors[size] = self._engine.predictor(x)
        outputs = self._predictors[size](x)
        if isinstance(outputs, jax.Array):
            return np.array(outputs)[:rows]
        return map_structure(lambda array: np.array(array)[:rows], outputs)


def padded_size(rows: int) -> int:
    """The block size for `rows` samples: the next power of two."""
    return 1 << max(rows - 1, 0).bit_length()


def _blocks(feed: Feed, hooked: bool) -> Any:
    """Inputs block by block; with batch hooks a block is a batch."""
    if not isinstance(feed, ArrayFeed):
        feed.begin_epoch()
        done = 0
        while (feed.steps is None or done < feed.steps) and (batch := feed.next_batch()) is not None:
            yield batch[0]
            done += 1
        return
    size = feed.batch_size if hooked else _largest_block(leaves(feed.x))
    stop = feed.samples if feed.steps is None else min(feed.samples, feed.steps * feed.batch_size)
    for start in range(0, stop, size):
        rows = slice(start, min(start + size, stop))
        yield map_structure(lambda array, rows=rows: None if array is None else array[rows], feed.x)


def _largest_block(arrays: list[Any]) -> int:
    numbers = max(int(np.prod(array.shape[1:], dtype=np.int64)) for array in arrays if array is not None)
    return max(1, min(_MAX_ROWS, 1 << max(_MAX_NUMBERS // max(numbers, 1), 1).bit_length() - 1))


def _block(engine: Engine, x: Any, eager: bool) -> Any:
    """Outputs for one block, padded to a power of two with copies of its last sample and cut back."""
    rows = leaves(x)[0].shape[0]
    size = padded_size(rows)

    def pad(array: Any) -> Any:
        if array is None or size == rows:
            return array
        array = np.asarray(array)
        return np.concatenate([array, np.broadcast_to(array[-1:], (size - rows, *array.shape[1:]))])

    outputs = engine.predict_batch(map_structure(lambda array: to_device(pad(array)), x), eager=eager)
    return map_structure(lambda array: np.asarray(array)[:rows], outputs)
