"""Confusion counts at one or many thresholds, from which precision, recall and AUC are computed."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.errors import ArgumentError, ShapeError
from gazelle.metrics._shapes import match_labels, spread_weight

# A threshold that every score among the `top_k` greatest exceeds.
LOWEST = -1e10


class Counts(NamedTuple):
    """Numbers (or weights) of elements."""

    true_positives: jax.Array  # per threshold: (T,) or (T, labels)
    false_positives: jax.Array  # per threshold: (T,) or (T, labels)
    positives: jax.Array  # in total: () or (labels,)
    negatives: jax.Array  # in total: () or (labels,)


def checked_thresholds(thresholds: Any, default: float, owner: str) -> np.ndarray:
    """One or several thresholds as a float array of one axis; `[default]` for None.

    Raises:
        ArgumentError: A threshold is not a number from 0 to 1.
    """
    if thresholds is None:
        return np.array([default])
    several = list(thresholds) if isinstance(thresholds, Iterable) else [thresholds]
    wrong = [t for t in several if not isinstance(t, numbers.Real) or not 0 <= float(t) <= 1]
    if wrong or not several:
        raise ArgumentError(
            f"{owner}: Threshold values must be in [0, 1].",
            expected="a number from 0 to 1, or a list of such numbers",
            received=repr(thresholds),
            fix="if the model outputs logits, end it with a sigmoid",
        )
    return np.array(several, dtype=np.float64)


def evenly_spaced(thresholds: Sequence[float] | np.ndarray) -> bool:
    """Whether there are at least three thresholds, which divide [0, 1] into equal parts.

    The first and the last may lie 1e-7 outside of the interval.
    """
    count = len(thresholds)
    if count < 3:
        return False
    return np.allclose(thresholds, np.arange(count) / (count - 1), rtol=0.0, atol=2e-7)


def confusion_counts(
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    thresholds: np.ndarray,
    owner: str,
    *,
    dtype: Any = "float32",
    top_k: int | None = None,
    class_id: int | None = None,
    per_label: bool = False,
) -> Counts:
    """Count the elements of a batch whose prediction is strictly above each threshold.

    Args:
        y_true: Targets in any form that `match_labels` takes; nonzero targets are positive.
        y_pred: Predictions.
        sample_weight: Weights of the samples or of the elements; None for 1.
        thresholds: Thresholds; ascending if they are evenly spaced.
        owner: Name for error texts.
        dtype: Dtype of the counts.
        top_k: Only the k greatest predictions of each sample can be positive.
        class_id: Only this class is counted.
        per_label: Count each index of the last axis of `y_pred` `(n, labels)` separately.

    Raises:
        ShapeError: The shapes do not match, or `top_k` or `class_id` exceeds the number of classes.
    """
    if class_id is not None and jnp.ndim(y_pred) < 2:
        raise ShapeError(
            f"{owner}: class_id needs predictions of several classes.",
            expected="predictions (n, C)",
            received=f"shape {jnp.shape(y_pred)}",
            fix="leave out class_id",
        )
    y_true, y_pred = match_labels(y_true, y_pred, owner)
    y_pred = y_pred.astype(dtype)
    positive = (y_true != 0).astype(dtype)
    negative = 1 - positive
    if sample_weight is not None:
        weight = spread_weight(sample_weight, y_pred.shape, dtype)
        positive, negative = positive * weight, negative * weight
    if top_k is not None:
        y_pred = _keep_top_k(y_pred, top_k, owner)
    if class_id is not None:
        _check_class(class_id, y_pred.shape, owner)
        y_pred = y_pred[..., class_id]
        positive, negative = positive[..., class_id], negative[..., class_id]
    labels = y_pred.shape[-1] if per_label else 1
    y_pred = y_pred.reshape(-1, labels)  # (elements, labels)
    sides = [positive.reshape(-1, labels), negative.reshape(-1, labels)]
    votes = jnp.stack(sides, axis=-1)  # (elements, labels, 2)
    if evenly_spaced(thresholds):
        above, total = _count_in_buckets(y_pred, votes, len(thresholds), bool(thresholds[0] < 0))
    else:
        above, total = _count_each(y_pred, votes, jnp.asarray(thresholds, dtype))
    if not per_label:
        above, total = above[:, 0], total[0]
    return Counts(above[..., 0], above[..., 1], total[..., 0], total[..., 1])


@jax.jit
def _count_each(
    y_pred: jax.Array, votes: jax.Array, thresholds: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The sums of votes above each threshold, `(T, labels, 2)`, and in total, `(labels, 2)`."""
    above = y_pred[None] > thresholds[:, None, None]  # (T, elements, labels)
    return jnp.sum(jnp.where(above[..., None], votes, 0), axis=1), jnp.sum(votes, axis=0)


@partial(jax.jit, static_argnums=(2, 3))
def _count_in_buckets(
    y_pred: jax.Array, votes: jax.Array, count: int, below: bool
) -> tuple[jax.Array, jax.Array]:
    """`_count_each` for `count` evenly spaced thresholds, in one pass over the elements.

    Votes are summed by the number of thresholds that their predictions exceed; a cumulative sum
    then gives the votes above each threshold.
    """
    scaled = jnp.clip(jnp.nan_to_num(y_pred, nan=0.0), 0, 1) * (count - 1)
    exceeded = jnp.ceil(scaled).astype("int32")  # 0 ... count - 1
    if below:  # the first threshold lies below 0, so that every prediction exceeds it
        exceeded = jnp.maximum(exceeded, 1)
    labels = jnp.arange(y_pred.shape[1])
    sums = jnp.zeros((count, *votes.shape[1:]), votes.dtype).at[exceeded, labels].add(votes)
    # at_least[t] sums the votes of predictions that exceed t or more thresholds.
    at_least = jnp.flip(jnp.cumsum(jnp.flip(sums, 0), axis=0), 0)
    none = jnp.zeros_like(at_least[:1])  # no prediction exceeds the last threshold
    return jnp.concatenate([at_least[1:], none]), at_least[0]


def _keep_top_k(y_pred: jax.Array, k: int, owner: str) -> jax.Array:
    classes = y_pred.shape[-1]
    if k > classes:
        raise ShapeError(
            f"{owner}: top_k exceeds the number of classes.",
            expected=f"top_k from 1 to {classes}",
            received=f"top_k={k}, predictions {y_pred.shape}",
            fix=f"pass top_k <= {classes}",
        )
    _, best = jax.lax.top_k(y_pred, k)  # (..., k)
    kept = jnp.any(best[..., None] == jnp.arange(classes), axis=-2)
    return jnp.where(kept, y_pred, -jnp.inf)


def _check_class(class_id: int, shape: tuple[int, ...], owner: str) -> None:
    if class_id >= shape[-1]:
        raise ShapeError(
            f"{owner}: there is no class {class_id}.",
            expected=f"class_id from 0 to {shape[-1] - 1}",
            received=f"class_id={class_id}, predictions {shape}",
            fix="count classes from 0",
        )
