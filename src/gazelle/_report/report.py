"""The function `gazelle.report`: a run folder and a report of a trained model."""

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
    """Evaluate a trained model and write a run folder with a report.

    The report is a single, self-contained HTML page. The loss and the last layer determine whether
    the predictions are classes or numbers. The other files of the folder (history, metrics,
    predictions, model, weights) can be read by other programs too.

    Args:
        model: A compiled, trained model with one output: `Sequential`, functional or subclassed.
        x_test: Inputs to evaluate it on, `(rows, ...)`; images are shown in the report.
        y_test: Targets: class numbers `(rows,)` or `(rows, 1)`, one-hot `(rows, classes)`, or
            numbers `(rows, ...)`.
        history: The return value of `fit`, for the curves; None for the model's last history.
        y_train: Targets of the training data, for its size and class shares.
        class_names: Names of the classes in the order of their numbers.
        title: Title of the report.
        question: The question that the network answers.
        data: Name of the data set.
        settings: Further settings to list: names and plain values.
        folder: Folder to write to; None for a new folder in `runs/`, named after `data`.

    Returns:
        The path of `report.html`.

    Raises:
        ArgumentError: The model has several outputs.
        StateError: The model is not compiled.
        PackageError: matplotlib, scikit-learn or pillow is not installed.
        DataError: Predictions are not finite, or the targets do not match them.
        OSError: The folder cannot be written to.

    Example:
        >>> import gazelle, numpy as np
        >>> page = gazelle.report(model, x_test, y_test, history=history)  # doctest: +SKIP
    """
    names = list(class_names) if class_names is not None else []
    check_packages()
    check_model(model, x_test, y_test, names)
    history = history if history is not None else model.history
    splits = {"test": y_test} if y_train is None else {"train": y_train, "test": y_test}
    details = RunDetails(
        title=title,
        question=question,
        data=data,
        class_names=names,
        splits=splits,
        settings=dict(settings or {}),
        stop_reason=_stop_reason(history),
    )

    def write(target: str | os.PathLike[str]) -> Path:
        record(model, x_test, y_test, history=history, details=details, folder=target)
        return write_report(Path(target))

    if folder is None:
        with new_folder("runs", data) as made:
            write(made.folder)
        return ShownFile(made.folder / REPORT)
    if Path(folder).exists():
        check_folder(folder)
        return ShownFile(write(folder))
    with draft_folder(Path(folder).parent) as draft:
        write(draft)
        return ShownFile(draft.rename(folder) / REPORT)


def _stop_reason(history: Any) -> str:
    """Why fewer epochs were run than `fit` was asked for, as a sentence; empty if all were run."""
    asked = (getattr(history, "params", None) or {}).get("epochs")
    done = getattr(history, "epoch", None)
    if not asked or not done or done[-1] + 1 >= asked:
        return ""
    fits = getattr(history, "fits", [])
    why = f" {fits[-1].ended}" if fits else ""
    return f"Training ended after {done[-1] + 1} of {asked} epochs.{why}"
