"""Predictions of the kernel agree with those of XLA to float32 rounding."""

import numpy as np
import pytest

import gazelle
from gazelle._engine import kernel as native
from gazelle._engine import steps
from gazelle._engine.kernel import prediction

pytestmark = pytest.mark.slow

L = gazelle.layers
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 11)).astype("float32")
BYTES = rng.integers(0, 256, (300, 5, 7, 2), dtype=np.uint8)


@pytest.fixture
def calls(kernel, monkeypatch):
    """The results of the kernel while programs that predict were traced; None for XLA."""
    found = []

    def recorded(*args):
        found.append(native.predicted(*args))
        return found[-1]

    monkeypatch.setattr(steps, "predicted", recorded)
    return found


def both(kernel, calls, layers, x, threads=1):
    """Predictions of one model with the kernel and with XLA."""
    model = gazelle.Sequential([gazelle.Input(x.shape[1:], dtype=str(x.dtype)), *layers])
    draws = np.random.default_rng(1)
    weights = []
    for weight in model.get_weights():
        scale = (weight.shape[0] + 1) ** -0.5
        weights.append(np.abs(draws.normal(size=weight.shape, scale=scale)))
    model.set_weights(weights)
    results = []
    for on in (True, False):
        kernel(on, threads)
        model.compile()
        results.append(model.predict(x, verbose=0))
    assert [call is not None for call in calls] == [True, False]
    return results


@pytest.mark.parametrize("units", [1, 4, 16, 35])
@pytest.mark.parametrize("last", ["linear", "relu", "tanh", "sigmoid", "softmax"])
def test_every_activation_at_the_end_is_predicted(last, units, kernel, calls):
    if last == "softmax" and units == 1:
        units = 2
    mine, theirs = both(kernel, calls, [L.Dense(19, "tanh"), L.Dense(units, last)], X)
    np.testing.assert_allclose(mine, theirs, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("samples", [1, 2, 100, 128, 129, 300])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_samples_is_predicted_on_any_number_of_threads(
    samples, threads, kernel, calls, monkeypatch
):
    monkeypatch.setattr(prediction, "ONE_THREAD", 0)
    mine, theirs = both(kernel, calls, [L.Dense(64, "relu"), L.Dense(3)], X[:samples], threads)
    np.testing.assert_allclose(mine, theirs, rtol=2e-6, atol=2e-6)


def test_normalization_uses_the_moving_moments_and_dropout_does_nothing(kernel, calls):
    layers = [
        L.Dense(19, "relu"),
        L.BatchNormalization(),
        L.Dropout(0.5),
        L.Dense(7, use_bias=False),
    ]
    layers += [
        L.BatchNormalization(center=False, scale=False),
        L.Activation("sigmoid"),
        L.Dense(1, "sigmoid"),
    ]
    mine, theirs = both(kernel, calls, layers, X)
    np.testing.assert_allclose(mine, theirs, rtol=2e-6, atol=1e-6)


def test_bytes_are_scaled(kernel, calls):
    mine, theirs = both(
        kernel, calls, [L.Flatten(), L.Rescaling(1 / 127.5, -1.0), L.Dense(4, "softmax")], BYTES
    )
    np.testing.assert_allclose(mine, theirs, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [L.Dense(8, "gelu"), L.Dense(1)],
        lambda: [L.Dense(8), L.Dense(1, "softplus")],
        lambda: [L.LayerNormalization(), L.Dense(1)],
        lambda: [L.Dense(300), L.Dense(300)],
        lambda: [L.Dense(8, dtype="mixed_bfloat16"), L.Dense(1)],
    ],
)
def test_xla_predicts_large_networks_and_those_that_the_kernel_does_not_support(
    layers, kernel, calls
):
    kernel(True)
    model = gazelle.Sequential([gazelle.Input((11,)), *layers()])
    assert model.predict(X, verbose=0).shape[0] == len(X)
    assert calls == [None]


def test_new_weights_take_effect_without_a_new_program(kernel, calls):
    kernel(True)
    model = gazelle.Sequential([gazelle.Input((11,)), L.Dense(1)])
    model.predict(X, verbose=0)
    model.set_weights([np.ones((11, 1)), np.array([2.0])])
    np.testing.assert_allclose(
        model.predict(X, verbose=0)[:, 0], X.sum(1) + 2, rtol=1e-5, atol=1e-5
    )
    assert len(calls) == 1


def test_few_samples_are_predicted_on_one_thread():
    assert (
        prediction.prediction_threads(5_440, 1, 2)
        == prediction.prediction_threads(5_440, 700, 2)
        == 1
    )
    assert prediction.prediction_threads(5_440, 16_384, 2) == 2
    assert prediction.prediction_threads(5_440, 16_384, 64) == 4
