"""Checks of everything that a report needs, before any work is done."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError, DataError, ShapeError
from gazelle._core.packages import need
from gazelle.models._trainer import require_compiled


def check_packages() -> None:
    """Check that all packages are installed, also those that are only needed at the end.

    Raises:
        PackageError: A package is missing. The message names all that are.
    """
    need("A report", "matplotlib", "sklearn", "PIL")


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Create the folder if it is missing, and check that it is writable.

    Raises:
        OSError: It cannot be created or written to.
        ArgumentError: It is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ArgumentError(
            f"The report needs a folder, but {folder} is a file.",
            fix="pass another folder, or remove the file",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def check_model(model: Any, x: Any, y: Any, class_names: list[str]) -> None:
    """Check that a report can be made of a model and its data.

    Raises:
        StateError: The model is not compiled.
        ArgumentError: The model has several outputs.
        DataError: The class names do not match the model.
        ShapeError: The number of rows is not the number of targets.
    """
    require_compiled(model)
    outputs: list[Any] = getattr(model, "outputs", None) or [None]
    if len(outputs) > 1:
        raise several_outputs(f"{len(outputs)} outputs: {', '.join(model.output_names)}")
    rows = _rows(x)
    if y is None or (rows is not None and rows != len(y)):
        raise ShapeError(
            "Inputs and targets of the report have different numbers of rows.",
            expected="one target per row",
            received=f"{rows} rows and {'no' if y is None else len(y)} targets",
            fix="pass the x and y that belong together",
        )
    shape = None if outputs[0] is None else outputs[0].shape
    if class_names and shape is not None and len(shape) == 2 and shape[-1] is not None:
        check_names(class_names, 2 if shape[-1] == 1 else shape[-1])


def check_names(names: list[str], count: int) -> None:
    """Check the number of class names; no names are allowed too.

    Raises:
        DataError: It is not the number of classes.
    """
    if names and len(names) != count:
        raise DataError(
            "class_names does not match the model.",
            expected=f"{count} names, one per class",
            received=f"{len(names)} names",
            fix="list the classes in the order of their numbers",
        )


def several_outputs(received: str) -> ArgumentError:
    """The error for a model with several outputs."""
    return ArgumentError(
        "A report needs a model with one output.",
        expected="one output",
        received=received,
        fix=(
            "compile a model with one of the outputs and report on it:"
            " gazelle.Model(model.inputs, model.outputs[0])"
        ),
    )


def _rows(x: Any) -> int | None:
    """The number of rows of inputs; None if it is unknown."""
    parts = [x]
    if isinstance(x, dict):
        parts = list(x.values())
    elif isinstance(x, list | tuple):
        parts = list(x)
    first: Any = parts[0] if parts else None
    if hasattr(first, "shape"):
        return int(np.shape(first)[0]) if len(first.shape) else None
    return len(x) if isinstance(x, list) else None
