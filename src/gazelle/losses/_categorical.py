"""Losses for one class out of several.

With `p` the probabilities and `t` the one-hot target:

- cross-entropy: `-sum(t log p)`;
- focal cross-entropy: `sum(alpha (1 - p)**gamma (-t log p))` (Lin et al., 2017);
- generalized cross-entropy: `(1 - p_c**q) / q` with `p_c` the probability of the true class. It
  lies between cross-entropy (q -> 0) and absolute error (q = 1), and is more robust to wrong labels
  than cross-entropy (Zhang and Sabuncu, 2018);
- Kullback-Leibler divergence: `sum(t log(t / p))`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import epsilon
from gazelle._core.errors import ArgumentError
from gazelle.losses._base import SUM_OVER_BATCH_SIZE, BuiltinLoss
from gazelle.losses._catalogue import catalogue
from gazelle.losses._shapes import equal, is_known_class, labels_for, matched, pick, power

_FIX = (
    "for integer targets use sparse_categorical_crossentropy, or make them one-hot with"
    " to_categorical"
)


@catalogue.add()
def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """`-sum(t log p)` over the classes, for one-hot targets.

    Args:
        y_true: One-hot targets or probabilities, `(batch, ..., classes)`.
        y_pred: Probabilities (normalized to sum to 1), or logits, of the same shape.
        from_logits: `y_pred` holds logits, not probabilities.
        label_smoothing: How far targets are moved towards equal probabilities, from 0 to 1.
        axis: The axis of the classes.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes differ.
    """
    t, y_pred = _one_hot("categorical_crossentropy", y_true, y_pred, label_smoothing, axis)
    if from_logits:
        return -jnp.sum(t * jax.nn.log_softmax(y_pred, axis), axis)
    p = jnp.clip(y_pred / jnp.sum(y_pred, axis, keepdims=True), epsilon(), 1.0 - epsilon())
    return -jnp.sum(t * jnp.log(p), axis)


@catalogue.add()
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """`sum(alpha (1 - p)**gamma (-t log p))` over the classes, which down-weights easy samples.

    Args:
        y_true: One-hot targets or probabilities, `(batch, ..., classes)`.
        y_pred: Probabilities (normalized to sum to 1), or logits, of the same shape.
        alpha: Weight, or one weight per class.
        gamma: How strongly easy samples are down-weighted; 0 for not at all.
        from_logits: `y_pred` holds logits, not probabilities.
        label_smoothing: How far targets are moved towards equal probabilities, from 0 to 1.
        axis: The axis of the classes.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes differ.
    """
    t, p = _one_hot("categorical_focal_crossentropy", y_true, y_pred, label_smoothing, axis)
    if from_logits:
        p = jax.nn.softmax(p, axis)
    p = jnp.clip(p / jnp.sum(p, axis, keepdims=True), epsilon(), 1.0 - epsilon())
    weight = jnp.asarray(alpha, p.dtype) * power(1.0 - p, gamma)
    return jnp.sum(weight * (-t * jnp.log(p)), axis)


@catalogue.add()
def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> jax.Array:
    """`-log p` of the true class, for integer targets.

    Args:
        y_true: Class numbers from 0, `(batch, ...)` or `(batch, ..., 1)`. The loss of a number out
            of range is 0.
        y_pred: Probabilities (normalized to sum to 1), or logits, `(batch, ..., classes)`.
        from_logits: `y_pred` holds logits, not probabilities.
        ignore_class: The class whose samples have a loss of 0; None for none.
        axis: The axis of the classes.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    labels, y_pred = labels_for("sparse_categorical_crossentropy", y_true, y_pred, axis)
    valid = is_known_class(labels, y_pred.shape[axis])
    if ignore_class is not None:
        kept = labels != ignore_class
        valid = valid & kept
        # The predictions of an ignored sample may hold anything, NaN included.
        y_pred = jnp.where(jnp.expand_dims(kept, axis), y_pred, 1.0)
    if from_logits:
        shifted = y_pred - jax.lax.stop_gradient(jnp.max(y_pred, axis, keepdims=True))
        log_p = pick(shifted, labels, axis) - jnp.log(jnp.sum(jnp.exp(shifted), axis))
    else:
        p = pick(y_pred, labels, axis) / jnp.sum(y_pred, axis)
        log_p = jnp.log(jnp.clip(p, epsilon(), 1.0 - epsilon()))
    return jnp.where(valid, -log_p, 0.0)


