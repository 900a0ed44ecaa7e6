"""Callbacks of `gazelle train`: for signals, for divergence, and for going on with a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gazelle._core.errors import ArgumentError
from gazelle.callbacks import BackupAndRestore, Callback
from gazelle.cli.signals import Signals
from gazelle.models._trainer import interrupt_fit


@contextmanager
def stopped_by(signals: Signals) -> Iterator[None]:
    """Within the block `fit` may end the program because a signal came; the program goes on."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if not signals.stop_requested:
            raise


class Backup(BackupAndRestore):
    """Saves the training of a command."""

    advice = "The same command with --resume goes on."


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
            interrupt_fit(self.model, self.signals.first)


class SameSettings(Callback):
    """Refuses to go on with a training that had other settings.

    Args:
        settings: The settings by the names of their options.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    def get_state(self) -> dict[str, Any]:
        """The settings."""
        return {"settings": self.settings}

    def set_state(self, state: dict[str, Any]) -> None:
        """Compare the settings with those of the interrupted training.

        Raises:
            ArgumentError: One differs.
        """
        before = state["settings"]
        for name, value in self.settings.items():
            if before.get(name) != value:
                raise ArgumentError(
                    f"--resume: the interrupted training had another --{name}.",
                    expected=before.get(name),
                    received=value,
                    fix="pass the options of that training, or leave out --resume",
                )
