"""Watch: warns of fits that fail without an error: a loss that is not finite, still weights."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from gazelle._core.errors import CheckWarning
from gazelle._engine.engine import Engine

_CUT_OFF = "Is the loss made of steps (round, argmax, comparisons), or cut off from the weights?"
_ALWAYS_0 = "The loss is 0. Is there a loss, and are loss_weights and sample_weight above 0?"


class Watch:
    """Checks the results of each epoch of a fit, and warns at most once of each problem.

    Args:
        engine: The programs, before the first step of the fit.
    """

    def __init__(self, engine: Engine):
        self._engine = engine
        # A model that was trained before may have converged, so its weights need not move.
        optimizer = engine.steps.optimizer
        self._first = optimizer is not None and int(np.asarray(optimizer.iterations)) == 0
        self._finite = True
        engine.state.keep(compare=self._first)

    def look(self, epoch: int, results: dict[str, Any]) -> None:
        """Check an epoch.

        Args:
            epoch: Its number, from 0.
            results: Its logs.
        """
        loss = results.get("loss")
        if not isinstance(loss, float):
            return
        if self._finite and not math.isfinite(loss):
            self._finite = False
            self.warn(_not_finite(epoch, loss, self._rate()))
        elif self._first and self._rate() != "0" and self._engine.state.is_as_kept():
            self.warn(
                f"fit: no weight has changed in epoch {epoch + 1}, so nothing is learned: all"
                " gradients are 0. " + (_ALWAYS_0 if loss == 0 else _CUT_OFF)
            )
        self._first = False

    def _rate(self) -> str:
        rate = getattr(self._engine.steps.optimizer, "learning_rate", None)
        return "unknown" if rate is None else f"{float(rate):g}"

    @staticmethod
    def warn(text: str) -> None:
        """Warn at the line of the user's program that calls `fit`."""
        warnings.warn(text, CheckWarning, stacklevel=6)


def _not_finite(epoch: int, loss: float, rate: str) -> str:
    return (
        f"fit: the loss is {loss:g} in epoch {epoch + 1}; from here on the weights are useless. The"
        f" learning rate ({rate}) may be too large, or the inputs: scale them to about -1 to 1,"
        " lower the learning rate, or pass clipnorm=1.0 to the optimizer."
        " Without nonfinite_loss='continue' fit ends there."
    )
