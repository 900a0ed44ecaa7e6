"""EarlyStopping: ends training when a value has stopped improving."""

from __future__ import annotations

from typing import Any

from gazelle._core.console import say
from gazelle.callbacks._base import Logs
from gazelle.callbacks._monitor import MonitorCallback


class EarlyStopping(MonitorCallback):
    """Ends training once `monitor` has not improved for `patience` epochs.

    A NaN never counts as an improvement (in Keras, if the first value is NaN, it stays the best).

    Args:
        monitor: Name of the value to monitor.
        min_delta: Minimum change that counts as an improvement.
        patience: Number of epochs without improvement after which training ends.
        verbose: 1 prints when training ends and which weights are restored.
        mode: `"min"`, `"max"` or `"auto"` (from the metric's direction, or else from its name).
        baseline: A value to reach. Until it is reached, epochs that improve also count towards
            `patience`, though training does not end with one of them.
        restore_best_weights: Restore the weights of the best epoch when training ends for any
            reason.
        start_from_epoch: First epoch (counted from 0) to monitor.

    Attributes:
        best: The best value so far; None before the first.
        best_epoch: Its epoch, counted from 0.
        best_weights: Its weights, if `restore_best_weights`.
        wait: Number of epochs since the last improvement.
        stopped_epoch: The epoch in which this callback ended training; 0 if it did not.

    Example:
        >>> callback = EarlyStopping(monitor="val_loss", patience=5, restore_best_weights=True)
    """

    _keeps_learning_rate = True
    _runs_no_user_code = True

    purpose = "Early stopping conditioned on"

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ):
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._reset()

    def _reset(self) -> None:
        self.best = None
        self.best_epoch = 0
        self.best_weights: Any = None
        self.wait = 0
        self.stopped_epoch = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Reset the state of an earlier run."""
        super().on_train_begin(logs)
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare the epoch's value with the best, and stop training if patience has run out."""
        value = self._monitored(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        improved = self._is_improvement(value, self.best)
        if improved:
            self.best = value
            self.best_epoch = epoch
        if self.restore_best_weights and (improved or self.best_weights is None):
            self.best_weights = self.model.get_weights()
        self.wait += 1
        if improved:
            if self.baseline is None or self._is_improvement(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Restore the best weights, if `restore_best_weights`."""
        if self.stopped_epoch > 0 and self.verbose > 0:
            say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                best = self.best_epoch + 1
                say(f"Restoring model weights from the end of the best epoch: {best}.")
            self.model.set_weights(self.best_weights)
