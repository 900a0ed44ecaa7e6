"""Correlation metrics: cosine similarity, Pearson's correlation, Lin's concordance correlation.

Each is computed along `axis` (by default within each sample) and averaged over the other axes.
Concordance: Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics
45, 1989.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gazelle import losses
from gazelle._core.dtypes import epsilon, floatx, is_float
from gazelle.metrics._averages import FunctionMetric
from gazelle.metrics._base import catalogue
from gazelle.metrics._shapes import align

Axis = int | tuple[int, ...]


@catalogue.add("cosine_proximity")
class CosineSimilarity(FunctionMetric):
    """Mean of (y . p) / (|y| |p|), from -1 to 1; 0 where a vector is all zeros.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
        axis: The axis of the vectors' components.
    """

    _direction = "up"

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1):
        super().__init__(_cosine, name, dtype, axis=axis)


@catalogue.add("pearson")
class PearsonCorrelation(FunctionMetric):
    """Mean of Pearson's correlation along an axis, from -1 to 1; NaN for constant values.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
        axis: The axis or axes to correlate along: -1 within each sample, 0 over the samples of a
            batch.
    """

    _direction = "up"

    def __init__(
        self, name: str | None = "pearson_correlation", dtype: Any = None, axis: Axis = -1
    ):
        super().__init__(pearson_correlation, name, dtype, axis=_axis(axis))


@catalogue.add("concordance")
class ConcordanceCorrelation(FunctionMetric):
    """Mean of Lin's concordance correlation along an axis, from -1 to 1.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
        axis: The axis or axes to correlate along: -1 within each sample, 0 over the samples of a
            batch.
    """

    _direction = "up"

    def __init__(
        self, name: str | None = "concordance_correlation", dtype: Any = None, axis: Axis = -1
    ):
        super().__init__(concordance_correlation, name, dtype, axis=_axis(axis))


@catalogue.add()
def pearson_correlation(y_true: Any, y_pred: Any, axis: Axis = -1) -> jax.Array:
    """cov(y, p) / (sd(y) sd(p)) along `axis`, which is removed; NaN where one is constant.

    Args:
        y_true: Targets.
        y_pred: Predictions of the same shape.
        axis: The axis or axes to correlate along.

    Raises:
        ShapeError: The shapes do not match.
    """
    t, p = _floats(y_true, y_pred, "pearson_correlation")
    t = t - jnp.mean(t, axis=axis, keepdims=True)
    p = p - jnp.mean(p, axis=axis, keepdims=True)
    deviations = jnp.sqrt(jnp.mean(t * t, axis=axis)) * jnp.sqrt(jnp.mean(p * p, axis=axis))
    return jnp.mean(t * p, axis=axis) / deviations


@catalogue.add()
def concordance_correlation(y_true: Any, y_pred: Any, axis: Axis = -1) -> jax.Array:
    """2 cov(y, p) / (var y + var p + (mean y - mean p)^2) along `axis`, which is removed.

    Args:
        y_true: Targets.
        y_pred: Predictions of the same shape.
        axis: The axis or axes to correlate along.

    Raises:
        ShapeError: The shapes do not match.
    """
    t, p = _floats(y_true, y_pred, "concordance_correlation")
    mean_t, mean_p = jnp.mean(t, axis=axis, keepdims=True), jnp.mean(p, axis=axis, keepdims=True)
    covariance = jnp.mean((t - mean_t) * (p - mean_p), axis=axis)
    distance = jnp.squeeze(jnp.square(mean_t - mean_p), axis=axis)
    variances = jnp.var(t, axis=axis) + jnp.var(p, axis=axis)
    return 2 * covariance / (variances + distance + epsilon())


def _cosine(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array:
    return -losses.cosine_similarity(y_true, y_pred, axis=axis)


def _floats(y_true: Any, y_pred: Any, owner: str) -> tuple[jax.Array, jax.Array]:
    y_true, y_pred = align(y_true, y_pred, owner)
    if not is_float(y_pred.dtype):
        y_pred = y_pred.astype(floatx())
    return y_true.astype(y_pred.dtype), y_pred


def _axis(axis: Any) -> Axis:
    return tuple(axis) if isinstance(axis, list) else axis
