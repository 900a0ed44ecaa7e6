"""The training's side of Ctrl-C: a training that is being prepared ends as well."""

from __future__ import annotations

from typing import Any

from gazelle.callbacks import Callback
from gazelle.cli.signals import Signals


class Interrupt(Callback):
    """Ends a training after the steps in progress when a signal has asked for it.

    Args:
        signals: What is heard.
    """

    def __init__(self, signals: Signals) -> None:
        self.signals = signals

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Stop at once if a signal came while the training was being prepared."""
        if self.signals.asked:
            self.model.stop_training = True
