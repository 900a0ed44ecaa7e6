"""Windows: which part of a feed's arrays is on the device, and in which order it lies there.

On a CPU the device's memory is the host's. What is trained on in a new order is gathered there a
window of some megabytes at a time, converted on the way: a batch is then a slice of memory that is
still in the processor's cache, the whole data is never copied, and data that is mapped from a file
is read as it is needed. Elsewhere arrays that fit into a share of the device's free memory are sent
once and gathered on the device, and larger ones come in windows too.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import jax
import numpy as np

from gazelle._core.symbolic import leaves, map_structure
from gazelle._data.feeds import ArrayFeed, device_dtype, to_device
from gazelle._data.memory import aligned_empty, is_aligned

WINDOW_BYTES = 8 << 20
LARGEST_WINDOW_BYTES = 64 << 20  # with batches so large that fewer than four fit into the former
ACCELERATOR_WINDOW_BYTES = 256 << 20
_SHARE = 0.5  # of an accelerator's free memory that data may take
_PIECE_BYTES = 1 << 20  # gathered and converted at a time


class Piece(NamedTuple):
    """Batches that are on the device."""

    data: Any  # (x, y, sample_weight)
    order: np.ndarray | None  # of the samples in `data`; None for their own
    row: int  # where the first of the batches begins, in `order` or `data`
    batches: int  # how many whole ones follow one another from there
    tail: bool  # whether the shorter last batch follows these
    holds_tail: bool  # whether `data` has room for it behind them


def on_device(feed: ArrayFeed) -> Resident | Window:
    """The way in which this feed's arrays come to the device that programs run on now."""
    parts = [array for array in leaves((feed.x, feed.y, feed.sample_weight)) if array is not None]
    if jax.default_backend() == "cpu":
        in_order = feed.shuffle is False or feed.shuffle is None
        if in_order and all(_used_in_place(array) for array in parts):
            return Resident(feed)
        return Window(feed, WINDOW_BYTES)
    size = sum(array.size * device_dtype(array.dtype).itemsize for array in parts)
    if size <= _SHARE * _free_memory():
        return Resident(feed)
    return Window(feed, ACCELERATOR_WINDOW_BYTES)


class _Source:
    """What both ways share: the feed, the order of the pass, and its shorter last batch."""

    def __init__(self, feed: ArrayFeed):
        self.feed = feed
        self._source = (feed.x, feed.y, feed.sample_weight)
        self._order: np.ndarray | None = None
        self._last: Any = None  # the last batch of the data's own order

    @property
    def kind(self) -> Hashable:
        """What tells data of this kind, as programs see it, from others, whatever the number of samples."""
        arrays = leaves(self._source)
        kinds = tuple(
            None if array is None else (array.shape[1:], device_dtype(array.dtype))
            for array in arrays
        )
        return type(self).__name__, self.feed.batch_size, kinds

    @property
    def size(self) -> int:
        """Of a piece: whole batches, or samples."""
        raise NotImplementedError

    def last_batch(self) -> Any:
        """The shorter last batch of the pass, `(x, y, sample_weight)` on the device."""
        if self._order is None and self._last is not None:
            return self._last
        batch = map_structure(to_device, self.feed.batch(self.feed.full_batches, self._order))
        self._last = batch if self._order is None else None
        return batch


