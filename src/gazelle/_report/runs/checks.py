"""What must be true of the values in a run folder, so that everything that reads them can rely on it."""

from __future__ import annotations

import dataclasses
import math
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
    """What is wrong with a configuration; empty when nothing is."""
    names = len(config.class_names)
    if config.task not in TASKS:
        return f"task={config.task!r}; known are {', '.join(TASKS)}"
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
    """What is wrong with figures, alone or beside the configuration; empty when nothing is."""
    if metrics.task != config.task:
        return f"figures of a {metrics.task}, where config.json says {config.task}"
    if problem := _numbers_problem(metrics):
        return problem
    names = len(config.class_names)
    if isinstance(metrics, RegressionMetrics):
        return (
            ""
            if len(metrics.each) in (0, metrics.targets)
            else f"{len(metrics.each)} targets of {metrics.targets}"
        )
    if isinstance(metrics, MultiLabelMetrics):
        return (
            ""
            if len(metrics.labels) == names
            else f"{len(metrics.labels)} labels for {names} names"
        )
    if len(metrics.classes) != names:
        return f"{len(metrics.classes)} classes for {names} names"
    if len(metrics.confusion) != names or any(len(row) != names for row in metrics.confusion):
        return f"a confusion matrix that has not {names} rows and columns"
    if sum(map(sum, metrics.confusion)) != metrics.rows:
        return "a confusion matrix of another number of rows"
    if any(
        found.count and None in (found.confidence, found.accuracy) for found in metrics.calibration
    ):
        return "answers of a confidence without their share of right ones"
    if metrics.two_classes is not None and (names != 2 or not _curves_fit(metrics)):
        return "curves of two classes that do not fit"
    return ""


def network_problem(network: NetworkInfo) -> str:
    """What is wrong with a description of layers; empty when nothing is."""
    if len(network.layers) > MOST_LAYERS:
        return f"{len(network.layers):,} layers; at most {MOST_LAYERS:,} are read"
    before: set[str] = set()
    for layer in network.layers:
        if layer.name in before or not before.issuperset(layer.inbound):
            return (
                f"layer {layer.name!r}: names are unique, and each layer stands after those that"
                " feed it"
            )
        before.add(layer.name)
        if len(layer.output_shapes) > 1000 or any(len(shape) > 20 for shape in layer.output_shapes):
            return f"layer {layer.name!r}: too many output shapes"
    return _numbers_problem(network)


def predictions_problem(predictions: Predictions, config: RunConfig) -> str:
    """What is wrong with predictions beside the configuration; empty when nothing is."""
    labels, outputs = predictions.labels, predictions.outputs
    names = len(config.class_names)
    if config.task == "classification":
        columns = two_columns(outputs)
        if (
            labels.dtype.kind not in "iu"
            or labels.size != len(labels)
            or columns.shape[1:] != (names,)
        ):
            return (
                f"labels {labels.dtype} {labels.shape} and outputs {outputs.shape} for {names}"
                " classes"
            )
        return label_problem(labels, names)
    if config.task == "multilabel":
        wanted = (len(labels), names)
        return (
            ""
            if labels.shape == outputs.shape == wanted
            else f"shapes {labels.shape} and {outputs.shape}"
        )
    if labels.size != outputs.size or not labels.size:
        return f"shapes {labels.shape} and {outputs.shape}"
    return "" if np.isfinite(labels).all() else "targets that are not finite"


def samples_problem(samples: Samples, config: RunConfig) -> str:
    """What is wrong with sample pictures beside the configuration; empty when nothing is."""
    if config.task != "classification":
        return ""
    arrays = (samples.labels, samples.wrong_labels, samples.wrong_predictions)
    return next(
        filter(None, (label_problem(labels, len(config.class_names)) for labels in arrays)), ""
    )


def worst_rows_problem(worst: WorstRows) -> str:
    """What is wrong with the worst rows; empty when nothing is."""
    if any(len(row.values) != len(worst.columns) or row.place < 0 for row in worst.rows):
        return "rows that do not fit the columns"
    return "too many rows" if len(worst.rows) > 1000 or len(worst.columns) > 1000 else ""


def label_problem(labels: np.ndarray, names: int) -> str:
    """Whether labels are numbers of classes; empty when they are."""
    if not labels.size or 0 <= labels.min() <= labels.max() < names:
        return ""
    return f"labels from {labels.min()} to {labels.max()}, where 0 to {names - 1} have names"


def _curves_fit(metrics: ClassificationMetrics) -> bool:
    two = metrics.two_classes
    curves: list[Curve] = [two.roc, two.precision_recall] if two is not None else []
    return all(
        len(curve.x) == len(curve.y) == len(curve.thresholds)
        and all(0 <= value <= 1 for value in (*curve.x, *curve.y))
        for curve in curves
    )


def _numbers_problem(value: Any, name: str = "") -> str:
    """Numbers that cannot be: counts below 0, shares outside 0 to 1, what is not finite. Texts are left alone."""
    if dataclasses.is_dataclass(value):
        pairs = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
        return next(filter(None, (_numbers_problem(part, key) for key, part in pairs)), "")
    if isinstance(value, dict):
        if name in ("settings", "compiled"):
            return ""
        return next(filter(None, (_numbers_problem(part, name) for part in value.values())), "")
    if isinstance(value, list):
        return next(filter(None, (_numbers_problem(part, name) for part in value)), "")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if not math.isfinite(value) or abs(value) > 1e300:
        return f"{name} is {value}"
    if value < 0 and name not in ("loss", "r2", "x", "y", "thresholds"):
        return f"{name} is {value}, below 0"
    if name in _SHARES and value > 1 + 1e-9:
        return f"{name} is {value}, above 1"
    return ""
