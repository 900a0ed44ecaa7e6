"""What holds while layers are being called: training or not, the owners' names, the losses that layers add."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Context(threading.local):
    def __init__(self) -> None:
        self.scopes: list[str] = []
        self.training: list[bool | None] = [None]
        self.losses: list[list[Any]] = []


_context = _Context()


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Within the block, variables are made under `name` (`dense/kernel`)."""
    _context.scopes.append(name)
    try:
        yield
    finally:
        _context.scopes.pop()


def variable_path(name: str) -> str:
    """The path of a variable that is made now under `name`."""
    return "/".join([*_context.scopes, name])


def current_scope() -> str | None:
    """The innermost scope's name, or None."""
    return _context.scopes[-1] if _context.scopes else None


@contextmanager
def training_mode(training: bool | None) -> Iterator[None]:
    """Within the block, layers that are given no `training` argument take this one."""
    _context.training.append(training)
    try:
        yield
    finally:
        _context.training.pop()


def current_training() -> bool | None:
    """The training mode in force; None outside every call."""
    return _context.training[-1]


@contextmanager
def collected_losses() -> Iterator[list[Any]]:
    """Within the block, losses that layers add (`add_loss`, activity regularizers) go to the list that it gives."""
    losses: list[Any] = []
    _context.losses.append(losses)
    try:
        yield losses
    finally:
        _context.losses.pop()


def collector() -> list[Any] | None:
    """The list that added losses go to now, or None."""
    return _context.losses[-1] if _context.losses else None
