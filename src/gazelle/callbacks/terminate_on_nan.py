"""TerminateOnNaN: end training when the loss is NaN or infinite."""

from __future__ import annotations

import math

from gazelle._core.console import say
from gazelle._core.errors import explain
from gazelle.callbacks.base import Callback, Logs


class TerminateOnNaN(Callback):
    """Ends training when the loss is NaN or infinite.

    The running mean of the loss is looked at some ten times a second and at each epoch's end, not
    after every step: a mean that has met a NaN stays NaN, and training keeps its speed.

    Args:
        raise_error: Raise an error instead of ending training quietly.
    """

    def __init__(self, raise_error: bool = False):
        self.raise_error = raise_error
        self._found: int | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Start anew."""
        self._found = None

    def on_progress(self, stage: str, step: int, logs: Logs | None = None) -> None:
        """Look at the running loss.

        Raises:
            RuntimeError: The loss is not finite and `raise_error` is set.
        """
        if stage == "train":
            self._check(step - 1, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the epoch's loss.

        Raises:
            RuntimeError: The loss is not finite and `raise_error` is set.
        """
        self._check(((self.params or {}).get("steps") or 1) - 1, logs)
        if self._found is not None:  # told here, where the progress line is out of the way
            say(f"Batch {self._found}: Invalid loss, terminating training")

    def _check(self, batch: int, logs: Logs | None) -> None:
        loss = (logs or {}).get("loss")
        if self._found is not None or loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                explain(
                    f"NaN or Inf loss encountered at batch {batch}. Loss value: {float(loss)}. "
                    "Terminating training immediately.",
                    expected="a finite loss",
                    received=float(loss),
                    fix="lower the learning rate, scale the inputs, or look for NaN in the data",
                )
            )
        self._found = batch
        self.model.stop_training = True
