"""Conversion, control flow, slices and scattered updates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core import sparse as _sparse
from gazelle._core.dtypes import is_float, standardize_dtype
from gazelle._core.errors import ArgumentError, ArgumentTypeError, ShapeError
from gazelle._core.operation import unwrapped
from gazelle._core.symbolic import KerasTensor, any_symbolic, leaves, map_structure
from gazelle._core.variable import Variable
from gazelle.ops._table import core_op, within

__all__ = [
    "associative_scan",
    "cast",
    "cond",
    "convert_to_numpy",
    "convert_to_tensor",
    "custom_gradient",
    "dtype",
    "fori_loop",
    "is_tensor",
    "map",
    "saturate_cast",
    "scan",
    "scatter",
    "scatter_update",
    "shape",
    "slice",
    "slice_update",
    "stop_gradient",
    "switch",
    "unstack",
    "vectorized_map",
    "while_loop",
]

# ---- Conversion ----


def _converted_spec(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    kind = x.dtype if dtype is None else standardize_dtype(dtype)
    return KerasTensor(x.shape, kind, sparse=x.sparse and sparse is not False)


@core_op(convert=unwrapped, spec=_converted_spec, sparse=_sparse.AS_THEY_ARE)
def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    """An array of numbers; a sparse one stays sparse unless `sparse` is false."""
    if ragged:
        raise ArgumentError("There are no ragged tensors.", received="ragged=True")
    return _converted(x, dtype, sparse)


def _converted(x: Any, dtype: Any, is_sparse: bool | None) -> Any:
    if _sparse.is_sparse(x):
        x = _sparse.dense(x) if is_sparse is False else x
        return x if dtype is None else x.astype(standardize_dtype(dtype))
    if dtype is None and type(x) in (int, float):  # which has no type of its own
        dtype = type(x)
    return jnp.asarray(x, None if dtype is None else standardize_dtype(dtype))


def convert_to_numpy(x: Any) -> np.ndarray:
    """A NumPy copy.

    Raises:
        ArgumentError: A symbolic tensor, which has no values.
    """
    if any_symbolic(x):
        raise ArgumentError(
            "A symbolic tensor cannot become a NumPy array: it has no values yet.",
            received=repr(x)[:80],
        )
    if isinstance(x, Variable):
        return x.numpy()
    return np.array(_sparse.dense(x))


@core_op(sparse=_sparse.VALUES)
def cast(x: Any, dtype: Any) -> Any:
    """`x` as another type."""
    dtype = standardize_dtype(dtype)
    return x.astype(dtype) if hasattr(x, "astype") else jnp.asarray(x, dtype)


@core_op()
def saturate_cast(x: Any, dtype: Any) -> jax.Array:
    """`x` as another type, limited to the numbers that this has."""
    x, dtype = jnp.asarray(x), jnp.dtype(standardize_dtype(dtype))
    if "bool" in (dtype.name, x.dtype.name):
        return x.astype(dtype)
    limits = _limits(dtype)
    own = _limits(x.dtype)
    low, high = max(limits[0], own[0]), min(limits[1], own[1])
    return jnp.clip(x, _fitting(low, x.dtype), _fitting(high, x.dtype)).astype(dtype)


def _limits(dtype: Any) -> tuple[Any, Any]:
    info = jnp.finfo(dtype) if is_float(dtype) else jnp.iinfo(dtype)
    return (float(info.min), float(info.max)) if is_float(dtype) else (info.min, info.max)


def _fitting(limit: float, dtype: Any) -> Any:
    """A limit as a type, rounded towards 0."""
    value = np.asarray(limit).astype(dtype)
    if abs(float(value)) > abs(limit):
        value = np.nextafter(value, np.zeros((), value.dtype))
    return value


def is_tensor(x: Any) -> bool:
    """Whether `x` is an array of JAX or a symbolic tensor; NumPy's arrays are not."""
    return isinstance(x, jax.Array | KerasTensor | Variable) or _sparse.is_sparse(x)


def shape(x: Any) -> tuple[int | None, ...]:
    """The shape; None in it where the size of a symbolic tensor's axis is not known."""
    return tuple(x.shape if hasattr(x, "shape") else jnp.shape(x))


