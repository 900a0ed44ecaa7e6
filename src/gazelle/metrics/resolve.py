"""Which metric compile's `"accuracy"` and `"crossentropy"` stand for, told from the shapes of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gazelle._core.names import snake_case
from gazelle.metrics.accuracy import BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy
from gazelle.metrics.averages import MeanMetricWrapper
from gazelle.metrics.base import Metric
from gazelle.metrics.probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)

Shape = Sequence[int | None]


def is_accuracy(identifier: Any) -> bool:
    """Whether `identifier` asks for the accuracy that fits the output: `"accuracy"` or `"acc"` in any case."""
    return isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc")


def is_crossentropy(identifier: Any) -> bool:
    """Whether `identifier` asks for the crossentropy that fits the output: `"crossentropy"` or `"ce"` in any case."""
    return isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce")


def accuracy_for(
    name: str, y_true_shape: Shape, y_pred_shape: Shape, *, from_logits: bool = False
) -> Metric:
    """The accuracy that fits an output.

    One output: `BinaryAccuracy`; class labels beside several: `SparseCategoricalAccuracy`; else
    `CategoricalAccuracy`.

    Args:
        name: The user's string, which is the metric's name.
        y_true_shape: Shape of the targets.
        y_pred_shape: Shape of the predictions.
        from_logits: Whether predictions are logits: then a single output is split at 0.0 and not at
            0.5.
    """
    kind = _kind(y_true_shape, y_pred_shape)
    if kind == "binary":
        return BinaryAccuracy(name=name, threshold=0.0 if from_logits else 0.5)
    return (
        SparseCategoricalAccuracy(name=name) if kind == "sparse" else CategoricalAccuracy(name=name)
    )


def crossentropy_for(
    name: str, y_true_shape: Shape, y_pred_shape: Shape, *, from_logits: bool = False
) -> Metric:
    """The crossentropy that fits an output, chosen like `accuracy_for`.

    Args:
        name: The user's string, which is the metric's name.
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


def from_function(function: Callable[..., Any]) -> MeanMetricWrapper:
    """A user's function `(y_true, y_pred)` as a metric named like it, in snake case (`"lambda"` for a lambda)."""
    name = getattr(function, "__name__", None) or type(function).__name__
    return MeanMetricWrapper(function, name=snake_case(name))


def _kind(y_true_shape: Shape, y_pred_shape: Shape) -> str:
    if len(y_pred_shape) < 2 or y_pred_shape[-1] == 1:
        return "binary"
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return "sparse"
    return "categorical"
