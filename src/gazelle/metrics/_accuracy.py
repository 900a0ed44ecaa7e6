"""Accuracies: the share of samples classified correctly. A NaN prediction is never correct."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.checks import positive_int
from gazelle._core.dtypes import floatx
from gazelle._core.errors import ArgumentTypeError
from gazelle.metrics._averages import FunctionMetric
from gazelle.metrics._base import catalogue
from gazelle.metrics._shapes import align, class_labels


@catalogue.add()
class Accuracy(FunctionMetric):
    """How often predictions equal targets exactly, element by element.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    _direction = "up"

    def __init__(self, name: str | None = "accuracy", dtype: Any = None):
        super().__init__(_equal, name, dtype)


@catalogue.add()
class BinaryAccuracy(FunctionMetric):
    """How often predictions are on the correct side of `threshold`, for targets 0 or 1.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
        threshold: Predictions strictly above it count as 1; 0.5 for probabilities, 0.0 for logits.

    Raises:
        ArgumentTypeError: `threshold` is not a number.
    """

    _direction = "up"

    def __init__(
        self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5
    ):
        if threshold is None or isinstance(threshold, str):
            raise ArgumentTypeError(
                "BinaryAccuracy: threshold must be a number.",
                expected="a float",
                received=repr(threshold),
            )
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


@catalogue.add()
class CategoricalAccuracy(FunctionMetric):
    """How often the greatest prediction is that of the target's class.

    The targets are one-hot `(n, C)`, or labels `(n,)` or `(n, 1)`.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    _direction = "up"

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None):
        super().__init__(categorical_accuracy, name, dtype)


@catalogue.add()
class SparseCategoricalAccuracy(FunctionMetric):
    """How often the greatest prediction is that of the target's class.

    The targets are labels `(n,)` or `(n, 1)`.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    _direction = "up"

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


@catalogue.add()
class TopKCategoricalAccuracy(FunctionMetric):
    """How often the target's class is among the `k` greatest predictions.

    The targets are one-hot `(n, C)`.

    Args:
        k: Number of predictions that count, an int > 0.
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.

    Raises:
        ArgumentError: `k` is not an int > 0.
    """

    _direction = "up"

    def __init__(
        self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None
    ):
        self.k = positive_int("k", k, type(self).__name__)
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


@catalogue.add()
class SparseTopKCategoricalAccuracy(FunctionMetric):
    """How often the target's class is among the `k` greatest predictions.

    The targets are labels `(n,)` or `(n, 1)`.

    Args:
        k: Number of predictions that count, an int > 0.
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
        from_sorted_ids: Whether predictions are class numbers, best first, instead of scores.

    Raises:
        ArgumentError: `k` is not an int > 0.
    """

    _direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ):
        self.k = positive_int("k", k, type(self).__name__)
        self.from_sorted_ids = from_sorted_ids
        super().__init__(
            sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids
        )


@catalogue.add()
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> jax.Array:
    """1 for each element of `y_pred` on the correct side of `threshold`, else 0.

    Args:
        y_true: 0 or 1, of the shape of `y_pred`; `(n,)` also matches `(n, 1)`.
        y_pred: Predictions; those strictly above `threshold` count as 1.
        threshold: The decision threshold.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_true, y_pred = align(y_true, y_pred, "binary_accuracy")
    # Two comparisons, so that NaN is on neither side.
    correct = jnp.where(y_true == 1, y_pred > threshold, (y_true == 0) & (y_pred <= threshold))
    return correct.astype(floatx())


@catalogue.add()
def categorical_accuracy(y_true: Any, y_pred: Any) -> jax.Array:
    """1 for each sample whose greatest prediction is that of the target's class, else 0.

    Args:
        y_true: One-hot `(..., C)`, or labels (Keras takes one-hot targets only).
        y_pred: Scores `(..., C)`; among equal scores the first counts as the greatest.

    Raises:
        ShapeError: The shapes do not match.
    """
    return sparse_categorical_accuracy(_labels(y_true, y_pred), y_pred)


@catalogue.add()
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> jax.Array:
    """1 for each sample whose greatest prediction is that of the target's class, else 0.

    Args:
        y_true: Labels `(...)` or `(..., 1)`, from 0 to C - 1.
        y_pred: Scores `(..., C)`; among equal scores the first counts as the greatest.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_pred = jnp.asarray(y_pred)
    labels = class_labels(y_true, y_pred, "sparse_categorical_accuracy")
    correct = labels == jnp.argmax(y_pred, axis=-1)
    # argmax counts NaN as the greatest; max is NaN for such a row.
    has_nan = jnp.isnan(jnp.max(y_pred, axis=-1))
    return (correct & ~has_nan).astype(floatx())


@catalogue.add()
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> jax.Array:
    """1 for each sample whose class is among its `k` greatest predictions, else 0.

    Args:
        y_true: One-hot `(..., C)`, or labels (Keras takes one-hot targets only).
        y_pred: Scores `(..., C)`; scores equal to the k-th greatest all count.
        k: Number of predictions that count.

    Raises:
        ShapeError: The shapes do not match.
    """
    return sparse_top_k_categorical_accuracy(_labels(y_true, y_pred), y_pred, k)


@catalogue.add()
def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> jax.Array:
    """1 for each sample whose class is among its `k` greatest predictions, else 0.

    Args:
        y_true: Labels `(...)` or `(..., 1)`, from 0 to C - 1.
        y_pred: Scores `(..., C)`, where scores equal to the k-th greatest all count; or class
            numbers, best first.
        k: Number of predictions that count.
        from_sorted_ids: Whether `y_pred` holds class numbers.

    Raises:
        ShapeError: The shapes do not match.
    """
    y_pred = jnp.asarray(y_pred)
    labels = class_labels(y_true, y_pred, "sparse_top_k_categorical_accuracy")
    labels = labels.astype("int32")[..., None]
    if from_sorted_ids:
        return jnp.any(y_pred[..., :k] == labels, axis=-1).astype(floatx())
    # The score of a label out of range is NaN, the fill value of a gather out of bounds. Negative
    # labels would index from the end.
    index = jnp.where(labels < 0, y_pred.shape[-1], labels)
    score = jnp.take_along_axis(y_pred, index, axis=-1, mode="fill")
    better = jnp.sum(~(y_pred <= score), axis=-1)  # NaN counts as better than everything
    return ((better < k) & ~jnp.isnan(score[..., 0])).astype(floatx())


def _equal(y_true: Any, y_pred: Any) -> jax.Array:
    y_true, y_pred = align(y_true, y_pred, "Accuracy")
    return (y_true == y_pred).astype(floatx())


def _labels(y_true: Any, y_pred: Any) -> jax.Array:
    """The class labels of one-hot rows; labels are returned as they are."""
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    return jnp.argmax(y_true, axis=-1) if y_true.shape == y_pred.shape else y_true
