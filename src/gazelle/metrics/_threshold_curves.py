"""Confusion counts along a curve of thresholds, and the best rate where another is high enough."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.checks import in_range, positive_int
from gazelle.metrics._base import Metric, catalogue, divide_no_nan
from gazelle.metrics._counts import checked_class
from gazelle.metrics._thresholds import confusion_counts


class ThresholdCurve(Metric):
    """The four confusion counts at every threshold."""

    _direction = "up"
    _counts_samples = True
    _state_is_floatx = True
    _counts_whole_numbers = True
    _thresholds: np.ndarray
    true_positives: Any = None
    false_positives: Any = None
    true_negatives: Any = None
    false_negatives: Any = None

    @property
    def thresholds(self) -> list[float]:
        """All thresholds, ascending."""
        return self._thresholds.tolist()

    def _make_counts(self, shape: tuple[int, ...]) -> None:
        for name in ("true_positives", "false_positives", "true_negatives", "false_negatives"):
            setattr(self, name, self.add_variable(shape, "zeros", name=name))

    def _add_counts(self, y_true: Any, y_pred: Any, sample_weight: Any, **options: Any) -> None:
        owner = type(self).__name__
        counts = confusion_counts(
            y_true,
            y_pred,
            sample_weight,
            self._thresholds,
            owner,
            dtype=self._state_dtype,
            **options,
        )
        self.true_positives.assign_add(counts.true_positives)
        self.false_positives.assign_add(counts.false_positives)
        self.true_negatives.assign_add(counts.negatives - counts.false_positives)
        self.false_negatives.assign_add(counts.positives - counts.true_positives)


class _RateAtRate(ThresholdCurve):
    """The greatest value of one rate among the thresholds at which another is at least `value`."""

    def __init__(
        self,
        argument: str,
        value: float,
        num_thresholds: int,
        class_id: int | None,
        name: str | None,
        dtype: Any,
    ):
        super().__init__(name=name, dtype=dtype)
        owner = type(self).__name__
        setattr(self, argument, in_range(argument, value, 0.0, 1.0, owner))
        self.num_thresholds = positive_int("num_thresholds", num_thresholds, owner)
        self.class_id = checked_class(class_id, owner)
        self._argument = argument
        if num_thresholds == 1:
            self._thresholds = np.array([0.5])
        else:
            self._thresholds = np.arange(num_thresholds) / (num_thresholds - 1)
        self._make_counts((num_thresholds,))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch to the state.

        Args:
            y_true: Targets 0 or 1 in any form: `(n,)`, `(n, 1)`, `(n, C)`, or labels for
                predictions `(n, C)`.
            y_pred: Scores from 0 to 1.
            sample_weight: Weights of samples `(n,)` or of elements; None for 1.

        Raises:
            ShapeError: The shapes do not match, or `class_id` exceeds the number of classes.
        """
        self._add_counts(y_true, y_pred, sample_weight, class_id=self.class_id)

    def result(self) -> jax.Array:
        """The best rate; 0 if no threshold reaches the required value of the other rate."""
        required, maximised = self._rates()
        return jnp.max(jnp.where(required >= getattr(self, self._argument), maximised, 0.0))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            self._argument: getattr(self, self._argument),
            "num_thresholds": self.num_thresholds,
            "class_id": self.class_id,
        }

    def _rates(self) -> tuple[jax.Array, jax.Array]:
        """The rate that must reach `value` and the rate that is maximised, at all thresholds."""
        raise NotImplementedError

    def _precision(self) -> jax.Array:
        return divide_no_nan(self.true_positives.value, self.true_positives + self.false_positives)

    def _sensitivity(self) -> jax.Array:
        return divide_no_nan(self.true_positives.value, self.true_positives + self.false_negatives)

    def _specificity(self) -> jax.Array:
        return divide_no_nan(self.true_negatives.value, self.true_negatives + self.false_positives)


@catalogue.add()
class PrecisionAtRecall(_RateAtRate):
    """The best precision at a recall of at least `recall`.

    Args:
        recall: From 0 to 1.
        num_thresholds: Number of evenly spaced thresholds, an int > 0.
        class_id: Only this class is counted.
        name: Name in the logs.
        dtype: Kept for configs; the counts are of type floatx.

    Raises:
        ArgumentError: An argument is out of range.
    """

    recall: float

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__("recall", recall, num_thresholds, class_id, name, dtype)

    def _rates(self) -> tuple[jax.Array, jax.Array]:
        return self._sensitivity(), self._precision()


@catalogue.add()
class RecallAtPrecision(_RateAtRate):
    """The best recall at a precision of at least `precision`.

    Args:
        precision: From 0 to 1.
        num_thresholds: Number of evenly spaced thresholds, an int > 0.
        class_id: Only this class is counted.
        name: Name in the logs.
        dtype: Kept for configs; the counts are of type floatx.

    Raises:
        ArgumentError: An argument is out of range.
    """

    precision: float

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__("precision", precision, num_thresholds, class_id, name, dtype)

    def _rates(self) -> tuple[jax.Array, jax.Array]:
        return self._precision(), self._sensitivity()


@catalogue.add()
class SensitivityAtSpecificity(_RateAtRate):
    """The best sensitivity at a specificity of at least `specificity`.

    Sensitivity is TP / (TP + FN), specificity is TN / (TN + FP).

    Args:
        specificity: From 0 to 1.
        num_thresholds: Number of evenly spaced thresholds, an int > 0.
        class_id: Only this class is counted.
        name: Name in the logs.
        dtype: Kept for configs; the counts are of type floatx.

    Raises:
        ArgumentError: An argument is out of range.
    """

    specificity: float

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__("specificity", specificity, num_thresholds, class_id, name, dtype)

    def _rates(self) -> tuple[jax.Array, jax.Array]:
        return self._specificity(), self._sensitivity()


@catalogue.add()
class SpecificityAtSensitivity(_RateAtRate):
    """The best specificity at a sensitivity of at least `sensitivity`.

    Sensitivity is TP / (TP + FN), specificity is TN / (TN + FP).

    Args:
        sensitivity: From 0 to 1.
        num_thresholds: Number of evenly spaced thresholds, an int > 0.
        class_id: Only this class is counted.
        name: Name in the logs.
        dtype: Kept for configs; the counts are of type floatx.

    Raises:
        ArgumentError: An argument is out of range.
    """

    sensitivity: float

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__("sensitivity", sensitivity, num_thresholds, class_id, name, dtype)

    def _rates(self) -> tuple[jax.Array, jax.Array]:
        return self._sensitivity(), self._specificity()
