"""Right and wrong decisions at one or many thresholds: what confusion counts, precision, recall and AUC are made of."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.errors import ArgumentError, ShapeError
from gazelle.metrics.shapes import match_labels, spread_weight

# What every score among the `top_k` greatest exceeds.
LOWEST = -1e10


class Counts(NamedTuple):
    """Weighted numbers of elements: two at each of T thresholds, `(T,)` or `(T, labels)`, and two in all."""

    true_positives: jax.Array
    false_positives: jax.Array
    positives: jax.Array
    negatives: jax.Array


def checked_thresholds(thresholds: Any, default: float, owner: str) -> np.ndarray:
    """Thresholds from None (the default), a number or several numbers, as a float array of one axis.

    Raises:
        ArgumentError: One of them is no number from 0 to 1.
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
            fix="for a model that gives logits, end it with a sigmoid",
        )
    return np.array(several, dtype=np.float64)


def evenly_spaced(thresholds: Sequence[float] | np.ndarray) -> bool:
    """Whether three or more thresholds divide [0, 1] into equal parts; at the ends 1e-7 beyond counts as equal."""
    count = len(thresholds)
    return count >= 3 and np.allclose(
        thresholds, np.arange(count) / (count - 1), rtol=0.0, atol=2e-7
    )


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
        y_true: Targets in any form that `match_labels` takes; what is not 0 is positive.
        y_pred: Predictions.
        sample_weight: Weights of the samples or of the elements, or None.
        thresholds: Ascending where they are evenly spaced.
        owner: Name for error texts.
        dtype: Type of the counts.
        top_k: Only the k greatest predictions of each sample can be positive.
        class_id: Only this class is counted.
        per_label: Count each index of the last axis of `y_pred` `(n, labels)` by itself.

    Raises:
        ShapeError: The shapes do not fit, or `top_k` or `class_id` exceeds the number of classes.
    """
    y_true, y_pred = match_labels(y_true, y_pred, owner)
    y_pred = y_pred.astype(dtype)
    hit = (y_true != 0).astype(dtype)
    if sample_weight is None:
        miss = 1 - hit
    else:
        weight = spread_weight(sample_weight, y_pred.shape, dtype)
        hit, miss = hit * weight, (1 - hit) * weight
    if top_k is not None:
        y_pred = _keep_top_k(y_pred, top_k, owner)
    if class_id is not None:
        _check_class(class_id, y_pred.shape, owner)
        y_pred, hit, miss = y_pred[..., class_id], hit[..., class_id], miss[..., class_id]
    labels = y_pred.shape[-1] if per_label else 1
    y_pred = y_pred.reshape(-1, labels)  # (elements, labels)
    votes = jnp.stack(
        [hit.reshape(-1, labels), miss.reshape(-1, labels)], axis=-1
    )  # (elements, labels, 2)
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
    """The votes above each threshold, `(T, labels, 2)`, and in all, `(labels, 2)`."""
    above = y_pred > thresholds[:, None, None]  # (T, elements, labels)
    return jnp.sum(jnp.where(above[..., None], votes, 0), axis=1), jnp.sum(votes, axis=0)


@partial(jax.jit, static_argnums=(2, 3))
def _count_in_buckets(
    y_pred: jax.Array, votes: jax.Array, count: int, below: bool
) -> tuple[jax.Array, jax.Array]:
    """The same for `count` evenly spaced thresholds: elements by how many they exceed, summed from above."""
    bucket = jnp.ceil(jnp.clip(jnp.nan_to_num(y_pred, nan=0.0), 0, 1) * (count - 1)).astype(
        "int32"
    )  # 0 ... count - 1
    if below:  # the first threshold lies below 0, so that every prediction exceeds it
        bucket = jnp.maximum(bucket, 1)
    labels = jnp.arange(y_pred.shape[1])
    sums = jnp.zeros((count, *votes.shape[1:]), votes.dtype).at[bucket, labels].add(votes)
    from_above = jnp.flip(
        jnp.cumsum(jnp.flip(sums, 0), axis=0), 0
    )  # [t]: elements that exceed t thresholds or more
    above = jnp.concatenate(
        [from_above[1:], jnp.zeros_like(from_above[:1])]
    )  # none exceeds the last, 1
    return above, from_above[0]


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
