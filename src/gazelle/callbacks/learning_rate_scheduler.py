"""LearningRateScheduler: sets the learning rate of each epoch with a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from gazelle._core.console import say
from gazelle._core.errors import ArgumentError
from gazelle.callbacks.base import Callback, Logs


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch and logs it as `learning_rate`.

    Args:
        schedule: `schedule(epoch, learning_rate) -> float` or `schedule(epoch) -> float`; `epoch`
            counts from 0.
        verbose: 1 prints the rate of each epoch.

    Example:
        >>> callback = LearningRateScheduler(lambda epoch, rate: rate if epoch < 10 else rate * 0.9)
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the epoch's learning rate.

        Raises:
            ArgumentError: The schedule did not return a float.
        """
        old = current_learning_rate(self.model)
        takes_rate = _accepts(self.schedule, epoch, old)
        rate = self.schedule(epoch, old) if takes_rate else self.schedule(epoch)
        if not _is_float(rate):
            raise ArgumentError(
                "LearningRateScheduler: The output of the `schedule` function should be a float.",
                expected="a float",
                received=repr(rate),
                fix="return float(...)",
            )
        rate = float(np.asarray(rate).item())
        self.model.optimizer.learning_rate = rate
        if self.verbose > 0:
            say(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Log the learning rate."""
        if logs is not None:
            logs["learning_rate"] = current_learning_rate(self.model)


def current_learning_rate(model: Any) -> float:
    """The learning rate of the model's optimizer, as a Python float."""
    return float(np.array(model.optimizer.learning_rate).item())


def _accepts(schedule: Callable[..., float], *args: Any) -> bool:
    try:
        inspect.signature(schedule).bind(*args)
    except (TypeError, ValueError):  # too many arguments, or a built-in without a signature
        return False
    return True


def _is_float(value: Any) -> bool:
    if isinstance(value, float):
        return True
    dtype = getattr(value, "dtype", None)
    return dtype is not None and dtype.kind == "f" and np.ndim(value) == 0
