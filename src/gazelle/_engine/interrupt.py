"""Signals: Ctrl-C asks a fit to end, and no handler runs between a program and the variables whose values it holds."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Those for which Python programs have handlers of their own.
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


class _Critical:
    """Whether a program holds values now, and what is to be called when it does not any more."""

    held = False
    listening = False  # whether a fit in the main thread has put its own handlers before all others
    late: list[tuple[Callable[..., Any], int, Any]] = []  # noqa: RUF012 (there is one of it)


class Interrupt:
    """Whether Ctrl-C was pressed. The first press asks the loop to end after the chunk; a second one raises."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def heard(self) -> Iterator[Interrupt]:
        """Within the block (in the main thread) Ctrl-C sets `asked`, and other signals wait for programs to end."""
        if not _in_main_thread() or _Critical.listening:
            yield self
            return
        before = {
            number: handler for number in _SIGNALS if callable(handler := signal.getsignal(number))
        }
        for number, handler in before.items():
            plain_ctrl_c = (
                handler is signal.default_int_handler
            )  # otherwise a notebook or a server listens already
            signal.signal(number, _Later(self._ask if plain_ctrl_c else handler))
        _Critical.listening = True
        try:
            yield self
        finally:
            _Critical.listening = False
            for number, handler in before.items():
                if isinstance(
                    signal.getsignal(number), _Later
                ):  # a callback may have set another one
                    signal.signal(number, handler)

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


class _Later:
    """A handler that stands in for another one: while a program holds values, the first signal waits."""

    def __init__(self, handler: Callable[..., Any]):
        self._handler = handler

    def __call__(self, number: int, frame: Any) -> None:
        if _Critical.held and all(self._handler != handler for handler, _, _ in _Critical.late):
            _Critical.late.append((self._handler, number, frame))
        else:
            self._handler(number, frame)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within the block the handlers of signals wait until the end of it; outside of a fit only that of Ctrl-C does.

    A program destroys the values that it is given (donation). Were it broken off before its results
    are with the variables, these would have no values any more (but for a copy that may be older).
    """
    if not _in_main_thread() or _Critical.held:
        yield
        return
    before = None
    if not _Critical.listening and callable(handler := signal.getsignal(signal.SIGINT)):
        before = handler
        signal.signal(signal.SIGINT, _Later(handler))
    _Critical.held = True
    try:
        yield
    finally:
        _Critical.held = False
        if before is not None:
            signal.signal(signal.SIGINT, before)
        late, _Critical.late = _Critical.late, []
        for handler, number, frame in late:
            handler(number, frame)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
