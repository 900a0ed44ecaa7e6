"""LearningRateScheduler: sets the learning rate of each epoch with a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from gazelle._core.console import say
from gazelle._core.errors import ArgumentError
from gazelle.callbacks._base import Callback, Logs


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
        for optimizer, suffix in named_optimizers(self.model):
            rate = self._rate(epoch, current_learning_rate(optimizer))
            optimizer.learning_rate = rate
            if self.verbose > 0:
                whose = f"{optimizer.name} " if suffix else ""
                say(
                    f"Epoch {epoch + 1}: LearningRateScheduler setting {whose}learning rate to"
                    f" {rate}."
                )

    def _rate(self, epoch: int, old: float) -> float:
        takes_rate = _accepts(self.schedule, epoch, old)
        rate = self.schedule(epoch, old) if takes_rate else self.schedule(epoch)
        if not _is_float(rate):
            raise ArgumentError(
                "LearningRateScheduler: The output of the `schedule` function should be a float.",
                expected="a float",
                received=repr(rate),
                fix="return float(...)",
            )
        return float(np.asarray(rate).item())

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Log the learning rate."""
        if logs is not None:
            log_rates(self.model, logs)


def named_optimizers(model: Any) -> list[tuple[Any, str]]:
    """The optimizers of a model, with what the log names of their learning rates end in.

    There are several in a `MultiOptimizer`.
    """
    inner = getattr(model.optimizer, "optimizers", None)
    if inner is None:
        return [(model.optimizer, "")]
    return [(optimizer, f"_{optimizer.name}") for optimizer in inner]


def log_rates(model: Any, logs: Logs) -> None:
    """Log the learning rates."""
    for optimizer, suffix in named_optimizers(model):
        logs[f"learning_rate{suffix}"] = current_learning_rate(optimizer)


def current_learning_rate(optimizer: Any) -> float:
    """The learning rate of an optimizer, as a Python float."""
    return float(np.array(optimizer.learning_rate).item())


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
