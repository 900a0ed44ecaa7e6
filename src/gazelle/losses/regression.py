"""Losses of numbers.

With the error `e = y_pred - y_true`, each the mean over the last axis: squared `e**2`, absolute
`|e|`, percentage `100 |e / y_true|`, squared logarithmic `(log(1 + y_pred) - log(1 + y_true))**2`,
Huber `e**2 / 2` near 0 and `delta |e| - delta**2 / 2` beyond (Huber, 1964), log-cosh
`log(cosh(e))`, Poisson `y_pred - y_true log(y_pred)`.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import epsilon
from gazelle.losses.base import SUM_OVER_BATCH_SIZE, BuiltinLoss
from gazelle.losses.catalogue import catalogue
from gazelle.losses.shapes import matched


@catalogue.add("mse", "MSE")
def mean_squared_error(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean((y_true - y_pred)**2)` over the last axis.

    Args:
        y_true: Targets, `(batch, ..., outputs)`.
        y_pred: Predictions of the same shape.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("mean_squared_error", y_true, y_pred)
    return jnp.mean(jnp.square(y_true - y_pred), -1)


@catalogue.add("mae", "MAE")
def mean_absolute_error(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean(|y_true - y_pred|)` over the last axis.

    Args:
        y_true: Targets, `(batch, ..., outputs)`.
        y_pred: Predictions of the same shape.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("mean_absolute_error", y_true, y_pred)
    return jnp.mean(jnp.abs(y_true - y_pred), -1)


@catalogue.add("mape", "MAPE")
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> jax.Array:
    """`100 * mean(|y_true - y_pred| / |y_true|)` over the last axis; targets nearer to 0 than epsilon count as epsilon.

    Args:
        y_true: Targets, `(batch, ..., outputs)`.
        y_pred: Predictions of the same shape.

    Returns:
        Losses in percent, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("mean_absolute_percentage_error", y_true, y_pred)
    return 100.0 * jnp.mean(
        jnp.abs((y_true - y_pred) / jnp.maximum(jnp.abs(y_true), epsilon())), -1
    )


@catalogue.add("msle", "MSLE")
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean((log(1 + y_true) - log(1 + y_pred))**2)` over the last axis; values below epsilon count as epsilon.

    Args:
        y_true: Targets, at least 0, `(batch, ..., outputs)`.
        y_pred: Predictions of the same shape.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("mean_squared_logarithmic_error", y_true, y_pred)
    logs = [jnp.log(jnp.maximum(values, epsilon()) + 1.0) for values in (y_pred, y_true)]
    return jnp.mean(jnp.square(logs[0] - logs[1]), -1)


@catalogue.add("huber_loss")
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> jax.Array:
    """Squared error up to `delta`, absolute error beyond; mean over the last axis.

    Args:
        y_true: Targets, `(batch, ..., outputs)`.
        y_pred: Predictions of the same shape.
        delta: The error at which the parabola goes over into straight lines.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("huber", y_true, y_pred)
    error = y_pred - y_true
    size = jnp.abs(error)
    return jnp.mean(
        jnp.where(size <= delta, 0.5 * jnp.square(error), delta * size - 0.5 * delta * delta), -1
    )


@catalogue.add("logcosh")
def log_cosh(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean(log(cosh(y_pred - y_true)))` over the last axis: squared for small errors, absolute for large ones.

    Args:
        y_true: Targets, `(batch, ..., outputs)`.
        y_pred: Predictions of the same shape.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("log_cosh", y_true, y_pred)
    error = y_pred - y_true
    return jnp.mean(error + jax.nn.softplus(-2.0 * error) - math.log(2.0), -1)


@catalogue.add()
def poisson(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean(y_pred - y_true * log(y_pred))` over the last axis: negative log-likelihood of counts, up to a constant.

    Args:
        y_true: Counts, `(batch, ..., outputs)`.
        y_pred: Predicted means, positive, of the same shape.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("poisson", y_true, y_pred)
    return jnp.mean(y_pred - y_true * jnp.log(y_pred + epsilon()), -1)


@catalogue.add()
class MeanSquaredError(BuiltinLoss):
    """`mean((y_true - y_pred)**2)`, see `mean_squared_error`.

    Args:
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "mean_squared_error",
        dtype: Any = None,
    ):
        super().__init__(mean_squared_error, reduction, name, dtype)


@catalogue.add()
class MeanAbsoluteError(BuiltinLoss):
    """`mean(|y_true - y_pred|)`, see `mean_absolute_error`.

    Args:
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "mean_absolute_error",
        dtype: Any = None,
    ):
        super().__init__(mean_absolute_error, reduction, name, dtype)


@catalogue.add()
class MeanAbsolutePercentageError(BuiltinLoss):
    """`100 * mean(|y_true - y_pred| / |y_true|)`, see `mean_absolute_percentage_error`.

    Args:
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "mean_absolute_percentage_error",
        dtype: Any = None,
    ):
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


@catalogue.add()
class MeanSquaredLogarithmicError(BuiltinLoss):
    """`mean((log(1 + y_true) - log(1 + y_pred))**2)`, see `mean_squared_logarithmic_error`.

    Args:
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ):
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


@catalogue.add()
class Huber(BuiltinLoss):
    """Squared error up to `delta`, absolute error beyond, see `huber`.

    Args:
        delta: The error at which the parabola goes over into straight lines.
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "huber_loss",
        dtype: Any = None,
    ):
        super().__init__(huber, reduction, name, dtype, delta=delta)


@catalogue.add()
class LogCosh(BuiltinLoss):
    """`mean(log(cosh(y_pred - y_true)))`, see `log_cosh`.

    Args:
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "log_cosh",
        dtype: Any = None,
    ):
        super().__init__(log_cosh, reduction, name, dtype)


@catalogue.add()
class Poisson(BuiltinLoss):
    """`mean(y_pred - y_true * log(y_pred))`, see `poisson`.

    Args:
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "poisson",
        dtype: Any = None,
    ):
        super().__init__(poisson, reduction, name, dtype)
