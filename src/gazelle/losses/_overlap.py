"""Losses that measure how far a target set and a predicted set overlap.

Membership is given as numbers from 0 to 1. Dice: `1 - 2 |A B| / (|A| + |B|)` (Dice, 1945).
Tversky: `1 - |A B| / (|A B| + alpha |A not B| + beta |B not A|)` (Salehi et al., 2017), which is
Dice for alpha = beta = 1/2.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import epsilon
from gazelle.losses._base import SUM_OVER_BATCH_SIZE, BuiltinLoss
from gazelle.losses._catalogue import catalogue
from gazelle.losses._shapes import Axis, matched


@catalogue.add()
def dice(y_true: Any, y_pred: Any, axis: Axis = None) -> jax.Array:
    """`1 - 2 sum(t p) / (sum(t) + sum(p))`.

    Args:
        y_true: Targets from 0 to 1, `(batch, ..., outputs)`.
        y_pred: Predictions from 0 to 1, of the same shape.
        axis: The axis or axes to sum over; None for all, including the batch.

    Returns:
        Losses, of the targets' shape without `axis`; a scalar if `axis` is None.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("dice", y_true, y_pred)
    axes = _axes(axis)
    both = jnp.sum(y_true * y_pred, axes)
    return 1.0 - 2.0 * both / (jnp.sum(y_true, axes) + jnp.sum(y_pred, axes) + epsilon())


@catalogue.add()
def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Axis = None
) -> jax.Array:
    """`1 - sum(t p) / (sum(t p) + alpha sum(t (1 - p)) + beta sum(p (1 - t)))`.

    Args:
        y_true: Targets from 0 to 1, `(batch, ..., outputs)`.
        y_pred: Predictions from 0 to 1, of the same shape.
        alpha: Weight of the false negatives.
        beta: Weight of the false positives.
        axis: The axis or axes to sum over; None for all, including the batch.

    Returns:
        Losses, of the targets' shape without `axis`; a scalar if `axis` is None.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("tversky", y_true, y_pred)
    axes = _axes(axis)
    both = jnp.sum(y_true * y_pred, axes)
    false_negatives = jnp.sum((1.0 - y_pred) * y_true, axes)
    false_positives = jnp.sum(y_pred * (1.0 - y_true), axes)
    union = both + alpha * false_negatives + beta * false_positives
    return 1.0 - both / (union + epsilon())


@catalogue.add()
class Dice(BuiltinLoss):
    """`1 - 2 sum(t p) / (sum(t) + sum(p))`, see `dice`.

    Args:
        reduction: See `Loss`.
        name: Name of the loss.
        axis: The axis or axes to sum over; None for all, including the batch.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "dice",
        axis: Axis = None,
        dtype: Any = None,
    ):
        super().__init__(dice, reduction, name, dtype, axis=axis)


@catalogue.add()
class Tversky(BuiltinLoss):
    """Dice loss with weights for the two kinds of error, see `tversky`.

    Args:
        alpha: Weight of the false negatives.
        beta: Weight of the false positives.
        reduction: See `Loss`.
        name: Name of the loss.
        axis: The axis or axes to sum over; None for all, including the batch.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "tversky",
        axis: Axis = None,
        dtype: Any = None,
    ):
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)


def _axes(axis: Axis) -> int | tuple[int, ...] | None:
    if axis is None or isinstance(axis, int):
        return axis
    return tuple(axis)
