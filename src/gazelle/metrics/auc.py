"""Area under the ROC, precision-recall or precision-recall-gain curve, summed over thresholds.

Area under the precision-recall curve by interpolation: Davis and Goadrich, "The relationship
between Precision-Recall and ROC curves", 2006. Precision-recall-gain: Flach and Kull,
"Precision-Recall-Gain curves: PR analysis done right", 2015.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.checks import one_of, positive_int
from gazelle._core.dtypes import epsilon
from gazelle._core.errors import ArgumentError, ShapeError, StateError
from gazelle.metrics.base import catalogue, divide_no_nan
from gazelle.metrics.curves import ThresholdCurve


@catalogue.add()
class AUC(ThresholdCurve):
    """Area under the ROC, precision-recall or precision-recall-gain curve, from its points at many thresholds.

    The area is exact up to the distance of the thresholds: scores that crowd between two of them
    count as equal.

    Args:
        num_thresholds: Number of evenly spaced thresholds, an int > 1.
        curve: `"ROC"`, `"PR"` or `"PRGAIN"`.
        summation_method: `"interpolation"` (trapezoids; for PR the interpolation of Davis and
            Goadrich), `"minoring"` or `"majoring"` (the lower or the higher rectangles).
        name: Name in the logs.
        dtype: Type of the state; floatx when None.
        thresholds: Thresholds of your own in place of `num_thresholds`; one below 0 and one above 1
            are added.
        multi_label: Whether each index of the last axis of `(n, labels)` has an area of its own, of
            which the result is the mean.
        num_labels: Number of labels for `multi_label`; taken from the data when None.
        label_weights: Weights of the labels in that mean; for `multi_label=False` weights of the
            columns of the data.
        from_logits: Whether predictions are logits, to which a sigmoid is applied.

    Raises:
        ArgumentError: An argument has none of these values, or `num_labels` without `multi_label`.
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ):
        super().__init__(name=name, dtype=dtype)
        self.curve = one_of("curve", curve, ("ROC", "PR", "PRGAIN"), "AUC")
        self.summation_method = one_of(
            "summation_method", summation_method, ("interpolation", "majoring", "minoring"), "AUC"
        )
        if num_labels is not None and not multi_label:
            raise ArgumentError(
                "AUC: `num_labels` is needed only when `multi_label` is True.",
                received=f"num_labels={num_labels}, multi_label={multi_label}",
                fix="pass multi_label=True or leave num_labels out",
            )
        self._init_thresholds = None if thresholds is None else sorted(float(t) for t in thresholds)
        self._thresholds = self._all_thresholds(num_thresholds, self._init_thresholds)
        self.num_thresholds = len(self._thresholds)
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = (
            None if label_weights is None else np.asarray(label_weights, np.float32)
        )
        self.from_logits = from_logits
        self.built = False
        if not multi_label or num_labels is not None:
            self.build(None, (None, num_labels))

    def build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        """Make the counts, `(thresholds,)` or, with `multi_label`, `(thresholds, labels)`.

        Args:
            y_true_shape: Shape of the targets; not used.
            y_pred_shape: Shape of the predictions; its last size is the number of labels.

        Raises:
            ShapeError: Predictions without two axes for `multi_label`, or not as many labels as
                weights.
        """
        shape: tuple[int, ...] = (self.num_thresholds,)
        if self.multi_label:
            if len(y_pred_shape) != 2 or self.num_labels not in (None, y_pred_shape[1]):
                raise ShapeError(
                    "AUC: `y_pred` must have rank 2 when `multi_label=True`.",
                    expected=f"(n, {self.num_labels or 'labels'})",
                    received=tuple(y_pred_shape),
                    fix="leave multi_label out for a single score per sample",
                )
            shape = (self.num_thresholds, y_pred_shape[1])
            if self.label_weights is not None and self.label_weights.shape != (y_pred_shape[1],):
                raise ShapeError(
                    "AUC: label_weights must have one weight for each label.",
                    expected=(y_pred_shape[1],),
                    received=self.label_weights.shape,
                )
        if not self.built:
            self._make_counts(shape)
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch into account.

        Args:
            y_true: Targets 0 or 1: `(n,)`, `(n, 1)` or the predictions' shape; or labels 0 to C - 1
                beside `(n, C)`.
            y_pred: Scores from 0 to 1 (beyond, they count as 0 or 1), or logits.
            sample_weight: Weights of samples `(n,)` or of elements, or None.

        Raises:
            ShapeError: Shapes that do not fit.
        """
        y_pred = jnp.asarray(y_pred)
        if not self.built or self.multi_label:
            self.build(np.shape(y_true), y_pred.shape)
        if self.from_logits:
            y_pred = jax.nn.sigmoid(y_pred)
        if self.label_weights is not None and not self.multi_label:
            columns = jnp.broadcast_to(self.label_weights, y_pred.shape)
            sample_weight = (
                columns if sample_weight is None else self._times(columns, sample_weight)
            )
        self._add_counts(y_true, y_pred, sample_weight, per_label=self.multi_label)

    def result(self) -> jax.Array:
        """The area.

        Raises:
            StateError: With `multi_label`, before the first batch.
        """
        if not self.built:
            raise StateError("AUC has seen no data yet.", fix="call update_state first")
        tp, fp = self.true_positives.value, self.false_positives.value
        tn, fn = self.true_negatives.value, self.false_negatives.value
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = _interpolated_pr_area(tp, fp, fn)
        else:
            areas = self._area(*_curve_points(self.curve, tp, fp, tn, fn))
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return jnp.mean(areas)
        return divide_no_nan(jnp.sum(areas * self.label_weights), jnp.sum(self.label_weights))

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal metric."""
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "thresholds": self._init_thresholds,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self.from_logits,
        }

    @staticmethod
    def _all_thresholds(num_thresholds: Any, own: list[float] | None) -> np.ndarray:
        if own is None:
            if positive_int("num_thresholds", num_thresholds, "AUC") == 1:
                raise ArgumentError(
                    "AUC: Argument `num_thresholds` must be an integer > 1.",
                    expected="an int > 1",
                    received=f"num_thresholds={num_thresholds}",
                )
            own = [(i + 1) / (num_thresholds - 1) for i in range(num_thresholds - 2)]
        return np.array([-epsilon(), *own, 1.0 + epsilon()])

    @staticmethod
    def _times(columns: jax.Array, sample_weight: Any) -> jax.Array:
        weight = jnp.asarray(sample_weight)
        return columns * weight.reshape(weight.shape + (1,) * (columns.ndim - weight.ndim))

    def _area(self, x: jax.Array, y: jax.Array) -> jax.Array:
        heights = {
            "interpolation": (y[:-1] + y[1:]) / 2,
            "minoring": jnp.minimum(y[:-1], y[1:]),
            "majoring": jnp.maximum(y[:-1], y[1:]),
        }[self.summation_method]
        return jnp.sum((x[:-1] - x[1:]) * heights, axis=0)


