"""Another prediction for data of the same kind takes a shortcut, with correct results."""

import jax
import numpy as np
import pytest

import gazelle
from gazelle import layers as L  # noqa: N812
from gazelle._data.feeds import ArrayFeed

X = np.random.default_rng(0).normal(size=(33, 4)).astype("float32")


@pytest.fixture
def model():
    gazelle.utils.set_random_seed(0)
    model = gazelle.Sequential([gazelle.Input((4,)), L.Dense(3, activation="tanh"), L.Dense(2)])
    model.predict(X)
    return model


def by_hand(model, x):
    kernel, bias, head, offset = model.get_weights()
    return np.tanh(x @ kernel + bias) @ head + offset


@pytest.fixture
def full_paths(monkeypatch):
    """The feeds that are made: the full path makes one per prediction."""
    made = []
    init = ArrayFeed.__init__

    def counted_init(feed, *args, **kwargs):
        made.append(feed)
        init(feed, *args, **kwargs)

    monkeypatch.setattr(ArrayFeed, "__init__", counted_init)
    return made


@pytest.mark.parametrize("method", ["predict", "predict_on_batch"])
def test_the_shortcut_gives_the_same_numbers_for_any_number_of_samples(model, method, full_paths):
    for rows in (1, 2, 3, 31, 32, 33):
        found = getattr(model, method)(X[:rows])
        np.testing.assert_allclose(found, by_hand(model, X[:rows]), rtol=1e-5, atol=1e-6)
        found[0] = 0  # the result belongs to the user
    assert not full_paths


def test_other_data_takes_the_full_path_and_is_checked(model, full_paths):
    np.testing.assert_allclose(model.predict(X.astype("float64")), model.predict(X), rtol=1e-6)
    assert full_paths
    np.testing.assert_allclose(model.predict(X.tolist()), by_hand(model, X), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"shape|expected"):
        model.predict(X[:, :3])
    with pytest.raises(ValueError, match=r"no samples|empty"):
        model.predict(X[:0])


def test_new_weights_take_effect_at_once(model):
    model.set_weights([weight + 1 for weight in model.get_weights()])
    np.testing.assert_allclose(model.predict(X), by_hand(model, X), rtol=1e-5, atol=1e-5)
    model.compile("sgd", "mse")
    model.fit(X, X[:, :2], verbose=0)
    for _ in range(2):
        np.testing.assert_allclose(model.predict(X), by_hand(model, X), rtol=1e-4, atol=1e-6)


def test_new_layers_take_effect_at_once(model):
    model.add(L.Activation("exponential"))
    np.testing.assert_allclose(model.predict(X), np.exp(by_hand(model, X)), rtol=1e-5)
    model.pop()
    np.testing.assert_allclose(model.predict(X), by_hand(model, X), rtol=1e-5, atol=1e-6)


def test_weights_that_are_added_to_a_layer_later_take_effect_at_once(model):
    before = model.predict(X)
    model.layers[0].enable_lora(2)
    lora = model.layers[0].lora_kernel_b
    lora.assign(np.ones(lora.shape))
    assert not np.allclose(model.predict(X), before)


def test_the_matmul_precision_of_jax_takes_effect(model, full_paths):
    with jax.default_matmul_precision("highest"):
        model.predict(X)
    assert full_paths


def test_a_copy_of_the_model_predicts_independently(model):
    copy = gazelle.models.clone_model(model)
    copy.set_weights([2 * weight for weight in model.get_weights()])
    np.testing.assert_allclose(copy.predict(X), by_hand(copy, X), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(X), by_hand(model, X), rtol=1e-5, atol=1e-6)


def test_a_model_that_runs_eagerly_keeps_doing_so():
    seen = []

    class Noted(L.Layer):
        def call(self, inputs):
            seen.append(type(inputs))
            return inputs

    model = gazelle.Sequential([gazelle.Input((4,)), Noted()])
    model.compile("sgd", "mse", run_eagerly=True)
    model.predict(X)
    seen.clear()
    model.predict(X)
    assert seen
    assert not any(issubclass(kind, jax.core.Tracer) for kind in seen)
