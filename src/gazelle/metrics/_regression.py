"""Regression metrics: mean errors, and R2 = 1 - sum (y - p)^2 / sum (y - mean y)^2."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gazelle import losses
from gazelle._core.checks import one_of
from gazelle._core.errors import ArgumentError, ShapeError, StateError
from gazelle.metrics._averages import FunctionMetric, Mean
from gazelle.metrics._base import Metric, catalogue, divide_no_nan
from gazelle.metrics._shapes import align, match_labels, spread_weight


@catalogue.add("mse", "MSE")
class MeanSquaredError(FunctionMetric):
    """Mean of (y - p)^2.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    _direction = "down"

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None):
        super().__init__(losses.mean_squared_error, name, dtype)


@catalogue.add("rmse", "RMSE")
class RootMeanSquaredError(Mean):
    """Square root of the mean of (y - p)^2 over all samples (not the mean of roots per batch).

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    _direction = "down"
    _counts_samples = True

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None):
        super().__init__(name, dtype)

    def update_state(  # pyright: ignore[reportIncompatibleMethodOverride] (Keras's signature)
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Add a batch to the state.

        Args:
            y_true: Targets; `(n,)` and `(n, 1)` match each other.
            y_pred: Predictions.
            sample_weight: Weights of the samples; None for 1.

        Raises:
            ShapeError: The shapes do not match.
        """
        y_true, y_pred = align(y_true, y_pred, type(self).__name__)
        error = y_true.astype(self.dtype) - y_pred.astype(self.dtype)
        super().update_state(jnp.square(error), sample_weight)

    def result(self) -> jax.Array:
        """The square root of the mean so far."""
        return jnp.sqrt(super().result())


@catalogue.add("mae", "MAE")
class MeanAbsoluteError(FunctionMetric):
    """Mean of |y - p|.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    _direction = "down"

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None):
        super().__init__(losses.mean_absolute_error, name, dtype)


@catalogue.add("mape", "MAPE")
class MeanAbsolutePercentageError(FunctionMetric):
    """Mean of 100 |y - p| / |y|, with |y| at least 1e-7.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    _direction = "down"

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None):
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


@catalogue.add("msle", "MSLE")
class MeanSquaredLogarithmicError(FunctionMetric):
    """Mean of (log(y + 1) - log(p + 1))^2.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    _direction = "down"

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None):
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


@catalogue.add("logcosh", "log_cosh")
class LogCoshError(FunctionMetric):
    """Mean of log(cosh(p - y)).

    This is about (p - y)^2 / 2 for small errors and |p - y| - log 2 for large ones.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    _direction = "down"

    def __init__(self, name: str | None = "logcosh", dtype: Any = None):
        super().__init__(losses.log_cosh, name, dtype)


