"""Fingerprints: object graphs with equal ones make the same program, but for variables' values."""

from __future__ import annotations

import functools
import hashlib
import sys
import types
from collections.abc import Hashable, Sequence
from typing import Any

import jax
import numpy as np

from gazelle._core.dtypes import DTypePolicy
from gazelle._core.registry import is_own_class
from gazelle._core.variable import Variable

_PLAIN = (str, bytes, bool, int, float, complex, type(None), type(Ellipsis), np.dtype, np.generic)
_OWN = ("gazelle", "jax", "jaxlib", "numpy", "builtins", "operator", "math", "functools")


# Attributes that tell an object from others, or where it is used, but not what it computes.
_LABELS = {"name", "names", "path", "input_names", "output_names", "inbound_nodes"}


class _Unknown(Exception):  # noqa: N818 (not an error: there is no fingerprint)
    """Something in the graph whose effect on a program cannot be seen."""


def fingerprint(graph: Any, variables: Sequence[Variable]) -> Hashable | None:
    """What a program that is traced from `graph` depends on.

    Objects of Gazelle's own classes are described by their attributes (those of a class with
    `outside_programs = True` not at all), variables by their place in `variables`, arrays by their
    contents, functions of Gazelle's, JAX's and NumPy's modules by themselves.

    Args:
        graph: Any objects.
        variables: The variables whose values are arguments of the program.

    Returns:
        A hashable description; None where the graph holds something else, such as a function or a
        class of the user's, which may depend on anything.
    """
    try:
        return _Walk(variables).all_of(graph)
    except _Unknown:
        return None


class _Walk:
    """Describes the parts of a graph one after the other: a chain may have any length."""

    def __init__(self, variables: Sequence[Variable]):
        self._places = {id(variable): place for place, variable in enumerate(variables)}
        self._parts: list[Any] = []  # in the order in which they were met
        self._numbers: dict[int, int] = {}  # of the parts, by their id: graphs have circles

    def all_of(self, graph: Any) -> Hashable:
        """What `graph` is, and the contents of each of its parts."""
        described = [self.describe(graph)]
        for part in self._parts:  # which grows meanwhile
            described.append(self._contents(part))
        return tuple(described)

    def describe(self, value: Any) -> Hashable:
        """What a value is; of lists, dicts and objects only the number."""
        if isinstance(value, _PLAIN):
            return type(value), value
        if type(value) is DTypePolicy:  # which layers share does not matter
            return DTypePolicy, value.name
        if isinstance(value, slice):
            return slice, self.describe((value.start, value.stop, value.step))
        if isinstance(value, tuple):
            return type(value), tuple(self.describe(item) for item in value)
        if (
            callable(value)
            and hasattr(value, "__qualname__")
            and not isinstance(value, types.MethodType)
        ):
            return _lasting(value)
        if isinstance(value, np.ndarray | jax.Array):
            array = np.asarray(value)
            return array.shape, array.dtype.str, hashlib.sha256(array.tobytes()).digest()
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._parts)
            self._parts.append(value)
        return "part", self._numbers[id(value)]

    def _contents(self, value: Any) -> Hashable:
        if isinstance(value, Variable):
            return self._variable(value)
        if isinstance(value, list):
            return "list", tuple(self.describe(item) for item in value)
        if isinstance(value, dict):
            return "dict", tuple(
                (self.describe(key), self.describe(item)) for key, item in value.items()
            )
        if isinstance(value, set | frozenset):
            return "set", frozenset(self.describe(item) for item in value)
        if isinstance(value, types.MethodType):
            return "method", self.describe(value.__func__), self.describe(value.__self__)
        if isinstance(value, functools.partial):
            return "partial", self.describe((value.func, value.args, value.keywords))
        return self._object(value)

    def _variable(self, variable: Variable) -> Hashable:
        place = self._places.get(id(variable))
        if place is None:  # its value would be a constant of the program
            raise _Unknown
        name = variable.name if variable.trainable else None  # weight decay looks at names
        kept = (name, variable.shape, variable.dtype, variable.trainable, variable.autocast)
        kept = (*kept, variable.sharding)
        return "variable", place, *kept, self.describe((variable.regularizer, variable.constraint))

    def _object(self, value: Any) -> Hashable:
        kind = type(value)
        if getattr(kind, "outside_programs", False):
            return None
        if not is_own_class(kind):
            raise _Unknown
        attributes = []
        for name, item in vars(value).items():
            is_cached = isinstance(getattr(kind, name, None), functools.cached_property)
            if name not in _LABELS and not is_cached:
                attributes.append((name, self.describe(item)))
        return kind, tuple(attributes)


def _lasting(value: Any) -> Hashable:
    """A function or class that its module holds by name: it lasts as long as the process."""
    module = value.__module__ or "builtins"
    found: Any = sys.modules.get(module)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    if module.partition(".")[0] not in _OWN or found is not value:
        raise _Unknown
    return value
