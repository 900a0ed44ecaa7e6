"""Preparing arrays: Keras's results where these are right, errors where Keras is silent."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gazelle._core.errors import ArgumentError, ArgumentTypeError, ShapeError
from gazelle.utils import normalize, pad_sequences, split_dataset, to_categorical


@pytest.mark.parametrize(
    ("x", "classes"),
    [
        ([0, 2], None),
        ([0, 2], 5),
        (np.array([[1], [0]]), None),
        (np.zeros((4, 3), int), 2),
        (2, 4),
        ([], 2),
        ([True, False], None),
        (np.array([0.0, 1.0]), None),
        (np.array([0, 255], np.uint8), None),
    ],
)
def test_to_categorical_equals_keras(x, classes):
    ours, theirs = to_categorical(x, classes), keras.utils.to_categorical(x, classes)
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    np.testing.assert_array_equal(ours, theirs)


def test_to_categorical_takes_jax_arrays():
    np.testing.assert_array_equal(to_categorical(jnp.arange(3)), np.eye(3))


@pytest.mark.parametrize(
    ("x", "classes", "received"), [([0, -1], None, "-1"), ([0, 5], 3, "5"), ([1, 2, 3], 3, "3")]
)
def test_a_label_outside_the_classes_is_refused(x, classes, received):
    with pytest.raises(ArgumentError, match=f"received: {received} at position") as caught:
        to_categorical(x, classes)
    assert isinstance(caught.value, IndexError)


@pytest.mark.parametrize("x", [[0.5, 1.0], ["a", "b"], [np.nan, 0.0]])
def test_labels_that_are_not_whole_numbers_are_refused(x):
    with pytest.raises(ArgumentError, match="whole numbers"):
        to_categorical(x)


@pytest.mark.parametrize("order", [1, 2, 3, np.inf])
@pytest.mark.parametrize("x", [[[3.0, -4.0], [0.0, 0.0]], [[1.0, 2.0, 3.0]]])
def test_normalize_equals_keras_along_rows_and_the_same_along_columns(x, order):
    x = np.array(x)
    expected = keras.utils.normalize(
        x, order=order
    )  # Keras's axis=0 confuses rows and columns of NumPy arrays
    for axis in (-1, 1):
        np.testing.assert_allclose(normalize(x, axis, order), expected, rtol=1e-12)
    np.testing.assert_allclose(normalize(x.T, 0, order), expected.T, rtol=1e-12)


def test_normalize_keeps_keras_types():
    assert normalize(np.array([3.0, 4.0], np.float32)).shape == (1, 2)
    for x in (np.array([[3, 4]]), np.array([[3, 4]], np.float32), [[3.0, 4.0]]):
        assert normalize(x).dtype == keras.utils.normalize(x).dtype
    assert isinstance(normalize(jnp.ones((2, 2))), type(jnp.ones(1)))
    with pytest.raises(ArgumentError, match="order"):
        normalize(np.ones((2, 2)), order=0)


@given(
    st.lists(st.lists(st.integers(-9, 9), max_size=5), min_size=1, max_size=4),
    st.one_of(st.none(), st.integers(1, 6)),
    st.sampled_from(["pre", "post"]),
    st.sampled_from(["pre", "post"]),
    st.integers(-2, 2),
)
def test_pad_sequences_equals_keras(sequences, maxlen, padding, truncating, value):
    ours = pad_sequences(sequences, maxlen, padding=padding, truncating=truncating, value=value)
    theirs = keras.utils.pad_sequences(
        sequences, maxlen, padding=padding, truncating=truncating, value=value
    )
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


def test_pad_sequences_takes_rows_and_words():
    rows = [[[1, 2]], [[3, 4], [5, 6]]]
    np.testing.assert_array_equal(pad_sequences(rows), keras.utils.pad_sequences(rows))
    words = pad_sequences([["a"], ["b", "c"]], dtype=object, value="-", padding="post")
    assert words.tolist() == [["a", "-"], ["b", "c"]]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"sequences": [1, 2]}, ArgumentError, "must be a list of iterables"),
        ({"sequences": [[1]], "padding": "left"}, ArgumentError, "padding"),
        ({"sequences": [[1]], "truncating": "left"}, ArgumentError, "truncating"),
        ({"sequences": [[1]], "value": "p"}, ArgumentError, "dtype=object"),
        ({"sequences": [[[1, 2]], [[3]]]}, ShapeError, "sequence 1"),
    ],
)
def test_pad_sequences_refuses(arguments, error, text):
    with pytest.raises(error, match=text):
        pad_sequences(**arguments)


X, Y = np.arange(20).reshape(10, 2), np.arange(10)


@pytest.mark.parametrize(
    ("sizes", "left", "right"),
    [
        ({"left_size": 0.8}, range(8), range(8, 10)),
        ({"left_size": 3}, range(3), range(3, 10)),
        ({"right_size": 0.3}, range(7), range(7, 10)),
        ({"left_size": 0.5, "right_size": 0.2}, range(5), range(8, 10)),
        ({"left_size": 2, "right_size": 0.1}, range(2), range(9, 10)),
    ],
)
def test_split_dataset_takes_the_left_part_from_the_front_and_the_right_from_the_end(
    sizes, left, right
):
    first, second = split_dataset(Y, **sizes)
    assert (first.tolist(), second.tolist()) == (list(left), list(right))


def test_split_dataset_keeps_the_structure_and_copies_nothing_without_shuffling():
    (left, right) = split_dataset({"x": X, "rest": (Y, [*"abcdefghij"], jnp.asarray(Y))}, 0.6)
    assert left["x"].base is not None
    assert left["rest"][1].tolist() == [*"abcdef"]
    np.testing.assert_array_equal(right["rest"][0], [6, 7, 8, 9])
    np.testing.assert_array_equal(right["rest"][2], [6, 7, 8, 9])
    (x, _), (x_val, y_val) = split_dataset((X, Y), left_size=0.8)
    assert (len(x), len(x_val), len(y_val)) == (8, 2, 2)


def test_a_shuffled_split_keeps_rows_together_and_follows_the_seed():
    (x, y), (x_val, y_val) = split_dataset((X, Y), 0.7, shuffle=True, seed=4)
    np.testing.assert_array_equal(x[:, 0], 2 * y)
    np.testing.assert_array_equal(x_val[:, 0], 2 * y_val)
    assert sorted([*y, *y_val]) == list(range(10))
    assert y.tolist() != list(range(7))
    np.testing.assert_array_equal(split_dataset((X, Y), 0.7, shuffle=True, seed=4)[0][1], y)
    assert split_dataset((X, Y), 0.7, shuffle=True, seed=5)[0][1].tolist() != y.tolist()


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((Y,), ArgumentError, "needs a size"),
        ((Y, 1.5), ArgumentError, "left_size is not a size"),
        ((Y, 0.8, 0.5), ArgumentError, "8 and 5 rows"),
        ((Y, 0, None), ArgumentError, "at least one row"),
        ((Y, 11), ArgumentError, "do not fit"),
        ((Y, True), ArgumentError, "left_size is not a size"),
        (((X, Y[:5]), 0.5), ShapeError, "lengths"),
        ((object(), 0.5), ArgumentTypeError, "needs arrays"),
    ],
)
def test_split_dataset_refuses(arguments, error, text):
    with pytest.raises(error, match=text):
        split_dataset(*arguments)


def test_one_hot_rows_of_a_jax_array_are_one():
    rows = to_categorical(jnp.asarray([0, 2]), 3)
    assert isinstance(rows, jax.Array)
    assert rows.dtype == "float32"
    assert rows.tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
