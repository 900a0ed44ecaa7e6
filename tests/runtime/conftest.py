"""Saves models of Keras and of Gazelle, loads them without JAX, and compares the predictions."""

import keras
import numpy as np
import pytest

import gazelle


def randomize(model):
    """New weights: those with one axis are positive, as variances must be."""
    rng = np.random.default_rng(0)
    lowest = {1: 0.2}
    model.set_weights(
        [rng.uniform(lowest.get(w.ndim, -1.0), 1.0, w.shape) for w in model.get_weights()]
    )


def assert_same(found, expected, tolerance=1e-6):
    """Arrays, or lists of arrays, of equal shapes and dtypes and of nearly equal values."""
    if not isinstance(expected, list | tuple):
        found, expected = [found], [expected]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert type(one) is np.ndarray
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.fixture
def load_keras(tmp_path):
    """Saves a model of Keras as a `.keras` file and loads it."""

    def load(model):
        model.save(tmp_path / "model.keras")
        return gazelle.runtime.load(tmp_path / "model.keras")

    return load


@pytest.fixture
def load_gazelle(tmp_path):
    """Saves the config and the weights of a model of Gazelle's and loads them."""

    def load(model):
        path = tmp_path / "model.weights.h5"
        model.save_weights(path, overwrite=True)
        return gazelle.runtime.load(path, config=model.to_json())

    return load


@pytest.fixture
def check(load_keras, load_gazelle):
    """Compares predictions of the same model, made with both libraries, with those of the runtime.

    The model is made by `make(K, L)`, with the library and its layers.
    """

    def compare(make, *inputs, tolerance=1e-6):
        x = list(inputs) if len(inputs) > 1 else inputs[0]
        for library, load in ((keras, load_keras), (gazelle, load_gazelle)):
            model = make(library, library.layers)
            randomize(model)
            assert_same(load(model)(x), model.predict(x, verbose=0), tolerance)

    return compare
