"""Resolves `"accuracy"` and `"crossentropy"` to the metric that matches the shapes of the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gazelle._core.names import snake_case
from gazelle._core.types import ShapeLike
from gazelle.metrics._accuracy import BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy
from gazelle.metrics._averages import MeanMetricWrapper
from gazelle.metrics._base import Metric
from gazelle.metrics._epoch_function import EpochFunction, is_of_sklearn
from gazelle.metrics._probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)


def is_accuracy(identifier: Any) -> bool:
    """Whether `identifier` is `"accuracy"` or `"acc"`, in upper or lower case."""
    return isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc")


def is_crossentropy(identifier: Any) -> bool:
    """Whether `identifier` is `"crossentropy"` or `"ce"`, in upper or lower case."""
    return isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce")


def accuracy_for(
    name: str, y_true_shape: ShapeLike, y_pred_shape: ShapeLike, *, from_logits: bool = False
) -> Metric:
    """The accuracy metric that matches an output.

    A single output gives `BinaryAccuracy`, several outputs with class labels as targets give
    `SparseCategoricalAccuracy`, all others give `CategoricalAccuracy`.

    Args:
        name: Name of the metric: the string that the user passed.
        y_true_shape: Shape of the targets.
        y_pred_shape: Shape of the predictions.
        from_logits: Whether predictions are logits; the threshold of a single output is then 0
            instead of 0.5.
    """
    kind = _kind(y_true_shape, y_pred_shape)
    if kind == "binary":
        return BinaryAccuracy(name=name, threshold=0.0 if from_logits else 0.5)
    if kind == "sparse":
        return SparseCategoricalAccuracy(name=name)
    return CategoricalAccuracy(name=name)


def crossentropy_for(
    name: str, y_true_shape: ShapeLike, y_pred_shape: ShapeLike, *, from_logits: bool = False
) -> Metric:
    """The cross-entropy metric that matches an output, chosen as by `accuracy_for`.

    Args:
        name: Name of the metric: the string that the user passed.
        y_true_shape: Shape of the targets.
        y_pred_shape: Shape of the predictions.
        from_logits: Whether predictions are logits.
    """
    kinds = {
        "binary": BinaryCrossentropy,
        "sparse": SparseCategoricalCrossentropy,
        "categorical": CategoricalCrossentropy,
    }
    return kinds[_kind(y_true_shape, y_pred_shape)](name=name, from_logits=from_logits)


def from_function(function: Callable[..., Any]) -> Metric:
    """Wraps a user's function `(y_true, y_pred)` in a metric of the same name, in snake case.

    A function of scikit-learn becomes an `EpochFunction`, all others the mean over the batches.
    """
    if is_of_sklearn(function):
        return EpochFunction(function)
    name = getattr(function, "__name__", None) or type(function).__name__
    return MeanMetricWrapper(function, name=snake_case(name))


def _kind(y_true_shape: ShapeLike, y_pred_shape: ShapeLike) -> str:
    if len(y_pred_shape) < 2 or y_pred_shape[-1] == 1:
        return "binary"
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return "sparse"
    return "categorical"
