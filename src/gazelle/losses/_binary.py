"""Losses for binary targets.

With `p` the probability of the positive class and `t` the target: the cross-entropy
`-(t log p + (1 - t) log(1 - p))`, and the focal cross-entropy, which weights it by
`(1 - p_t)**gamma`, where `p_t` is the probability of the true class (Lin et al., "Focal loss for
dense object detection", 2017).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import epsilon
from gazelle.losses._base import SUM_OVER_BATCH_SIZE, BuiltinLoss
from gazelle.losses._catalogue import catalogue
from gazelle.losses._shapes import Axis, equal, power

_FIX = (
    "give the last layer one unit per binary target; for more than two classes use a categorical"
    " cross-entropy"
)


@catalogue.add("bce", "BCE")
def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axis = -1,
) -> jax.Array:
    """`-mean(t log p + (1 - t) log(1 - p))` over `axis`.

    Args:
        y_true: Targets from 0 to 1, `(batch, ..., outputs)`.
        y_pred: Probabilities, or logits, of the same shape.
        from_logits: `y_pred` holds logits, not probabilities.
        label_smoothing: How far targets are moved towards 0.5, from 0 to 1.
        axis: The axis over which the mean is taken.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes differ.
    """
    t, y_pred = equal("binary_crossentropy", y_true, y_pred, _FIX)
    t = _smoothed(t, label_smoothing)
    losses = _from_logits(t, y_pred) if from_logits else _from_probabilities(t, y_pred)
    return jnp.mean(losses, axis)


@catalogue.add()
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axis = -1,
) -> jax.Array:
    """Mean over `axis` of the binary cross-entropy, weighted by `(1 - p_t)**gamma`.

    The weights are small for easy samples.

    Args:
        y_true: Targets from 0 to 1, `(batch, ..., outputs)`.
        y_pred: Probabilities, or logits, of the same shape.
        apply_class_balancing: Weight the positive class by `alpha`, the negative by `1 - alpha`.
        alpha: Weight of the positive class, from 0 to 1.
        gamma: How strongly easy samples are down-weighted; 0 for not at all.
        from_logits: `y_pred` holds logits, not probabilities.
        label_smoothing: How far targets are moved towards 0.5, from 0 to 1.
        axis: The axis over which the mean is taken.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes differ.
    """
    t, p = equal("binary_focal_crossentropy", y_true, y_pred, _FIX)
    t = _smoothed(t, label_smoothing)
    if from_logits:
        p = jax.nn.sigmoid(p)
    p_t = t * p + (1.0 - t) * (1.0 - p)
    losses = power(1.0 - p_t, gamma) * _from_probabilities(t, p)
    if apply_class_balancing:
        losses = (t * alpha + (1.0 - t) * (1.0 - alpha)) * losses
    return jnp.mean(losses, axis)


@catalogue.add()
class BinaryCrossentropy(BuiltinLoss):
    """`-mean(t log p + (1 - t) log(1 - p))`, see `binary_crossentropy`.

    Args:
        from_logits: Predictions are logits, not probabilities.
        label_smoothing: How far targets are moved towards 0.5, from 0 to 1.
        axis: The axis over which the mean is taken.
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axis = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            binary_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@catalogue.add()
class BinaryFocalCrossentropy(BuiltinLoss):
    """Binary cross-entropy that down-weights easy samples, see `binary_focal_crossentropy`.

    Args:
        apply_class_balancing: Weight the positive class by `alpha`, the negative by `1 - alpha`.
        alpha: Weight of the positive class, from 0 to 1.
        gamma: How strongly easy samples are down-weighted; 0 for not at all.
        from_logits: Predictions are logits, not probabilities.
        label_smoothing: How far targets are moved towards 0.5, from 0 to 1.
        axis: The axis over which the mean is taken.
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axis = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


def _smoothed(t: jax.Array, label_smoothing: float) -> jax.Array:
    if not label_smoothing:
        return t
    return t * (1.0 - label_smoothing) + 0.5 * label_smoothing


def _from_probabilities(t: jax.Array, p: jax.Array) -> jax.Array:
    p = jnp.clip(p, epsilon(), 1.0 - epsilon())
    return -(t * jnp.log(p) + (1.0 - t) * jnp.log(1.0 - p))


def _from_logits(t: jax.Array, z: jax.Array) -> jax.Array:
    # This is t softplus(-z) + (1 - t) softplus(z), with softplus(z) = max(z, 0) + log1p(exp(-|z|)).
    # It needs one exp and one log, and does not cancel where the loss is small.
    linear = t * jnp.maximum(-z, 0.0) + (1.0 - t) * jnp.maximum(z, 0.0)
    return linear + jnp.log1p(jnp.exp(-jnp.abs(z)))