@catalogue.add()
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float = 0.5) -> jax.Array:
    """`(1 - p**q) / q` with `p` the probability of the true class, for integer targets.

    Args:
        y_true: Class numbers from 0, `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: Probabilities, `(batch, ..., classes)`.
        q: Between 0 and 1. Near 0 it is cross-entropy; near 1 it is more robust to wrong labels.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    labels, y_pred = labels_for("categorical_generalized_cross_entropy", y_true, y_pred, -1)
    return (1.0 - power(pick(y_pred, labels, -1), q)) / q


@catalogue.add("kld", "KLD", "kullback_leibler_divergence")
def kl_divergence(y_true: Any, y_pred: Any) -> jax.Array:
    """`sum(t log(t / p))` over the last axis, with both clipped to epsilon to 1.

    Args:
        y_true: Probabilities, `(batch, ..., classes)`.
        y_pred: Predicted probabilities of the same shape.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("kl_divergence", y_true, y_pred)
    t = jnp.clip(y_true, epsilon(), 1.0)
    return jnp.sum(t * jnp.log(t / jnp.clip(y_pred, epsilon(), 1.0)), -1)


@catalogue.add()
class CategoricalCrossentropy(BuiltinLoss):
    """`-sum(t log p)` for one-hot targets, see `categorical_crossentropy`.

    Args:
        from_logits: Predictions are logits, not probabilities.
        label_smoothing: How far targets are moved towards equal probabilities, from 0 to 1.
        axis: The axis of the classes.
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ):
        arguments = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_crossentropy, reduction, name, dtype, **arguments)


@catalogue.add()
class CategoricalFocalCrossentropy(BuiltinLoss):
    """Categorical cross-entropy that down-weights easy samples.

    See `categorical_focal_crossentropy`.

    Args:
        alpha: Weight, or one weight per class.
        gamma: How strongly easy samples are down-weighted; 0 for not at all.
        from_logits: Predictions are logits, not probabilities.
        label_smoothing: How far targets are moved towards equal probabilities, from 0 to 1.
        axis: The axis of the classes.
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@catalogue.add()
class SparseCategoricalCrossentropy(BuiltinLoss):
    """`-log p` of the true class, for integer targets, see `sparse_categorical_crossentropy`.

    Args:
        from_logits: Predictions are logits, not probabilities.
        ignore_class: The class whose samples count neither in the sum nor in the number of samples;
            None for none.
        reduction: See `Loss`.
        axis: The axis of the classes.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ):
        arguments = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(sparse_categorical_crossentropy, reduction, name, dtype, **arguments)
        self._ignore_class = ignore_class
        self._axis = axis

    def _mask(self, y_true: jax.Array, y_pred: jax.Array) -> jax.Array | None:
        if self._ignore_class is None:
            return None
        labels, _ = labels_for(self.name, y_true, y_pred, self._axis)
        return labels != self._ignore_class


@catalogue.add()
class CategoricalGeneralizedCrossEntropy(BuiltinLoss):
    """`(1 - p**q) / q` of the true class, see `categorical_generalized_cross_entropy`.

    Args:
        q: Between 0 and 1, both excluded.
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.

    Raises:
        ArgumentError: `q` is outside its interval.
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ):
        if not 0 < q < 1:
            raise ArgumentError(
                "CategoricalGeneralizedCrossEntropy: q must be in the interval (0, 1).",
                expected="0 < q < 1",
                received=repr(q),
                fix="use SparseCategoricalCrossentropy for q = 0",
            )
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)


@catalogue.add()
class KLDivergence(BuiltinLoss):
    """`sum(t log(t / p))`, see `kl_divergence`.

    Args:
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "kl_divergence",
        dtype: Any = None,
    ):
        super().__init__(kl_divergence, reduction, name, dtype)


def _one_hot(
    loss: str, y_true: Any, y_pred: Any, label_smoothing: float, axis: int
) -> tuple[jax.Array, jax.Array]:
    """The smoothed targets and the predictions, of the same shape; warns of a single class."""
    t, y_pred = equal(loss, y_true, y_pred, _FIX)
    if not isinstance(axis, int) or not -y_pred.ndim <= axis < y_pred.ndim:
        raise ArgumentError(
            f"{loss}: axis is not the axis of the classes.",
            expected=f"an int from {-y_pred.ndim} to {y_pred.ndim - 1}",
            received=f"axis={axis!r}",
        )
    if y_pred.shape[axis] == 1:
        warnings.warn(
            f"{loss} with a single class is always 0 (y_pred has shape {y_pred.shape}): for a"
            " binary output use 'binary_crossentropy'.",
            SyntaxWarning,
            stacklevel=3,
        )
    if label_smoothing:
        # Like Keras, count the classes along the last axis, whatever `axis` is.
        t = t * (1.0 - label_smoothing) + label_smoothing / t.shape[-1]
    return t, y_pred
