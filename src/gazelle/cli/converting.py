"""gazelle convert: a whole model into another kind of file."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gazelle._core.errors import ArgumentError, CheckWarning
from gazelle._files.writing import check_writable

_OLD = "the whole model, in the old format of Keras"


def _save_old(model: Any, path: Path) -> None:
    """Save a model in the old format without a warning: its name was asked for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*an old format of Keras", CheckWarning)
        model.save(path)


# What each kind of file can hold of a model, by the ending of its name.
_KINDS: dict[str, tuple[str, Callable[[Any, Path], None]]] = {
    ".weights.h5": (
        "the weights and the optimizer's state, without the layers",
        lambda model, path: model.save_weights(path),
    ),
    ".safetensors": (
        "the weights, without the layers",
        lambda model, path: model.save_weights(path),
    ),
    ".keras": (
        "the whole model",
        lambda model, path: model.save(path),
    ),
    ".h5": (_OLD, _save_old),
    ".hdf5": (_OLD, _save_old),
    ".onnx": (
        "the layers and weights, for predictions",
        lambda model, path: model.export(path),
    ),
}


def convert(source: Path, target: Path) -> str:
    """Write a model into another file, and return what that file holds.

    Args:
        source: A `.keras` file, a folder of Keras's, or an old `.h5` file with a whole model.
        target: The file to write or replace; its ending says the kind.

    Raises:
        ArgumentError: No file has this ending, or the file cannot be written.
        ModelFileError: The source is missing or damaged, or holds layers of the user's own.
        PackageError: The kind needs a package that is not installed.
    """
    kind = next((ending for ending in _KINDS if target.name.endswith(ending)), None)
    if kind is None:
        raise ArgumentError(
            f"gazelle convert cannot write {target.name!r}.",
            expected=f"a name that ends in {', '.join(_KINDS)}",
            received=target.suffix or "no ending",
        )
    check_writable(target, makes_folders=False)
    from gazelle.models import load_model

    model = load_model(source)
    what, write = _KINDS[kind]
    write(model, target)
    return what
