"""Conversion of targets, predictions and sample weights to matching shapes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.errors import ShapeError


def align(y_true: Any, y_pred: Any, owner: str) -> tuple[jax.Array, jax.Array]:
    """Targets and predictions as arrays of the same rank.

    `(n,)` becomes `(n, 1)` if the other array is `(n, 1)`. The last axis of the targets may be of
    size 1, which broadcasts.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    if y_true.ndim == y_pred.ndim - 1 and y_pred.shape == (*y_true.shape, 1):
        y_true = y_true[..., None]
    elif y_pred.ndim == y_true.ndim - 1 and y_true.shape == (*y_pred.shape, 1):
        y_pred = y_pred[..., None]
    elif y_true.shape != y_pred.shape and y_true.shape != (*y_pred.shape[:-1], 1):
        raise ShapeError(
            f"{owner}: the shapes of targets and predictions do not match.",
            expected=f"targets of shape {y_pred.shape}",
            received=f"targets {y_true.shape}, predictions {y_pred.shape}",
            fix=(
                "give the targets the predictions' shape; for class labels use the sparse form of"
                " the metric"
            ),
        )
    return y_true, y_pred


def class_labels(y_true: Any, y_pred: Any, owner: str) -> jax.Array:
    """Class labels of shape `y_pred.shape[:-1]`; a further last axis of size 1 is removed.

    Raises:
        ShapeError: The shapes do not match, as for one-hot targets.
    """
    y_true = jnp.asarray(y_true)
    if y_true.ndim == y_pred.ndim and y_true.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    if y_pred.ndim == 0 or y_true.shape != y_pred.shape[:-1]:
        raise ShapeError(
            f"{owner}: the class labels do not match the predictions.",
            expected=f"integer labels of shape {y_pred.shape[:-1]}",
            received=f"labels {y_true.shape}, predictions {y_pred.shape}",
            fix="for one-hot targets use the metric without 'sparse' in its name, or 'accuracy'",
        )
    return y_true


def match_labels(y_true: Any, y_pred: Any, owner: str) -> tuple[jax.Array, jax.Array]:
    """Targets of the shape of the predictions, from any usual form of labels.

    `(n,)` and `(n, 1)` are reshaped to match each other. Labels 0 to C - 1 of shape `(n,)` or
    `(n, 1)` become one-hot rows if the predictions are `(n, C)` with C > 1. Equal shapes stay as
    they are. All this also holds with more leading axes.

    Returns:
        `(y_true, y_pred)` of equal shape; the predictions are unchanged.

    Raises:
        ShapeError: The shapes do not match.
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
        f"{owner}: the shapes of targets and predictions do not match.",
        expected=f"targets of shape {y_pred.shape}, or class labels of shape {y_pred.shape[:-1]}",
        received=f"targets {y_true.shape}, predictions {y_pred.shape}",
        fix="pass class labels, one-hot rows or targets of the shape of the predictions",
    )


def spread_weight(sample_weight: Any, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Sample weights that broadcast against values of `shape`.

    Args:
        sample_weight: Weights along the first axes of `shape`: a number, `(n,)`, `(n, 1)` or more
            axes.
        shape: Shape of the values.
        dtype: Dtype of the result.

    Raises:
        ShapeError: The weights do not broadcast against the values.
    """
    weight = jnp.asarray(sample_weight, dtype)
    if weight.ndim == len(shape) + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    if 0 < weight.ndim < len(shape):
        weight = weight.reshape(weight.shape + (1,) * (len(shape) - weight.ndim))
    broadcasts = weight.ndim <= len(shape) and all(
        n in (1, m) for n, m in zip(weight.shape, shape, strict=False)
    )
    if not broadcasts:
        raise ShapeError(
            "The shape of sample_weight does not match the values.",
            expected=f"a shape that broadcasts against {shape}",
            received=tuple(np.shape(sample_weight)),
            fix="pass one weight per sample",
        )
    return weight
