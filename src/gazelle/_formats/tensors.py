"""Weights in the safetensors format, read and written by the safetensors package."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gazelle._core.errors import ModelFileError, reason
from gazelle._core.packages import need
from gazelle._files.reading import read_bytes
from gazelle._files.writing import write_atomically
from gazelle._formats.h5 import check_target
from gazelle._formats.h5_checks import BFLOAT16, Spec, unreadable

ENDING = ".safetensors"


_TYPES = {
    "BOOL": np.dtype(bool),
    "BF16": BFLOAT16,
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
    **{
        f"{kind.upper()}{8 * size}": np.dtype(f"<{kind}{size}")
        for kind in "iu"
        for size in (1, 2, 4, 8)
    },
}


class TensorsFile:
    """The arrays of a `.safetensors` file; used like a `WeightsFile` with one array per group.

    Args:
        label: Name of the file for messages.
        arrays: Its arrays by name.
    """

    has_digests = False

    def __init__(self, label: str, arrays: Mapping[str, np.ndarray]):
        self.label = label
        self._arrays = arrays
        self.specs = {name: [Spec(array.shape, array.dtype)] for name, array in arrays.items()}
        self.keys = {name: ["0"] for name in arrays}

    def read(self, path: str) -> list[np.ndarray]:
        """The array of a name, in a list."""
        return [self._arrays[path]]


@contextmanager
def open_tensors(path: str | os.PathLike[str]) -> Iterator[TensorsFile]:
    """Read a `.safetensors` file.

    Raises:
        PackageError: The package safetensors is not installed.
        ModelFileError: The file is missing or damaged.
    """
    need("A .safetensors file", "safetensors")
    from safetensors import SafetensorError, deserialize

    label = repr(os.fspath(path))
    try:
        content = read_bytes(path, os.path.getsize(path))
    except OSError as error:
        raise unreadable(label, error) from None
    try:
        arrays = {name: _array(entry) for name, entry in deserialize(content)}
    except (SafetensorError, KeyError, TypeError, ValueError, MemoryError) as error:
        raise ModelFileError(
            "safetensors-damaged",
            file=label,
            where="the file",
            found=reason(error, 64),
            expected="a file in the safetensors format",
            fix="get the file again, or save it again",
        ) from None
    yield TensorsFile(label, arrays)


def _array(entry: Mapping[str, Any]) -> np.ndarray:
    kind = entry["dtype"]
    if kind not in _TYPES:
        raise ValueError(f"numbers of type {kind}")
    return np.frombuffer(entry["data"], _TYPES[kind]).reshape(entry["shape"])


def write_tensors(
    path: str | os.PathLike[str], arrays: Mapping[str, Any], overwrite: bool = True
) -> None:
    """Write a `.safetensors` file; the same arrays give the same bytes.

    Args:
        path: The file.
        arrays: Arrays or variables by name.
        overwrite: Whether an existing file may be replaced.

    Raises:
        PackageError: The package safetensors is not installed.
        ArgumentError: The file exists and `overwrite` is false, or its folder does not exist.
        OSError: Writing failed; an old file is unchanged.
    """
    need("A .safetensors file", "safetensors")
    from safetensors.numpy import save

    target = Path(path)
    check_target(target, overwrite)
    content = save({name: np.asarray(array, order="C") for name, array in arrays.items()})
    write_atomically(target, content)
