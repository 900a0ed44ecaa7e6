"""What holds during a call of layers: training or not, names of the owners, added losses."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from gazelle._core.errors import DataError


class _Context(threading.local):
    def __init__(self) -> None:
        self.scopes: list[str] = []
        self.training: list[bool | None] = [None]
        self.losses: list[list[Any]] = []
        self.layers: list[
            Any
        ] = []  # those being called (or None for one being built), the outermost first
        self.compute_dtypes: list[str | None] = [None]
        self.made: list[list[tuple[Any, Any]]] = []
        self.budget: list[
            int
        ] = []  # bytes that variables may still take, of each `variable_budget` block


_context = _Context()


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Within the block, variables are made under `name` (`dense/kernel`)."""
    _context.scopes.append(name)
    try:
        yield
    finally:
        _context.scopes.pop()


def scope_once(name: str) -> AbstractContextManager[None]:
    """Like `scope`, unless the innermost scope has this name already."""
    return nullcontext() if current_scope() == name else scope(name)


def variable_path(name: str) -> str:
    """The path of a variable that is made now under `name`."""
    return "/".join([*_context.scopes, name])


def current_scope() -> str | None:
    """The innermost scope's name, or None."""
    return _context.scopes[-1] if _context.scopes else None


@contextmanager
def training_mode(training: bool | None) -> Iterator[None]:
    """Within the block, layers without a `training` argument use this mode."""
    _context.training.append(training)
    try:
        yield
    finally:
        _context.training.pop()


def current_training() -> bool | None:
    """The training mode in force; None outside every call."""
    return _context.training[-1]


@contextmanager
def called(layer: Any, compute_dtype: str | None) -> Iterator[None]:
    """Within the block `layer` is called; it reads float variables in `compute_dtype`, if given."""
    _context.layers.append(layer)
    _context.compute_dtypes.append(compute_dtype)
    try:
        yield
    finally:
        _context.layers.pop()
        _context.compute_dtypes.pop()


def current_layer() -> Any:
    """The layer that is being called; None outside every call and while one is being built."""
    return _context.layers[-1] if _context.layers else None


def outermost_layer() -> Any:
    """The layer that the user called, in which the current one runs; None outside a call."""
    return next((layer for layer in _context.layers if layer is not None), None)


def compute_dtype() -> str | None:
    """The float type in which variables are read now; None for their own."""
    return _context.compute_dtypes[-1]


@contextmanager
def made_variables() -> Iterator[list[tuple[Any, Any]]]:
    """Within the block, new weights and their first values go to the list that it yields."""
    made: list[tuple[Any, Any]] = []
    _context.made.append(made)
    try:
        yield made
    finally:
        _context.made.pop()


def note_made(variable: Any, value: Any) -> None:
    """Enter a new weight and its first value into the lists of all `made_variables` blocks."""
    for made in _context.made:
        made.append((variable, value))


@contextmanager
def variable_budget(size: int) -> Iterator[None]:
    """Within the block, variables that are made from a shape may take `size` bytes in all.

    A config that is read from a file declares shapes; they are compared with what the file has
    for them before any memory is taken.
    """
    _context.budget.append(size)
    try:
        yield
    finally:
        _context.budget.pop()


def spend(shape: tuple[int, ...], itemsize: int) -> None:
    """Take the bytes of a new variable from the budget, if there is one.

    Raises:
        DataError: They exceed it.
    """
    if not _context.budget:
        return
    size = math.prod(shape) * itemsize
    if size > _context.budget[-1]:
        raise DataError(
            "The model is larger than its weights.",
            expected=f"at most {_context.budget[-1]:,} bytes more",
            received=f"weights of shape {shape}"[:80],
        )
    _context.budget[-1] -= size


@contextmanager
def collected_losses() -> Iterator[list[Any]]:
    """Within the block, losses that layers add go to the list that it yields."""
    losses: list[Any] = []
    _context.losses.append(losses)
    try:
        yield losses
    finally:
        _context.losses.pop()


def collector() -> list[Any] | None:
    """The list that added losses go to now, or None."""
    return _context.losses[-1] if _context.losses else None
