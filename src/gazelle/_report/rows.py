"""The rows behind a report: the parts of the data as `fit` recorded them, whether they were met, a table's worst."""

from __future__ import annotations

from typing import Any

import numpy as np

from gazelle._data.known import share_known
from gazelle._report import figures, schema
from gazelle._report.measuring import Measured, column_names
from gazelle._report.predictions import class_numbers

_MOST_SEARCHED = 300_000  # rows
_WORST = 10
_MOST_COLUMNS = 200


def seen_before(fits: list[schema.Fit], x: Any) -> schema.Seen:
    """Whether the rows of the report were trained on, or validated on in the last fit, as far as digests tell."""
    x = _numbers(x)
    sample = sorted({digest for fit in fits for digest in fit.sample})
    if x is None or not sample:
        return schema.Seen()
    return schema.Seen(
        share_known(sample, x), share_known(fits[-1].validation_sample, x), len(sample)
    )


def parts_of(
    given: dict[str, Any], fits: list[schema.Fit], seen: schema.Seen, measured: Measured
) -> list[schema.Split]:
    """The parts of the data, training first: targets as given, else the sizes that the last fit recorded."""
    last = fits[-1] if fits else schema.Fit()
    names = measured.class_names
    found: dict[str, schema.Split] = {}
    for name, y in given.items():
        found[name] = schema.Split(name, len(y), _counts(y, measured))
    held_back = last.validation == "validation_split" and last.rows is not None
    together = (last.rows or 0) + (last.validation_rows or 0)
    if last.rows is not None and (
        "train" not in found or (held_back and found["train"].rows == together)
    ):
        found["train"] = schema.Split("train", last.rows, _fitting(last.label_counts, names))
    is_test = (
        seen.validation == 1.0 and "test" in found and last.validation_rows == found["test"].rows
    )
    if last.validation_rows is not None and "validation" not in found and not is_test:
        counts = _fitting(last.validation_label_counts, names)
        found["validation"] = schema.Split("validation", last.validation_rows, counts)
    return [found[name] for name in ("train", "validation", "test") if name in found] + [
        split for name, split in found.items() if name not in ("train", "validation", "test")
    ]


def worst_rows(x: Any, measured: Measured) -> schema.WorstRows | None:
    """The rows of a table on which the model was most wrong; None where the data is not a table."""
    names = column_names(x)
    if not names or len(names) > _MOST_COLUMNS:
        return None
    if measured.task == "classification":
        places = figures.most_confidently_wrong(measured.labels, measured.outputs, _WORST)
    elif measured.task == "multilabel":
        wrong = np.abs(measured.labels - measured.outputs).sum(axis=1)
        places = np.argsort(-wrong, kind="stable")[:_WORST]
    else:
        true = measured.labels.reshape(len(measured.labels), -1).astype(np.float64)
        errors = np.abs(measured.outputs.reshape(true.shape) - true) / np.maximum(
            true.std(axis=0), 1e-12
        )
        places = np.argsort(-errors.max(axis=1), kind="stable")[:_WORST]
    index = getattr(x, "index", None)
    rows = []
    for place in places:
        label = str(index[int(place)]) if index is not None else str(place)
        values = [
            _written(x[column].iloc[int(place)] if hasattr(x, "iloc") else x[column][int(place)])
            for column in x
        ]
        rows.append(schema.WorstRow(int(place), label[:80], values))
    return schema.WorstRows(names, rows)


def _written(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return f"{float(value):.6g}"
    return str(value)[:80]


def _counts(y: Any, measured: Measured) -> list[int]:
    if measured.task == "multilabel":
        return [int(count) for count in np.asarray(y).sum(axis=0)]
    if measured.task == "classification":
        return np.bincount(class_numbers(y), minlength=len(measured.class_names)).tolist()
    return []


def _fitting(counts: list[int], names: list[str]) -> list[int]:
    """Counts filled up to the number of classes; none where they do not fit."""
    if not counts or len(counts) > len(names):
        return []
    return [*counts, *[0] * (len(names) - len(counts))]


def _numbers(x: Any) -> Any:
    """Inputs as NumPy arrays, in their structure; None where they are something else or too many."""
    if isinstance(x, dict):
        parts = {key: _numbers(value) for key, value in x.items()}
        return None if any(part is None for part in parts.values()) else parts
    if isinstance(x, list | tuple) and any(hasattr(part, "shape") for part in x):
        listed = [_numbers(part) for part in x]
        return None if any(part is None for part in listed) else listed
    try:
        array = np.asarray(x, dtype=None if isinstance(x, np.ndarray) else np.float32)
    except (TypeError, ValueError):
        return None
    return (
        array
        if array.ndim and array.dtype.kind in "iufb" and len(array) <= _MOST_SEARCHED
        else None
    )
