"""MNIST: 70,000 gray images of 28 x 28 pixels of the ten digits.

LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998.
"""

from __future__ import annotations

import os

import numpy as np

from gazelle.datasets._sources import KERAS_FILES, File, arrays_of

FILE = File(
    "mnist.npz",
    f"{KERAS_FILES}mnist.npz",
    {"sha256": "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"},
)
Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def load_data(path: str | os.PathLike[str] = "mnist.npz") -> Split:
    """Load the images and their labels; the file (11 MB) is downloaded once.

    Args:
        path: A file of yours, or the name in the cache folders of Gazelle and Keras.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 `(60000, 28, 28)` and `(10000, 28,
        28)`, labels uint8 `(60000,)` and `(10000,)`.

    Raises:
        DataError: The file is damaged.
        DownloadError: There is no copy, and the download failed.
    """
    names = "x_train", "y_train", "x_test", "y_test"
    x_train, y_train, x_test, y_test = arrays_of(FILE.located(path), *names)
    return (x_train, y_train), (x_test, y_test)
