"""CIFAR-10: 60,000 color photographs of 32 x 32 pixels in ten classes.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. This module reads the
binary version: files of records, each of one label byte followed by 1,024 red, 1,024 green and
1,024 blue bytes. No pickle is ever executed: Keras's copy, which consists of pickles, is used only
if it is the official one, and is read with a reader that accepts nothing but arrays.
"""

from __future__ import annotations

import os
import pickle
import tarfile
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gazelle._core.errors import DataError, reason
from gazelle._data.memory import aligned_empty
from gazelle._files.download import check, fetch, mismatch
from gazelle._files.reading import read_bytes
from gazelle._files.writing import atomic_path, cache_folder
from gazelle.datasets._pickles import plain_objects

CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
VARIABLE = "GAZELLE_CIFAR10"  # environment variable that names the folder or archive
ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
FILES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
PYTHON_FOLDER = "cifar-10-batches-py"

_RECORD = 1 + 3 * 32 * 32  # bytes
_MOST_PICKLE = 64 << 20  # bytes; the official files have 31 million

Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Source:
    """The official files.

    Attributes:
        url: URL of the binary archive.
        sha256: Its hash.
        size: Its size in bytes.
        rows: Images per file.
        python_md5: Hashes of the files of the Python version, by name.
    """

    url: str = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    sha256: str = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
    size: int = 170_052_171
    rows: int = 10_000
    python_md5: Mapping[str, str] = field(
        default_factory=lambda: {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
        }
    )


def load_data(path: str | os.PathLike[str] | None = None) -> Split:
    """Load the images and their labels.

    The data is searched for in this order: `path`; the path in the environment variable
    `GAZELLE_CIFAR10`; Gazelle's cache (`$GAZELLE_HOME` or the platform's cache folder, then
    `datasets`); Keras's cache. If it is not found, the official archive (170 MB) is downloaded to
    Gazelle's cache, once.

    Args:
        path: The folder with `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, its
            parent folder, or the archive `cifar-10-binary.tar.gz`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 `(50000, 32, 32, 3)` and `(10000, 32,
        32, 3)`, labels uint8 `(50000, 1)` and `(10000, 1)`, which index `CLASS_NAMES`.

    Raises:
        DataError: A file is missing, damaged, incomplete or another file. The message names it.
        DownloadError: There is no copy, and the download failed.
    """
    return load_from(path, Source())


def load_from(path: str | os.PathLike[str] | None, source: Source) -> Split:
    """Do what `load_data` does, for any set of files of this layout."""
    if given := path or os.environ.get(VARIABLE):
        return _given(Path(given).expanduser(), source)
    cache = cache_folder("datasets")
    if _complete(cache / FOLDER, source):
        return _from_folder(cache / FOLDER, source)
    if (cache / ARCHIVE).is_file():
        return _from_archive(cache / ARCHIVE, source)
    if (split := _from_keras_cache(source)) is not None:
        return split
    archive = cache / ARCHIVE
    advice = (
        f"download {ARCHIVE} with a browser and save it as {archive}, or set the environment"
        f" variable {VARIABLE} to the path of the archive or the unpacked folder"
    )
    fetch(source.url, archive, {"sha256": source.sha256}, size=source.size, advice=advice)
    for name, data in _members(archive, source):
        (cache / FOLDER).mkdir(exist_ok=True)
        with atomic_path(cache / FOLDER / name) as temporary:
            temporary.write_bytes(data)
    archive.unlink()
    return _from_folder(cache / FOLDER, source)


def _given(path: Path, source: Source) -> Split:
    """Load the data from a path that the user has given."""
    if path.is_file():
        return _from_archive(path, source)
    if not path.is_dir():
        raise DataError(
            f"There is no CIFAR-10 at {path}.",
            expected=f"a folder with {FILES[0]} ... {FILES[-1]}, or the archive {ARCHIVE}",
            received="no such file or folder",
            fix=f"correct the path (argument path or environment variable {VARIABLE})",
        )
    python_folder = path / PYTHON_FOLDER
    if python_folder.is_dir():
        return _from_python_folder(python_folder, source)
    if (path / "data_batch_1").is_file():
        return _from_python_folder(path, source)
    if (path / FOLDER).is_dir():
        return _from_folder(path / FOLDER, source)
    has_files = any((path / name).exists() for name in FILES)
    if not has_files and (path / ARCHIVE).is_file():
        return _from_archive(path / ARCHIVE, source)
    return _from_folder(path, source)


def _file_size(file: Path) -> int | None:
    """Size of a file in bytes; None if there is none."""
    return file.stat().st_size if file.is_file() else None


def _complete(folder: Path, source: Source) -> bool:
    """Whether a folder has all files of the binary version in the right size."""
    return all(_file_size(folder / name) == source.rows * _RECORD for name in FILES)


def _from_folder(folder: Path, source: Source) -> Split:
    def read(name: str) -> tuple[np.ndarray, np.ndarray]:
        file = folder / name
        size = _file_size(file)
        if size != source.rows * _RECORD:
            problem = "missing" if size is None else "damaged, incomplete or another file"
            raise DataError(
                f"The CIFAR-10 file {file} is {problem}.",
                expected=f"{source.rows * _RECORD} bytes",
                received="no file" if size is None else f"{size} bytes",
                fix=f"unpack {ARCHIVE} again",
            )
        return _split_records(np.fromfile(file, np.uint8), file)

    return _assemble((read(name) for name in FILES), source)


