"""Functions of users' that are compiled where that is possible, and run as they are where not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from gazelle._core.pure import borrowed
from gazelle._core.symbolic import leaves
from gazelle._core.touched import touched_variables
from gazelle._core.variable import Variable, values_of

_MOST_SHAPES = 8  # that a function is compiled for


class NotTraceableError(Exception):
    """A function does what a compiled program cannot repeat."""


class _Vectorizing(threading.local):
    now = False


vectorizing = _Vectorizing()  # whether a function is traced that must give the same every time

# What tells that a function cannot be compiled as it is.
REFUSALS = (
    NotTraceableError,
    jax.errors.JAXTypeError,
    jax.errors.JAXIndexError,
    TypeError,
    ValueError,
    AttributeError,
    NotImplementedError,
)


class _Tracing(threading.local):
    depth = 0


_now = _Tracing()


def is_tracing() -> bool:
    """Whether a function is followed, or compiled, whose code is to run once."""
    return _now.depth > 0


@contextmanager
def tracing() -> Iterator[None]:
    """Within the block, what cannot be part of a program is refused."""
    _now.depth += 1
    try:
        yield
    finally:
        _now.depth -= 1


@contextmanager
def _vectorizing() -> Iterator[None]:
    before, vectorizing.now = vectorizing.now, True
    try:
        with tracing():
            yield
    finally:
        vectorizing.now = before


class Traceable:
    """A function of arrays that is compiled if it can be.

    It can be if it computes from its arguments and from variables alone, as in a graph of
    TensorFlow's: Python code in it then runs once.

    Args:
        function: The function; arguments and results are arrays in any structure.
        by_row: Whether it is a function of rows, to be called on many of them at once.
    """

    def __init__(self, function: Callable[..., Any], *, by_row: bool = False):
        self._function = function
        self._by_row = by_row
        self._variables: list[Variable] = []
        self._compiled: Any = None
        self._shapes: set[Any] = set()
        self._fails = False

    def spec(self, *args: Any) -> Any:
        """The shapes and types of the results for such arguments; None if it cannot be compiled.

        Args:
            *args: Arrays, or `jax.ShapeDtypeStruct`s.
        """
        try:
            with _vectorizing(), touched_variables() as touched:
                # A function that JAX has not seen, so that its Python code runs.
                found = jax.eval_shape(lambda *given: self._function(*given), *args)
        except REFUSALS:
            self._fails = True
            return None
        if touched.assigned or any(not hasattr(leaf, "shape") for leaf in leaves(found)):
            self._fails = True
            return None
        self._variables = touched.variables
        return found

    def __call__(self, *args: Any) -> Any:
        """The results, compiled or not."""
        if not self._fails and all(map(_is_numeric, leaves(args))):
            key = tuple((np.shape(leaf), leaf.dtype) for leaf in leaves(args))
            if key in self._shapes or self._takes(key, args):
                return self._compiled(values_of(self._variables), *args)
        if self._by_row:
            raise NotTraceableError("The function cannot be called on many rows at once.")
        return self._function(*args)

    def _takes(self, key: Any, args: Any) -> bool:
        """Whether it is compiled for arguments of these shapes."""
        if len(self._shapes) >= _MOST_SHAPES:
            return False
        if self._compiled is None:
            rows = jax.tree.map(lambda a: a[0], args) if self._by_row else args
            if self.spec(*rows) is None:
                return False
            self._compiled = jax.jit(self._run)
        self._shapes.add(key)
        return True

    def _run(self, values: list[Any], *args: Any) -> Any:
        with _vectorizing(), borrowed(self._variables, values):
            function = jax.vmap(self._function) if self._by_row else self._function
            return function(*args)


def _is_numeric(leaf: Any) -> bool:
    kind = getattr(leaf, "dtype", None)
    return kind is not None and kind.kind in "biufV"
