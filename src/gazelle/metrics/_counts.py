"""Confusion counts, precision = TP / (TP + FP) and recall = TP / (TP + FN)."""

from __future__ import annotations

import numbers
from typing import Any

import jax

from gazelle._core.checks import positive_int
from gazelle._core.errors import ArgumentError
from gazelle.metrics._base import Metric, catalogue, divide_no_nan
from gazelle.metrics._thresholds import LOWEST, Counts, checked_thresholds, confusion_counts


class _Count(Metric):
    """One of the four confusion counts at one or several thresholds."""

    _counts_samples = True
    _state_is_floatx = True
    _counts_whole_numbers = True

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self._thresholds = checked_thresholds(thresholds, 0.5, type(self).__name__)
        self.accumulator = self.add_variable((len(self._thresholds),), "zeros", name="accumulator")

    @property
    def thresholds(self) -> list[float]:
        """The thresholds."""
        return self._thresholds.tolist()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch to the state.

        Args:
            y_true: Targets: `(n,)` or `(n, 1)`, bool, integer or float; one-hot `(n, C)`; or labels
                for predictions `(n, C)`.
            y_pred: Predictions; those strictly above a threshold count as positive.
            sample_weight: Weights of samples `(n,)` or of elements; None for 1.

        Raises:
            ShapeError: The shapes do not match.
        """
        owner = type(self).__name__
        counts = confusion_counts(
            y_true, y_pred, sample_weight, self._thresholds, owner, dtype=self._state_dtype
        )
        self.accumulator.assign_add(self._pick(counts))

    def result(self) -> jax.Array:
        """The count: a number for a single threshold, else a vector."""
        value = self.accumulator.value
        return value[0] if len(self._thresholds) == 1 else value

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "thresholds": self.init_thresholds}

    def _pick(self, counts: Counts) -> jax.Array:
        raise NotImplementedError


@catalogue.add()
class TruePositives(_Count):
    """Number (or weight) of positive elements whose prediction is above the threshold.

    Args:
        thresholds: A number from 0 to 1 or a list of numbers; 0.5 if None.
        name: Name in the logs.
        dtype: Kept for configs; the counts are of type floatx.

    Raises:
        ArgumentError: A threshold is outside [0, 1].
    """

    _direction = "up"

    def _pick(self, counts: Counts) -> jax.Array:
        return counts.true_positives


@catalogue.add()
class FalsePositives(_Count):
    """Number (or weight) of negative elements whose prediction is above the threshold.

    Args:
        thresholds: A number from 0 to 1 or a list of numbers; 0.5 if None.
        name: Name in the logs.
        dtype: Kept for configs; the counts are of type floatx.

    Raises:
        ArgumentError: A threshold is outside [0, 1].
    """

    _direction = "down"

    def _pick(self, counts: Counts) -> jax.Array:
        return counts.false_positives


@catalogue.add()
class TrueNegatives(_Count):
    """Number (or weight) of negative elements whose prediction is not above the threshold.

    Args:
        thresholds: A number from 0 to 1 or a list of numbers; 0.5 if None.
        name: Name in the logs.
        dtype: Kept for configs; the counts are of type floatx.

    Raises:
        ArgumentError: A threshold is outside [0, 1].
    """

    _direction = "up"

    def _pick(self, counts: Counts) -> jax.Array:
        return counts.negatives - counts.false_positives


@catalogue.add()
class FalseNegatives(_Count):
    """Number (or weight) of positive elements whose prediction is not above the threshold.

    Args:
        thresholds: A number from 0 to 1 or a list of numbers; 0.5 if None.
        name: Name in the logs.
        dtype: Kept for configs; the counts are of type floatx.

    Raises:
        ArgumentError: A threshold is outside [0, 1].
    """

    _direction = "down"

    def _pick(self, counts: Counts) -> jax.Array:
        return counts.positives - counts.true_positives


class _Ratio(Metric):
    """TP / (TP + errors of one kind), at one or several thresholds."""

    _direction = "up"
    _counts_samples = True
    _state_is_floatx = True
    _counts_whole_numbers = True
    _error_name: str

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        owner = type(self).__name__
        self.init_thresholds = thresholds
        self.top_k = None if top_k is None else positive_int("top_k", top_k, owner)
        self.class_id = checked_class(class_id, owner)
        # With top_k and no threshold, the k greatest predictions are positive whatever their size.
        default = 0.5 if top_k is None else LOWEST
        self._thresholds = checked_thresholds(thresholds, default, owner)
        shape = (len(self._thresholds),)
        self.true_positives = self.add_variable(shape, "zeros", name="true_positives")
        self._errors = self.add_variable(shape, "zeros", name=self._error_name)

    @property
    def thresholds(self) -> list[float]:
        """The thresholds."""
        return self._thresholds.tolist()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch to the state.

        Args:
            y_true: Targets: `(n,)` or `(n, 1)`, bool, integer or float; one-hot `(n, C)`; or labels
                0 to C - 1 for predictions `(n, C)`, which are converted to one-hot.
            y_pred: Predictions; those strictly above a threshold count as positive. With C classes
                every element counts.
            sample_weight: Weights of samples `(n,)` or of elements; None for 1.

        Raises:
            ShapeError: The shapes do not match, or `top_k` or `class_id` exceeds the number of
                classes.
        """
        counts = confusion_counts(
            y_true,
            y_pred,
            sample_weight,
            self._thresholds,
            type(self).__name__,
            dtype=self._state_dtype,
            top_k=self.top_k,
            class_id=self.class_id,
        )
        self.true_positives.assign_add(counts.true_positives)
        self._errors.assign_add(self._pick(counts))

    def result(self) -> jax.Array:
        """The ratio, 0 where it is 0 / 0: a number for a single threshold, else a vector."""
        correct = self.true_positives.value
        value = divide_no_nan(correct, correct + self._errors.value)
        return value[0] if len(self._thresholds) == 1 else value

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "thresholds": self.init_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }

    def _pick(self, counts: Counts) -> jax.Array:
        raise NotImplementedError


