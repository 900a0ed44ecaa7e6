"""Batches of rows as a feed of whole arrays, with which `fit` compiles whole epochs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gazelle._core.symbolic import leaves
from gazelle._data.dataset import unpack_x_y_sample_weight
from gazelle._data.feeds import ArrayFeed
from gazelle.compat._tensorflow._data import orders
from gazelle.compat._tensorflow._data.rows import Rows

_MOST_BYTES = 2**30  # of the data


class RowsFeed(ArrayFeed):
    """A feed whose order is that of a data set.

    Args:
        rows: The rows; those of all orders have one length.
        data: All rows as arrays.
        batch_size: Rows per batch.
        drop_remainder: Whether a smaller last batch is left out.
        label: Prefix of names in errors.
    """

    def __init__(self, rows: Rows, data: Any, batch_size: int, *, drop_remainder: bool, label: str):
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        super().__init__(
            x, y, sample_weight, batch_size=batch_size, shuffle=not rows.is_fixed, label=label
        )
        self._source = rows
        self.samples = rows.length
        self.full_batches, self.tail = divmod(self.samples, self.batch_size)
        if drop_remainder:
            self.samples -= self.tail
            self.tail = 0
        self.batches = self.full_batches + (self.tail > 0)

    def order(self) -> np.ndarray | None:
        """The order of the rows for a new pass; None for that of the arrays."""
        if self._source.is_plain:
            return None
        return orders.joined(self._source.orders())[: self.samples]


def array_feed(
    rows: Rows, batch_size: int, drop_remainder: bool, *, shuffles: bool, label: str
) -> ArrayFeed | None:
    """The feed for batches of rows; None where they are better read one by one.

    Args:
        rows: The rows.
        batch_size: Rows per batch.
        drop_remainder: Whether a smaller last batch is left out.
        shuffles: Whether an order of its own may be drawn for each pass.
        label: Prefix of names in errors.
    """
    has_text = any(leaf.dtype == object for leaf in leaves(rows.spec))
    if has_text or rows.row_bytes * max(rows.total, rows.length) > _MOST_BYTES:
        return None
    numbers = np.arange(rows.total)
    if not rows.is_plain:
        if not (shuffles or rows.is_fixed):
            return None
        numbers = orders.joined(rows.orders())
        count = len(numbers)
        if rows.is_fixed:
            rows = Rows(rows.take, rows.spec, count, lambda: orders.whole(count), count)
        else:
            rows = replace(rows, length=count)
            numbers = np.arange(rows.total)
    if rows.length < (batch_size if drop_remainder else 1):
        return None
    data = rows.take(numbers)
    return RowsFeed(rows, data, batch_size, drop_remainder=drop_remainder, label=label)
