"""Windows: which part of a feed's arrays is on the device, and in which order.

There are two ways to the device, and `on_device` chooses one:

- `Resident`: the whole arrays are on the device. On a CPU they are used in place if they are read
  in their own order and already have the device's type and alignment. On an accelerator, data that
  fits into a share of its free memory is sent once and shuffled there.
- `Window`: two buffers that hold some batches each. The samples are gathered into a buffer in the
  order of the pass, so that a program reads its batches as plain slices.

On a CPU the device's memory is the host's memory, and a window of a few megabytes is enough: a
batch is then a slice that is still in the processor's cache, the data is never copied as a whole,
and a memory-mapped file is read only as it is needed.

Both ways are used alike: `begin(order)` starts a pass, `piece(batch)` returns the batches from a
given number on, and `prepare(batch)` gets the next ones ready while a program runs.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import jax
import numpy as np

from gazelle._core import layouts
from gazelle._core.symbolic import leaves, map_structure
from gazelle._data.feeds import ArrayFeed, device_dtype, to_device
from gazelle._data.memory import aligned_empty, is_aligned
from gazelle._data.sparse_rows import SparseBatches, SparseRows

WINDOW_BYTES = 8 << 20
LARGEST_WINDOW_BYTES = 64 << 20  # limit for batches so large that four do not fit into WINDOW_BYTES
ACCELERATOR_WINDOW_BYTES = 256 << 20
_SHARE = 0.5  # of an accelerator's free memory that data may take
_GATHER_BYTES = 1 << 20  # gathered and converted at a time
_EMPTY = -1  # `_Buffer.first` of a buffer that holds no batches
_UNLIMITED = 1 << 62


class Piece(NamedTuple):
    """Consecutive batches that are on the device."""

    data: Any  # (x, y, sample_weight)
    order: np.ndarray | None  # of the samples in `data`; None for their own order
    row: int  # where the first of the batches begins, in `order` or `data`
    batches: int  # number of whole batches from there on
    tail: bool  # whether the shorter last batch follows them
    holds_tail: bool  # whether `data` has room for the shorter last batch


def on_device(feed: ArrayFeed) -> Resident | Window:
    """Choose how a feed's arrays come to the current device."""
    arrays = [array for array in leaves((feed.x, feed.y, feed.sample_weight)) if array is not None]
    if jax.default_backend() == "cpu":
        in_order = feed.shuffle is False or feed.shuffle is None
        if in_order and all(_usable_in_place(array) for array in arrays):
            return Resident(feed)
        return Window(feed, WINDOW_BYTES)
    size = sum(len(array) * _row_bytes(array) for array in arrays)
    if size <= _SHARE * _free_memory():
        return Resident(feed)
    return Window(feed, ACCELERATOR_WINDOW_BYTES)


class _Source:
    """What both ways share: the feed, the order of the pass and its shorter last batch."""

    def __init__(self, feed: ArrayFeed):
        self.feed = feed
        self._arrays = (feed.x, feed.y, feed.sample_weight)
        self._order: np.ndarray | None = None
        self._last_in_order: Any = None  # the shorter last batch of the data's own order

    @property
    def kind(self) -> Hashable:
        """A key that is equal for data that programs cannot tell apart.

        The number of samples is not part of it.
        """
        kinds = tuple(
            None if array is None else (array.shape[1:], device_dtype(array.dtype))
            for array in leaves(self._arrays)
        )
        return type(self).__name__, self.feed.batch_size, kinds

    @property
    def size(self) -> int:
        """Size of a piece: whole batches or samples, see the subclasses."""
        raise NotImplementedError

    def last_batch(self) -> Any:
        """The shorter last batch of the pass, `(x, y, sample_weight)` on the device."""
        in_order = self._order is None
        if in_order and self._last_in_order is not None:
            return self._last_in_order
        batch = map_structure(to_device, self.feed.batch(self.feed.full_batches, self._order))
        self._last_in_order = batch if in_order else None
        return batch