@catalogue.add()
class Precision(_Ratio):
    """The share of positive predictions that are correct: TP / (TP + FP).

    Args:
        thresholds: A number from 0 to 1 or a list of numbers; 0.5 if None.
        top_k: Only the `top_k` greatest predictions of each sample can be positive.
        class_id: Only this class is counted.
        name: Name in the logs.
        dtype: Kept for configs; the counts are of type floatx.

    Raises:
        ArgumentError: A threshold is outside [0, 1], `top_k` is not an int > 0, or `class_id` is
            not an int >= 0.
    """

    _error_name = "false_positives"

    @property
    def false_positives(self) -> Any:
        """The variable that counts false positives."""
        return self._errors

    def _pick(self, counts: Counts) -> jax.Array:
        return counts.false_positives


@catalogue.add()
class Recall(_Ratio):
    """The share of positive elements that are predicted positive: TP / (TP + FN).

    Args:
        thresholds: A number from 0 to 1 or a list of numbers; 0.5 if None.
        top_k: Only the `top_k` greatest predictions of each sample can be positive.
        class_id: Only this class is counted.
        name: Name in the logs.
        dtype: Kept for configs; the counts are of type floatx.

    Raises:
        ArgumentError: A threshold is outside [0, 1], `top_k` is not an int > 0, or `class_id` is
            not an int >= 0.
    """

    _error_name = "false_negatives"

    @property
    def false_negatives(self) -> Any:
        """The variable that counts false negatives."""
        return self._errors

    def _pick(self, counts: Counts) -> jax.Array:
        return counts.positives - counts.true_positives


def checked_class(class_id: Any, owner: str) -> int | None:
    """`class_id`, checked to be an int >= 0 or None.

    Raises:
        ArgumentError: It is neither.
    """
    if class_id is None:
        return None
    if not isinstance(class_id, numbers.Integral) or isinstance(class_id, bool) or class_id < 0:
        raise ArgumentError(
            f"{owner}: class_id must be the number of a class.",
            expected="an int >= 0 or None",
            received=repr(class_id),
        )
    return int(class_id)
