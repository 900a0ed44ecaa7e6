"""Conversion of targets and predictions to one dtype and rank, and checks of their shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import floatx, is_float
from gazelle._core.errors import ShapeError

Axis = int | Sequence[int] | None


def loss_dtype(dtype: Any) -> Any:
    """The dtype in which a loss of values of type `dtype` is computed: at least float32."""
    given = jnp.dtype(dtype if is_float(dtype) else floatx())
    return jax.dtypes.canonicalize_dtype(jnp.promote_types(given, jnp.float32))


def same_rank(first: jax.Array, second: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Gives both arrays the same rank if one of them only lacks a last axis of size 1.

    `(N,)` and `(N, 1)` become `(N, 1)` and `(N, 1)`; `(N, T)` and `(N, T, 1)` become `(N, T)` and
    `(N, T)`. Other shapes are returned unchanged.
    """
    if first.ndim == second.ndim + 1 and first.shape[-1] == 1:
        if second.ndim == 1:
            return first, second[:, None]
        return first[..., 0], second
    if second.ndim == first.ndim + 1 and second.shape[-1] == 1:
        if first.ndim == 1:
            return first[:, None], second
        return first, second[..., 0]
    return first, second


def floats(y_true: Any, y_pred: Any) -> tuple[jax.Array, jax.Array]:
    """Targets and predictions as float arrays of one dtype and, if possible, of the same rank."""
    y_pred = jnp.asarray(y_pred)
    dtype = loss_dtype(y_pred.dtype)
    return same_rank(jnp.asarray(y_true).astype(dtype), y_pred.astype(dtype))


def matched(loss: str, y_true: Any, y_pred: Any) -> tuple[jax.Array, jax.Array]:
    """Like `floats`, for arrays whose shapes must broadcast.

    Raises:
        ShapeError: The shapes do not broadcast.
    """
    y_true, y_pred = floats(y_true, y_pred)
    try:
        jnp.broadcast_shapes(y_true.shape, y_pred.shape)
    except ValueError:
        raise ShapeError(
            f"{loss}: the shapes of y_true and y_pred do not match.",
            expected=f"y_true of shape {y_pred.shape}, as y_pred",
            received=y_true.shape,
            fix="give the last layer as many units as a target has values",
        ) from None
    return y_true, y_pred


def equal(loss: str, y_true: Any, y_pred: Any, fix: str) -> tuple[jax.Array, jax.Array]:
    """Like `floats`, for arrays whose shapes must be equal.

    Raises:
        ShapeError: The shapes differ; the message ends with `fix`.
    """
    y_true, y_pred = floats(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        raise ShapeError(
            f"{loss}: y_true and y_pred must have the same shape.",
            expected=f"y_true of shape {y_pred.shape}, as y_pred",
            received=y_true.shape,
            fix=fix,
        )
    return y_true, y_pred


def labels_for(loss: str, y_true: Any, y_pred: Any, axis: int) -> tuple[jax.Array, jax.Array]:
    """Class numbers as integers of the shape of `y_pred` without `axis`, and `y_pred` as floats.

    Raises:
        ShapeError: `y_true` has another shape, or `y_pred` has no axis of classes.
    """
    y_pred = jnp.asarray(y_pred)
    y_pred = y_pred.astype(loss_dtype(y_pred.dtype))
    labels = jnp.asarray(y_true)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        labels = labels.astype(jnp.int32)
    if not -y_pred.ndim <= axis < y_pred.ndim:
        raise ShapeError(
            f"{loss}: y_pred has no axis {axis}.",
            expected="(batch, classes)",
            received=y_pred.shape,
        )
    axis = axis % y_pred.ndim
    wanted = (*y_pred.shape[:axis], *y_pred.shape[axis + 1 :])
    if labels.shape == (*wanted[:axis], 1, *wanted[axis:]):
        labels = jnp.squeeze(labels, axis)
    if labels.shape != wanted:
        one_hot = labels.shape == y_pred.shape and y_pred.ndim > 1
        raise ShapeError(
            f"{loss}: y_true must hold one class number per prediction: "
            "the same shape as y_pred up until the last dimension.",
            expected=f"y_true of shape {wanted} for y_pred of shape {y_pred.shape}",
            received=f"{labels.shape}" + (", which looks one-hot" if one_hot else ""),
            fix=(
                "use categorical_crossentropy for one-hot targets, or np.argmax(y_true, -1)"
                if one_hot
                else "give the last layer one unit per class, and each sample an integer target"
            ),
        )
    return labels, y_pred


def pick(values: jax.Array, labels: jax.Array, axis: int) -> jax.Array:
    """`values` at the positions `labels` along `axis`; 0 for labels out of range.

    XLA fuses the comparison and the sum into one pass, and their gradient too. The gradient of a
    gather would be a slow scatter.
    """
    classes = jax.lax.broadcasted_iota(jnp.int32, values.shape, axis % values.ndim)
    return jnp.sum(jnp.where(classes == jnp.expand_dims(labels, axis), values, 0.0), axis)


def is_known_class(labels: jax.Array, classes: int) -> jax.Array:
    """True where a label is one of `classes` class numbers."""
    return (labels >= 0) & (labels < classes)


def power(base: jax.Array, exponent: Any) -> jax.Array:
    """`base ** exponent` for `base >= 0`; the derivative at 0 is 0, never infinite."""
    if isinstance(exponent, int | float) and float(exponent).is_integer():
        return jax.lax.integer_pow(base, int(exponent))
    zero = base <= 0  # false for NaN, which stays NaN
    return jnp.where(zero, 0.0, jnp.power(jnp.where(zero, 1.0, base), exponent))
