"""Losses of directions: cosine similarity of target and prediction, and circle loss of embeddings with class labels.

Circle loss (Sun et al., "Circle loss: a unified perspective of pair similarity optimization",
2020), with `d = 1 - cos` the distances to the other samples of the batch and margin `m`, one value
per sample: `softplus(logsumexp over the same class of gamma a (d - m) + logsumexp over other
classes of gamma b ((1 - m) - d))`, `a = max(m + d, 0)`, `b = max(1 + m - d, 0)`.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import epsilon
from gazelle._core.errors import ShapeError
from gazelle.losses.base import SUM_OVER_BATCH_SIZE, BuiltinLoss
from gazelle.losses.catalogue import catalogue
from gazelle.losses.shapes import compute_dtype, matched


@catalogue.add("cosine_proximity")
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array:
    """`-cos(y_true, y_pred)` along `axis`: -1 for the same direction, 1 for opposite ones, 0 for a zero vector.

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
    # The bound stands under the root, not behind it: so the gradient of a zero vector is 0 and not
    # NaN.
    scales = [
        jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(values), axis), epsilon() ** 2))
        for values in (y_true, y_pred)
    ]
    return -jnp.sum(y_true * y_pred, axis) * scales[0] * scales[1]


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
    """Circle loss: embeddings of one class are drawn together, those of different classes apart.

    Args:
        y_true: Class numbers, `(batch,)` or `(batch, 1)`.
        y_pred: Embeddings of length 1, `(batch, components)`.
        ref_labels: Class numbers of what the embeddings are compared with; None for the batch
            itself.
        ref_embeddings: Embeddings of what they are compared with, `(references, components)`; None
            for the batch.
        remove_diagonal: Do not compare the embedding i with the reference i, which is the same
            sample by default.
        gamma: Scale.
        margin: From 0 to 1; smaller is stricter.

    Returns:
        Losses, `(batch,)`; 0 for a sample without another of its class or of other classes.

    Raises:
        ShapeError: The shapes do not match.
    """
    x = jnp.asarray(y_pred)
    x = x.astype(compute_dtype(x.dtype))
    labels = jnp.asarray(y_true)
    references = x if ref_embeddings is None else jnp.asarray(ref_embeddings).astype(x.dtype)
    other_labels = labels if ref_labels is None else jnp.asarray(ref_labels)
    if x.ndim != 2 or labels.size != len(x) or other_labels.size != len(references):
        raise ShapeError(
            "circle: y_true must hold one class number per embedding.",
            expected="y_true of shape (batch,) and y_pred of shape (batch, components)",
            received=f"{labels.shape} and {x.shape}",
            fix="pass integer labels; of one-hot ones np.argmax(y_true, -1)",
        )
    distance = jnp.maximum(1.0 - x @ references.T, 0.0)  # (batch, references)
    same = labels.reshape(-1, 1) == other_labels.reshape(1, -1)
    different = ~same
    if remove_diagonal:
        same = same & ~jnp.eye(*same.shape, dtype=bool)
    near = gamma * jnp.maximum(margin + distance, 0.0) * (distance - margin)
    far = gamma * jnp.maximum(1.0 + margin - distance, 0.0) * (1.0 - margin - distance)
    return jax.nn.softplus(_log_sum_exp(near, same) + _log_sum_exp(far, different))


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
    """Circle loss of the embeddings of a batch, see `circle`.

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


def _log_sum_exp(values: jax.Array, mask: jax.Array) -> jax.Array:
    # A large number stands for infinity in a row without a single true place, whose gradient would
    # be NaN.
    return jax.nn.logsumexp(jnp.where(mask, values, jnp.finfo(values.dtype).min / 4), 1)
