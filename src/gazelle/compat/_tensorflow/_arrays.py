"""What tensors of TensorFlow's have and arrays of JAX have not: `.numpy()`, `.shape.as_list()`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gazelle._core.errors import StateError
from gazelle._core.symbolic import KerasTensor
from gazelle._core.variable import Variable
from gazelle.compat._patches import Patches
from gazelle.compat._tensorflow._shapes import TensorShape

_OPERATORS = [
    f"__{side}{name}__"
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
    for side in ("", "r")
]


def install_arrays(patches: Patches) -> None:
    """Give arrays, and symbolic tensors, what tensors of TensorFlow's have.

    A number is also what an array of one element gives, whatever its axes.
    """
    array = type(jnp.zeros(()))
    for kind in (array, Tracer, KerasTensor):
        patches.attribute(kind, "get_shape", _get_shape)
        patches.attribute(kind, "set_shape", _set_shape)
    for kind in (array, Tracer):
        patches.attribute(kind, "shape", property(_shape_of(vars(kind)["shape"])))
        patches.attribute(kind, "eval", _eval)
        patches.attribute(kind, "ref", _ref)
        for name in _OPERATORS:
            patches.attribute(kind, name, _with_lists(getattr(kind, name)))
    for name in _OPERATORS:
        patches.attribute(Variable, name, _with_lists(getattr(Variable, name)))
    patches.attribute(array, "numpy", _numpy)
    patches.attribute(array, "__float__", lambda self: float(np.asarray(self).item()))
    patches.attribute(array, "__int__", lambda self: int(np.asarray(self).item()))
    patches.attribute(Tracer, "numpy", _no_numpy)
    patches.attribute(KerasTensor, "numpy", _no_numpy)
    patches.attribute(KerasTensor, "shape", property(_symbolic_shape, _set_symbolic_shape))
    for name, method in (
        ("read_value", lambda self: self.value),
        ("get_shape", _get_shape),
        ("eval", lambda self, session=None: self.numpy()),
        ("ref", _ref),
    ):
        patches.attribute(Variable, name, method)


def _with_lists(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """An operator whose other operand may be a list of numbers."""

    @functools.wraps(operator)
    def call(self: Any, other: Any) -> Any:
        return operator(self, jnp.asarray(other) if isinstance(other, list | tuple) else other)

    return call


def _numpy(self: Any) -> Any:
    found = np.array(self)
    return found if found.ndim else found[()]


def _no_numpy(self: Any) -> Any:
    raise StateError(
        "A tensor without a value has no .numpy(): it is in a compiled step, or of a model that is"
        " being described.",
        fix="compile the model with run_eagerly=True, or use functions of tf",
    )


def _eval(self: Any, session: Any = None, feed_dict: Any = None) -> Any:
    return self.numpy()


def _get_shape(self: Any) -> TensorShape:
    return TensorShape(self.shape)


def _set_shape(self: Any, shape: Any) -> None:
    TensorShape(self.shape).assert_is_compatible_with(shape)


def _shape_of(before: Any) -> Callable[[Any], TensorShape]:
    get = before.__get__

    def shape(self: Any) -> TensorShape:
        return tuple.__new__(TensorShape, get(self))

    return shape


def _symbolic_shape(self: KerasTensor) -> TensorShape:
    return vars(self)["shape"]


def _set_symbolic_shape(self: KerasTensor, shape: Any) -> None:
    vars(self)["shape"] = TensorShape(shape)


def _ref(self: Any) -> Any:
    return Reference(self)


class Reference:
    """A tensor or variable by its identity, to be a key.

    Args:
        held: The tensor.
    """

    def __init__(self, held: Any):
        self._held = held

    def deref(self) -> Any:
        """The tensor."""
        return self._held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and other.deref() is self._held

    def __hash__(self) -> int:
        return id(self._held)
