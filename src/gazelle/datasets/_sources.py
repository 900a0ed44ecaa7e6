"""Where the files of data sets are: in the folders of Gazelle or Keras, else at their address."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gazelle._core.errors import DataError, reason
from gazelle._files.download import fetch, mismatch
from gazelle._files.writing import cache_folder
from gazelle.datasets._pickles import array_of_lists

KERAS_FILES = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


@dataclass(frozen=True)
class File:
    """An official file.

    Attributes:
        name: Its name in the folders.
        url: Its address.
        hashes: Its hashes by algorithm.
        folder: The folder within `datasets` that Keras keeps it in.
    """

    name: str
    url: str
    hashes: Mapping[str, str]
    folder: str = ""

    def located(self, path: str | os.PathLike[str] | None = None) -> Path:
        """The file on this machine.

        It is searched for in this order: `path`; Gazelle's folder (`$GAZELLE_HOME` or the
        platform's cache folder, then `datasets`); Keras's. If it is not found, it is downloaded to
        Gazelle's folder, once.

        Args:
            path: A file that the user has given, which is taken as it is; a name that is not a file
                is a name in these folders, as in Keras.

        Raises:
            DownloadError: There is no copy, and the download failed.
            DataError: A file is damaged.
        """
        name = self.name
        if path is not None:
            given = Path(path).expanduser()
            if given.is_file():
                return given
            name = given.name
        own = cache_folder("datasets") / name
        if own.is_file():
            self._check(own)
            return own
        keras = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"
        copy = keras / self.folder / name
        if copy.is_file() and mismatch(copy, self.hashes) is None:
            return copy
        advice = f"download {self.url} with a browser and save it as {own}"
        fetch(self.url, own, self.hashes, advice=advice)
        return own

    def _check(self, file: Path) -> None:
        wrong = mismatch(file, self.hashes)
        if wrong is not None:
            raise DataError(
                f"The file {file} is damaged, incomplete or another file.",
                expected=f"{wrong[0]} {self.hashes[wrong[0]]}",
                received=wrong[1],
                fix="delete it: it is downloaded again",
            )


def arrays_of(path: Path, *names: str) -> list[Any]:
    """Arrays of a `.npz` file; an array of sequences as a list of them. Nothing is executed.

    Raises:
        DataError: One is missing, or the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as file:
            return [_array(file, name) for name in names]
    except Exception as error:
        raise DataError(
            f"The file {path} does not hold the data set.",
            expected=f"the arrays {', '.join(names)}",
            received=reason(error),
            fix="delete it: it is downloaded again",
        ) from None


def _array(file: zipfile.ZipFile, name: str) -> Any:
    with file.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        _, _, dtype = read(member)
        if dtype.hasobject:
            return array_of_lists(member.read())
    with file.open(f"{name}.npy") as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def shuffled(seed: int, *arrays: Any) -> list[Any]:
    """Arrays and lists of one length in the order that Keras gives them."""
    return shuffled_by(np.random.RandomState(seed), *arrays)


def shuffled_by(generator: np.random.RandomState, *arrays: Any) -> list[Any]:
    """The same, with the next order of a generator."""
    order = np.arange(len(arrays[0]))
    generator.shuffle(order)
    return [
        array[order] if isinstance(array, np.ndarray) else [array[i] for i in order]
        for array in arrays
    ]


def split(
    x: Any, y: Any, test_split: float
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The first rows to train on, and the last to test."""
    at = int(len(x) * (1 - test_split))
    return (np.array(x[:at]), np.array(y[:at])), (np.array(x[at:]), np.array(y[at:]))


def check_split(test_split: float) -> None:
    """Refuse a share that is none.

    Raises:
        DataError: It is not from 0 to 1.
    """
    if not 0 <= test_split < 1:
        raise DataError(
            "test_split must be a share of the rows.",
            expected="a number from 0 to below 1",
            received=repr(test_split),
        )
