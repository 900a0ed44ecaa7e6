"""What `adapt` takes: whole arrays, or batches of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import jax
import numpy as np

from gazelle._core.errors import ArgumentTypeError, DataError
from gazelle._data.dataset import PyDataset


def batches_of(data: Any, steps: int | None, *, lists_are_data: bool) -> Iterator[Any]:
    """The batches of what `adapt` was given; of a batch `(x, y)` the `x`.

    Args:
        data: An array or table, which is one batch; a `PyDataset`; or an iterable of batches.
        steps: The most batches to take of an iterable; None for all.
        lists_are_data: Whether a list is one batch, and not a list of batches.

    Raises:
        ArgumentTypeError: Something else.
        DataError: An iterable without a batch.
    """
    is_array = isinstance(data, np.ndarray | jax.Array) or hasattr(data, "to_numpy")
    if is_array or (lists_are_data and isinstance(data, list | tuple)):
        yield data
        return
    if isinstance(data, PyDataset) and data.num_batches is not None:
        source: Any = (data[i] for i in range(data.num_batches))
    elif hasattr(data, "__iter__"):
        source = iter(data)
    else:
        raise ArgumentTypeError(
            "adapt() cannot read this data.",
            expected="an array, a PyDataset, or an iterable of batches",
            received=type(data).__name__,
        )
    empty = True
    for batch in islice(source, steps):
        empty = False
        yield batch[0] if isinstance(batch, tuple) else batch
    if empty:
        raise DataError("adapt() got no batch.", expected="at least one", received=repr(data)[:80])
