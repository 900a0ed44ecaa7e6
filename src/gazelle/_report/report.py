"""Recording: a trained model becomes a run folder and a report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gazelle._core.notebook import ShownFile
from gazelle._files.writing import draft_folder
from gazelle._report.checks import check_folder, check_model, check_packages
from gazelle._report.pages import write_report
from gazelle._report.record import RunDetails, new_folder, record
from gazelle._report.runs import REPORT


def report(
    model: Any,
    x_test: Any,
    y_test: Any,
    *,
    history: Any = None,
    y_train: Any = None,
    class_names: list[str] | None = None,
    title: str = "",
    question: str = "",
    data: str = "data",
    settings: dict[str, Any] | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Path:
    """Measure a trained model and write a run folder with a report: one HTML page that needs nothing else.

    Whether the answers are classes or numbers is read off the loss and the last layer. All else in
    the folder (history, metrics, predictions, model, weights) are files that other programs read
    too.

    Args:
        model: A compiled, trained model with one output: `Sequential`, functional or subclassed.
        x_test: Inputs to measure it on, `(rows, ...)`; images are shown in the report.
        y_test: Targets: class numbers `(rows,)` or `(rows, 1)`, one-hot `(rows, classes)`, or
            numbers `(rows, ...)`.
        history: What `fit` returned, for the curves; the model's last history when None.
        y_train: Targets of the training data, for its size and class shares.
        class_names: Names of the classes in the order of their numbers.
        title: Headline.
        question: What the network is to find out.
        data: Name of the data set.
        settings: Further settings to list: names and plain values.
        folder: Where to write; a new folder in `runs/`, called after `data`, when None.

    Returns:
        The path of `report.html`.

    Raises:
        ArgumentError: The model has several outputs.
        StateError: The model is not compiled.
        PackageError: matplotlib, scikit-learn or pillow is not installed.
        DataError: Predictions that are not finite, or targets that do not fit them.
        OSError: The folder cannot be written.

    Example:
        >>> import gazelle, numpy as np
        >>> page = gazelle.report(model, x_test, y_test, history=history)  # doctest: +SKIP
    """
    names = list(class_names) if class_names is not None else []
    check_packages()
    check_model(model, x_test, y_test, names)
    history = history if history is not None else model.history
    facts = RunDetails(
        title=title,
        question=question,
        data=data,
        class_names=names,
        splits={**({"train": y_train} if y_train is not None else {}), "test": y_test},
        settings=dict(settings or {}),
        stop_reason=_stop_reason(history),
    )
    if folder is not None and Path(folder).exists():
        check_folder(folder)
        return ShownFile(
            write_report(record(model, x_test, y_test, history=history, facts=facts, folder=folder))
        )
    if folder is not None:
        with draft_folder(Path(folder).parent) as draft:
            write_report(record(model, x_test, y_test, history=history, facts=facts, folder=draft))
            return ShownFile(draft.rename(folder) / REPORT)
    with new_folder("runs", data) as made:
        write_report(
            record(model, x_test, y_test, history=history, facts=facts, folder=made.folder)
        )
    return ShownFile(made.folder / REPORT)


def _stop_reason(history: Any) -> str:
    """A sentence where fewer epochs were run than `fit` was asked for, and why, if that was recorded."""
    asked = (getattr(history, "params", None) or {}).get("epochs")
    done = getattr(history, "epoch", None)
    if not asked or not done or done[-1] + 1 >= asked:
        return ""
    fits = getattr(history, "fits", [])
    why = f" {fits[-1].ended}" if fits else ""
    return f"Training ended after {done[-1] + 1} of {asked} epochs.{why}"
