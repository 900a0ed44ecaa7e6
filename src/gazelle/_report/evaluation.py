"""Evaluation: a model's predictions on the rows of the report, and the figures made of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError
from gazelle._report import figures, schema
from gazelle._report.checks import check_names, several_outputs
from gazelle._report.predictions import (
    as_probabilities,
    class_numbers,
    is_classifier,
    is_multi_label,
)


@dataclass
class Evaluation:
    """The results of a model on the rows of the report.

    Args:
        task: `"classification"`, `"multilabel"` or `"regression"`.
        labels: Class numbers, rows of labels, or targets.
        outputs: Probabilities or predicted numbers.
        class_names: Names of the classes or labels; empty for a regression.
        target_names: Names of the predicted numbers if the targets were a table with several
            columns; otherwise empty.
        metrics: The figures.
        seconds: Duration of the evaluation.
    """

    task: str
    labels: np.ndarray
    outputs: np.ndarray
    class_names: list[str]
    target_names: list[str]
    metrics: schema.Metrics
    seconds: float


def evaluate(model: Any, x: Any, y: Any, class_names: list[str]) -> Evaluation:
    """Compute a model's predictions and figures.

    Args:
        model: A compiled model with one output.
        x: Inputs.
        y: Targets.
        class_names: Names of the classes; empty for the names of the columns of `y`, or numbers.

    Raises:
        ArgumentError: The model has several outputs, or one that cannot be reported.
        DataError: The targets do not suit the model, or predictions are not finite.
    """
    begun = time.perf_counter()
    columns = column_names(y)
    compiled = model.evaluate(x, y, verbose=0, return_dict=True)
    loss = compiled.pop("loss")
    outputs = model.predict(x, verbose=0)
    if not isinstance(outputs, np.ndarray):
        raise several_outputs(f"{len(outputs)} outputs")
    y = np.asarray(y)
    several_columns = columns if len(columns) > 1 else []
    if not is_classifier(model):
        metrics: schema.Metrics = figures.regression_metrics(y, outputs, loss, columns)
        evaluation = Evaluation("regression", y, outputs, [], several_columns, metrics, 0.0)
    elif is_multi_label(model, y, outputs):
        names = _names(class_names or columns, outputs.shape[1])
        outputs = as_probabilities(model, outputs)
        metrics = figures.multilabel_metrics(y, outputs, names, loss)
        evaluation = Evaluation("multilabel", y.astype(np.int32), outputs, names, [], metrics, 0.0)
    else:
        evaluation = _classification(model, y, outputs, class_names or several_columns, loss)
    evaluation.metrics.compiled = {name: _finite(value) for name, value in compiled.items()}
    evaluation.seconds = time.perf_counter() - begun
    return evaluation


def column_names(table: Any) -> list[str]:
    """The names of a table's columns; empty if it is not a table."""
    columns = getattr(table, "columns", None)
    if columns is None or not hasattr(table, "to_numpy"):
        return []
    return [str(name) for name in columns]


def _classification(
    model: Any, y: np.ndarray, outputs: np.ndarray, names: list[str], loss: float
) -> Evaluation:
    if outputs.ndim > 2:
        raise ArgumentError(
            "A report on classes needs one prediction per row.",
            expected="outputs (rows, classes)",
            received=f"outputs {outputs.shape}",
            fix="flatten the output, or report on one part of it",
        )
    outputs = as_probabilities(model, outputs)
    labels = class_numbers(y)
    names = _names(names, figures.two_columns(outputs).shape[1])
    metrics = figures.classification_metrics(labels, outputs, names, loss)
    return Evaluation("classification", labels, outputs, names, [], metrics, 0.0)


def _names(given: list[str], count: int) -> list[str]:
    """The given names, or numbers without any."""
    check_names(given, count)
    return [str(name) for name in given] or [str(number) for number in range(count)]


def _finite(value: Any) -> float | None:
    """A metric's value as a number; None if it is not a finite number."""
    number = np.asarray(value, np.float64)
    return float(number) if number.ndim == 0 and np.isfinite(number) else None
