"""Lending: how variables stay valid while programs and threads use their values.

Two things can go wrong. A thread that traces a program must not show its tracers to other threads:
what a thread borrows is therefore seen by that thread alone (`Borrowed`). And a training program
destroys the arrays that it is given (donation): they may not be read between its start and its end
(`Guard`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from gazelle._core.errors import StateError


class Borrowed(threading.local):
    """The values that variables have in this thread for now, instead of their own."""

    def __init__(self) -> None:
        self.values: dict[Any, Any] = {}
        self.notes_all = False  # whether assignments to other variables are noted there too
        self.follows = False  # whether a function is followed to see which variables it uses
        # Is told of each variable that is read, with its array, and gives the array to use.
        self.on_read: Callable[[Any, Any], Any] | None = None


borrowed_here = Borrowed()


class Guard:
    """One lock for a group of variables whose values programs borrow and return together."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._heir: Guard | None = None  # after a merge
        self._readers = 0

    @property
    def lock(self) -> threading.RLock:  # pyright: ignore[reportInvalidTypeForm]
        """While a thread holds it, that thread alone lends, replaces and reads values."""
        return self._root._lock

    @property
    def is_read(self) -> bool:
        """Whether a program that only reads may be about to start with the arrays as they are."""
        return self._root._readers > 0

    def begin_reading(self) -> Guard:
        """Protect the current arrays until `end_reading` of the guard that is returned."""
        with self.lock:
            root = self._root
            root._readers += 1
            return root

    def end_reading(self) -> None:
        """The program that reads has started."""
        with self._lock:
            self._root._readers -= 1

    @property
    def _root(self) -> Guard:
        guard = self
        while guard._heir is not None:
            guard = guard._heir
        return guard

    def __reduce__(self) -> Any:
        return Guard, ()  # a copy of a variable has a guard of its own


def guard_together(guards: Iterable[Guard]) -> Guard:
    """Make one guard of several: the variables that a model's programs use."""
    roots = sorted({guard._root for guard in guards}, key=id)
    if not roots:
        return Guard()
    first, *others = roots
    for other in others:
        with first._lock, other._lock:
            if other._heir is None and first._heir is None:
                first._readers += other._readers
                other._heir = first
    return first


class _Process:
    """Whether this process was forked from one that had used JAX, whose threads it lacks."""

    used = False
    forked = False


def note_use() -> None:
    """Gazelle uses JAX from here on."""
    _Process.used = True


def check_process() -> None:
    """Refuse to compute in a forked child: JAX would wait forever for threads of the parent.

    Raises:
        StateError: This process was forked from one that had used JAX.
    """
    if _Process.forked:
        raise StateError(
            "This process was forked from one that had used JAX already: here it would wait for"
            " ever.",
            expected="a process of its own",
            received=f"process {os.getpid()}, made by fork",
            fix='start processes with multiprocessing.get_context("spawn"), or use threads',
        )


def _after_fork() -> None:
    _Process.forked = _Process.used


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
