"""Limits of epochs and steps, to run a script quickly without editing it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from gazelle._core.errors import ArgumentError


def _checked(value: object, what: str) -> int | None:
    """A limit as an int; None for none.

    Raises:
        ArgumentError: It is not a whole number above 0.
    """
    if value is None:
        return None
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdecimal() or int(text) < 1:
        raise ArgumentError(
            f"{what} is not a limit.",
            expected="a whole number above 0, or None",
            received=repr(value),
        )
    return int(text)


@dataclass
class _Limits:
    epochs: int | None = None
    steps: int | None = None

    @classmethod
    def of_environment(cls) -> _Limits:
        """The limits in `KERAS_MAX_EPOCHS` and `KERAS_MAX_STEPS_PER_EPOCH`."""
        names = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")
        return cls(*(_checked(os.environ.get(name) or None, name) for name in names))


_limits = _Limits.of_environment()


def max_epochs() -> int | None:
    """The most epochs of a `fit`; None for no limit."""
    return _limits.epochs


def set_max_epochs(max_epochs: int | None) -> None:
    """Limit the epochs of every `fit`, to run a script quickly without editing it.

    The environment variable `KERAS_MAX_EPOCHS` does the same.

    Args:
        max_epochs: The most epochs; None for no limit.

    Raises:
        ArgumentError: It is not a whole number above 0.
    """
    _limits.epochs = _checked(max_epochs, "max_epochs")


def max_steps_per_epoch() -> int | None:
    """The most steps of an epoch, an evaluation or a prediction; None for no limit."""
    return _limits.steps


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit the steps of every epoch of `fit`, of `evaluate` and of `predict`.

    The environment variable `KERAS_MAX_STEPS_PER_EPOCH` does the same.

    Args:
        max_steps_per_epoch: The most steps; None for no limit.

    Raises:
        ArgumentError: It is not a whole number above 0.
    """
    _limits.steps = _checked(max_steps_per_epoch, "max_steps_per_epoch")
