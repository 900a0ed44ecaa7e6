"""gazelle convert: a whole model into another kind of file."""

from __future__ import annotations

import warnings
from pathlib import Path

from gazelle._core.errors import ArgumentError, CheckWarning
from gazelle._files.writing import check_writable

_OLD = "the whole model, in the old format of Keras"


# By the ending of a file's name: what the file can hold of a model, and the method that writes it.
_KINDS = {
    ".weights.h5": ("the weights and the optimizer's state, without the layers", "save_weights"),
    ".safetensors": ("the weights, without the layers", "save_weights"),
    ".keras": ("the whole model", "save"),
    ".h5": (_OLD, "save"),
    ".hdf5": (_OLD, "save"),
    ".onnx": ("the layers and weights, for predictions", "export"),
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
    what, method = _KINDS[kind]
    with warnings.catch_warnings():
        # The old format was asked for by its name.
        warnings.filterwarnings("ignore", ".*an old format of Keras", CheckWarning)
        getattr(model, method)(target)
    return what
