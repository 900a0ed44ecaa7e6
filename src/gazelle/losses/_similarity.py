"""Similarity losses: cosine similarity, and circle loss for embeddings with class labels.

Circle loss (Sun et al., "Circle loss: a unified perspective of pair similarity optimization",
2020) of one sample, with `d = 1 - cos` its distances to the other samples of the batch and margin
`m`: `softplus(logsumexp over the same class of gamma a (d - m) + logsumexp over other classes of
gamma b ((1 - m) - d))`, where `a = max(m + d, 0)` and `b = max(1 + m - d, 0)`.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import epsilon
from gazelle._core.errors import ShapeError
from gazelle._core.masks import set_mask
from gazelle.losses._base import SUM_OVER_BATCH_SIZE, BuiltinLoss
from gazelle.losses._catalogue import catalogue
from gazelle.losses._shapes import loss_dtype, matched


@catalogue.add("cosine_proximity")
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array:
    """`-cos(y_true, y_pred)` along `axis`: from -1 for the same direction to 1 for the opposite.

    It is 0 for a zero vector.

    Args:
        y_true: Vectors, `(batch, ..., components)`.
        y_pred: Vectors of the same shape.
        axis: The axis of the components.

    Returns:
        Losses, `(batch, ...)`.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = matched("cosine_similarity", y_true, y_pred)
    scale_true, scale_pred = _inverse_norm(y_true, axis), _inverse_norm(y_pred, axis)
    return -jnp.sum(y_true * y_pred, axis) * scale_true * scale_pred


@catalogue.add()
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> jax.Array:
    """Circle loss: pulls embeddings of one class together and pushes different classes apart.

    Args:
        y_true: Class numbers, `(batch,)` or `(batch, 1)`.
        y_pred: Embeddings of length 1, `(batch, components)`.
        ref_labels: Class numbers of the reference embeddings; None for those of the batch.
        ref_embeddings: The embeddings to compare with, `(references, components)`; None for those
            of the batch.
        remove_diagonal: Do not compare embedding i with reference i, which is the same sample by
            default.
        gamma: Scale.
        margin: From 0 to 1; smaller is stricter.

    Returns:
        Losses, `(batch,)`; 0 for a sample without another sample of its class, or without a sample
        of another class. A mean leaves these samples out.

    Raises:
        ShapeError: The shapes do not match.
    """
    x = jnp.asarray(y_pred)
    x = x.astype(loss_dtype(x.dtype))
    labels = jnp.asarray(y_true)
    references = x if ref_embeddings is None else jnp.asarray(ref_embeddings).astype(x.dtype)
    other_labels = labels if ref_labels is None else jnp.asarray(ref_labels)
    if x.ndim != 2 or labels.size != len(x) or other_labels.size != len(references):
        raise ShapeError(
            "circle: y_true must hold one class number per embedding.",
            expected="y_true of shape (batch,) and y_pred of shape (batch, components)",
            received=f"{labels.shape} and {x.shape}",
            fix="pass integer labels; for one-hot labels pass np.argmax(y_true, -1)",
        )
    distance = jnp.maximum(1.0 - x @ references.T, 0.0)  # (batch, references)
    same = labels.reshape(-1, 1) == other_labels.reshape(1, -1)
    different = ~same
    if remove_diagonal:
        same = same & ~jnp.eye(*same.shape, dtype=bool)
    near = gamma * jnp.maximum(margin + distance, 0.0) * (distance - margin)
    far = gamma * jnp.maximum(1.0 + margin - distance, 0.0) * (1.0 - margin - distance)
    losses = jax.nn.softplus(_log_sum_exp(near, same) + _log_sum_exp(far, different))
    set_mask(losses, losses > 0)  # as in Keras, a mean is that of the samples that have a loss
    return losses


@catalogue.add()
class CosineSimilarity(BuiltinLoss):
    """`-cos(y_true, y_pred)`, see `cosine_similarity`.

    Args:
        axis: The axis of the components.
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ):
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)


@catalogue.add()
class Circle(BuiltinLoss):
    """Circle loss of a batch of embeddings, see `circle`.

    Args:
        gamma: Scale.
        margin: From 0 to 1; smaller is stricter.
        remove_diagonal: Do not compare a sample with itself.
        reduction: See `Loss`.
        name: Name of the loss.
        dtype: See `Loss`.
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "circle",
        dtype: Any = None,
    ):
        arguments = {"gamma": gamma, "margin": margin, "remove_diagonal": remove_diagonal}
        super().__init__(circle, reduction, name, dtype, **arguments)


def _inverse_norm(values: jax.Array, axis: int) -> jax.Array:
    # Bounding the squared norm, not the norm, makes the gradient of a zero vector 0 instead of NaN.
    return jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(values), axis), epsilon() ** 2))


def _log_sum_exp(values: jax.Array, mask: jax.Array) -> jax.Array:
    # A large negative number replaces -inf, which would make the gradient of a row without any True
    # NaN.
    return jax.nn.logsumexp(jnp.where(mask, values, jnp.finfo(values.dtype).min / 4), 1)
