"""Segments, largest values, error functions, distances, complex numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.symbolic import KerasTensor
from gazelle.ops._table import Axis, axes_of, float_array, math_op, unary

__all__ = [
    "cdist",
    "erf",
    "erfc",
    "erfinv",
    "extract_sequences",
    "in_top_k",
    "logdet",
    "logsumexp",
    "rsqrt",
    "segment_max",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "top_k",
    "view_as_complex",
    "view_as_real",
]

erf = unary("erf", lambda x: jax.lax.erf(float_array(x)), "The error function.", math_op)
erfc = unary("erfc", lambda x: jax.lax.erfc(float_array(x)), "`1 - erf(x)`.", math_op)
erfinv = unary("erfinv", lambda x: jax.lax.erf_inv(float_array(x)), "The inverse of erf.", math_op)
rsqrt = unary("rsqrt", lambda x: jax.lax.rsqrt(float_array(x)), "`1 / sqrt(x)`.", math_op)
logdet = unary(
    "logdet",
    lambda x: jnp.linalg.slogdet(x)[1],
    "The logarithm of the determinant of positive definite matrices.",
    math_op,
)


@math_op()
def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """`log(sum(exp(x)))`, computed without overflow."""
    return jax.scipy.special.logsumexp(x, axis=axes_of(axis), keepdims=keepdims)


@math_op()
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[jax.Array, jax.Array]:
    """The `k` largest values along the last axis, and their places."""
    values, places = jax.lax.top_k(jnp.asarray(x), k)
    return values, places


@math_op(class_name="InTopK", tensors=2)
def in_top_k(targets: Any, predictions: Any, k: int) -> jax.Array:
    """Whether the target of each row is among its `k` largest predictions."""
    targets, predictions = jnp.asarray(targets).astype("int32"), jnp.asarray(predictions)
    own = jnp.take_along_axis(predictions, targets[..., None], -1)
    kth = jax.lax.top_k(predictions, k)[0][..., -1:]
    return jnp.squeeze((own >= kth) & jnp.isfinite(own), -1)


@math_op(class_name="CDist", tensors=2)
def cdist(x: Any, y: Any) -> jax.Array:
    """The Euclidean distances between the rows of two tensors."""
    x, y = jnp.asarray(x), jnp.asarray(y)
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ShapeError(
            "cdist: both tensors need at least two axes, and the last dimension must match.",
            received=(x.shape, y.shape),
        )
    dtype = jnp.result_type(x, y, float)
    x, y = x.astype(dtype), y.astype(dtype)
    squares = jnp.sum(jnp.square(x[..., :, None, :] - y[..., None, :, :]), -1)
    return jnp.sqrt(squares)


@math_op()
def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> jax.Array:
    """Windows along the last axis."""
    x = jnp.asarray(x)
    for name, value in (("sequence_length", sequence_length), ("sequence_stride", sequence_stride)):
        if not isinstance(value, int) or value < 1:
            raise ArgumentError(f"`{name}` must be a positive integer.", received=repr(value))
    count = 1 + max(0, (x.shape[-1] - sequence_length) // sequence_stride)
    starts = sequence_stride * jnp.arange(count)
    return jnp.take(x, starts[:, None] + jnp.arange(sequence_length), axis=-1)


# ---- Segments ----


def _segments(name: str, function: Callable[..., Any], text: str) -> Callable[..., Any]:
    def apply(
        data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
    ) -> jax.Array:
        data, ids = jnp.asarray(data), jnp.asarray(segment_ids)
        if ids.ndim != 1:
            raise ShapeError(
                f"{name}: Argument `segment_ids` should be an 1-D vector, one id per row.",
                received=ids.shape,
            )
        if data.shape[:1] != ids.shape:
            raise ShapeError(
                f"{name}: Argument `segment_ids` and `data` should have same leading dimension.",
                received=(ids.shape, data.shape),
            )
        if num_segments is None:
            _refuse_traced(name, ids)
        return function(data, ids, num_segments, indices_are_sorted=sorted)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = text
    return math_op(tensors=2, spec=_segment_spec)(apply)


def _segment_spec(
    data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
) -> KerasTensor:
    return KerasTensor((num_segments, *data.shape[1:]), data.dtype)


def _refuse_traced(name: str, ids: Any) -> None:
    """Refuse segments whose number is not known while a program is compiled."""
    if isinstance(ids, Tracer):
        raise ArgumentError(
            f"{name}: Argument `num_segments` must be set when using the JAX backend: the number of"
            " segments is not known while a program is compiled.",
            fix="pass num_segments=",
        )


segment_max = _segments("segment_max", jax.ops.segment_max, "The largest value of each segment.")
segment_min = _segments("segment_min", jax.ops.segment_min, "The smallest value of each segment.")
segment_prod = _segments("segment_prod", jax.ops.segment_prod, "The product of each segment.")
segment_sum = _segments("segment_sum", jax.ops.segment_sum, "The sum of each segment.")


# ---- Complex numbers ----


@math_op()
def view_as_complex(x: Any) -> jax.Array:
    """The pairs along the last axis as complex numbers."""
    x = float_array(x)
    if x.ndim < 1 or x.shape[-1] != 2:
        raise ShapeError(
            "view_as_complex: Last dimension of input must be size 2.", received=x.shape
        )
    return jax.lax.complex(x[..., 0], x[..., 1])


@math_op()
def view_as_real(x: Any) -> jax.Array:
    """Complex numbers as pairs along a new last axis."""
    return jnp.stack([jnp.real(x), jnp.imag(x)], -1)
