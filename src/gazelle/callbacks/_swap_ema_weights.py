"""SwapEMAWeights: evaluates, predicts and saves with the moving averages of the weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError
from gazelle._core.variable import Variable
from gazelle.callbacks._base import Callback, Logs
from gazelle.optimizers._optimizer import weights_and_averages


class SwapEMAWeights(Callback):
    """Swaps the weights with the optimizer's moving averages during evaluation and prediction.

    The optimizer must have `use_ema=True`. At the end of training the averages become the weights
    of the model.

    Args:
        swap_on_epoch: Also swap from the end of each epoch to the beginning of the next, so that
            callbacks after this one (a `ModelCheckpoint`) see and save the averages.

    Raises:
        ArgumentError: When training or evaluation starts with an optimizer without `use_ema=True`.
    """

    _keeps_learning_rate = True
    _runs_no_user_code = True

    def __init__(self, swap_on_epoch: bool = False):
        self.swap_on_epoch = swap_on_epoch
        self._trained: list[np.ndarray] | None = None  # the trained weights during a swap

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Check the optimizer."""
        self._trained = None
        self._pairs()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Restore the trained weights."""
        self._swap_back()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Swap in the averages, if `swap_on_epoch`."""
        if self.swap_on_epoch:
            self._swap_in()

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Swap in the averages."""
        self._swap_in()

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Restore the trained weights."""
        self._swap_back()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Swap in the averages."""
        self._swap_in()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Restore the trained weights."""
        self._swap_back()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Replace the weights with the averages."""
        for weight, average in self._pairs():
            weight.assign(average.numpy())
        self._trained = None

    def _swap_in(self) -> None:
        if self._trained is None:
            pairs = self._pairs()
            self._trained = [weight.numpy() for weight, _ in pairs]
            for weight, average in pairs:
                weight.assign(average.numpy())

    def _swap_back(self) -> None:
        if self._trained is not None:
            for (weight, _), value in zip(self._pairs(), self._trained, strict=True):
                weight.assign(value)
            self._trained = None

    def _pairs(self) -> list[tuple[Variable, Variable]]:
        """The trainable variables with their averages; none before the optimizer is built."""
        optimizer: Any = getattr(self.model, "optimizer", None)
        if not getattr(optimizer, "use_ema", False):
            raise ArgumentError(
                "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer.",
                expected="an optimizer with use_ema=True",
                received=repr(optimizer),
                fix=(
                    "pass use_ema=True to the optimizer: compile(optimizer=Adam(use_ema=True),"
                    ' loss="mse")'
                ),
            )
        if not getattr(optimizer, "built", False):
            return []
        return weights_and_averages(optimizer)
