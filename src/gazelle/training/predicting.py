"""Predictions: blocks of few sizes, so that no number of samples compiles anew."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from gazelle._core.symbolic import leaves, map_structure
from gazelle.data.feeds import ArrayFeed, Feed, to_device
from gazelle.training.engine import Engine

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
    size = feed.batch_size if hooked else _largest_block(feed)
    stop = feed.samples if feed.steps is None else min(feed.samples, feed.steps * feed.batch_size)
    for start in range(0, stop, size):
        rows = slice(start, min(start + size, stop))
        yield map_structure(lambda array, rows=rows: None if array is None else array[rows], feed.x)


def _largest_block(feed: ArrayFeed) -> int:
    numbers = max(int(np.prod(array.shape[1:], dtype=np.int64)) for array in leaves(feed.x) if array is not None)
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