class Resident(_Source):
    """The whole arrays, used in place or sent to the device once.

    Data that is read in its own order is one piece if `exact` is true. Otherwise it comes in pieces
    of a power of two of batches, the last of which overlaps the one before. So data that has grown
    a little can use the programs that are compiled already.
    """

    exact = True

    def __init__(self, feed: ArrayFeed):
        super().__init__(feed)
        self._whole: Any = None  # on the device
        # Pieces on the device, by (number of the first batch, whether the tail is included).
        self._pieces: dict[tuple[int, bool], Any] = {}

    @property
    def _piece_batches(self) -> int:
        """Whole batches in a piece: all of them, or the largest power of two that fits."""
        full = self.feed.full_batches
        if self.exact:
            return full
        return 1 << max(full.bit_length() - 1, 0)

    @property
    def size(self) -> int:
        """Whole batches in a piece, or samples if there is no whole batch."""
        return self._piece_batches if self.feed.full_batches else self.feed.samples

    @property
    def whole(self) -> bool:
        """Whether a pass is one piece."""
        return self._piece_batches == self.feed.full_batches

    def begin(self, order: np.ndarray | None, *, busy: bool = False) -> None:
        """Start a pass over the data.

        Args:
            order: Order of the samples, ints `(samples,)`, or None for their own order.
            busy: Not used here; see `Window.begin`.
        """
        self._order = None if order is None else order.astype(np.int32)

    def piece(self, batch: int, *, with_tail: bool = True) -> Piece:
        """Return the batches from number `batch` on.

        Args:
            batch: Number of the batch.
            with_tail: Whether the data must include the shorter last batch.
        """
        feed = self.feed
        if self._order is not None or not feed.full_batches:
            return self._whole_from(batch)
        size = feed.batch_size
        # The last piece ends with the last whole batch and may overlap the piece before it.
        last_first = feed.full_batches - self._piece_batches
        first = min(batch // self._piece_batches * self._piece_batches, last_first)
        stop = first + self._piece_batches
        key = first, with_tail
        if key not in self._pieces:
            rows = slice(first * size, stop * size + with_tail * feed.tail)
            self._pieces[key] = map_structure(
                lambda array: None if array is None else to_device(array[rows]), self._arrays
            )
        return Piece(
            data=self._pieces[key],
            order=None,
            row=(batch - first) * size,
            batches=stop - batch,
            tail=feed.tail > 0 and stop == feed.full_batches,
            holds_tail=with_tail,
        )

    def prepare(self, batch: int) -> None:
        """Do nothing: the data is on the device already."""

    def _whole_from(self, batch: int) -> Piece:
        """The batches from number `batch` on, in the order of the pass, out of the whole data."""
        feed = self.feed
        if self._whole is None:
            self._whole = map_structure(to_device, self._arrays)
        return Piece(
            data=self._whole,
            order=self._order,
            row=batch * feed.batch_size,
            batches=feed.full_batches - batch,
            tail=feed.tail > 0,
            holds_tail=True,
        )


class Window(_Source):
    """Two buffers of equal shape that hold some batches each.

    One is filled while a program reads the other. The second is made when it is first needed: data
    that fits into one window never needs it.

    Args:
        feed: The data.
        limit: Bytes that one buffer may take; it holds at least one batch.
    """

    def __init__(self, feed: ArrayFeed, limit: int):
        super().__init__(feed)
        arrays = [array for array in leaves(self._arrays) if array is not None]
        sample_bytes = sum(map(_row_bytes, arrays))
        batch_bytes = max(1, sample_bytes * feed.batch_size)
        large = min(4, LARGEST_WINDOW_BYTES // batch_bytes)
        most = max(1, large, limit // batch_bytes)
        self._window_batches = min(feed.full_batches, most)
        self._samples = _buffer_samples(feed, most)
        self._current: _Buffer | None = None
        self._other: _Buffer | None = None
        # Of sparse data: the slots of a batch, for each array; 0 for others.
        self._slots = [0 for _ in leaves(self._arrays)]
        self._make_room(None)

    @property
    def size(self) -> int:
        """Samples that the buffer of a piece has room for."""
        return self._samples

    @property
    def whole(self) -> bool:
        """Whether a pass is one piece."""
        return self._window_batches == self.feed.full_batches

    def begin(self, order: np.ndarray | None, *, busy: bool = False) -> None:
        """Start a pass over the data.

        Args:
            order: Order of the samples, ints `(samples,)`, or None for their own order.
            busy: Whether a program may still be reading the last piece. Its buffer is then not the
                first to be filled again.
        """
        unchanged = order is None and self._order is None
        self._order = order
        if unchanged:
            return  # the buffers hold what this pass will read
        self._make_room(order)
        if busy:
            self._current, self._other = self._other, self._current
        for buffer in (self._current, self._other):
            if buffer is not None:
                buffer.first = _EMPTY

    def piece(self, batch: int, *, with_tail: bool = True) -> Piece:
        """Return the batches from number `batch` to the end of the window.

        Args:
            batch: Number of the batch.
            with_tail: Not used here: a window always has room for the shorter last batch.
        """
        feed = self.feed
        if self._current is None or not self._holds(self._current, batch):
            if self._other is not None and self._other.first == batch:
                self._current, self._other = self._other, self._current
            else:
                self._current = self._filled(self._current, batch)
        first = self._current.first
        stop = min(first + self._window_batches, feed.full_batches)
        return Piece(
            data=self._current.data,
            order=None,
            row=(batch - first) * feed.batch_size,
            batches=stop - batch,
            tail=feed.tail > 0 and stop == feed.full_batches,
            holds_tail=True,
        )

    def prepare(self, batch: int) -> None:
        """Fill the free buffer from number `batch` on, unless the current one holds that batch."""
        if self._current is None or not self._holds(self._current, batch):
            self._other = self._filled(self._other, batch)

    def _make_room(self, order: np.ndarray | None) -> None:
        """Begin with new buffers where a batch of sparse data has more values than there is room.

        Args:
            order: The order of the pass.
        """
        needed = [
            array.slots(order, self.feed.batch_size) if isinstance(array, SparseRows) else 0
            for array in leaves(self._arrays)
        ]
        if any(more > room for more, room in zip(needed, self._slots, strict=True)):
            self._slots = list(map(max, needed, self._slots))
            self._current = self._other = None

    def _filled(self, buffer: _Buffer | None, batch: int) -> _Buffer:
        """`buffer` (a new one for None) with the batches from number `batch` on in it."""
        feed = self.feed
        start = batch * feed.batch_size
        stop = (batch + self._window_batches) * feed.batch_size
        if stop >= feed.full_batches * feed.batch_size:
            stop = feed.samples  # the shorter last batch comes along
        if buffer is None:
            buffer = _Buffer(self._arrays, self._samples, self.feed.batch_size, self._slots)
        rows = slice(start, stop) if self._order is None else self._order[start:stop]
        buffer.fill(self._arrays, rows)
        buffer.first = batch
        return buffer

    def _holds(self, buffer: _Buffer, batch: int) -> bool:
        """Whether a batch is in a buffer: the shorter last one lies behind the last whole one."""
        if buffer.first == _EMPTY:
            return False
        stop = buffer.first + self._window_batches
        if stop >= self.feed.full_batches:
            stop += 1
        return buffer.first <= batch < stop


class _Buffer:
    """Memory for one window, and the arrays that programs are given for it.

    On a CPU these arrays share that memory, so filling it is enough to replace their content. That
    is safe: the loop has waited for the results of every program that was given this buffer, so
    none of them is still reading it.

    Args:
        arrays: What the buffer is for, `(x, y, sample_weight)`.
        samples: Samples that it has room for.
        batch_size: Samples per batch.
        slots: For each array the values of a batch, where it is sparse.
    """

    def __init__(self, arrays: Any, samples: int, batch_size: int, slots: list[int]):
        self.first = _EMPTY  # number of the first batch in it
        each = iter(slots)
        self._memory = map_structure(
            lambda array: _room_for(array, samples, batch_size, next(each)), arrays
        )
        self._sharding = layouts.data_sharding()
        self.data: Any = jax.device_put(self._memory, self._sharding)
        pairs = zip(jax.tree.leaves(self._memory), jax.tree.leaves(self.data), strict=True)
        on_one_cpu = self._sharding is None and jax.default_backend() == "cpu"
        self._in_place = on_one_cpu and all(
            array.unsafe_buffer_pointer() == memory.ctypes.data for memory, array in pairs
        )

    def fill(self, arrays: Any, rows: np.ndarray | slice) -> None:
        """Gather these rows of each array."""
        count = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
        for array, memory in zip(leaves(arrays), leaves(self._memory), strict=True):
            if isinstance(array, SparseRows):
                memory.fill(array, rows)
            elif array is not None:
                gather(np.asarray(array), rows, memory[:count])
        if not self._in_place:
            self.data = jax.block_until_ready(jax.device_put(self._memory, self._sharding))


def gather(array: np.ndarray, rows: np.ndarray | slice, out: np.ndarray) -> None:
    """Write `array[rows]` into `out`, converted to the type of `out`.

    Floats that are too large for that type become infinite.

    Args:
        array: `(samples, ...)`.
        rows: Ints `(n,)`, or a slice of n rows.
        out: `(n, ...)`.
    """
    if isinstance(rows, slice):
        with np.errstate(over="ignore"):
            np.copyto(out, array[rows], casting="unsafe")
        return
    if array.dtype == out.dtype and array.flags.c_contiguous:
        # With mode="raise" NumPy would gather into a temporary array first.
        np.take(array, rows, axis=0, out=out, mode="clip")
        return
    step = max(1, _GATHER_BYTES // max(1, _row_size(array) * array.itemsize))
    with np.errstate(over="ignore"):
        for start in range(0, len(rows), step):
            out[start : start + step] = array[rows[start : start + step]]


def _buffer_samples(feed: ArrayFeed, most: int) -> int:
    """Samples that a buffer has room for.

    The number of batches is rounded up to a power of two. That gives few different sizes, so that
    data that has grown can use the programs that are compiled already.

    Args:
        feed: The data.
        most: Whole batches that a window may hold.
    """
    if not feed.full_batches:
        return _power_of_two(feed.tail)
    wanted = feed.full_batches + (feed.tail > 0)
    return min(_power_of_two(wanted), most + 1) * feed.batch_size


def _power_of_two(number: int) -> int:
    """The smallest power of two that is not below `number`."""
    return 1 << max(number - 1, 0).bit_length()


def _row_size(array: np.ndarray | jax.Array) -> int:
    """Number of elements in one sample."""
    return int(np.prod(array.shape[1:], dtype=np.int64))


def _row_bytes(array: Any) -> int:
    """Bytes of one sample on the device; of an average one if the data is sparse."""
    if isinstance(array, SparseRows):
        return array.row_bytes
    return _row_size(array) * device_dtype(array.dtype).itemsize


def _room_for(array: Any, samples: int, batch_size: int, slots: int) -> Any:
    """Memory for `samples` samples of an array, in the device's type.

    Args:
        array: An array, sparse rows or None.
        samples: How many.
        batch_size: Samples per batch.
        slots: The values of a batch of sparse rows.
    """
    if array is None:
        return None
    if isinstance(array, SparseRows):
        shape, dtype = (samples, array.shape[1]), device_dtype(array.dtype)
        return SparseBatches.empty(shape, dtype, min(batch_size, samples), slots)
    return aligned_empty((samples, *array.shape[1:]), device_dtype(array.dtype))


def _usable_in_place(array: Any) -> bool:
    """Whether programs on a CPU can use an array where it is."""
    if isinstance(array, SparseRows):
        return False
    if array.dtype != device_dtype(array.dtype):
        return False
    return isinstance(array, jax.Array) or is_aligned(array)


def _free_memory() -> int:
    """Free bytes of the accelerator; unlimited if it does not report them."""
    stats = jax.local_devices()[0].memory_stats() or {}
    limit = stats.get("bytes_limit")
    if not limit:
        return _UNLIMITED
    return limit - stats.get("bytes_in_use", 0)