@partial(jax.jit, static_argnums=0)
def _curve_points(
    curve: str, tp: jax.Array, fp: jax.Array, tn: jax.Array, fn: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """X and y of the curve at all thresholds; x falls."""
    recall = divide_no_nan(tp, tp + fn)
    if curve == "ROC":
        return divide_no_nan(fp, fp + tn), recall
    if curve == "PR":
        return recall, divide_no_nan(tp, tp + fp)
    # Gains: 1 - odds * FN / TP, from 0 to 1, and 1 - odds * FP / TP, where odds = positives /
    # negatives.
    odds = divide_no_nan(tp + fn, fp + tn)
    recall_gain = jnp.where(tp == 0, 0.0, jnp.clip(1 - odds * divide_no_nan(fn, tp), 0.0, 1.0))
    return recall_gain, 1 - odds * divide_no_nan(fp, tp)


@jax.jit
def _interpolated_pr_area(tp: jax.Array, fp: jax.Array, fn: jax.Array) -> jax.Array:
    """Integral of precision over recall, where between two thresholds TP is linear in P = TP + FP.

    With slope s = dTP / dP and TP = i + s P, precision is s + i / P, and its integral over recall
    is s (dTP + i log(P1 / P2)) / positives.
    """
    p = tp + fp
    d_tp = tp[:-1] - tp[1:]
    d_p = p[:-1] - p[1:]
    slope = divide_no_nan(d_tp, jnp.maximum(d_p, 0))
    intercept = tp[1:] - slope * p[1:]
    both = (p[:-1] > 0) & (p[1:] > 0)
    ratio = jnp.where(both, divide_no_nan(p[:-1], jnp.maximum(p[1:], 0)), 1.0)
    return jnp.sum(
        divide_no_nan(slope * (d_tp + intercept * jnp.log(ratio)), tp[1:] + fn[1:]), axis=0
    )
