"""SwapEMAWeights: evaluate, predict and save with the moving average of the weights while the weights are trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError
from gazelle.callbacks.base import Callback, Logs


class SwapEMAWeights(Callback):
    """Shows the optimizer's moving averages as the model's weights during evaluation and prediction.

    Needs an optimizer with `use_ema=True`. When training ends the model has the averages as its
    weights.

    Args:
        swap_on_epoch: Show them from each epoch's end to the next epoch's begin too, so that
            callbacks after this one (a `ModelCheckpoint`) see and save them.

    Raises:
        ArgumentError: When training or evaluation starts with an optimizer without `use_ema=True`.
    """

    def __init__(self, swap_on_epoch: bool = False):
        self.swap_on_epoch = swap_on_epoch
        self._trained: list[np.ndarray] | None = (
            None  # the true weights while the averages are shown
        )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Check the optimizer."""
        self._trained = None
        self._pairs()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Give the model its own weights back."""
        self._hide()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Show the averages, when `swap_on_epoch`."""
        if self.swap_on_epoch:
            self._show()

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Show the averages."""
        self._show()

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Give the model its own weights back."""
        self._hide()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Show the averages."""
        self._show()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Give the model its own weights back."""
        self._hide()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Make the averages the model's weights."""
        for weight, average in self._pairs():
            weight.assign(average.numpy())
        self._trained = None

    def _show(self) -> None:
        if self._trained is None:
            pairs = self._pairs()
            self._trained = [weight.numpy() for weight, _ in pairs]
            for weight, average in pairs:
                weight.assign(average.numpy())

    def _hide(self) -> None:
        if self._trained is not None:
            for (weight, _), value in zip(self._pairs(), self._trained, strict=True):
                weight.assign(value)
            self._trained = None

    def _pairs(self) -> list[tuple[Any, Any]]:
        """The model's trainable variables, each with its average; none before the optimizer is built."""
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
        return list(
            zip(
                optimizer._trainable_variables,
                optimizer._model_variables_moving_average,
                strict=True,
            )
        )