class Resident(_Source):
    """The whole arrays, where they are or sent once.

    What is used in its own order is one piece or, where it is not `exact`, comes in pieces of a
    power of two of batches, the last of which overlaps the one before: so a program for it is found
    again when the data has grown.
    """

    exact = True

    def __init__(self, feed: ArrayFeed):
        super().__init__(feed)
        self._whole: Any = None  # on the device
        self._pieces: dict[
            tuple[int, bool], Any
        ] = {}  # on the device, by their first batch, and with the tail or not

    @property
    def _batches(self) -> int:
        """Whole batches in a piece."""
        full = self.feed.full_batches
        return full if self.exact else 1 << max(full.bit_length() - 1, 0)

    @property
    def size(self) -> int:
        """Whole batches in a piece, or samples where there is no whole batch."""
        return self._batches if self.feed.full_batches else self.feed.samples

    @property
    def whole(self) -> bool:
        """Whether a pass is one piece."""
        return self._batches == self.feed.full_batches

    def begin(self, order: np.ndarray | None, *, busy: bool = False) -> None:
        """Start a pass over the data in this order of the samples, None for their own."""
        self._order = None if order is None else order.astype(np.int32)

    def piece(self, batch: int, *, with_tail: bool = True) -> Piece:
        """The batches from number `batch` on.

        Args:
            batch: Its number.
            with_tail: Whether the data is to have room for the shorter last batch.
        """
        feed, size = self.feed, self.feed.batch_size
        if self._order is not None or not feed.full_batches:
            if self._whole is None:
                self._whole = map_structure(to_device, self._source)
            return Piece(
                self._whole,
                self._order,
                batch * size,
                feed.full_batches - batch,
                feed.tail > 0,
                True,
            )
        first = min(batch // self._batches * self._batches, feed.full_batches - self._batches)
        key = first, with_tail
        if key not in self._pieces:
            rows = slice(first * size, (first + self._batches) * size + with_tail * feed.tail)
            self._pieces[key] = map_structure(
                lambda a: None if a is None else to_device(a[rows]), self._source
            )
        stop = first + self._batches
        tail = feed.tail > 0 and stop == feed.full_batches
        return Piece(self._pieces[key], None, (batch - first) * size, stop - batch, tail, with_tail)

    def prepare(self, batch: int) -> None:
        """Get ready for number `batch`."""


class Window(_Source):
    """Two buffers of equal shape that hold some batches each; one is filled while a program reads the other.

    Args:
        feed: The data.
        limit: Bytes that one buffer may take; it holds at least one batch.
    """

    def __init__(self, feed: ArrayFeed, limit: int):
        super().__init__(feed)
        arrays = [array for array in leaves(self._source) if array is not None]
        bytes_a_row = sum(_row_size(array) * device_dtype(array.dtype).itemsize for array in arrays)
        batch_bytes = max(1, bytes_a_row * feed.batch_size)
        few = min(4, LARGEST_WINDOW_BYTES // batch_bytes)
        most = max(1, few, limit // batch_bytes)
        self._batches = min(feed.full_batches, most)
        self._rows = _buffer_rows(feed, most)
        self._current: _Buffer | None = None
        self._other: _Buffer | None = (
            None  # small data, whose passes each fit into one window, never needs it
        )

    @property
    def size(self) -> int:
        """Samples that the memory of a piece is made for."""
        return self._rows

    @property
    def whole(self) -> bool:
        """Whether a pass is one piece."""
        return self._batches == self.feed.full_batches

    def begin(self, order: np.ndarray | None, *, busy: bool = False) -> None:
        """Start a pass over the data in this order of the samples, None for their own.

        Args:
            order: The order.
            busy: Whether a program may still be reading the last piece.
        """
        unchanged = order is None and self._order is None
        self._order = order
        if unchanged:
            return
        if busy:
            self._current, self._other = self._other, self._current
        for buffer in (self._current, self._other):
            if buffer is not None:
                buffer.first = -1

    def piece(self, batch: int, *, with_tail: bool = True) -> Piece:
        """The batches from number `batch` on, as far as the window reaches; it always has room for the last one."""
        feed = self.feed
        if self._current is None or not self._holds(self._current, batch):
            if self._other is not None and self._other.first == batch:
                self._current, self._other = self._other, self._current
            else:
                self._current = self._filled(self._current, batch)
        first = self._current.first
        stop = min(first + self._batches, feed.full_batches)
        tail = feed.tail > 0 and stop == feed.full_batches
        return Piece(
            self._current.data, None, (batch - first) * feed.batch_size, stop - batch, tail, True
        )

    def prepare(self, batch: int) -> None:
        """Fill the buffer that no program reads from number `batch` on, unless that is on the device already."""
        if self._current is None or not self._holds(self._current, batch):
            self._other = self._filled(self._other, batch)

    def _filled(self, buffer: _Buffer | None, batch: int) -> _Buffer:
        feed = self.feed
        start, stop = batch * feed.batch_size, (batch + self._batches) * feed.batch_size
        if stop >= feed.full_batches * feed.batch_size:
            stop = feed.samples
        buffer = buffer or _Buffer(self._source, self._rows)
        buffer.fill(
            self._source, slice(start, stop) if self._order is None else self._order[start:stop]
        )
        buffer.first = batch
        return buffer

    def _holds(self, buffer: _Buffer, batch: int) -> bool:
        """Whether a batch is in a buffer: the shorter last one lies behind the last whole one."""
        stop = buffer.first + self._batches
        return 0 <= buffer.first <= batch < stop + (stop >= self.feed.full_batches)


class _Buffer:
    """Memory for one window, and the arrays that programs are given for it.

    On a CPU these arrays are that memory itself: filling it anew is all that it takes. The loop has
    read the results of the programs before, so none of them reads it any more.
    """

    def __init__(self, source: Any, rows: int):
        self.first = -1  # number of the first batch in it; -1 for none
        self._memory = map_structure(lambda array: _room_for(array, rows), source)
        self.data: Any = jax.device_put(self._memory)
        pairs = zip(jax.tree.leaves(self._memory), jax.tree.leaves(self.data), strict=True)
        self._in_place = jax.default_backend() == "cpu" and all(
            array.unsafe_buffer_pointer() == memory.ctypes.data for memory, array in pairs
        )

    def fill(self, source: Any, rows: np.ndarray | slice) -> None:
        """Gather the rows of each array."""
        for array, memory in zip(leaves(source), leaves(self._memory), strict=True):
            if array is not None:
                count = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
                gather(np.asarray(array), rows, memory[:count])
        if not self._in_place:
            self.data = jax.block_until_ready(jax.device_put(self._memory))


def gather(array: np.ndarray, rows: np.ndarray | slice, out: np.ndarray) -> None:
    """Write `array[rows]` into `out`, converted to its type; floats that do not fit become infinite."""
    if isinstance(rows, slice):
        with np.errstate(over="ignore"):
            np.copyto(out, array[rows], casting="unsafe")
    elif array.dtype == out.dtype and array.flags.c_contiguous:
        np.take(
            array, rows, axis=0, out=out, mode="clip"
        )  # with "raise" NumPy would gather into a buffer of its own
    else:
        step = max(1, _PIECE_BYTES // max(1, _row_size(array) * array.itemsize))
        with np.errstate(over="ignore"):
            for at in range(0, len(rows), step):
                out[at : at + step] = array[rows[at : at + step]]


def _buffer_rows(feed: ArrayFeed, most: int) -> int:
    """Samples that a buffer has room for: few different numbers, so that programs are found again as data grows.

    Args:
        feed: The data.
        most: Whole batches that a window may hold.
    """
    if not feed.full_batches:
        return _power_of_two(feed.tail)
    wanted = feed.full_batches + (feed.tail > 0)
    return min(_power_of_two(wanted), most + 1) * feed.batch_size


def _power_of_two(number: int) -> int:
    """The next power of two, `number` itself included."""
    return 1 << max(number - 1, 0).bit_length()


def _row_size(array: Any) -> int:
    """Numbers in one sample."""
    return int(np.prod(array.shape[1:], dtype=np.int64))


def _room_for(array: Any, rows: int) -> np.ndarray | None:
    return (
        None
        if array is None
        else aligned_empty((rows, *array.shape[1:]), device_dtype(array.dtype))
    )


def _used_in_place(array: Any) -> bool:
    """Whether the CPU's programs can use an array where it is."""
    if isinstance(array, jax.Array):
        return array.dtype == device_dtype(array.dtype)
    return array.dtype == device_dtype(array.dtype) and is_aligned(array)


def _free_memory() -> int:
    """Bytes that the accelerator has left; without limit where it does not tell."""
    stats = jax.local_devices()[0].memory_stats() or {}
    limit = stats.get("bytes_limit")
    return limit - stats.get("bytes_in_use", 0) if limit else 1 << 62
