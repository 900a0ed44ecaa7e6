"""Signals in a fit: Ctrl-C asks it to end, and handlers wait while a program holds the values.

A program destroys the values that it is given (donation). If a handler raised between its start and
the return of its results, the variables would have no values any more.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# The signals for which Python programs set handlers.
_NAMES = (
    "SIGINT",
    "SIGTERM",
    "SIGALRM",
    "SIGHUP",
    "SIGUSR1",
    "SIGUSR2",
    "SIGQUIT",
    "SIGVTALRM",
    "SIGPROF",
    "SIGBREAK",
)
_SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))

Handler = Callable[[int, Any], Any]


class _Critical:
    """Whether a program holds values now, and which handlers wait for it."""

    held = False
    in_fit = False  # whether a fit in the main thread has wrapped all handlers
    late: list[tuple[Handler, int, Any]] = []  # noqa: RUF012 (shared on purpose)


class Interrupt:
    """Whether Ctrl-C was pressed: the first press asks the loop to end, a second one raises.

    Attributes:
        asked: Whether the loop is to end.
        signal: The number of the signal that has asked for it; 0 for none.
    """

    def __init__(self) -> None:
        self.asked = False
        self.signal = 0

    @contextmanager
    def heard(self, *, terminate: bool = False) -> Iterator[Interrupt]:
        """Within the block Ctrl-C sets `asked`, and all handlers wait for programs to end.

        Python calls handlers in the main thread, so in other threads this does nothing.

        Args:
            terminate: Whether SIGTERM is heard as well, if it would end the process.
        """
        if not _in_main_thread() or _Critical.in_fit:
            yield self
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        ends = {signal.SIGTERM} if terminate and before[signal.SIGTERM] is signal.SIG_DFL else set()
        before = {n: handler for n, handler in before.items() if callable(handler) or n in ends}
        for number, handler in before.items():
            # Another handler than Python's own means that a notebook or a server listens already.
            is_plain = handler is signal.default_int_handler
            if is_plain or not callable(handler):
                handler = self._ask
            signal.signal(number, _Later(handler))
        _Critical.in_fit = True
        try:
            yield self
        finally:
            _Critical.in_fit = False
            for number, handler in before.items():
                is_ours = isinstance(signal.getsignal(number), _Later)  # or a callback has set one
                if is_ours:
                    signal.signal(number, handler)

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked:
            raise self.error(number)
        self.asked, self.signal = True, number

    @staticmethod
    def error(number: int) -> BaseException:
        """What ends the program: status 130 for Ctrl-C, otherwise 128 plus the signal's number."""
        return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


class _Later:
    """A handler that wraps another one: while a program holds values, the call waits."""

    def __init__(self, handler: Handler):
        self._handler = handler

    def __call__(self, number: int, frame: Any) -> None:
        is_waiting = any(self._handler == handler for handler, _, _ in _Critical.late)
        if _Critical.held and not is_waiting:
            _Critical.late.append((self._handler, number, frame))
        else:
            self._handler(number, frame)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within the block handlers wait until its end; outside of a fit only that of Ctrl-C does."""
    if not _in_main_thread() or _Critical.held:
        yield
        return
    handler = None if _Critical.in_fit else signal.getsignal(signal.SIGINT)
    if callable(handler):
        signal.signal(signal.SIGINT, _Later(handler))
    _Critical.held = True
    try:
        yield
    finally:
        _Critical.held = False
        if callable(handler):
            signal.signal(signal.SIGINT, handler)
        late, _Critical.late = _Critical.late, []
        for waiting, number, frame in late:
            waiting(number, frame)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
