"""Boston housing: 506 quarters of Boston, 13 columns, and the median value of a house in 1,000 $.

Harrison and Rubinfeld, "Hedonic housing prices and the demand for clean air", 1978. One of the
columns was made from the share of black people on a racist assumption: use the set to study that,
and `california_housing` to learn from.
"""

from __future__ import annotations

import os

import numpy as np

from gazelle.datasets._sources import KERAS_FILES, File, arrays_of, check_split, shuffled, split

FILE = File(
    "boston_housing.npz",
    f"{KERAS_FILES}boston_housing.npz",
    {"sha256": "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"},
)
Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def load_data(
    path: str | os.PathLike[str] = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> Split:
    """Load the table; the file (57 kB) is downloaded once.

    Args:
        path: A file of yours, or the name in the cache folders of Gazelle and Keras.
        test_split: Share of the rows to test on.
        seed: Seed of the order.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float64 `(n, 13)` and `(n,)`.

    Raises:
        DataError: The file is damaged, or `test_split` is no share.
        DownloadError: There is no copy, and the download failed.
    """
    check_split(test_split)
    x, y = arrays_of(FILE.located(path), "x", "y")
    x, y = shuffled(seed, x, y)
    return split(x, y, test_split)
