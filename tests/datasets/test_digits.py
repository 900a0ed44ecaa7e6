"""The digits: scikit-learn's images, split by class."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from gazelle._core.errors import ArgumentError
from gazelle.datasets import digits


def test_both_parts_together_are_scikit_learns_digits():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert x_train.dtype == y_train.dtype == np.uint8
    assert (x_train.shape, x_test.shape, x_train.max()) == ((1438, 8, 8), (359, 8, 8), 16)
    ours = {
        (*x.ravel().tolist(), y)
        for x, y in zip([*x_train, *x_test], [*y_train, *y_test], strict=True)
    }
    theirs = load_digits()
    assert ours == {
        (*x, y)
        for x, y in zip(theirs.data.astype(int).tolist(), theirs.target.tolist(), strict=True)
    }


def test_each_digit_has_the_same_share_in_both_parts():
    (_, y_train), (_, y_test) = digits.load_data(test_split=0.25)
    shares = np.bincount(y_test) / np.bincount(np.concatenate([y_train, y_test]))
    rounding = 0.5 / 174  # half an image of the rarest digit, which has 174
    assert np.abs(shares - 0.25).max() <= rounding + 1e-9


def test_the_split_follows_the_seed():
    first, again, other = (digits.load_data(seed=seed)[0][1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_classes_are_shuffled():
    (_, y_train), _ = digits.load_data()
    assert len(np.unique(y_train[:100])) == 10


def test_a_split_that_is_not_a_share_is_refused():
    with pytest.raises(ArgumentError, match="test_split"):
        digits.load_data(test_split=1.5)
