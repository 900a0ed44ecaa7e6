"""Fashion-MNIST: 70,000 gray images of 28 x 28 pixels of ten kinds of clothes.

Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
algorithms", 2017.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from gazelle._core.errors import DataError
from gazelle.datasets._sources import KERAS_FILES, File

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def _file(name: str, md5: str) -> File:
    return File(name, f"{KERAS_FILES}{name}", {"md5": md5}, "fashion-mnist")


FILES = (
    _file("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    _file("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
    _file("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
    _file("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
)
Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def load_data() -> Split:
    """Load the images and their labels; the files (30 MB) are downloaded once.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 `(60000, 28, 28)` and `(10000, 28,
        28)`, labels uint8 `(60000,)` and `(10000,)`, which index `CLASS_NAMES`.

    Raises:
        DataError: A file is damaged.
        DownloadError: There is no copy, and the download failed.
    """
    x_train, y_train, x_test, y_test = (_read(file.located()) for file in FILES)
    return (x_train, y_train), (x_test, y_test)


def _read(path: Path) -> np.ndarray:
    """The array of an IDX file: a magic number whose last byte is the number of axes, and sizes."""
    try:
        with gzip.open(path, "rb") as file:
            content = file.read()
        axes = content[3]
        shape = np.frombuffer(content, ">u4", axes, offset=4).tolist()
        return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
    except (OSError, EOFError, zlib.error, ValueError, IndexError) as error:
        raise DataError(
            f"The file {path} is damaged.", received=error, fix="delete it: it is downloaded again"
        ) from None
