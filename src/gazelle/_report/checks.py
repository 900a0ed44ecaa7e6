"""What a report needs, looked at before any work is spent."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError, DataError, ShapeError
from gazelle._core.packages import need
from gazelle.models.trainer import require_compiled


def check_packages() -> None:
    """Refuse to begin where a package is missing that only the end would ask for.

    Raises:
        PackageError: It names the packages.
    """
    need("A report", "matplotlib", "sklearn", "PIL")


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Make the folder and see that files can be written into it.

    Raises:
        OSError: It cannot be made or written.
        ArgumentError: There is a file in its place.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ArgumentError(
            f"The report needs a folder, and {folder} is a file.",
            fix="name another folder, or remove the file",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def check_model(model: Any, x: Any, y: Any, class_names: list[str]) -> None:
    """Refuse what cannot be reported.

    Raises:
        StateError: The model is not compiled.
        ArgumentError: It has several outputs.
        DataError: Class names that do not fit the model.
        ShapeError: Another number of rows than targets.
    """
    require_compiled(model)
    outputs: list[Any] = getattr(model, "outputs", None) or [None]
    if len(outputs) > 1:
        raise several_outputs(f"{len(outputs)} outputs: {', '.join(model.output_names)}")
    rows = _rows(x)
    if y is None or (rows is not None and rows != len(y)):
        raise ShapeError(
            "Inputs and targets of the report have different numbers of rows.",
            expected="a target for each row",
            received=f"{rows} rows and {'no' if y is None else len(y)} targets",
            fix="pass the x and y that belong together",
        )
    last = outputs[0].shape[-1] if outputs[0] is not None and len(outputs[0].shape) == 2 else None
    if class_names and last is not None:
        check_names(class_names, 2 if last == 1 else last)


def check_names(names: list[str], count: int) -> None:
    """Refuse class names of another number than there are classes.

    Raises:
        DataError: The numbers differ.
    """
    if names and len(names) != count:
        raise DataError(
            "class_names does not fit the model.",
            expected=f"{count} names, one for each class",
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
            "report on a model of one of them: gazelle.Model(model.inputs, model.outputs[0]),"
            " compiled"
        ),
    )


def _rows(x: Any) -> int | None:
    parts: Any = (
        list(x.values()) if isinstance(x, dict) else x if isinstance(x, list | tuple) else [x]
    )
    first: Any = parts[0] if parts else None
    if hasattr(first, "shape"):
        return int(np.shape(first)[0]) if len(first.shape) else None
    return len(x) if isinstance(x, list) else None
