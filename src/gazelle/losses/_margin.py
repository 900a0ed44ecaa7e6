"""Losses with a margin of 1 between right and wrong: hinge, squared hinge, categorical hinge."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gazelle.losses._base import SUM_OVER_BATCH_SIZE, BuiltinLoss
from gazelle.losses._catalogue import catalogue
from gazelle.losses._shapes import matched


@catalogue.add()
def hinge(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean(max(1 - y_true * y_pred, 0))` over the last axis.

    Args:
        y_true: Targets -1 and 1, `(batch, ..., outputs)`; if all are 0 or 1, 0 counts as -1.
        y_pred: Scores of the same shape.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("hinge", y_true, y_pred)
    return jnp.mean(jnp.maximum(1.0 - _signs(y_true) * y_pred, 0.0), -1)


@catalogue.add()
def squared_hinge(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean(max(1 - y_true * y_pred, 0)**2)` over the last axis.

    Args:
        y_true: Targets -1 and 1, `(batch, ..., outputs)`; if all are 0 or 1, 0 counts as -1.
        y_pred: Scores of the same shape.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("squared_hinge", y_true, y_pred)
    return jnp.mean(jnp.square(jnp.maximum(1.0 - _signs(y_true) * y_pred, 0.0)), -1)


@catalogue.add()
def categorical_hinge(y_true: Any, y_pred: Any) -> jax.Array:
    """`max(best wrong score - right score + 1, 0)` over the last axis.

    Args:
        y_true: One-hot targets, `(batch, ..., classes)`.
        y_pred: Scores of the same shape.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("categorical_hinge", y_true, y_pred)
    right = jnp.sum(y_true * y_pred, -1)
    wrong = jnp.max((1.0 - y_true) * y_pred, -1)
    return jnp.maximum(wrong - right + 1.0, 0.0)


@catalogue.add()
class Hinge(BuiltinLoss):
    """`mean(max(1 - y_true * y_pred, 0))`, see `hinge`.

    Args:
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "hinge",
        dtype: Any = None,
    ):
        super().__init__(hinge, reduction, name, dtype)


@catalogue.add()
class SquaredHinge(BuiltinLoss):
    """`mean(max(1 - y_true * y_pred, 0)**2)`, see `squared_hinge`.

    Args:
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "squared_hinge",
        dtype: Any = None,
    ):
        super().__init__(squared_hinge, reduction, name, dtype)


@catalogue.add()
class CategoricalHinge(BuiltinLoss):
    """`max(best wrong score - right score + 1, 0)`, see `categorical_hinge`.

    Args:
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "categorical_hinge",
        dtype: Any = None,
    ):
        super().__init__(categorical_hinge, reduction, name, dtype)


def _signs(y_true: jax.Array) -> jax.Array:
    """The targets with 0 and 1 mapped to -1 and 1 if the batch holds nothing else."""
    zero_one = jnp.all((y_true == 0.0) | (y_true == 1.0))
    return jnp.where(zero_one, 2.0 * y_true - 1.0, y_true)
