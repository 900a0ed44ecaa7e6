"""Area under the ROC, precision-recall or precision-recall-gain curve, summed over thresholds.

The area under the precision-recall curve is interpolated as in Davis and Goadrich, "The
relationship between Precision-Recall and ROC curves", 2006. Precision-recall-gain curves: Flach and
Kull, "Precision-Recall-Gain curves: PR analysis done right", 2015.
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
from gazelle.metrics._base import catalogue, divide_no_nan
from gazelle.metrics._threshold_curves import ThresholdCurve


@catalogue.add()
class AUC(ThresholdCurve):
    """Area under the ROC, precision-recall or precision-recall-gain curve.

    The curve is sampled at many thresholds; scores between two neighbouring thresholds count as
    equal.

    Args:
        num_thresholds: Number of evenly spaced thresholds, an int > 1.
        curve: `"ROC"`, `"PR"` or `"PRGAIN"`.
        summation_method: `"interpolation"` (trapezoids; for PR the interpolation of Davis and
            Goadrich), `"minoring"` or `"majoring"` (the lower or the higher rectangles).
        name: Name in the logs.
        dtype: Kept for configs; the counts are of type floatx.
        thresholds: Explicit thresholds instead of `num_thresholds`; one below 0 and one above 1 are
            added.
        multi_label: Whether to compute one area per column of predictions `(n, labels)` and average
            them.
        num_labels: Number of labels for `multi_label`; taken from the data if None.
        label_weights: Weights of the labels in that average; for `multi_label=False` weights of
            the columns of the data.
        from_logits: Whether predictions are logits, to which a sigmoid is applied.

    Raises:
        ArgumentError: An argument has another value, or `num_labels` is given without
            `multi_label`.
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
                fix="pass multi_label=True or omit num_labels",
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
        """Create the counts, `(thresholds,)` or, with `multi_label`, `(thresholds, labels)`.

        Args:
            y_true_shape: Shape of the targets; not used.
            y_pred_shape: Shape of the predictions; its last size is the number of labels.

        Raises:
            ShapeError: With `multi_label`, the predictions do not have two axes, or the number of
                labels differs from that of `label_weights`.
        """
        shape: tuple[int, ...] = (self.num_thresholds,)
        if self.multi_label:
            if len(y_pred_shape) != 2 or self.num_labels not in (None, y_pred_shape[1]):
                raise ShapeError(
                    "AUC: `y_pred` must have rank 2 when `multi_label=True`.",
                    expected=f"(n, {self.num_labels or 'labels'})",
                    received=tuple(y_pred_shape),
                    fix="omit multi_label if there is a single score per sample",
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
        """Add a batch to the state.

        Args:
            y_true: Targets 0 or 1: `(n,)`, `(n, 1)` or the predictions' shape; or labels 0 to C - 1
                for predictions `(n, C)`.
            y_pred: Scores, which are clipped to 0 to 1, or logits.
            sample_weight: Weights of samples `(n,)` or of elements; None for 1.

        Raises:
            ShapeError: The shapes do not match.
        """
        y_pred = jnp.asarray(y_pred)
        if not self.built or self.multi_label:
            self.build(np.shape(y_true), y_pred.shape)
        if self.from_logits:
            y_pred = jax.nn.sigmoid(y_pred)
        if self.label_weights is not None and not self.multi_label:
            columns = jnp.broadcast_to(self.label_weights, y_pred.shape)
            if sample_weight is None:
                sample_weight = columns
            else:
                sample_weight = self._times(columns, sample_weight)
        self._add_counts(y_true, y_pred, sample_weight, per_label=self.multi_label)

    def result(self) -> jax.Array:
        """The area.

        Raises:
            StateError: With `multi_label`, no batch was added yet.
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
        """The constructor's arguments."""
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
    def _all_thresholds(num_thresholds: Any, inner: list[float] | None) -> np.ndarray:
        """The inner thresholds, evenly spaced if None, between one below 0 and one above 1."""
        if inner is None:
            if positive_int("num_thresholds", num_thresholds, "AUC") == 1:
                raise ArgumentError(
                    "AUC: Argument `num_thresholds` must be an integer > 1.",
                    expected="an int > 1",
                    received=f"num_thresholds={num_thresholds}",
                )
            inner = [(i + 1) / (num_thresholds - 1) for i in range(num_thresholds - 2)]
        return np.array([-epsilon(), *inner, 1.0 + epsilon()])

    @staticmethod
    def _times(columns: jax.Array, sample_weight: Any) -> jax.Array:
        weight = jnp.asarray(sample_weight)
        missing_axes = columns.ndim - weight.ndim
        return columns * weight.reshape(weight.shape + (1,) * missing_axes)

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
    """X and y of the curve at all thresholds, with x descending."""
    recall = divide_no_nan(tp, tp + fn)
    if curve == "ROC":
        return divide_no_nan(fp, fp + tn), recall
    if curve == "PR":
        return recall, divide_no_nan(tp, tp + fp)
    # Recall gain: 1 - odds * FN / TP, clipped to 0 to 1; precision gain: 1 - odds * FP / TP.
    # The odds are positives / negatives.
    odds = divide_no_nan(tp + fn, fp + tn)
    recall_gain = jnp.where(tp == 0, 0.0, jnp.clip(1 - odds * divide_no_nan(fn, tp), 0.0, 1.0))
    return recall_gain, 1 - odds * divide_no_nan(fp, tp)


@jax.jit
def _interpolated_pr_area(tp: jax.Array, fp: jax.Array, fn: jax.Array) -> jax.Array:
    """Integral of precision over recall; between two thresholds TP is linear in P = TP + FP.

    With the slope s = dTP / dP and TP = i + s P, the precision is s + i / P, and its integral over
    recall is s (dTP + i log(P1 / P2)) / positives.
    """
    p = tp + fp
    d_tp = tp[:-1] - tp[1:]
    d_p = p[:-1] - p[1:]
    slope = divide_no_nan(d_tp, jnp.maximum(d_p, 0))
    intercept = tp[1:] - slope * p[1:]
    both = (p[:-1] > 0) & (p[1:] > 0)
    ratio = jnp.where(both, divide_no_nan(p[:-1], jnp.maximum(p[1:], 0)), 1.0)
    integral = slope * (d_tp + intercept * jnp.log(ratio))
    return jnp.sum(divide_no_nan(integral, tp[1:] + fn[1:]), axis=0)
