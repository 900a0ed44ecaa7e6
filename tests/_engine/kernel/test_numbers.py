"""The kernel agrees with a float64 reference and with XLA to float32 rounding."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import gazelle
from gazelle.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)

pytestmark = pytest.mark.slow

spec = importlib.util.spec_from_file_location("reference", Path(__file__).with_name("reference.py"))
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

rng = np.random.default_rng(0)
X = rng.normal(size=(101, 11)).astype("float32")
BYTES = rng.integers(0, 256, (101, 5, 7, 2), dtype=np.uint8)
LABELS = rng.integers(0, 4, 101).astype("int32")
ONE_HOT = np.eye(4, dtype="float32")[LABELS]
YES = (X[:, :1] > 0.3).astype("float32")

# name: activation of the last layer, units, loss, kind of loss in the reference, targets
HEADS = {
    "sparse": ("softmax", 4, "sparse_categorical_crossentropy", "sparse", LABELS),
    "sparse column of bytes": (
        "softmax",
        4,
        SparseCategoricalCrossentropy(),
        "sparse",
        LABELS[:, None].astype("uint8"),
    ),
    "sparse logits": (
        None,
        4,
        SparseCategoricalCrossentropy(from_logits=True),
        "sparse logits",
        LABELS,
    ),
    "one-hot": ("softmax", 4, "categorical_crossentropy", "one-hot", ONE_HOT),
    "one-hot logits": (
        None,
        4,
        CategoricalCrossentropy(from_logits=True),
        "one-hot logits",
        ONE_HOT,
    ),
    "distribution": (
        "softmax",
        4,
        "categorical_crossentropy",
        "one-hot",
        0.8 * ONE_HOT + np.float32(0.05),
    ),
    "binary": ("sigmoid", 1, "binary_crossentropy", "binary", YES),
    "binary flat integers": (
        "sigmoid",
        1,
        "binary_crossentropy",
        "binary",
        YES[:, 0].astype("int32"),
    ),
    "binary logits": (None, 1, BinaryCrossentropy(from_logits=True), "binary logits", YES),
    "squared": ("linear", 3, "mse", "squared", X[:, :3] * 2),
    "squared flat": (None, 1, gazelle.losses.MeanSquaredError(), "squared", X[:, 1]),
}


def check(
    kernel,
    plans,
    make,
    x,
    y,
    kind,
    *,
    activation="relu",
    bias=True,
    batch=32,
    epochs=3,
    threads=1,
    before=(),
    exact=True,
):
    """Train with the kernel, with XLA and, if `exact`, with the reference, and compare."""
    results = []
    for on in (True, False):
        kernel(on, threads)
        model = make()
        first = model.get_weights()
        history = model.fit(x, y, batch_size=batch, epochs=epochs, shuffle=False, verbose=0).history
        results.append((model.get_weights(), history, model.optimizer.get_weights()))
    assert [plan is not None for plan in plans] == [True, False]
    (mine, logs, slots), (theirs, their_logs, their_slots) = results
    scaled = x if not before else np.float64(x) * before[-1].scale + before[-1].offset
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=5e-6)
    for a, b in zip(slots, their_slots, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6)
    assert slots[0] == their_slots[0] == epochs * -(-len(x) // batch)
    np.testing.assert_allclose(logs["loss"], their_logs["loss"], rtol=2e-6)
    if "accuracy" in logs:
        np.testing.assert_allclose(logs["accuracy"], their_logs["accuracy"], atol=1e-6)
    if not exact:
        return
    step = 2 if bias else 1
    layers = []
    for at in range(0, len(first), step):
        layers += [reference.Dense(*first[at : at + step]), reference.Activation(activation)]
    loss, accuracy = reference.train(layers[:-1], scaled, y, kind, batch=batch, epochs=epochs)
    for a, b in zip(mine, [one.value for layer in layers for one in layer.parameters], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(logs["loss"][-1], loss, rtol=1e-5)
    if "accuracy" in logs:
        np.testing.assert_allclose(logs["accuracy"][-1], accuracy, atol=1e-6)


@pytest.mark.parametrize("name", HEADS)
def test_every_head_gives_the_numbers_of_the_reference_and_of_xla(name, kernel, plans, network):
    end, units, loss, kind, y = HEADS[name]
    metrics = () if kind == "squared" or name == "distribution" else ("accuracy",)
    make = lambda: network(X, (9, units), end, loss, metrics=metrics)  # noqa: E731
    check(kernel, plans, make, X, y, kind)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ["relu", "linear", "tanh", "sigmoid"])
def test_every_activation_is_trained_with_and_without_bias(
    activation, bias, kernel, plans, network
):
    make = lambda: network(X, (17, 16, 4), "softmax", HEADS["sparse"][2], activation, bias=bias)  # noqa: E731
    check(kernel, plans, make, X, LABELS, "sparse", activation=activation, bias=bias, threads=2)


@pytest.mark.parametrize(
    ("batch", "threads"),
    [(1, 1), (7, 1), (7, 2), (32, 2), (32, 3), (64, 3), (64, 4), (101, 2), (500, 2)],
)
def test_any_batch_size_is_trained_on_any_number_of_threads(batch, threads, kernel, plans, network):
    make = lambda: network(X, (33, 20, 1), "sigmoid", "binary_crossentropy", "tanh")  # noqa: E731
    check(
        kernel,
        plans,
        make,
        X,
        YES,
        "binary",
        activation="tanh",
        batch=batch,
        threads=threads,
        epochs=2,
    )


@pytest.mark.parametrize("sizes", [(4,), (64, 4), (50, 35, 4)])
def test_bytes_are_scaled(sizes, kernel, plans, network):
    before = [gazelle.layers.Flatten(), gazelle.layers.Rescaling(1 / 127.5, -1.0)]
    make = lambda: network(BYTES, sizes, "softmax", HEADS["sparse"][2], before=before)  # noqa: E731
    check(kernel, plans, make, BYTES, LABELS, "sparse", before=before)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("inputs", [600, 64, 130])
def test_wide_first_layers_are_computed_in_blocks_of_features(
    inputs, threads, kernel, plans, network
):
    x = rng.normal(size=(50, inputs)).astype("float32") / inputs**0.5
    make = lambda: network(x, (35, 4), "softmax", HEADS["sparse"][2])  # noqa: E731
    check(kernel, plans, make, x, LABELS[:50], "sparse", batch=16, threads=threads, epochs=2)


@pytest.mark.parametrize("factor", [30, 100, 10_000])
@pytest.mark.parametrize("name", ["sparse", "one-hot", "distribution", "binary"])
@pytest.mark.filterwarnings("ignore:fit. no weight has changed")
def test_gradients_of_clipped_probabilities_vanish_as_with_xla(
    name, factor, kernel, plans, network
):
    end, units, loss, kind, y = HEADS[name]
    x = np.float32(factor) * X
    make = lambda: network(x, (9, units), end, loss, metrics=())  # noqa: E731
    # With 10,000, every probability is 0 or 1. With smaller factors, float64 and float32 clip
    # different probabilities.
    check(kernel, plans, make, x, y, kind, epochs=1, exact=factor == 10_000)


@pytest.mark.filterwarnings("ignore:fit. the loss is nan")
def test_nan_spreads_as_with_xla(kernel, network):
    x = X.copy()
    results = []
    for on in (True, False):
        kernel(on)
        model = network(x, (9, 4), "softmax", HEADS["sparse"][2])
        first, *others = model.get_weights()
        model.set_weights([np.full(first.shape, np.nan), *others])
        history = model.fit(x, LABELS, epochs=1, verbose=0, nonfinite_loss="continue").history
        all_nan = [np.isnan(weight).all() for weight in model.get_weights()]
        results.append((history["loss"], history["accuracy"], all_nan))
    np.testing.assert_equal(results[0], results[1])
    assert np.isnan(results[0][0][0])
