"""Ctrl-C, SIGTERM and SIGHUP: at every moment, either the results are kept or nothing is left.

A signal can come at any moment, also when an exception that its handler raises is discarded
(callbacks of the garbage collector, `__del__`) or turned into another one (the import of a C
extension). So in a process of its own the handler does not raise: it removes the temporary files
and ends the process. If `main` was called from Python it has to raise; an exception that Python has
discarded is then raised again.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_AGAIN_AFTER = 0.05  # seconds until an exception that Python has discarded is raised again
_WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "the terminal was closed"}


class Ended(BaseException):
    """A signal ends the command at once."""


class Signals:
    """The signals that a command has received, and how it reacts to them.

    Until `keep` is called, a signal ends the command at once. After that, the first signal asks the
    work to stop, and the second one ends the command at once. After `finish`, signals are only
    recorded.

    Args:
        may_exit: Whether to end the process at once, instead of raising `Ended`.
    """

    def __init__(self, may_exit: bool = False) -> None:
        self._may_exit = may_exit
        self._stop: Callable[[], None] | None = None
        self._finished = False
        self._discarded = False  # whether Python has discarded `Ended`
        self.first = 0  # number of the first signal, 0 for none
        self.stop_requested = False  # whether a signal has asked the work to stop
        self.ending = False  # whether a signal is ending the command at once

    @property
    def words(self) -> str:
        """What has happened, for a message."""
        if not self.first:
            return "interrupted"
        return _WORDS.get(signal.Signals(self.first).name, "interrupted")

    def status(self, otherwise: int) -> int:
        """The exit status: 128 plus the number of the signal (130 for Ctrl-C), or `otherwise`."""
        return 128 + self.first if self.first else otherwise

    def keep(self, stop: Callable[[], None]) -> None:
        """Declare that from now on there are results to keep.

        Args:
            stop: Asks the work to stop; the first signal calls it.
        """
        self._raise_if_ending()
        self._stop = stop

    def finish(self) -> None:
        """Declare that the results are complete: signals no longer have an effect."""
        self._raise_if_ending()
        self._finished = True

    def close(self) -> None:
        """Ignore all further signals, since the command has ended."""
        self._finished = True

    def handle(self, number: int, frame: Any) -> None:
        """The signal handler."""
        self.first = self.first or number
        again, self._discarded = self._discarded, False
        if self._finished or (self.ending and not again):
            return
        if self._stop is not None and not self.stop_requested and not self.ending:
            self.stop_requested = True
            self._stop()
            return
        self.ending = True
        if self._may_exit:
            self._exit()
        raise Ended

    def raise_again(self) -> None:
        """Send the first signal again in a moment, since Python has discarded `Ended`."""
        self._discarded = True
        threading.Timer(_AGAIN_AFTER, os.kill, (os.getpid(), self.first)).start()

    def _exit(self) -> None:
        """Remove temporary files and end the process at once."""
        files = sys.modules.get("gazelle._files.writing")
        if files is not None:
            files.remove_temporaries()
        with suppress(OSError):
            if os.isatty(2):  # clear the progress line and show the cursor again
                os.write(2, b"\r\x1b[K\x1b[?25h")
            os.write(2, f"gazelle: {self.words}\n".encode())
        os._exit(self.status(0))

    def _raise_if_ending(self) -> None:
        """Raise `Ended` if it was raised before but got lost."""
        if self.ending:
            raise Ended


_current = Signals()


def current() -> Signals:
    """The signals of the running command; without a command, they receive nothing."""
    return _current


@contextmanager
def handling(may_exit: bool = False) -> Iterator[Signals]:
    """Handle signals within the block, if it runs in the main thread.

    A signal that is ignored already (`nohup`) stays ignored.

    Args:
        may_exit: Whether the process ends after the block. A signal may then end it at once, and
            signals are ignored after the block.
    """
    global _current
    _current = signals = Signals(may_exit)
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    known = [getattr(signal, name) for name in _WORDS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in known}
    handled = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}
    hook = sys.unraisablehook

    def catch_ended(unraisable: Any) -> None:
        if unraisable.exc_type is Ended:
            signals.raise_again()
        else:
            hook(unraisable)

    sys.unraisablehook = catch_ended
    for number in handled:
        signal.signal(number, signals.handle)
    try:
        yield signals
    finally:
        signals.close()
        for number, old in handled.items():
            signal.signal(number, signal.SIG_IGN if may_exit else old)
        sys.unraisablehook = hook
        _current = Signals()
