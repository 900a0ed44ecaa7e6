"""ReduceLROnPlateau: a smaller learning rate when a value has stopped improving."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from gazelle._core.console import say
from gazelle._core.errors import ArgumentError
from gazelle.callbacks.base import Logs
from gazelle.callbacks.learning_rate_scheduler import current_learning_rate
from gazelle.callbacks.monitor import MonitorCallback


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by `factor` once `monitor` has not improved for `patience` epochs.

    Logs the rate that an epoch was trained with as `learning_rate`.

    Args:
        monitor: Name of the value to watch.
        factor: What the learning rate is multiplied by, below 1.
        patience: Number of epochs without improvement after which the rate is reduced.
        verbose: 1 prints each reduction.
        mode: `"min"`, `"max"` or `"auto"` (by the metric's own direction, else by its name).
        min_delta: By how much a value must be better than the best one to count as an improvement.
        cooldown: Number of epochs after a reduction that do not count.
        min_lr: The learning rate is never reduced below this.
        **kwargs: `epsilon`, the older name of `min_delta`; others are ignored with a warning.

    Raises:
        ArgumentError: `factor` is not below 1.

    Example:
        >>> callback = ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=5, min_lr=1e-5)
    """

    purpose = "Learning rate reduction is conditioned on"

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ):
        if factor >= 1.0:
            raise ArgumentError(
                f"ReduceLROnPlateau does not support a factor >= 1.0. Received factor={factor}",
                expected="a factor below 1",
                received=factor,
            )
        min_delta = kwargs.pop("epsilon", min_delta)
        if kwargs:
            warnings.warn(
                f"ReduceLROnPlateau ignores the unknown arguments {sorted(kwargs)}.", stacklevel=2
            )
        super().__init__(monitor, mode, min_delta)
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Start anew."""
        super().on_train_begin(logs)
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether a reduction was less than `cooldown` epochs ago."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the epoch's value and reduce the learning rate if patience is spent."""
        value = self._monitored(logs)
        rate = current_learning_rate(self.model)
        if logs is not None:
            logs["learning_rate"] = rate
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(value, self.best):
            self.best = value
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and rate > np.float32(self.min_lr):
                self._reduce(epoch, rate)

    def _reduce(self, epoch: int, rate: float) -> None:
        rate = max(rate * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = rate
        if self.verbose > 0:
            say(f"Epoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate}.")
        self.cooldown_counter = self.cooldown
        self.wait = 0
