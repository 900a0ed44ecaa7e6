"""Ctrl-C: asks a fit to end, and never falls between a program and the variables whose values it holds."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Critical:
    """Whether a program holds values now, and whether Ctrl-C was pressed meanwhile, to be raised afterwards."""

    held = False
    late = False
    listening = False  # whether `Interrupt.heard` listens, which knows of this


class Interrupt:
    """Whether Ctrl-C was pressed. The first press asks the loop to end after the chunk; a second one raises."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def heard(self) -> Iterator[Interrupt]:
        """Within the block (in the main thread) Ctrl-C sets `asked`."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = signal.getsignal(signal.SIGINT)

        def ask(number: int, frame: Any) -> None:
            if self.asked and _Critical.held and not _Critical.late:
                _Critical.late = True
            elif self.asked:
                raise KeyboardInterrupt
            self.asked = True

        if before is not signal.default_int_handler:  # someone else (a notebook, a server) listens already
            yield self
            return
        signal.signal(signal.SIGINT, ask)
        _Critical.listening = True
        try:
            yield self
        finally:
            _Critical.listening = False
            signal.signal(signal.SIGINT, before)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within the block Ctrl-C waits until the end of it.

    A program destroys the values that it is given (donation). Were it broken off before its results are with the
    variables, these would have no values any more.
    """
    if _Critical.listening and threading.current_thread() is threading.main_thread():
        _Critical.held = True
        try:
            yield
        finally:
            _Critical.held = False
            if _Critical.late:
                _Critical.late = False
                raise KeyboardInterrupt
        return
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    heard: list[Any] = []

    def wait(number: int, frame: Any) -> None:
        if heard:
            before(number, frame)  # a second one breaks off at once
        heard.append(frame)

    signal.signal(signal.SIGINT, wait)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if heard:
            before(signal.SIGINT, heard[0])
