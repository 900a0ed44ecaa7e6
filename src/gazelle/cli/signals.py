"""Ctrl-C, SIGTERM and SIGHUP while a command runs: what was learned is kept, or nothing is left, at every moment.

A signal can fall anywhere, also where an exception that its handler raises is thrown away
(callbacks of the garbage collector, `__del__`) or turned into another (a module of C that is being
loaded). So the handler of a process that is to end removes its temporary files and ends it. Where
`main` was called from Python it has to raise; what is thrown away is raised again.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_AGAIN_AFTER = 0.05  # seconds until an exception that Python threw away is raised again
_WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "the terminal has closed"}


class Ended(BaseException):
    """A signal ends the command at once."""


class Signals:
    """What has been heard, and what is to happen then.

    Until `keep` is called a signal ends the command at once. From then on the first one asks the
    work to end in its own time, and the second one ends the command at once. After `finish` they
    are only noted.
    """

    def __init__(self, for_good: bool = False) -> None:
        self._for_good = for_good
        self.first = 0  # number of the first signal, 0 for none
        self._stop: Callable[[], None] | None = None
        self._asked = self._ending = self._lost = self._finished = False

    @property
    def words(self) -> str:
        """What to say of it."""
        return (
            _WORDS.get(signal.Signals(self.first).name, "interrupted")
            if self.first
            else "interrupted"
        )

    def status(self, otherwise: int) -> int:
        """The exit status: 128 and the number of the signal (130 for Ctrl-C), or what it is `otherwise`."""
        return 128 + self.first if self.first else otherwise

    @property
    def asked(self) -> bool:
        """Whether work that is kept was asked to end."""
        return self._asked

    @property
    def ending(self) -> bool:
        """Whether the command is being ended at once."""
        return self._ending

    def keep(self, stop: Callable[[], None]) -> None:
        """From here on there is something to keep.

        Args:
            stop: Asks the work to end; called by the first signal.
        """
        self._refuse_lost()
        self._stop = stop

    def finish(self) -> None:
        """From here on all is done: no signal can undo it."""
        self._refuse_lost()
        self._finished = True

    def hear(self, number: int, frame: Any) -> None:
        """The handler."""
        self.first = self.first or number
        again, self._lost = self._lost, False
        if self._finished or (self._ending and not again):
            return
        if self._stop is not None and not self._asked and not self._ending:
            self._asked = True
            self._stop()
            return
        self._ending = True
        if self._for_good:
            self._leave()
        raise Ended

    def _leave(self) -> None:
        """End the process here and now, nothing left behind."""
        files = sys.modules.get("gazelle._files.writing")
        if files is not None:
            files.remove_temporaries()
        with suppress(OSError):
            if os.isatty(2):
                os.write(
                    2, b"\r\x1b[K\x1b[?25h"
                )  # the live line goes, the cursor of a bar comes back
            os.write(2, f"gazelle: {self.words}\n".encode())
        os._exit(self.status(0))

    def _refuse_lost(self) -> None:
        if self._ending:
            raise Ended

    def thrown_away(self, number: int) -> None:
        """Python has thrown our exception away: hear the signal once more, in a moment."""
        self._lost = True
        threading.Timer(_AGAIN_AFTER, os.kill, (os.getpid(), number)).start()


_current = Signals()


def current() -> Signals:
    """Those of the command that runs; outside of one they hear nothing."""
    return _current


@contextmanager
def listening(for_good: bool = False) -> Iterator[Signals]:
    """Within the block (in the main thread) signals are heard; one that is to be ignored (`nohup`) stays so.

    Args:
        for_good: Whether the process ends after the block, or at once by a signal; signals are
            ignored after it.
    """
    global _current
    _current = signals = Signals(for_good)
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    known = [getattr(signal, name) for name in _WORDS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in known}
    wanted = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}
    hook = sys.unraisablehook

    def notice(unraisable: Any) -> None:
        if unraisable.exc_type is not Ended:
            hook(unraisable)
        else:
            signals.thrown_away(signals.first)

    sys.unraisablehook = notice
    for number in wanted:
        signal.signal(number, signals.hear)
    try:
        yield signals
    finally:
        signals._finished = True
        for number, old in wanted.items():
            signal.signal(number, signal.SIG_IGN if for_good else old)
        sys.unraisablehook = hook
        _current = Signals()
