"""California housing: 20,640 blocks of California, 8 columns, and the median value of a house in $.

Pace and Barry, "Sparse Spatial Autoregressions", 1997. The columns: median income, age of the
houses, rooms and bedrooms per household, people, people per household, latitude and longitude.
"""

from __future__ import annotations

import os

import numpy as np

from gazelle._core.checks import one_of
from gazelle.datasets._sources import KERAS_FILES, File, arrays_of, check_split, shuffled, split

FILE = File(
    "california_housing.npz",
    f"{KERAS_FILES}california_housing.npz",
    {"sha256": "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"},
)
Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def load_data(
    version: str = "large",
    path: str | os.PathLike[str] = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> Split:
    """Load the table; the file (1 MB) is downloaded once.

    Args:
        version: `"large"`, or `"small"` for the first 600 rows.
        path: A file of yours, or the name in the cache folders of Gazelle and Keras.
        test_split: Share of the rows to test on.
        seed: Seed of the order.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float32 `(n, 8)` and `(n,)`.

    Raises:
        ArgumentError: Another version.
        DataError: The file is damaged, or `test_split` is no share.
        DownloadError: There is no copy, and the download failed.
    """
    one_of("version", version, ("large", "small"), "california_housing")
    check_split(test_split)
    x, y = arrays_of(FILE.located(path), "x", "y")
    rows = slice(600 if version == "small" else None)
    x, y = shuffled(seed, x[rows], y[rows])
    return split(x, y, test_split)
