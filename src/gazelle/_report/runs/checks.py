"""Checks of the values in a run folder, so that all code that uses them can rely on them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from gazelle._report.figures import two_columns
from gazelle._report.schema import (
    ClassificationMetrics,
    Curve,
    Metrics,
    MultiLabelMetrics,
    NetworkInfo,
    Predictions,
    RegressionMetrics,
    RunConfig,
    Samples,
    WorstRows,
)

TASKS = ("classification", "multilabel", "regression")
MOST_LAYERS = 20_000
MOST_CLASSES = 100_000
_SHARES = (
    "accuracy",
    "chance",
    "precision",
    "recall",
    "f1",
    "ece",
    "exact",
    "baseline",
    "auc",
    "average_precision",
)


def config_problem(config: RunConfig) -> str:
    """What is wrong with a configuration; empty if nothing is."""
    names = len(config.class_names)
    if config.task not in TASKS:
        return f"task={config.task!r}, not one of {', '.join(TASKS)}"
    if config.task != "regression" and not names:
        return f"a {config.task} without class_names"
    if names > MOST_CLASSES or len(config.splits) > 100 or len(config.fits) > 10_000:
        return "far too many classes, parts or fits"
    for split in config.splits:
        if split.class_counts and len(split.class_counts) != names:
            return (
                f"{len(split.class_counts)} class_counts of split {split.name!r} for {names} names"
            )
        if sum(split.class_counts) > split.rows and config.task == "classification":
            return f"more classes than rows in split {split.name!r}"
    if any(fit.weights not in ("", "last", "epoch", "average") for fit in config.fits):
        return "unknown weights of a fit"
    return _numbers_problem(config)


def metrics_problem(metrics: Metrics, config: RunConfig) -> str:
    """What is wrong with figures, alone or with the configuration; empty if nothing is."""
    if metrics.task != config.task:
        return f"figures of a {metrics.task}, but config.json has a {config.task}"
    if problem := _numbers_problem(metrics):
        return problem
    names = len(config.class_names)
    if isinstance(metrics, RegressionMetrics):
        if len(metrics.each) not in (0, metrics.targets):
            return f"{len(metrics.each)} targets of {metrics.targets}"
        return ""
    if isinstance(metrics, MultiLabelMetrics):
        if len(metrics.labels) != names:
            return f"{len(metrics.labels)} labels for {names} names"
        return ""
    return _classification_problem(metrics, names)


def _classification_problem(metrics: ClassificationMetrics, names: int) -> str:
    if len(metrics.classes) != names:
        return f"{len(metrics.classes)} classes for {names} names"
    if len(metrics.confusion) != names or any(len(row) != names for row in metrics.confusion):
        return f"a confusion matrix without {names} rows and columns"
    if sum(map(sum, metrics.confusion)) != metrics.rows:
        return f"a confusion matrix whose sum is not {metrics.rows}"
    for bin_ in metrics.calibration:
        if bin_.count and (bin_.confidence is None or bin_.accuracy is None):
            return "a bin of confidence with rows but without means"
    if metrics.two_classes is not None and (names != 2 or not _curves_are_valid(metrics)):
        return "invalid curves of two classes"
    return ""


def network_problem(network: NetworkInfo) -> str:
    """What is wrong with a description of layers; empty if nothing is."""
    if len(network.layers) > MOST_LAYERS:
        return f"{len(network.layers):,} layers; at most {MOST_LAYERS:,} are allowed"
    before: set[str] = set()
    for layer in network.layers:
        if layer.name in before:
            return f"two layers with the name {layer.name!r}"
        if not before.issuperset(layer.inbound):
            return f"layer {layer.name!r}, which comes before one of its inputs"
        before.add(layer.name)
        if len(layer.output_shapes) > 1000 or any(len(shape) > 20 for shape in layer.output_shapes):
            return f"layer {layer.name!r}: too many output shapes"
    return _numbers_problem(network)


def predictions_problem(predictions: Predictions, config: RunConfig) -> str:
    """What is wrong with predictions, given the configuration; empty if nothing is."""
    labels, outputs = predictions.labels, predictions.outputs
    names = len(config.class_names)
    shapes = f"shapes {labels.shape} and {outputs.shape}"
    if config.task == "classification":
        are_labels = labels.dtype.kind in "iu" and labels.size == len(labels)
        if not are_labels or two_columns(outputs).shape[1:] != (names,):
            return (
                f"labels {labels.dtype} {labels.shape} and outputs {outputs.shape} for {names}"
                " classes"
            )
        return label_problem(labels, names)
    if config.task == "multilabel":
        return "" if labels.shape == outputs.shape == (len(labels), names) else shapes
    if labels.size != outputs.size or not labels.size:
        return shapes
    return "" if np.isfinite(labels).all() else "targets that are not finite"


def samples_problem(samples: Samples, config: RunConfig) -> str:
    """What is wrong with sample images, given the configuration; empty if nothing is."""
    if config.task != "classification":
        return ""
    names = len(config.class_names)
    arrays = (samples.labels, samples.wrong_labels, samples.wrong_predictions)
    return _first_problem(label_problem(labels, names) for labels in arrays)


def worst_rows_problem(worst: WorstRows) -> str:
    """What is wrong with the worst rows; empty if nothing is."""
    if any(len(row.values) != len(worst.columns) or row.place < 0 for row in worst.rows):
        return "rows that do not match the columns"
    if len(worst.rows) > 1000 or len(worst.columns) > 1000:
        return "too many rows or columns"
    return ""


def label_problem(labels: np.ndarray, names: int) -> str:
    """Why labels are not class numbers; empty if they are."""
    if not labels.size or 0 <= labels.min() <= labels.max() < names:
        return ""
    return f"labels from {labels.min()} to {labels.max()}, but names for 0 to {names - 1}"


def _curves_are_valid(metrics: ClassificationMetrics) -> bool:
    two = metrics.two_classes
    curves: list[Curve] = [two.roc, two.precision_recall] if two is not None else []
    for curve in curves:
        if not len(curve.x) == len(curve.y) == len(curve.thresholds):
            return False
        if not all(0 <= value <= 1 for value in (*curve.x, *curve.y)):
            return False
    return True


def _first_problem(problems: Iterable[str]) -> str:
    """The first text that is not empty; empty if all are."""
    return next(filter(None, problems), "")


def _numbers_problem(value: Any, name: str = "") -> str:
    """What is wrong with the numbers in a value: negative counts, shares above 1, not finite.

    Args:
        value: A dataclass, dict, list or single value; text is ignored.
        name: Name of the field that holds it.
    """
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return _first_problem(_numbers_problem(getattr(value, name), name) for name in names)
    if isinstance(value, dict):
        if name in ("settings", "compiled"):
            return ""
        return _first_problem(_numbers_problem(part, name) for part in value.values())
    if isinstance(value, list):
        return _first_problem(_numbers_problem(part, name) for part in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if not math.isfinite(value) or abs(value) > 1e300:
        return f"{name} is {value}"
    if value < 0 and name not in ("loss", "r2", "x", "y", "thresholds"):
        return f"{name} is {value}, below 0"
    if name in _SHARES and value > 1 + 1e-9:
        return f"{name} is {value}, above 1"
    return ""
