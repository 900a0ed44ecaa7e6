"""The arguments of `fit` and its like: data, verbosity and epochs, checked before work is spent."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from gazelle._core.errors import ArgumentError, CheckWarning
from gazelle._data.dataset import ArrayDataset
from gazelle._data.feeds import ArrayFeed, Feed, StreamFeed, as_feed, is_stream
from gazelle.config import max_epochs, max_steps_per_epoch


def split_off(
    feed: Feed, share: float, *, batch_size: int | None, steps: int | None
) -> tuple[Feed, Feed]:
    """The training and the validation data that `validation_split` makes.

    Raises:
        ArgumentError: The data is a stream, or one side would be empty.
    """
    if not isinstance(feed, ArrayFeed):
        raise ArgumentError(
            "`validation_split` is only supported for tensors or NumPy arrays.",
            expected="arrays",
            received=type(feed.source).__name__,
            fix="pass validation_data",
        )
    return feed.split(share, batch_size=batch_size, steps=steps)


def validation_feed(
    data: Any,
    batch_size: int | None,
    steps: int | None,
    prepare: Callable[[Any], Any] | None = None,
) -> Feed:
    """The data that `validation_data` names.

    Args:
        data: The argument.
        batch_size: Samples per step; None for 32.
        steps: Steps; None for all.
        prepare: What is done to the inputs first, see `as_feed`.

    Raises:
        ArgumentError: A tuple of more than three parts.
        DataError: Data that cannot be used.
    """
    if is_stream(data) and not isinstance(data, ArrayDataset):
        return StreamFeed(data, steps=steps, label="validation ", replay=True, prepare=prepare)
    parts = data if isinstance(data, list | tuple) else (data,)
    if len(parts) > 3:
        raise ArgumentError(
            "validation_data has too many parts.",
            expected="(x, y) or (x, y, sample_weight)",
            received=f"{len(parts)} parts",
        )
    return as_feed(*parts, batch_size=batch_size, steps=steps, label="validation ", prepare=prepare)


def validation_epochs(frequency: int | list[int]) -> Callable[[int], bool]:
    """Whether an epoch (from 0) is followed by a validation, for `validation_freq`.

    Raises:
        ArgumentError: Neither an int > 0 nor a list of epochs.
    """
    if isinstance(frequency, list) and all(isinstance(epoch, int) for epoch in frequency):
        wanted = set(frequency)
        return lambda epoch: epoch + 1 in wanted
    if not isinstance(frequency, int) or isinstance(frequency, bool) or frequency < 1:
        raise ArgumentError(
            "validation_freq must be an int > 0 or a list of epochs.", received=repr(frequency)
        )
    return lambda epoch: (epoch + 1) % frequency == 0


def check_epochs(**numbers: Any) -> None:
    """Refuse numbers of epochs that are not whole numbers >= 0.

    Raises:
        ArgumentError: The first such number.
    """
    for name, value in numbers.items():
        if not hasattr(value, "__index__") or value < 0:
            raise ArgumentError(
                f"fit: {name} must be a whole number, 0 or more.", received=repr(value)
            )


def within_epochs(epochs: int) -> int:
    """The number of epochs within the limit of `config.set_max_epochs`; warns where it is less."""
    limit = max_epochs()
    if limit is None or limit >= epochs:
        return epochs
    warnings.warn(f"Limiting epochs to {limit}", CheckWarning, stacklevel=4)
    return limit


def within_steps(feed: Feed) -> Feed:
    """A feed within the limit of `config.set_max_steps_per_epoch`; warns where it is shortened."""
    limit, steps = max_steps_per_epoch(), feed.steps or feed.batches
    if limit is not None and (steps is None or limit < steps):
        warnings.warn(f"Limiting steps_per_epoch to {limit}", CheckWarning, stacklevel=4)
        feed.steps = limit
    return feed


def verbosity(verbose: Any, automatic: int) -> int:
    """`verbose` as a number.

    Args:
        verbose: 0, 1, 2 or `"auto"`.
        automatic: What `"auto"` means.

    Raises:
        ArgumentError: Something else.
    """
    if isinstance(verbose, str) and verbose == "auto":
        return automatic
    if not hasattr(verbose, "__index__"):
        raise ArgumentError(
            "verbose is not known.", expected='0, 1, 2 or "auto"', received=repr(verbose)[:80]
        )
    return int(verbose)
