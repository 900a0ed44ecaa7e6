"""Orders of rows: streams of arrays of row numbers, of any lengths, finite or endless."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Order = Iterator[np.ndarray]


def whole(count: int) -> Order:
    """All rows in their order."""
    yield np.arange(count)


def repeated(orders: Callable[[], Order], count: int) -> Order:
    """Several passes, one after another; endless for a count of -1."""
    done = 0
    while done != count:
        some = False
        for part in orders():
            some = True
            yield part
        if not some:
            return
        done += 1


def first(order: Order, count: int) -> Order:
    """The first rows."""
    for part in order:
        if count <= 0:
            return
        yield part[:count]
        count -= len(part)


def behind(order: Order, count: int) -> Order:
    """All rows but the first ones."""
    for part in order:
        skipped = min(count, len(part))
        count -= skipped
        if skipped < len(part):
            yield part[skipped:]


def every(order: Order, number: int, start: int) -> Order:
    """Every row whose place, from `start` on, divides by `number`."""
    place = 0
    for part in order:
        places = np.arange(place, place + len(part))
        yield part[places % number == start]
        place += len(part)


def kept(order: Order, mask: np.ndarray) -> Order:
    """The rows that a mask keeps."""
    for part in order:
        yield part[mask[part]]


def shuffled(order: Order, size: int, rng: np.random.Generator) -> Order:
    """Rows drawn at random from a buffer that the next rows fill up, as TensorFlow shuffles."""
    buffer = np.empty(0, int)
    for part in order:
        room = size - len(buffer)
        buffer, rest = np.concatenate([buffer, part[:room]]), part[room:]
        if len(rest):
            places = rng.integers(0, size, len(rest)).tolist()
            drawn, waiting = [], buffer.tolist()
            for place, row in zip(places, rest.tolist(), strict=True):
                drawn.append(waiting[place])
                waiting[place] = row
            buffer = np.asarray(waiting)
            yield np.asarray(drawn)
    yield rng.permutation(buffer)


def grouped(order: Order, size: int, drop_remainder: bool) -> Order:
    """Groups of `size` rows; the last may be smaller."""
    rest = np.empty(0, int)
    for part in order:
        rows = np.concatenate([rest, part]) if len(rest) else part
        stop = len(rows) // size * size
        for start in range(0, stop, size):
            yield rows[start : start + size]
        rest = rows[stop:]
    if len(rest) and not drop_remainder:
        yield rest


def joined(order: Order) -> np.ndarray:
    """A whole finite order."""
    parts: list[Any] = list(order)
    return np.concatenate(parts) if parts else np.empty(0, int)