def dtype(x: Any) -> str:
    """The name of the type of the elements."""
    return standardize_dtype(x.dtype if hasattr(x, "dtype") else jnp.asarray(x).dtype)


@core_op(tensors=("variable",))
def stop_gradient(variable: Any) -> jax.Array:
    """The same values, which gradients take for constants."""
    return jax.lax.stop_gradient(jnp.asarray(variable))


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a gradient of its own; as a decorator it replaces `f`.

    Args:
        f: Returns the outputs, and a function from the gradient of these to the gradients of the
            arguments.
    """
    known = jax.custom_gradient(f)

    def function(*args: Any, **kwargs: Any) -> Any:
        return known(*unwrapped(args), **unwrapped(kwargs))

    return function


# ---- Slices and updates ----


def _slice_spec(inputs: Any, start_indices: Any, shape: Sequence[int]) -> KerasTensor:
    starts: list[Any] = list(start_indices) if not isinstance(start_indices, KerasTensor) else []
    if isinstance(start_indices, KerasTensor):
        starts = [None] * (start_indices.shape[0] or len(inputs.shape))
    _check_axes(len(inputs.shape), len(shape), len(starts))
    sizes = []
    for size, length, start in zip(shape, inputs.shape, starts, strict=True):
        rest = None if None in (length, start) else length - int(start)
        sizes.append(rest if size == -1 else int(size))
    return KerasTensor(sizes, dtype(inputs))


def _check_axes(ndim: int, sizes: int, starts: int) -> None:
    """Refuse a block with more or fewer axes than the tensor."""
    if starts != ndim:
        raise ShapeError(
            "slice: the number of dimensions in `start_indices` must match the number of dimensions"
            " in `inputs`.",
            received=(starts, ndim),
        )
    if sizes != ndim:
        raise ShapeError(
            "slice: the number of dimensions in `inputs` must match the number of dimensions in"
            " `shape`.",
            received=(ndim, sizes),
        )


@core_op(tensors=("inputs", "start_indices"), spec=_slice_spec)
def slice(inputs: Any, start_indices: Any, shape: Sequence[int]) -> jax.Array:
    """The block of a shape that begins at some indices."""
    inputs, starts = jnp.asarray(inputs), _indices(start_indices)
    _check_axes(inputs.ndim, len(shape), len(starts))
    sizes = [
        length - int(start) if size == -1 else int(size)
        for size, length, start in zip(shape, inputs.shape, starts, strict=True)
    ]
    return jax.lax.dynamic_slice(inputs, starts, sizes)


@core_op(tensors=3)
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> jax.Array:
    """`inputs` with a block replaced that begins at some indices."""
    inputs = jnp.asarray(inputs)
    updates = jnp.asarray(updates, inputs.dtype)
    return jax.lax.dynamic_update_slice(inputs, updates, _indices(start_indices))


def _indices(value: Any) -> list[Any]:
    value = jnp.asarray(value).astype("int32")
    return [value[place] for place in range(value.shape[0])]


@core_op(tensors=2)
def scatter(indices: Any, values: Any, shape: Sequence[int]) -> jax.Array:
    """Zeros to which values are added at some indices."""
    values = jnp.asarray(values)
    return jnp.zeros(tuple(shape), values.dtype).at[_columns(indices)].add(values)


@core_op(tensors=3)
def scatter_update(
    inputs: Any, indices: Any, updates: Any, reduction: str | None = None
) -> jax.Array:
    """`inputs` with values at some indices replaced, or joined by add, max, min or mul."""
    if reduction not in (None, "add", "max", "min", "mul"):
        raise ArgumentError(
            "scatter_update: unknown reduction.",
            expected="None, 'add', 'max', 'min' or 'mul'",
            received=repr(reduction),
        )
    inputs = jnp.asarray(inputs)
    place = inputs.at[_columns(indices)]
    return getattr(place, reduction or "set")(jnp.asarray(updates, inputs.dtype))


def _columns(indices: Any) -> tuple[Any, ...]:
    return tuple(jnp.moveaxis(jnp.asarray(indices).astype("int32"), -1, 0))


def _unstack_spec(x: Any, num: int | None = None, axis: int = 0) -> list[KerasTensor]:
    place = within(axis, len(x.shape))
    count = x.shape[place] if num is None else num
    if count is None:
        raise ArgumentError(
            f"unstack: Cannot infer argument `num` from shape {x.shape}.", fix="pass num="
        )
    part = (*x.shape[:place], *x.shape[place + 1 :])
    return [KerasTensor(part, x.dtype) for _ in range(count)]


@core_op(spec=_unstack_spec)
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[jax.Array]:
    """The slices along an axis, each without it."""
    x = jnp.asarray(x)
    place = within(axis, x.ndim)
    return [jax.lax.index_in_dim(x, i, place, keepdims=False) for i in range(x.shape[place])]


# ---- Control flow ----


@core_op(tensors=("f", "xs"), convert=unwrapped)
def map(f: Callable[..., Any], xs: Any) -> Any:
    """The results of `f` for each slice along the first axis, one after another."""
    return jax.lax.map(f, xs)


@core_op(tensors=("elements",), convert=unwrapped)
def vectorized_map(function: Callable[..., Any], elements: Any) -> Any:
    """The results of a function for each slice along the first axis, all at once."""
    return jax.vmap(function)(elements)


@core_op(tensors=("f", "init", "xs"), convert=unwrapped)
def scan(
    f: Callable[..., Any],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> Any:
    """`f(carry, x)` for each slice along the first axis; the last carry, and all other results."""
    if not callable(f):
        raise ArgumentTypeError("scan: `f` should be a callable.", received=repr(f)[:80])
    if not isinstance(unroll, bool) and (not isinstance(unroll, int) or unroll < 1):
        raise ArgumentError(
            "scan: `unroll` must be an positive integer or boolean.", received=repr(unroll)
        )
    if xs is None and length is None:
        raise ArgumentError("scan: without `xs` to scan over and without `length`.")
    return jax.lax.scan(f, init, xs, length, reverse, unroll)


@core_op(tensors=("f", "elems"), convert=unwrapped)
def associative_scan(
    f: Callable[..., Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """The results of an associative function of all slices up to each one."""
    sizes = {leaf.shape[axis] for leaf in leaves(elems)}
    if len(sizes) > 1:
        raise ShapeError(
            "associative_scan: all arrays must have the same first dimension, that of `axis`.",
            received=sorted(sizes),
        )
    return jax.lax.associative_scan(f, elems, reverse, axis)


def _loop_spec(loop_vars: Any, **_: Any) -> Any:
    return map_structure(lambda leaf: KerasTensor(leaf.shape, leaf.dtype), loop_vars)


@core_op(tensors=("loop_vars",), convert=unwrapped, spec=_loop_spec)
def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None = None,
) -> Any:
    """`body` repeated as long as `cond` holds."""
    is_many = isinstance(loop_vars, tuple | list)
    first = tuple(loop_vars) if is_many else (loop_vars,)

    def goes_on(state: Any) -> Any:
        count, values = state
        more = cond(*values)
        return more if maximum_iterations is None else more & (count < maximum_iterations)

    def step(state: Any) -> Any:
        count, values = state
        new = body(*values)
        return count + 1, tuple(new) if isinstance(new, tuple | list) else (new,)

    _, last = jax.lax.while_loop(goes_on, step, (0, first))
    return type(loop_vars)(last) if is_many else last[0]


@core_op(tensors=("init_val",), convert=unwrapped)
def fori_loop(lower: Any, upper: Any, body_fun: Callable[..., Any], init_val: Any) -> Any:
    """`body_fun(i, value)` for i from `lower` up to below `upper`."""
    return jax.lax.fori_loop(lower, upper, body_fun, init_val)


@core_op(tensors=3, convert=unwrapped)
def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """What one of two functions returns."""
    if isinstance(pred, bool) or pred is None:
        return true_fn() if pred else false_fn()
    try:
        return jax.lax.cond(jnp.asarray(pred, bool), lambda: true_fn(), lambda: false_fn())
    except TypeError as error:
        raise ArgumentError(
            "cond: both functions must return arrays of the same structure, shapes and types.",
            received=str(error).splitlines()[0],
        ) from None


@core_op(tensors=("index", "branches", "operands"), convert=unwrapped)
def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """What one of several functions returns."""
    return jax.lax.switch(jnp.asarray(index, "int32"), list(branches), *operands)