@catalogue.add("r2")
class R2Score(Metric):
    """The coefficient of determination, 1 - sum (y - p)^2 / sum (y - mean y)^2, per column.

    A column of constant targets scores 1 if it is predicted exactly, else 0, as in scikit-learn.
    The variance of the targets is combined from that of each batch (Chan, Golub and LeVeque, 1979),
    so that targets far from 0 lose no precision.

    Args:
        class_aggregation: `"uniform_average"` (the mean of the columns' scores),
            `"variance_weighted_average"` (their mean weighted by the variance of the targets) or
            None (a vector of one score per column).
        num_regressors: Number of inputs p for the adjusted score
            1 - (1 - R2) (m - 1) / (m - p - 1), where m is the number of target values, as in Keras;
            0 for the plain score. The plain score is also returned if m - p - 1 <= 0.
        name: Name in the logs.
        dtype: Kept for configs; the sums are of type floatx.

    Raises:
        ArgumentError: An argument has another value.
    """

    _direction = "up"

    _state_is_floatx = True

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.class_aggregation = one_of(
            "class_aggregation",
            class_aggregation,
            (None, "uniform_average", "variance_weighted_average"),
            "R2Score",
        )
        if not isinstance(num_regressors, int) or num_regressors < 0:
            raise ArgumentError(
                "R2Score: num_regressors is out of range.",
                expected="an int >= 0",
                received=repr(num_regressors),
            )
        self.num_regressors = num_regressors
        self.built = False

    def build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        """Create the sums, one of each kind per column.

        Args:
            y_true_shape: Shape of the targets; not used.
            y_pred_shape: Shape of the predictions, `(n, columns)` or `(n,)`.

        Raises:
            ShapeError: The predictions have more than two axes.
        """
        if len(y_pred_shape) not in (1, 2):
            raise ShapeError(
                "R2Score: predictions must have two axes.",
                expected="(n, columns) or (n,)",
                received=tuple(y_pred_shape),
            )
        columns = 1 if len(y_pred_shape) == 1 else y_pred_shape[1]
        self.count = self.add_variable((columns,), "zeros", name="count")
        self.mean = self.add_variable((columns,), "zeros", name="mean")
        self.spread = self.add_variable((columns,), "zeros", name="spread")
        self.residual = self.add_variable((columns,), "zeros", name="residual")
        if self.num_regressors:
            self.num_samples = self.add_variable((), "zeros", name="num_samples")
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch to the state.

        Args:
            y_true: Targets `(n, columns)`, `(n, 1)` or `(n,)`.
            y_pred: Predictions `(n, columns)`, `(n, 1)` or `(n,)`.
            sample_weight: Weights of samples `(n,)` or of elements; None for 1.

        Raises:
            ShapeError: The shapes do not match.
        """
        y_true, y_pred = match_labels(y_true, y_pred, "R2Score")
        if not self.built:
            self.build(y_true.shape, y_pred.shape)
        y_true = y_true.reshape(y_true.shape[0], -1).astype(self._state_dtype)  # (n, columns)
        y_pred = y_pred.reshape(y_true.shape).astype(self._state_dtype)
        if sample_weight is None:
            weight = jnp.ones(())
            batch_count = jnp.asarray(float(y_true.shape[0]), self._state_dtype)
        else:
            weight = spread_weight(sample_weight, y_true.shape, self._state_dtype)
            weight = jnp.broadcast_to(weight, y_true.shape)
            batch_count = jnp.sum(weight, axis=0)
        # The spread is the sum of squared distances from the mean, within the batch and between the
        # means of the batch and of everything before it.
        batch_mean = divide_no_nan(jnp.sum(weight * y_true, axis=0), batch_count)
        shift = batch_mean - self.mean.value
        previous_count = self.count.value
        count = previous_count + batch_count
        share = divide_no_nan(batch_count, count)
        within = jnp.sum(weight * jnp.square(y_true - batch_mean[None]), axis=0)
        self.spread.assign_add(within + jnp.square(shift) * previous_count * share)
        self.mean.assign_add(shift * share)
        self.count.assign(count)
        self.residual.assign_add(jnp.sum(weight * jnp.square(y_true - y_pred), axis=0))
        if self.num_regressors:
            self.num_samples.assign_add(y_true.size)

    def result(self) -> jax.Array:
        """The score: a vector if `class_aggregation` is None, else a number.

        Raises:
            StateError: No batch was added yet.
        """
        if not self.built:
            raise StateError("R2Score has seen no data yet.", fix="call update_state first")
        spread, residual = self.spread.value, self.residual.value
        is_exact = (residual == 0) & (self.count.value > 0)
        constant_score = jnp.where(is_exact, 1.0, 0.0)
        score = jnp.where(spread == 0, constant_score, 1 - divide_no_nan(residual, spread))
        if self.class_aggregation == "uniform_average":
            score = jnp.mean(score)
        elif self.class_aggregation == "variance_weighted_average":
            score = divide_no_nan(jnp.sum(score * spread), jnp.sum(spread))
        if self.num_regressors:
            m = self.num_samples.value
            freedom = m - self.num_regressors - 1
            adjusted = 1 - (1 - score) * divide_no_nan(m - 1, freedom)
            score = jnp.where(freedom > 0, adjusted, score)
        return score

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }
