"""`tf.function`: functions that are compiled, with all variables that they use."""

from __future__ import annotations

import contextlib
import functools
import io
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.core import Tracer

from gazelle._core.pure import borrowed, settled
from gazelle._core.symbolic import KerasTensor
from gazelle._core.touched import touched_variables
from gazelle._core.variable import Variable, values_of
from gazelle.compat._tensorflow._table import answers, enter
from gazelle.compat._tensorflow._tracing import REFUSALS, tracing, vectorizing

_CALLS_BEFORE = 3  # of a kind, before it is worth compiling
_MOST_PROGRAMS = 16


class _RunFunctions:
    eagerly = False


class _Program(NamedTuple):
    """A compiled function.

    Attributes:
        run: The function of the values of `read` and of the arrays among the arguments.
        read: The variables that it uses.
        assigned: Those of them that it assigns.
        held: The other arguments, which must not be forgotten: they are known by their ids.
    """

    run: Callable[..., Any]
    read: Sequence[Variable]
    assigned: Sequence[Variable]
    held: Sequence[Any]


class Function:
    """A function that is compiled when it is called often.

    As in a graph of TensorFlow's, its Python code runs once for arguments of the same shapes. One
    that needs values (`if x > 0`) runs as it is.

    Args:
        function: The function.
    """

    def __init__(self, function: Callable[..., Any]):
        functools.update_wrapper(self, function)
        self.python_function = function
        self._programs: dict[Any, _Program] = {}
        self._calls: Counter[Any] = Counter()
        self._runs_as_it_is = False

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, structure = jax.tree.flatten((args, kwargs), is_leaf=_is_static)
        if self._is_plain(leaves):
            return self.python_function(*args, **kwargs)
        key = structure, tuple(map(_kind, leaves))
        program = self._programs.get(key)
        if program is None:
            self._calls[key] += 1
            if self._calls[key] <= _CALLS_BEFORE or len(self._programs) >= _MOST_PROGRAMS:
                return self.python_function(*args, **kwargs)
            program = self._compiled(leaves, structure)
            if program is None:
                self._runs_as_it_is = True
                return self.python_function(*args, **kwargs)
            self._programs[key] = program
        arrays = [leaf for leaf in leaves if _is_array(leaf)]
        result, values = program.run([variable.value for variable in program.read], arrays)
        for variable, value in zip(program.assigned, values, strict=True):
            variable.assign(value)
        return result

    def get_concrete_function(self, *_: Any, **__: Any) -> Function:
        """Itself."""
        return self

    def _is_plain(self, leaves: Sequence[Any]) -> bool:
        if self._runs_as_it_is or _RunFunctions.eagerly or vectorizing.now:
            return True
        return any(isinstance(leaf, Tracer | KerasTensor) for leaf in leaves)

    def _compiled(self, leaves: Sequence[Any], structure: Any) -> _Program | None:
        """The function compiled for such arguments; None if it cannot be."""
        held = [None if _is_array(leaf) else leaf for leaf in leaves]
        places = [place for place, leaf in enumerate(leaves) if _is_array(leaf)]

        def call(arrays: Sequence[Any]) -> Any:
            filled = list(held)
            for place, array in zip(places, arrays, strict=True):
                filled[place] = array
            args, kwargs = jax.tree.unflatten(structure, filled)
            return settled(self.python_function(*args, **kwargs))

        try:
            with tracing(), touched_variables() as touched:
                jax.eval_shape(lambda *arrays: call(arrays), *(leaves[p] for p in places))
        except REFUSALS:
            return None
        read, assigned = touched.variables, list(touched.assigned)

        def run(values: Any, arrays: Any) -> Any:
            # What it prints was printed before.
            with borrowed(read, values), contextlib.redirect_stdout(io.StringIO()), tracing():
                result = call(arrays)
                return result, values_of(assigned)

        return _Program(jax.jit(run), read, assigned, held)


def _is_static(leaf: Any) -> bool:
    return leaf is None or isinstance(leaf, Variable)


def _is_array(leaf: Any) -> bool:
    is_array = isinstance(leaf, jax.Array | np.ndarray)
    return is_array and leaf.dtype.kind in "biufV"


def _kind(leaf: Any) -> Any:
    """What a program is compiled for: the shape and type of an array, or a value."""
    if _is_array(leaf):
        return leaf.shape, leaf.dtype
    if isinstance(leaf, str | bytes | int | float | bool | None):
        return type(leaf), leaf
    return id(leaf)


@answers("function")
def _function(func: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Any:
    return Function if func is None else Function(func)


@answers("config.run_functions_eagerly", "config.experimental_run_functions_eagerly")
def _run_functions_eagerly(run_eagerly: bool) -> None:
    _RunFunctions.eagerly = bool(run_eagerly)


@answers("config.functions_run_eagerly", "config.experimental_functions_run_eagerly")
def _functions_run_eagerly() -> bool:
    return _RunFunctions.eagerly


@answers("autograph.experimental.do_not_convert")
def _do_not_convert(func: Callable[..., Any] | None = None) -> Any:
    return (lambda function: function) if func is None else func


@answers("autograph.to_graph")
def _to_graph(entity: Callable[..., Any], *_: Any, **__: Any) -> Any:
    return entity


@answers("autograph.set_verbosity")
def _set_verbosity(*_: Any, **__: Any) -> None:
    return None


enter("types.experimental.GenericFunction", Function)
