"""TerminateOnNaN: ends training when the loss is NaN or infinite."""

from __future__ import annotations

import math

from gazelle._core.console import say
from gazelle._core.errors import explain
from gazelle.callbacks._base import Callback, Logs


class TerminateOnNaN(Callback):
    """Ends training when the loss is NaN or infinite.

    The running mean of the loss is checked about ten times per second and at the end of each epoch
    instead of after every step: once a loss is NaN the mean stays NaN, and training stays fast.

    Args:
        raise_error: Raise an error instead of ending training.
    """

    _keeps_learning_rate = True
    _runs_no_user_code = True

    def __init__(self, raise_error: bool = False):
        self.raise_error = raise_error
        self._found: int | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Reset the state of an earlier run."""
        self._found = None

    def on_progress(self, stage: str, step: int, logs: Logs | None = None) -> None:
        """Check the running mean of the loss.

        Raises:
            RuntimeError: The loss is not finite and `raise_error` is set.
        """
        if stage == "train":
            self._check(step - 1, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Check the loss of the epoch.

        Raises:
            RuntimeError: The loss is not finite and `raise_error` is set.
        """
        steps = (self.params or {}).get("steps") or 1
        self._check(steps - 1, logs)
        if self._found is not None:  # printed here, after the progress line was cleared
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
