"""What came out: a model's answers on the rows of the report, and the figures made of them."""

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
class Measured:
    """What came out on the rows of the report.

    Args:
        task: `"classification"`, `"multilabel"` or `"regression"`.
        labels: Class numbers, rows of labels, or targets.
        outputs: Probabilities or predicted numbers.
        class_names: Names of the classes or labels; empty for numbers.
        target_names: Names of the predicted numbers, where the targets were a table.
        metrics: The figures.
        seconds: How long it took.
    """

    task: str
    labels: np.ndarray
    outputs: np.ndarray
    class_names: list[str]
    target_names: list[str]
    metrics: schema.Metrics
    seconds: float


def measure(model: Any, x: Any, y: Any, class_names: list[str]) -> Measured:
    """A model's answers and figures on `x` and `y`.

    Raises:
        ArgumentError: The model has several outputs, or one that cannot be reported.
        DataError: Targets that do not fit the model, or predictions that are not finite.
    """
    begun = time.perf_counter()
    columns = column_names(y)
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    loss = found.pop("loss")
    outputs = model.predict(x, verbose=0)
    if not isinstance(outputs, np.ndarray):
        raise several_outputs(f"{len(outputs)} outputs")
    y = np.asarray(y)
    if not is_classifier(model):
        metrics: schema.Metrics = figures.regression_metrics(y, outputs, loss, columns)
        measured = Measured(
            "regression", y, outputs, [], columns if len(columns) > 1 else [], metrics, 0.0
        )
    elif is_multi_label(model, y, outputs):
        names = _names(class_names or columns, outputs.shape[1])
        outputs = as_probabilities(model, outputs)
        metrics = figures.multilabel_metrics(y, outputs, names, loss)
        measured = Measured("multilabel", y.astype(np.int32), outputs, names, [], metrics, 0.0)
    else:
        measured = _classified(
            model, y, outputs, class_names or (columns if len(columns) > 1 else []), loss
        )
    measured.metrics.compiled = {name: _finite(value) for name, value in found.items()}
    measured.seconds = time.perf_counter() - begun
    return measured


def column_names(table: Any) -> list[str]:
    """The names of a table's columns; empty where it is not a table."""
    columns = getattr(table, "columns", None)
    return (
        [str(name) for name in columns]
        if columns is not None and hasattr(table, "to_numpy")
        else []
    )


def _classified(
    model: Any, y: np.ndarray, outputs: np.ndarray, names: list[str], loss: float
) -> Measured:
    if outputs.ndim > 2:
        raise ArgumentError(
            "A report on classes needs one answer for each row.",
            expected="outputs (rows, classes)",
            received=f"outputs {outputs.shape}",
            fix="flatten the output, or report on a part of it",
        )
    outputs = as_probabilities(model, outputs)
    labels = class_numbers(y)
    names = _names(names, figures.two_columns(outputs).shape[1])
    metrics = figures.classification_metrics(labels, outputs, names, loss)
    return Measured("classification", labels, outputs, names, [], metrics, 0.0)


def _names(given: list[str], count: int) -> list[str]:
    check_names(given, count)
    return [str(name) for name in given] or [str(number) for number in range(count)]


def _finite(value: Any) -> float | None:
    number = np.asarray(value, np.float64)
    return float(number) if number.ndim == 0 and np.isfinite(number) else None
