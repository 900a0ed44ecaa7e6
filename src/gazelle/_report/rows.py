"""The data behind a report: its parts, whether they were trained on, and a table's worst rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from gazelle._data.known import share_known
from gazelle._data.sparse_rows import as_sparse_rows, is_sparse_matrix
from gazelle._report import figures, schema
from gazelle._report.evaluation import Evaluation, column_names
from gazelle._report.predictions import class_numbers

_MOST_SEARCHED = 300_000  # rows
_WORST = 10
_MOST_COLUMNS = 200


def seen_before(fits: list[schema.Fit], x: Any) -> schema.Seen:
    """Search the rows of the report for rows of the training and validation data.

    Args:
        fits: The records of all calls of `fit`. Of the validation data only that of the last one
            counts.
        x: Inputs of the report.
    """
    arrays = _numeric_arrays(x)
    sample = sorted({digest for fit in fits for digest in fit.sample})
    if arrays is None or not sample:
        return schema.Seen()
    validation = share_known(fits[-1].validation_sample, arrays)
    return schema.Seen(share_known(sample, arrays), validation, len(sample))


def parts_of(
    given: dict[str, Any], fits: list[schema.Fit], seen: schema.Seen, evaluation: Evaluation
) -> list[schema.Split]:
    """The parts of the data: training, validation and test data, then any others.

    Args:
        given: Targets of the parts that the user has passed, by name. The sizes of other parts are
            those that the last fit recorded.
        fits: The records of all calls of `fit`.
        seen: Whether the rows of the report were trained or validated on.
        evaluation: The results of the model.
    """
    last = fits[-1] if fits else schema.Fit()
    names = evaluation.class_names
    parts: dict[str, schema.Split] = {}
    for name, y in given.items():
        parts[name] = schema.Split(name, len(y), _class_counts(y, evaluation))
    if last.rows is not None:
        # With `validation_split`, y_train may be the targets of both parts.
        both = last.rows + (last.validation_rows or 0)
        was_split = last.validation == "validation_split"
        if "train" not in parts or (was_split and parts["train"].rows == both):
            parts["train"] = schema.Split("train", last.rows, _padded(last.label_counts, names))
    is_test = (
        seen.validation == 1.0 and "test" in parts and last.validation_rows == parts["test"].rows
    )
    if last.validation_rows is not None and "validation" not in parts and not is_test:
        counts = _padded(last.validation_label_counts, names)
        parts["validation"] = schema.Split("validation", last.validation_rows, counts)
    usual = [name for name in ("train", "validation", "test") if name in parts]
    others = [name for name in parts if name not in usual]
    return [parts[name] for name in (*usual, *others)]


def worst_rows(x: Any, evaluation: Evaluation) -> schema.WorstRows | None:
    """The rows of a table with the largest errors; None if the data is not a table."""
    names = column_names(x)
    if not names or len(names) > _MOST_COLUMNS:
        return None
    index = getattr(x, "index", None)
    rows = []
    for place in map(int, _largest_errors(evaluation)):
        label = str(index[place]) if index is not None else str(place)
        cells = [x[column].iloc[place] if hasattr(x, "iloc") else x[column][place] for column in x]
        rows.append(schema.WorstRow(place, label[:80], [_cell_text(cell) for cell in cells]))
    return schema.WorstRows(names, rows)


def _largest_errors(evaluation: Evaluation) -> np.ndarray:
    """Numbers of the rows with the largest errors, largest first."""
    labels, outputs = evaluation.labels, evaluation.outputs
    if evaluation.task == "classification":
        return figures.most_confidently_wrong(labels, outputs, _WORST)
    if evaluation.task == "multilabel":
        errors = np.abs(labels - outputs).sum(axis=1)
    else:
        true = labels.reshape(len(labels), -1).astype(np.float64)
        scale = np.maximum(true.std(axis=0), 1e-12)
        errors = (np.abs(outputs.reshape(true.shape) - true) / scale).max(axis=1)
    return np.argsort(-errors, kind="stable")[:_WORST]


def _cell_text(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return f"{float(value):.6g}"
    return str(value)[:80]


def _class_counts(y: Any, evaluation: Evaluation) -> list[int]:
    """Rows of each class or label; empty for a regression."""
    if evaluation.task == "multilabel":
        return [int(count) for count in np.asarray(y).sum(axis=0)]
    if evaluation.task == "classification":
        return np.bincount(class_numbers(y), minlength=len(evaluation.class_names)).tolist()
    return []


def _padded(counts: list[int], names: list[str]) -> list[int]:
    """Counts with zeros for the remaining classes; empty if there are more counts than classes."""
    if not counts or len(counts) > len(names):
        return []
    return [*counts, *[0] * (len(names) - len(counts))]


def _numeric_arrays(x: Any) -> Any:
    """Inputs with NumPy arrays as leaves; None if they are not numeric or have too many rows."""
    if isinstance(x, dict):
        parts = {key: _numeric_arrays(value) for key, value in x.items()}
        return None if any(part is None for part in parts.values()) else parts
    if isinstance(x, list | tuple) and any(hasattr(part, "shape") for part in x):
        items = [_numeric_arrays(part) for part in x]
        return None if any(item is None for item in items) else items
    try:
        if is_sparse_matrix(x):
            array: Any = as_sparse_rows("x", x)
        else:
            array = np.asarray(x, dtype=None if isinstance(x, np.ndarray) else np.float32)
    except (TypeError, ValueError):
        return None
    if array.ndim == 0 or array.dtype.kind not in "iufb" or len(array) > _MOST_SEARCHED:
        return None
    return array