def _from_archive(archive: Path, source: Source) -> Split:
    advice = (
        f"delete it and download {source.url} again; if you made the archive yourself, unpack it"
        " and pass the folder"
    )
    check(
        archive,
        {"sha256": source.sha256},
        size=source.size,
        name=f"The archive {archive}",
        advice=advice,
    )
    members = dict(_members(archive, source))

    def read(name: str) -> tuple[np.ndarray, np.ndarray]:
        records = np.frombuffer(members.pop(name), np.uint8)  # popped to free its memory soon
        return _split_records(records, archive)

    return _assemble((read(name) for name in FILES), source)


def _members(archive: Path, source: Source) -> Iterator[tuple[str, bytes]]:
    """The six files of the archive, by exact name and size; everything else is skipped."""
    wanted = {f"{FOLDER}/{name}": name for name in FILES}
    size = source.rows * _RECORD
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if member.isreg() and member.size == size and member.name in wanted:
                    file = tar.extractfile(member)
                    yield wanted.pop(member.name), file.read() if file else b""
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(
            f"The archive {archive} is damaged.", received=error, fix="delete it and run again"
        ) from None
    if wanted:
        raise DataError(
            f"The archive {archive} is incomplete.",
            expected=f"{next(iter(wanted))} of {size} bytes",
            received="no such member",
        )


def _split_records(records: np.ndarray, file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels `(n, 3072)` and labels `(n,)` of a file's bytes, as views."""
    records = records.reshape(-1, _RECORD)
    return records[:, 1:], _checked_labels(records[:, 0], file)


def _checked_labels(labels: np.ndarray, file: Path) -> np.ndarray:
    if labels.max(initial=0) >= len(CLASS_NAMES) or labels.min(initial=0) < 0:
        raise DataError(
            f"The CIFAR-10 file {file} holds a label that is not a class.",
            expected=f"labels 0 to {len(CLASS_NAMES) - 1}",
            received=f"{labels.max()}",
            fix="unpack the official archive again",
        )
    return labels


def _assemble(batches: Iterator[tuple[np.ndarray, np.ndarray]], source: Source) -> Split:
    """Copy the pixels and labels of six files, one at a time, into the arrays that Keras returns.

    Args:
        batches: `(pixels, labels)` of the five training files and the test file, in this order.
        source: The files.
    """
    rows = source.rows
    x_train = aligned_empty((5 * rows, 32, 32, 3), np.uint8)
    x_test = aligned_empty((rows, 32, 32, 3), np.uint8)
    y_train = np.empty((5 * rows, 1), np.uint8)
    y_test = np.empty((rows, 1), np.uint8)
    parts = [slice(i * rows, (i + 1) * rows) for i in range(5)]
    targets = [(x_train[part], y_train[part]) for part in parts]
    targets.append((x_test, y_test))
    for (x, y), (pixels, labels) in zip(targets, batches, strict=True):
        interleave(pixels.reshape(rows, 3, 32, 32), x)
        y[:, 0] = labels
    return (x_train, y_train), (x_test, y_test)


def interleave(planes: np.ndarray, images: np.ndarray) -> None:
    """Copy color planes `(n, 3, 32, 32)` to images `(n, 32, 32, 3)`."""
    for start in range(0, len(planes), 64):  # as many as fit into the processor's cache
        part = slice(start, start + 64)
        for channel in range(3):
            images[part, :, :, channel] = planes[part, channel]


def _from_keras_cache(source: Source) -> Split | None:
    """Load the data from Keras's cache, which holds the Python version.

    Returns None if it is not there or not the official one.
    """
    cache = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"
    if _complete(cache / FOLDER, source):
        return _from_folder(cache / FOLDER, source)
    for folder in (cache / f"{PYTHON_FOLDER}-target" / PYTHON_FOLDER, cache / PYTHON_FOLDER):
        if not all((folder / name).is_file() for name in source.python_md5):
            continue
        try:
            return _from_python_folder(folder, source)
        except DataError as error:
            warnings.warn(f"Keras's copy of CIFAR-10 is ignored. {error}", stacklevel=4)
    return None


def _from_python_folder(folder: Path, source: Source) -> Split:
    """Load the data from the official pickles, without executing them."""

    def read(name: str) -> tuple[np.ndarray, np.ndarray]:
        file = folder / name
        md5 = source.python_md5[name]
        problem = received = ""
        if not file.is_file():
            problem, received = "missing", "no file"
        elif wrong := mismatch(file, {"md5": md5}):
            problem, received = "damaged or another file", f"md5 {wrong[1]}"
        if problem:
            raise DataError(
                f"The CIFAR-10 file {file} is {problem}.",
                expected=f"md5 {md5}",
                received=received,
                fix=f"delete the folder, or pass the binary version ({ARCHIVE})",
            )
        try:
            batch = plain_objects(read_bytes(file, _MOST_PICKLE))
            pixels = batch[b"data"].array((source.rows, _RECORD - 1))
            labels = np.array(batch[b"labels"], np.int64).reshape(source.rows)
        except (
            pickle.UnpicklingError,
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            EOFError,
            IndexError,
            OverflowError,
            OSError,
        ) as error:
            raise DataError(
                f"The CIFAR-10 file {file} is not a batch of images.",
                expected=f"a dict of {source.rows} labels and of pixels, as bytes",
                received=reason(error),
                fix=f"delete the folder, or pass the binary version ({ARCHIVE})",
            ) from None
        return pixels, _checked_labels(labels, file)

    return _assemble((read(name) for name in source.python_md5), source)
