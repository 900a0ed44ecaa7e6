"""How a function gets into `gazelle.ops`: decorators, and makers for the functions of one kind."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from gazelle._core.errors import ShapeError
from gazelle._core.operation import known
from gazelle._core.sparse import SparseRule

# Keras has its operations in these modules, which configs name.
core_op = functools.partial(known, module="keras.src.ops.core")
numpy_op = functools.partial(known, module="keras.src.ops.numpy")
nn_op = functools.partial(known, module="keras.src.ops.nn")
math_op = functools.partial(known, module="keras.src.ops.math")
linalg_op = functools.partial(known, module="keras.src.ops.linalg")

Axis = int | tuple[int, ...] | list[int] | None


def _named(function: Callable[..., Any], name: str, text: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = text
    return function


def unary(
    name: str,
    function: Callable[..., Any],
    text: str,
    enter: Callable[..., Any] = numpy_op,
    sparse: SparseRule | None = None,
) -> Callable[[Any], Any]:
    """A function of one tensor.

    Args:
        name: Its name.
        function: What computes it, of an array.
        text: Its docstring.
        enter: The decorator of its module.
        sparse: What it does with sparse tensors.
    """

    def apply(x: Any) -> Any:
        return function(x)

    return enter(sparse=sparse)(_named(apply, name, text))


def binary(
    name: str, function: Callable[..., Any], text: str, sparse: SparseRule | None = None
) -> Callable[[Any, Any], Any]:
    """A function of two tensors, element by element or not; arguments as for `unary`."""

    def apply(x1: Any, x2: Any) -> Any:
        return function(x1, x2)

    return numpy_op(tensors=2, sparse=sparse)(_named(apply, name, text))


def bits(name: str, function: Callable[..., Any], text: str) -> Callable[[Any, Any], Any]:
    """A function of the bits of two integer tensors; arguments as for `unary`."""

    def apply(x: Any, y: Any) -> Any:
        return function(x, y)

    return numpy_op(tensors=2)(_named(apply, name, text))


def reduction(
    name: str, function: Callable[..., Any], text: str, sparse: SparseRule | None = None
) -> Callable[..., Any]:
    """A function that reduces axes of a tensor; arguments as for `unary`.

    It takes `x`, `axis=None` (all axes) and `keepdims=False`.
    """

    def apply(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
        return function(x, axis=axes_of(axis), keepdims=keepdims)

    return numpy_op(sparse=sparse)(_named(apply, name, text))


def within(axis: int, ndim: int) -> int:
    """An axis counted from the front.

    Raises:
        ShapeError: There is no such axis.
    """
    if not -ndim <= axis < ndim:
        raise ShapeError(f"axis {axis} is out of bounds for a tensor with {ndim} axes.")
    return axis % ndim


def axes_of(axis: Any) -> Any:
    """`axis` as JAX takes it, which refuses lists."""
    return tuple(axis) if isinstance(axis, list) else axis


def float_array(x: Any) -> Any:
    """An array of floats; integers become floatx-like, as JAX has it."""
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.result_type(x, float))
