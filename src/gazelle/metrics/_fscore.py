"""F-beta = (1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP), per class or averaged."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.checks import one_of
from gazelle._core.errors import ArgumentError, ShapeError, StateError
from gazelle.metrics._base import Metric, catalogue, divide_no_nan
from gazelle.metrics._shapes import match_labels, spread_weight


@catalogue.add("fbeta_score", "fbeta")
class FBetaScore(Metric):
    """The weighted harmonic mean of precision and recall.

    The score of a class without true and predicted elements is 0. The value is exact, as in
    scikit-learn (Keras adds 1e-7 to its divisors, so that perfect predictions reach 0.9999998).

    Args:
        average: None for a vector of one score per class; `"micro"` for one score from the counts
            of all classes; `"macro"` for the mean of the scores; `"weighted"` for the mean weighted
            by the number of true elements per class.
        beta: Recall counts `beta` times as much as precision, > 0.
        threshold: Predictions strictly above it are positive, 0 < threshold <= 1. If None, the
            greatest prediction of each sample is positive (every one of them if several are equal);
            for a single output, predictions above 0.5 are.
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.

    Raises:
        ArgumentError: An argument has another value.
    """

    _direction = "up"
    _counts_samples = True

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        owner = type(self).__name__
        self.average = one_of("average", average, (None, "micro", "macro", "weighted"), owner)
        if not isinstance(beta, float) or not 0 < beta < math.inf:
            raise ArgumentError(
                f"{owner}: beta is out of range.",
                expected="a float > 0, such as 2.0",
                received=f"beta={beta!r}",
            )
        within = isinstance(threshold, float) and 0 < threshold <= 1
        if threshold is not None and not within:
            raise ArgumentError(
                f"{owner}: threshold is out of range.",
                expected="None or a float with 0 < threshold <= 1, such as 0.5",
                received=f"threshold={threshold!r}",
            )
        self.beta = beta
        self.threshold = threshold
        self.built = False

    def build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        """Create the counts, one of each kind per class.

        Args:
            y_true_shape: Shape of the targets; not used.
            y_pred_shape: Shape of the predictions, `(n, classes)` or `(n,)`.

        Raises:
            ShapeError: The predictions have more than two axes.
        """
        if len(y_pred_shape) not in (1, 2):
            raise ShapeError(
                f"{type(self).__name__}: predictions must have two axes.",
                expected="(n, classes) or (n,)",
                received=tuple(y_pred_shape),
            )
        classes = 1 if len(y_pred_shape) == 1 else y_pred_shape[1]
        self.true_positives = self.add_variable((classes,), "zeros", name="true_positives")
        self.false_positives = self.add_variable((classes,), "zeros", name="false_positives")
        self.false_negatives = self.add_variable((classes,), "zeros", name="false_negatives")
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch to the state.

        Args:
            y_true: Targets, bool, integer or float: 0 or 1 of shape `(n,)` or `(n, 1)` for a single
                output; labels 0 to C - 1, or one-hot or multi-hot rows `(n, C)`, for C outputs.
            y_pred: Predictions `(n, C)`, `(n, 1)` or `(n,)`.
            sample_weight: Weights of samples `(n,)` or of elements; None for 1.

        Raises:
            ShapeError: The shapes do not match.
        """
        y_true, y_pred = match_labels(y_true, y_pred, type(self).__name__)
        if not self.built:
            self.build(y_true.shape, y_pred.shape)
        if y_pred.ndim == 1:
            y_true, y_pred = y_true[:, None], y_pred[:, None]
        true = y_true.astype(self.dtype)  # (n, classes)
        positive = self._decide(y_pred).astype(self.dtype)
        hit, false_alarm, missed = positive * true, positive * (1 - true), (1 - positive) * true
        if sample_weight is not None:
            weight = spread_weight(sample_weight, y_pred.shape, self.dtype)
            hit, false_alarm, missed = hit * weight, false_alarm * weight, missed * weight
        self.true_positives.assign_add(jnp.sum(hit, axis=0))
        self.false_positives.assign_add(jnp.sum(false_alarm, axis=0))
        self.false_negatives.assign_add(jnp.sum(missed, axis=0))

    def result(self) -> jax.Array:
        """The score: a vector `(classes,)` if `average` is None, else a number.

        Raises:
            StateError: No batch was added yet.
        """
        if not self.built:
            raise StateError(
                f"{type(self).__name__} has seen no data yet.", fix="call update_state first"
            )
        tp, fp = self.true_positives.value, self.false_positives.value
        fn = self.false_negatives.value
        support = tp + fn
        if self.average == "micro":
            tp, fp, fn = jnp.sum(tp), jnp.sum(fp), jnp.sum(fn)
        b2 = self.beta**2
        scores = divide_no_nan((1 + b2) * tp, (1 + b2) * tp + b2 * fn + fp)
        if self.average == "macro":
            return jnp.mean(scores)
        if self.average == "weighted":
            return divide_no_nan(jnp.sum(scores * support), jnp.sum(support))
        return scores

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "average": self.average,
            "beta": self.beta,
            "threshold": self.threshold,
        }

    def _decide(self, y_pred: jax.Array) -> jax.Array:
        """Which elements are predicted positive."""
        if self.threshold is not None:
            return y_pred > self.threshold
        if y_pred.shape[1] == 1:
            return y_pred > 0.5
        is_greatest = y_pred >= jnp.max(y_pred, axis=-1, keepdims=True)
        # Like in Keras, a row of zeros predicts no class.
        return is_greatest & (jnp.abs(y_pred) > 1e-9)


@catalogue.add("f1")
class F1Score(FBetaScore):
    """The harmonic mean of precision and recall, 2 TP / (2 TP + FN + FP).

    Labels, thresholds and exactness are those of `FBetaScore`.

    Args:
        average: None (a vector of one score per class), `"micro"`, `"macro"` or `"weighted"`.
        threshold: Predictions strictly above it are positive. If None, the greatest prediction of
            each sample is; for a single output, predictions above 0.5 are.
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.

    Raises:
        ArgumentError: An argument has another value.
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ):
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        del config["beta"]
        return config
