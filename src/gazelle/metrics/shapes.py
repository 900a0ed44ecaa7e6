"""How targets, predictions and sample weights of different shapes are brought together."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.errors import ShapeError


def align(y_true: Any, y_pred: Any, owner: str) -> tuple[jax.Array, jax.Array]:
    """Arrays of one shape, where `(n,)` beside `(n, 1)` becomes `(n, 1)` and a last axis of size 1 is repeated.

    Raises:
        ShapeError: The shapes do not fit.
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    if y_true.ndim == y_pred.ndim - 1 and y_pred.shape == (*y_true.shape, 1):
        y_true = y_true[..., None]
    elif y_pred.ndim == y_true.ndim - 1 and y_true.shape == (*y_pred.shape, 1):
        y_pred = y_pred[..., None]
    elif y_true.shape != y_pred.shape and y_true.shape != (*y_pred.shape[:-1], 1):
        raise ShapeError(
            f"{owner}: targets and predictions have shapes that do not fit.",
            expected=f"targets of shape {y_pred.shape}",
            received=f"targets {y_true.shape}, predictions {y_pred.shape}",
            fix=(
                "give the targets the predictions' shape; for class labels use the sparse form of"
                " the metric"
            ),
        )
    return y_true, y_pred


def class_labels(y_true: Any, y_pred: Any, owner: str) -> jax.Array:
    """Class labels of shape `y_pred.shape[:-1]` from labels of that shape or with a last axis of size 1 more.

    Raises:
        ShapeError: The shapes do not fit, as with one-hot targets.
    """
    y_true = jnp.asarray(y_true)
    if y_true.ndim == y_pred.ndim and y_true.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    if y_pred.ndim == 0 or y_true.shape != y_pred.shape[:-1]:
        raise ShapeError(
            f"{owner}: the class labels do not fit the predictions.",
            expected=f"integer labels of shape {y_pred.shape[:-1]}",
            received=f"labels {y_true.shape}, predictions {y_pred.shape}",
            fix="for one-hot targets use the metric without 'sparse' in its name, or 'accuracy'",
        )
    return y_true


def match_labels(y_true: Any, y_pred: Any, owner: str) -> tuple[jax.Array, jax.Array]:
    """Targets in the predictions' shape, from any usual form of labels.

    `(n,)` beside `(n, 1)`, either way round, is reshaped. Labels 0 to C - 1 of shape `(n,)` or `(n,
    1)` beside predictions `(n, C)` with C > 1 become one-hot rows. Equal shapes stay. The same
    holds with more axes in front.

    Returns:
        `(y_true, y_pred)` of equal shape; the predictions unchanged.

    Raises:
        ShapeError: The shapes do not fit.
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    if y_true.shape == y_pred.shape:
        return y_true, y_pred
    if y_true.shape == (*y_pred.shape, 1) or y_pred.shape == (*y_true.shape, 1):
        return y_true.reshape(y_pred.shape), y_pred
    if y_pred.ndim >= 2 and y_true.shape in (y_pred.shape[:-1], (*y_pred.shape[:-1], 1)):
        labels = y_true.reshape(*y_pred.shape[:-1], 1)
        return labels == jnp.arange(y_pred.shape[-1]), y_pred
    raise ShapeError(
        f"{owner}: targets and predictions have shapes that do not fit.",
        expected=f"targets of shape {y_pred.shape}, or class labels of shape {y_pred.shape[:-1]}",
        received=f"targets {y_true.shape}, predictions {y_pred.shape}",
        fix="pass class labels, one-hot rows or targets of the predictions' own shape",
    )


def spread_weight(sample_weight: Any, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Sample weights that broadcast against values of `shape`.

    Args:
        sample_weight: Weights of the first axes of `shape`: a number, `(n,)`, `(n, 1)` or more
            axes.
        shape: Shape of the values.
        dtype: Type of the result.

    Raises:
        ShapeError: The weights do not broadcast against the values.
    """
    weight = jnp.asarray(sample_weight, dtype)
    if weight.ndim == len(shape) + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    if 0 < weight.ndim < len(shape):
        weight = weight.reshape(weight.shape + (1,) * (len(shape) - weight.ndim))
    fits = weight.ndim <= len(shape) and all(
        n in (1, m) for n, m in zip(weight.shape, shape, strict=False)
    )
    if not fits:
        raise ShapeError(
            "sample_weight does not fit the values that it weights.",
            expected=f"a shape that broadcasts against {shape}",
            received=tuple(np.shape(sample_weight)),
            fix="pass one weight per sample",
        )
    return weight
