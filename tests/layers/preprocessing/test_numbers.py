"""Normalization, Discretization and CategoryEncoding, beside Keras where it needs no TensorFlow."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import json

import keras
import numpy as np
import pytest

import gazelle
from gazelle import layers

RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.normal(3, 2, size=(50, 4)).astype("float32")


def again(layer):
    return gazelle.layers.deserialize(json.loads(json.dumps(gazelle.layers.serialize(layer))))


@pytest.mark.parametrize("axis", [-1, 1, None, (0, 1), 0])
@pytest.mark.parametrize("invert", [False, True])
def test_normalization_of_arrays(axis, invert):
    found, wanted = (
        library.layers.Normalization(axis=axis, invert=invert) for library in (gazelle, keras)
    )
    found.adapt(NUMBERS)
    wanted.adapt(NUMBERS)
    np.testing.assert_allclose(found(NUMBERS), wanted(NUMBERS), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-5)
    assert [w.shape for w in found.weights] == [tuple(w.shape) for w in wanted.weights]
    assert again(found).get_config() == found.get_config()


@pytest.mark.parametrize(
    ("axis", "mean", "variance"),
    [
        (-1, 2.0, 4.0),
        (-1, [1, 2, 3, 4], [1, 4, 9, 0]),
        ((0, 1), np.ones((50, 4)), np.ones((50, 4))),
    ],
)
def test_normalization_with_given_numbers(axis, mean, variance):
    options = {"axis": axis, "mean": mean, "variance": variance}
    found, wanted = (
        library.layers.Normalization(**options)(NUMBERS) for library in (gazelle, keras)
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    layer = layers.Normalization(**options)
    np.testing.assert_allclose(again(layer)(NUMBERS), found, rtol=1e-6)


def test_normalization_of_batches_is_exact():
    large = 1e6 + RANDOM.normal(size=(1000, 2))
    layer = layers.Normalization()
    layer.adapt(large[i : i + 100] for i in range(0, 1000, 100))
    np.testing.assert_allclose(np.ravel(layer.mean), large.mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(np.ravel(layer.variance), large.var(axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("action", "error", "words"),
    [
        (lambda: layers.Normalization(mean=1.0), ValueError, "must both be set"),
        (lambda: layers.Normalization(mean=1.0, variance=[1, 2]), ValueError, "same shape"),
        (lambda: layers.Normalization(axis=5)(NUMBERS), ValueError, "axis 5"),
        (lambda: layers.Normalization().adapt(iter([])), ValueError, "no batch"),
        (lambda: layers.Normalization().adapt(3), TypeError, "cannot read"),
        (lambda: layers.Discretization(), ValueError, "either bin_boundaries or num_bins"),
        (lambda: layers.Discretization([1.0], num_bins=2), ValueError, "either"),
        (lambda: layers.Discretization(num_bins=2)(NUMBERS), ValueError, "adapt"),
        (lambda: layers.Discretization([1.0]).adapt(NUMBERS), ValueError, "cannot be adapted"),
        (lambda: layers.Discretization([1.0], sparse=True), ValueError, "sparse"),
        (lambda: layers.CategoryEncoding(), ValueError, "num_tokens"),
        (lambda: layers.CategoryEncoding(3, output_mode="int"), ValueError, "output_mode"),
        (
            lambda: layers.CategoryEncoding(3)(np.ones(2, int), count_weights=np.ones(2)),
            ValueError,
            "only counts",
        ),
    ],
)
def test_what_is_refused(action, error, words):
    with pytest.raises(error, match=words):
        action()


def test_boundaries_of_quantiles():
    layer = layers.Discretization(num_bins=4)
    layer.adapt(np.arange(100.0))
    np.testing.assert_allclose(layer.bin_boundaries, [24, 49, 74], atol=1e-4)  # as Keras's
    np.testing.assert_array_equal(layer([[1.0, 30.0, 80.0]]), [[0, 1, 3]])
    whole = layer.bin_boundaries
    layer.adapt([np.arange(0.0, 50.0), np.arange(50.0, 100.0)])
    np.testing.assert_allclose(layer.bin_boundaries, whole, atol=1.5)
    assert again(layer).bin_boundaries == layer.bin_boundaries


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(6,), (6, 1), (3, 2)])
def test_bins_and_their_vectors(mode, shape):
    options = {"bin_boundaries": [-1.0, 0.0, 2.5], "output_mode": mode}
    x = np.array([-3.0, -1.0, 0.0, 1.0, 2.5, 9.0]).reshape(shape)
    if shape == (6,) and mode in ("multi_hot", "count"):
        expected = (4,)  # one sample
    else:
        expected = keras.layers.Discretization(**options)(x).shape
    found = layers.Discretization(**options)(x)
    assert found.shape == expected
    np.testing.assert_array_equal(found, keras.layers.Discretization(**options)(x))
    spec = layers.Discretization(**options)(gazelle.Input(batch_shape=(None, *shape[1:])))
    if len(shape) > 1:
        assert spec.shape[1:] == found.shape[1:]
    assert spec.dtype == str(found.dtype)


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("x", [3, [1, 2], [[1], [3]], [[1, 2], [3, 9]], [[1, 1], [-1, 0]]], ids=str)
def test_categories_as_vectors(mode, x):
    options = {"num_tokens": 4, "output_mode": mode}
    found = layers.CategoryEncoding(**options)(np.array(x))
    wanted = keras.layers.CategoryEncoding(**options)(np.array(x))
    np.testing.assert_array_equal(found, wanted)
    sparse = layers.CategoryEncoding(**options, sparse=True)(np.array(x))
    np.testing.assert_array_equal(sparse.todense(), wanted)


def test_weighted_counts():
    x, weights = np.array([[1, 1], [3, 0]]), np.array([[0.5, 1.0], [2.0, 3.0]])
    found = layers.CategoryEncoding(4, output_mode="count")(x, count_weights=weights)
    np.testing.assert_array_equal(found, [[0, 1.5, 0, 0], [3, 0, 0, 2]])


def test_they_are_part_of_the_compiled_program():
    normalized = layers.Normalization()
    normalized.adapt(NUMBERS)
    model = gazelle.Sequential([gazelle.Input((4,)), normalized, layers.Dense(1)])
    assert model.graph_on_host is None
    model.compile("sgd", "mse")
    model.fit(NUMBERS, NUMBERS[:, :1], epochs=2, verbose=0)
    hidden = (NUMBERS - NUMBERS.mean(axis=0)) / NUMBERS.std(axis=0)
    expected = hidden @ np.asarray(model.layers[1].kernel) + np.asarray(model.layers[1].bias)
    np.testing.assert_allclose(model.predict(NUMBERS), expected, rtol=1e-4, atol=1e-5)
