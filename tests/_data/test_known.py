"""Rows that are recognized again, and counts of classes."""

import numpy as np
import pytest

from gazelle._data.known import label_counts, sample_digests, share_known

X = np.random.default_rng(0).normal(size=(1000, 4))


def test_data_is_recognized_in_any_order_and_type():
    sample = sample_digests(X.astype(np.float32))
    assert len(sample) == 128
    assert share_known(sample, X[::-1]) == 1.0
    assert share_known(sample, X[:500]) == pytest.approx(0.5, abs=0.02)
    assert share_known(sample, X + 1) == 0.0


def test_several_inputs_are_recognized_by_all_of_them():
    parts = {"b": X[:, :2], "a": X[:, 2:]}
    sample = sample_digests(parts)
    assert share_known(sample, {"a": X[:, 2:], "b": X[:, :2]}) == 1.0
    assert share_known(sample, {"a": X[:, 2:] + 1, "b": X[:, :2]}) == 0.0


def test_the_share_is_none_if_it_cannot_be_known():
    assert share_known([], X) is None
    assert share_known(["00"], object()) is None
    assert sample_digests([1, 2, 3]) == []


@pytest.mark.parametrize(
    ("y", "counts"),
    [
        (np.array([0, 2, 2]), [1, 0, 2]),
        (np.array([[0.0], [1.0]]), [1, 1]),
        (np.eye(3)[[0, 0, 2]], [2, 0, 1]),
        (np.array([[1, 1], [0, 1]]), []),
        (np.array([0.5, 1.0]), []),
        (np.array([-1, 1]), []),
        (np.array([np.nan, 1.0]), []),
        (None, []),
    ],
)
def test_classes_are_counted_where_there_are_any(y, counts):
    assert label_counts(y) == counts
