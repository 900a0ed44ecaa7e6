"""Losses for regression.

Each is a mean over the last axis. With the error `e = y_pred - y_true`:

- squared: `e**2`; absolute: `|e|`; percentage: `100 |e / y_true|`;
- squared logarithmic: `(log(1 + y_pred) - log(1 + y_true))**2`;
- Huber: `e**2 / 2` near 0 and `delta |e| - delta**2 / 2` beyond (Huber, 1964);
- log-cosh: `log(cosh(e))`;
- Poisson: `y_pred - y_true log(y_pred)`.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import epsilon
from gazelle.losses._base import SUM_OVER_BATCH_SIZE, BuiltinLoss
from gazelle.losses._catalogue import catalogue
from gazelle.losses._shapes import matched


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
    """`100 * mean(|y_true - y_pred| / |y_true|)` over the last axis.

    The divisor `|y_true|` is at least epsilon.

    Args:
        y_true: Targets, `(batch, ..., outputs)`.
        y_pred: Predictions of the same shape.

    Returns:
        Losses in percent, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("mean_absolute_percentage_error", y_true, y_pred)
    divisor = jnp.maximum(jnp.abs(y_true), epsilon())
    return 100.0 * jnp.mean(jnp.abs((y_true - y_pred) / divisor), -1)


@catalogue.add("msle", "MSLE")
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean((log(1 + y_true) - log(1 + y_pred))**2)` over the last axis.

    Values below epsilon count as epsilon.

    Args:
        y_true: Targets, at least 0, `(batch, ..., outputs)`.
        y_pred: Predictions of the same shape.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("mean_squared_logarithmic_error", y_true, y_pred)
    log_pred = jnp.log(jnp.maximum(y_pred, epsilon()) + 1.0)
    log_true = jnp.log(jnp.maximum(y_true, epsilon()) + 1.0)
    return jnp.mean(jnp.square(log_pred - log_true), -1)


@catalogue.add("huber_loss")
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> jax.Array:
    """Squared error up to `delta`, absolute error beyond; mean over the last axis.

    Args:
        y_true: Targets, `(batch, ..., outputs)`.
        y_pred: Predictions of the same shape.
        delta: The error at which the loss changes from quadratic to linear.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("huber", y_true, y_pred)
    error = y_pred - y_true
    size = jnp.abs(error)
    quadratic = 0.5 * jnp.square(error)
    linear = delta * size - 0.5 * delta * delta
    return jnp.mean(jnp.where(size <= delta, quadratic, linear), -1)


@catalogue.add("logcosh")
def log_cosh(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean(log(cosh(y_pred - y_true)))` over the last axis.

    It behaves like the squared error for small errors, and like the absolute error for large ones.

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
    """`mean(y_pred - y_true * log(y_pred))` over the last axis.

    This is the negative log-likelihood of Poisson counts, up to a constant.

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
        delta: The error at which the loss changes from quadratic to linear.
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
