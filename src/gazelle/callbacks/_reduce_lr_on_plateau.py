"""ReduceLROnPlateau: reduces the learning rate when a value has stopped improving."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from gazelle._core.console import say
from gazelle._core.errors import ArgumentError
from gazelle.callbacks._base import Logs
from gazelle.callbacks._learning_rate_scheduler import (
    current_learning_rate,
    log_rates,
    named_optimizers,
)
from gazelle.callbacks._monitor import MonitorCallback


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by `factor` if `monitor` has not improved for `patience` epochs.

    The rate that an epoch was trained with is logged as `learning_rate`.

    Args:
        monitor: Name of the value to monitor.
        factor: Factor by which the learning rate is multiplied, below 1.
        patience: Number of epochs without improvement after which the rate is reduced.
        verbose: 1 prints each reduction.
        mode: `"min"`, `"max"` or `"auto"` (from the metric's direction, or else from its name).
        min_delta: Minimum change that counts as an improvement.
        cooldown: Number of epochs after a reduction that do not count.
        min_lr: Lower bound of the learning rate.
        **kwargs: `epsilon`, the old name of `min_delta`; others are ignored with a warning.

    Raises:
        ArgumentError: `factor` is not below 1.

    Example:
        >>> callback = ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=5, min_lr=1e-5)
    """

    _runs_no_user_code = True

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
        """Reset the state of an earlier run."""
        super().on_train_begin(logs)
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether a reduction was less than `cooldown` epochs ago."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare the epoch's value with the best, and reduce the rate if patience has run out."""
        value = self._monitored(logs)
        if logs is not None:
            log_rates(self.model, logs)
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
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        """Reduce the learning rates that are above `min_lr`."""
        for optimizer, suffix in named_optimizers(self.model):
            rate = current_learning_rate(optimizer)
            if rate <= np.float32(self.min_lr):
                continue
            rate = max(rate * self.factor, self.min_lr)
            optimizer.learning_rate = rate
            if self.verbose > 0:
                whose = f"{optimizer.name} " if suffix else ""
                say(
                    f"Epoch {epoch + 1}: ReduceLROnPlateau reducing {whose}learning rate to {rate}."
                )
            self.cooldown_counter = self.cooldown
            self.wait = 0
