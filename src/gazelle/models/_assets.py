"""The assets of layers: files that a layer writes and reads itself, such as a vocabulary.

A layer that defines `save_assets(folder)` and `load_assets(folder)` gets an empty folder to write
to, and later a folder with the same files. They are members of the `.keras` file.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gazelle._core.errors import CheckWarning, StateError
from gazelle._formats.keras_file import KerasFile


def has_assets(layer: Any) -> bool:
    """Whether a layer has assets."""
    return hasattr(layer, "save_assets") or hasattr(layer, "load_assets")


def collected(layers: Mapping[str, Any]) -> dict[str, bytes]:
    """The assets of layers: path of the layer, `/` and name of the file -> content.

    Args:
        layers: The layers by their paths in the file.

    Raises:
        StateError: A layer saves assets that it cannot load.
    """
    found: dict[str, bytes] = {}
    for path, layer in layers.items():
        if not has_assets(layer):
            continue
        for name in ("save_assets", "load_assets"):
            if not hasattr(layer, name):
                raise StateError(
                    f"The layer {layer.name!r} has assets, but does not define {name}.",
                    expected="both save_assets(folder) and load_assets(folder)",
                    received=type(layer).__name__,
                    fix=f"define {name}(self, folder)",
                )
        with tempfile.TemporaryDirectory() as folder:
            layer.save_assets(folder)
            for file in sorted(Path(folder).rglob("*")):
                if file.is_file() and not file.is_symlink():
                    name = file.relative_to(folder).as_posix()
                    found[f"{path}/{name}".lstrip("/")] = file.read_bytes()
    return found


def load_assets(layers: Mapping[str, Any], file: KerasFile) -> None:
    """Let layers load their assets, each from a folder with its own files alone."""
    for path, layer in layers.items():
        if not has_assets(layer):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name, content in file.assets_of(path).items():
                target = Path(folder) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            layer.load_assets(folder)


def warn_of_assets(layers: Mapping[str, Any], path: str) -> None:
    """Warn that a weights file, like Keras's, has no assets."""
    names = [layer.name for layer in layers.values() if has_assets(layer)]
    if names:
        warnings.warn(
            f"{path} has weights alone, without the assets of {', '.join(names[:3])}; a .keras file"
            " has both.",
            CheckWarning,
            stacklevel=4,
        )
