"""Functions that make tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import standardize_dtype
from gazelle._core.symbolic import KerasTensor
from gazelle._core.variable import plain
from gazelle.ops._table import numpy_op


def _type(dtype: Any) -> str | None:
    return None if dtype is None else standardize_dtype(dtype)


@numpy_op()
def array(x: Any, dtype: Any = None) -> jax.Array:
    """An array of numbers."""
    return jnp.asarray(x, _type(dtype))


@numpy_op(tensors=3)
def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> jax.Array:
    """`start`, `start + step`, ... below `stop`; 0, 1, ... below `start` when `stop` is None."""
    if dtype is None:
        given = [part for part in (start, stop, step) if part is not None]
        types = [getattr(part, "dtype", type(part)) for part in given]
        dtype = jnp.result_type(*[jnp.int32 if kind is int else kind for kind in types])
        dtype = standardize_dtype("float32" if dtype == jnp.float64 else dtype)
    return jnp.arange(start, stop, step, _type(dtype))


def zeros(shape: Any, dtype: Any = None) -> jax.Array:
    """An array of 0."""
    return jnp.zeros(shape, standardize_dtype(dtype))


def ones(shape: Any, dtype: Any = None) -> jax.Array:
    """An array of 1."""
    return jnp.ones(shape, standardize_dtype(dtype))


def empty(shape: Any, dtype: Any = None) -> jax.Array:
    """An array whose values do not matter; they are 0."""
    return jnp.empty(shape, standardize_dtype(dtype))


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> jax.Array:  # noqa: N803
    """A matrix with 1 on a diagonal and 0 elsewhere."""
    return jnp.eye(N, M, k, standardize_dtype(dtype))


def identity(n: int, dtype: Any = None) -> jax.Array:
    """A square matrix with 1 on its diagonal and 0 elsewhere."""
    return jnp.identity(n, standardize_dtype(dtype))


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> jax.Array:  # noqa: N803
    """A matrix with 1 on and below a diagonal."""
    return jnp.tri(N, M, k, standardize_dtype(dtype))


@numpy_op(tensors=("fill_value",))
def full(shape: Any, fill_value: Any, dtype: Any = None) -> jax.Array:
    """An array of one value."""
    return jnp.full(shape, fill_value, _type(dtype))


@numpy_op(tensors=2)
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> jax.Array:
    """An array of one value, of the shape of `x`."""
    return jnp.full_like(x, fill_value, _type(dtype))


@numpy_op()
def zeros_like(x: Any, dtype: Any = None) -> jax.Array:
    """An array of 0, of the shape of `x`."""
    return jnp.zeros_like(x, _type(dtype))


@numpy_op()
def ones_like(x: Any, dtype: Any = None) -> jax.Array:
    """An array of 1, of the shape of `x`."""
    return jnp.ones_like(x, _type(dtype))


@numpy_op()
def empty_like(x: Any, dtype: Any = None) -> jax.Array:
    """An array whose values do not matter, of the shape of `x`."""
    return jnp.empty_like(x, _type(dtype))


@numpy_op(tensors=2)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """`num` numbers at equal distances."""
    return jnp.linspace(start, stop, num, endpoint, retstep, _type(dtype), axis)


@numpy_op(tensors=2)
def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: Any = None,
    axis: int = 0,
) -> jax.Array:
    """`num` numbers in equal ratios, from `base ** start` to `base ** stop`."""
    return jnp.logspace(start, stop, num, endpoint, base, _type(dtype), axis)


@numpy_op(tensors=2)
def geomspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> jax.Array:
    """`num` numbers in equal ratios, from `start` to `stop`."""
    return jnp.geomspace(start, stop, num, endpoint, _type(dtype), axis)


@numpy_op(tensors=("x",))
def meshgrid(*x: Any, indexing: str = "xy") -> list[jax.Array]:
    """The coordinates of the points of a grid."""
    return list(jnp.meshgrid(*[jnp.ravel(part) for part in x], indexing=indexing))


# ---- Windows ----


def _window(function: Callable[..., Any], x: Any, *args: Any) -> jax.Array:
    return function(int(x), *args).astype("float32")


def bartlett(x: int) -> jax.Array:
    """The triangular window of `x` points."""
    return _window(jnp.bartlett, x)


def blackman(x: int) -> jax.Array:
    """The Blackman window of `x` points."""
    return _window(jnp.blackman, x)


def hamming(x: int) -> jax.Array:
    """The Hamming window of `x` points."""
    return _window(jnp.hamming, x)


def hanning(x: int) -> jax.Array:
    """The Hann window of `x` points."""
    return _window(jnp.hanning, x)


def kaiser(x: int, beta: float) -> jax.Array:
    """The Kaiser window of `x` points."""
    return _window(jnp.kaiser, x, beta)


# ---- About tensors ----


def ndim(x: Any) -> int:
    """The number of axes."""
    return len(x.shape) if isinstance(x, KerasTensor) else jnp.ndim(plain(x))


def size(x: Any) -> Any:
    """The number of elements; a symbolic tensor where an axis is of unknown size."""
    if not isinstance(x, KerasTensor):
        return jnp.size(plain(x))
    known = [length for length in x.shape if length is not None]
    return math.prod(known) if len(known) == len(x.shape) else _size(x)


@numpy_op(class_name="Size", key="size")
def _size(x: Any) -> jax.Array:
    return jnp.asarray(jnp.size(x), "int32")


def vectorize(
    pyfunc: Callable[..., Any], *, excluded: Any = None, signature: str | None = None
) -> Callable[..., Any]:
    """A function of single elements as one of arrays."""
    return jnp.vectorize(pyfunc, excluded=frozenset(excluded or ()), signature=signature)
