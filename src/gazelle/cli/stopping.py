"""Ctrl-C in training: a signal that comes while the training is being prepared ends it as well."""

from __future__ import annotations

from typing import Any

from gazelle.callbacks import Callback
from gazelle.cli.signals import Signals


class StopOnSignal(Callback):
    """Ends a training at its beginning if a signal has already asked for it.

    Args:
        signals: The signals of the command.
    """

    def __init__(self, signals: Signals) -> None:
        self.signals = signals

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Stop at once if a signal came while the training was being prepared."""
        if self.signals.stop_requested:
            self.model.stop_training = True
