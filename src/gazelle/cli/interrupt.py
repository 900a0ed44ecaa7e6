"""Ctrl-C while a network is trained: what was learned so far is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gazelle.callbacks import Callback


class Interrupt(Callback):
    """Ends training after the steps in progress when Ctrl-C is pressed; a second press ends the program.

    Attributes:
        pressed: Whether it was pressed.
    """

    def __init__(self) -> None:
        self.pressed = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Stop at once if Ctrl-C was pressed while training was being prepared."""
        if self.pressed:
            self.model.stop_training = True

    @contextmanager
    def heard(self, model: Any) -> Iterator[None]:
        """Within the block Ctrl-C ends the training of `model`.

        Outside the main thread, and where Ctrl-C is to be ignored (a job in the background), nothing is changed.
        """
        in_main_thread = threading.current_thread() is threading.main_thread()
        if not in_main_thread or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            yield
            return

        def press(number: int, frame: Any) -> None:
            if self.pressed:
                raise KeyboardInterrupt
            self.pressed = True
            model.stop_training = True

        before = signal.signal(signal.SIGINT, press)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
