"""Loading the images that are named on the command line."""

from pathlib import Path

import numpy as np
import pytest

from gazelle._core.errors import ArgumentError
from gazelle.cli.data import ReadOptions, divide, load, load_for_evaluation

from .conftest import folder_of, paint


def test_each_class_gives_the_same_share_and_every_row_is_used_once():
    y = np.repeat([0, 1, 2], [50, 100, 10])
    kept, held_out = divide(y, 0.2, seed=3)
    assert np.bincount(y[held_out]).tolist() == [10, 20, 2]
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held_out])), np.arange(160))


def test_a_class_of_two_is_in_both_parts_and_a_single_row_is_kept():
    y = np.array([0, 0, 1, 2, 2, 2])
    for share in (0.01, 0.9):
        kept, held_out = divide(y, share, seed=0)
        assert set(y[kept]) == {0, 1, 2}
        assert set(y[held_out]) == {0, 2}


def test_the_seed_chooses_the_rows():
    y = np.zeros(100, int)
    assert divide(y, 0.5, 1)[1].tolist() == divide(y, 0.5, 1)[1].tolist()
    assert divide(y, 0.5, 1)[1].tolist() != divide(y, 0.5, 2)[1].tolist()


def test_gray_images_have_one_channel_and_colored_ones_three():
    folder_of("gray")
    assert load("gray").train[0].shape[1:] == (6, 6, 1)
    paint(Path("gray/light/color.png"), mode="RGB")
    assert load("gray").train[0].shape[1:] == (6, 6, 3)


def test_the_classes_of_a_folder_are_divided_and_named():
    images = load(str(folder_of("shades", count=10)), test_share=0.3)
    assert images.name == "shades"
    assert images.class_names == ["dark", "light"]
    assert np.bincount(images.test[1]).tolist() == [3, 3]
    assert (
        images.train[0][images.train[1] == 0].mean(),
        images.train[0][images.train[1] == 1].mean(),
    ) == pytest.approx((60, 190), abs=5)


@pytest.mark.parametrize(
    ("parts", "validated"), [(("train", "Test", "val"), True), (("training", "valid"), False)]
)
def test_parts_are_found_by_their_usual_names(parts, validated):
    for number, part in enumerate(parts):
        folder_of(Path("data") / part, count=5 + number)
    images = load("data")
    assert (len(images.train[0]), len(images.test[0])) == (10, 12)
    assert (images.validation is not None) == validated
    assert images.test_share is None


def test_a_class_may_be_called_train():
    assert load(str(folder_of("vehicles", classes=("car", "train")))).class_names == [
        "car",
        "train",
    ]


def test_gray_training_images_make_the_test_images_gray():
    folder_of("data/train")
    folder_of("data/test", mode="RGB")
    assert load("data").test[0].shape[1:] == (6, 6, 1)


def test_single_images_are_reported_and_kept_for_training():
    folder_of("data")
    paint(Path("data/rare/0.png"))
    with pytest.warns(UserWarning, match="none for testing: rare"):
        images = load("data")
    assert 2 in images.train[1]
    assert 2 not in images.test[1]


def test_evaluation_uses_the_test_images_or_all():
    folder_of("flat", count=4)
    assert len(load_for_evaluation("flat", ReadOptions())[0][0]) == 8
    folder_of("parts/train", count=4)
    folder_of("parts/test", count=3)
    assert len(load_for_evaluation("parts", ReadOptions())[0][0]) == 6
    (x, _), names, largest = load_for_evaluation("digits", ReadOptions())
    assert (len(x), len(names), largest) == (359, 10, 16)


def test_a_share_for_testing_is_refused_if_there_are_test_images():
    with pytest.raises(ArgumentError, match="--test-share"):
        load("cifar10", test_share=0.1)
