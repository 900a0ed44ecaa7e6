"""1,797 handwritten digits of 8 x 8 pixels. They come with scikit-learn and need no download."""

from __future__ import annotations

import numpy as np

from gazelle._core.checks import in_range
from gazelle._core.packages import need
from gazelle._core.seeds import checked_seed

CLASS_NAMES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")

Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def load_data(test_split: float = 0.2, seed: int = 113) -> Split:
    """Load the digits, split so that each digit has the same share in both parts.

    Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, 1998.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, x_test.shape
        ((1438, 8, 8), (359, 8, 8))

    Args:
        test_split: Share of the images for testing, between 0 and 1.
        seed: Seed of the split and the shuffling. The result is the same on every machine.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 `(n, 8, 8)` with values 0 to 16, labels
        uint8 `(n,)`.

    Raises:
        PackageError: scikit-learn is not installed.
        ArgumentError: `test_split` is not a number between 0 and 1, or `seed` is not an int.
    """
    need("digits.load_data", "sklearn")
    from sklearn.datasets import load_digits

    test_split = in_range("test_split", test_split, 0.0, 1.0, "digits.load_data")
    random = np.random.RandomState(checked_seed(seed))
    pixels, labels = load_digits(return_X_y=True)
    x, y = np.asarray(pixels, np.uint8).reshape(-1, 8, 8), np.asarray(labels, np.uint8)
    train, test = [], []
    for label in range(len(CLASS_NAMES)):
        rows = random.permutation(np.flatnonzero(y == label))
        count = round(test_split * len(rows))
        test.append(rows[:count])
        train.append(rows[count:])
    train_rows = random.permutation(np.concatenate(train))
    test_rows = random.permutation(np.concatenate(test))
    return (x[train_rows], y[train_rows]), (x[test_rows], y[test_rows])
