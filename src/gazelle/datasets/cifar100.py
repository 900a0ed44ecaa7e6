"""CIFAR-100: 60,000 color photographs of 32 x 32 pixels in 100 classes, which are in 20 groups.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. The binary version is
read: records of a byte for the group, a byte for the class and 3,072 bytes of pixels.
"""

from __future__ import annotations

import os
import tarfile
import zlib
from pathlib import Path

import numpy as np

from gazelle._core.checks import one_of
from gazelle._core.errors import DataError
from gazelle._files.download import mismatch
from gazelle.datasets._pickles import plain_objects
from gazelle.datasets._sources import File
from gazelle.datasets.cifar10 import interleave

FILE = File(
    "cifar-100-binary.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    {"md5": "03b5dce01913d631647c71ecec9e9cb8"},
)
# The files of the Python version, which Keras keeps.
PYTHON_MD5 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
}
_RECORD = 2 + 3072  # bytes
Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def load_data(label_mode: str = "fine", path: str | os.PathLike[str] | None = None) -> Split:
    """Load the images and their labels; the archive (161 MB) is downloaded once.

    Args:
        label_mode: `"fine"` for the 100 classes, `"coarse"` for their 20 groups.
        path: The archive `cifar-100-binary.tar.gz`, if you have it.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 `(50000, 32, 32, 3)` and `(10000, 32,
        32, 3)`, labels `(50000, 1)` and `(10000, 1)`.

    Raises:
        ArgumentError: Another mode.
        DataError: A file is damaged.
        DownloadError: There is no copy, and the download failed.
    """
    one_of("label_mode", label_mode, ("fine", "coarse"), "cifar100")
    parts = _from_keras(label_mode) if path is None else None
    if parts is None:
        parts = _from_archive(FILE.located(path), label_mode)
    return parts[0], parts[1]


def _from_archive(path: Path, label_mode: str) -> list[tuple[np.ndarray, np.ndarray]]:
    try:
        with tarfile.open(path, "r:gz") as tar:
            parts = []
            for name in ("train.bin", "test.bin"):
                file = tar.extractfile(f"cifar-100-binary/{name}")
                records = np.frombuffer(file.read() if file else b"", np.uint8)
                records = records.reshape(-1, _RECORD)
                labels = records[:, int(label_mode == "fine")]
                parts.append((_images(records[:, 2:]), labels[:, None].copy()))
            return parts
    except (tarfile.TarError, EOFError, zlib.error, OSError, KeyError, ValueError) as error:
        raise DataError(
            f"The archive {path} is damaged or another file.",
            received=error,
            fix="delete it: it is downloaded again",
        ) from None


def _from_keras(label_mode: str) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """The data from the files that Keras has unpacked, if they are the official ones."""
    cache = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"
    folder = cache / "cifar-100-python-target" / "cifar-100-python"
    files = {folder / name: md5 for name, md5 in PYTHON_MD5.items()}
    if any(not f.is_file() or mismatch(f, {"md5": md5}) for f, md5 in files.items()):
        return None
    parts = []
    for file in files:
        batch = plain_objects(file.read_bytes())
        labels = np.array(batch[f"{label_mode}_labels".encode()], np.int64)
        pixels = batch[b"data"].array((len(labels), 3072))
        parts.append((_images(pixels), labels[:, None]))
    return parts


def _images(pixels: np.ndarray) -> np.ndarray:
    images = np.empty((len(pixels), 32, 32, 3), np.uint8)
    interleave(pixels.reshape(-1, 3, 32, 32), images)
    return images
