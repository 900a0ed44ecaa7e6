"""PyDataset, batches packed and unpacked, and the session's seed and names."""

import random

import keras
import numpy as np
import pytest

import gazelle.random
from gazelle import utils
from gazelle._core.errors import ArgumentError
from gazelle._core.names import unique_name
from gazelle.utils import PyDataset, pack_x_y_sample_weight, unpack_x_y_sample_weight


class Rows(PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return np.full((2, 1), index), np.zeros(2)


class Endless(PyDataset):
    num_batches = None

    def __getitem__(self, index):
        return index


def test_a_dataset_gives_its_batches_in_order():
    assert [x[0, 0] for x, _ in Rows()] == [0, 1, 2]
    assert Rows(workers=2).num_batches == 3
    assert Rows().on_epoch_begin() is Rows().on_epoch_end() is None
    assert utils.Sequence is PyDataset


def test_an_endless_dataset_goes_on():
    assert [batch for batch, _ in zip(Endless(), range(5), strict=False)] == [0, 1, 2, 3, 4]


def test_a_dataset_without_its_methods_raises():
    class Empty(PyDataset):
        pass

    with pytest.raises(NotImplementedError, match="Empty must define __len__"):
        _ = Empty().num_batches
    with pytest.raises(NotImplementedError, match="Empty must define __getitem__"):
        Empty()[0]
    with pytest.raises(ArgumentError, match="batch_size"):
        Rows(batch_size=3)


@pytest.mark.parametrize("data", [5, (1,), (1, 2), (1, 2, 3), [1, 2], {"a": 1}])
def test_unpacking_equals_keras(data):
    assert unpack_x_y_sample_weight(data) == keras.utils.unpack_x_y_sample_weight(data)


@pytest.mark.parametrize("parts", [(1,), ((1, 2),), ([1, 2],), (1, 2), (1, 2, 3), (1, None, 3)])
def test_packing_equals_keras(parts):
    assert pack_x_y_sample_weight(*parts) == keras.utils.pack_x_y_sample_weight(*parts)


def test_a_batch_of_four_is_refused():
    with pytest.raises(ArgumentError, match="expected to be in format"):
        unpack_x_y_sample_weight((1, 2, 3, 4))


def test_one_seed_repeats_everything_random():
    def draws():
        return [
            random.random(),
            np.random.rand(),  # noqa: NPY002
            float(gazelle.random.uniform(())),
        ]

    utils.set_random_seed(5)
    first = draws()
    assert first != draws()
    utils.set_random_seed(5)
    assert first == draws()
    assert first[:2] == [random.Random(5).random(), np.random.RandomState(5).rand()]
    with pytest.raises(ArgumentError, match="seed"):
        utils.set_random_seed(-1)


def test_clear_session_starts_names_and_unseeded_draws_again():
    unique_name("thing")
    utils.clear_session()
    assert unique_name("thing") == "thing"
    drawn = []
    for _ in range(2):
        random.seed(1)  # the shared generator takes its seed from here
        utils.clear_session(free_memory=False)
        drawn.append(float(gazelle.random.uniform(())))
    assert drawn[0] == drawn[1]
