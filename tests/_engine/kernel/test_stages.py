"""Normalization, dropout, penalties, sample weights and metrics in the kernel.

They are compared with the float64 reference and with XLA.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import gazelle
from gazelle._engine import compiled_metrics as measures
from gazelle._engine import kernel as native

pytestmark = pytest.mark.slow

spec = importlib.util.spec_from_file_location("reference", Path(__file__).with_name("reference.py"))
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

L = gazelle.layers
rng = np.random.default_rng(0)
X = rng.normal(size=(101, 11)).astype("float32")
LABELS = rng.integers(0, 4, 101).astype("int32")
YES = (X[:, 0] > 0.3).astype("float32")
WEIGHTS = rng.uniform(0, 2, 101).astype("float32")
SPARSE = "sparse_categorical_crossentropy"
KEEPS_MOVING = {"momentum": 0.8, "epsilon": 0.01}

# The layers after the first and after the second Dense layer, whose activations are tanh and
# linear. The second has no bias: before a normalization its gradient would be zero, and Adam would
# turn rounding errors into full steps.
BEHIND = {
    "dropout": ([lambda: L.Dropout(0.2, seed=7)], [lambda: L.Dropout(0.5, seed=8)]),
    "two dropouts in a row": ([lambda: L.Dropout(0.2, seed=7), lambda: L.Dropout(0.3, seed=9)], []),
    "batch normalization": (
        [lambda: L.BatchNormalization(**KEEPS_MOVING)],
        [lambda: L.BatchNormalization()],
    ),
    "normalization, then activation": (
        [],
        [lambda: L.BatchNormalization(), lambda: L.Activation("relu")],
    ),
    "without scale": ([lambda: L.BatchNormalization(scale=False)], []),
    "without shift": ([], [lambda: L.BatchNormalization(center=False)]),
    "without either": ([lambda: L.BatchNormalization(center=False, scale=False)], []),
    "all": (
        [lambda: L.BatchNormalization(**KEEPS_MOVING), lambda: L.Dropout(0.2, seed=7)],
        [
            lambda: L.BatchNormalization(),
            lambda: L.Activation("sigmoid"),
            lambda: L.Dropout(0.4, seed=8),
        ],
    ),
}


def in_float64(model):
    """The reference's layers for a model, with current values and without the last activation."""
    return [one for layer in model.layers for one in counterparts(layer, layer is model.layers[-1])]


def counterparts(layer, last):
    if last:
        return [reference.Dense(*layer.get_weights())]
    if isinstance(layer, L.Dense):
        return [
            reference.Dense(*layer.get_weights()),
            reference.Activation(layer.activation.__name__),
        ]
    if isinstance(layer, L.Dropout):
        return [reference.Dropout(layer.rate, layer.seed)]
    if isinstance(layer, L.Activation):
        return [reference.Activation(layer.activation.__name__)]
    weights = iter(layer.get_weights())
    gamma, beta = (next(weights) if there else None for there in (layer.scale, layer.center))
    return [reference.Normalization(gamma, beta, *weights, layer.epsilon, layer.momentum)]


def chain(behind, units=4, end="softmax", first=19, loss=SPARSE, **compiled):
    """A compiled model with the same initial weights in every call."""
    layers = [
        L.Dense(first, "tanh"),
        *(make() for make in behind[0]),
        L.Dense(10, use_bias=False),
        *(make() for make in behind[1]),
    ]
    model = gazelle.Sequential([gazelle.Input((11,)), *layers, L.Dense(units, end)])
    draws = np.random.default_rng(1)
    for layer in model.layers:
        weights = layer.get_weights()
        spread = [draws.normal(size=w.shape, scale=(w.shape[0] + 1) ** -0.5) for w in weights]
        if isinstance(layer, L.BatchNormalization):
            spread = [np.abs(w) + 0.5 for w in spread]
        layer.set_weights(spread)
    model.compile(**{"optimizer": "adam", "loss": loss, "metrics": ["accuracy"], **compiled})
    return model


def both(kernel, plans, make, x, y, threads=1, **given):
    """Models and histories after fit, with the kernel and with XLA, after comparing them."""
    results = []
    for on in (True, False):
        kernel(on, threads)
        model = make()
        given = {"epochs": 2, "batch_size": 32, "shuffle": False, "verbose": 0, **given}
        results.append((model, model.fit(x, y, **given).history))
    assert [plan is not None for plan in plans] == [True, False]
    (mine, logs), (theirs, their_logs) = results
    for a, b in zip(mine.variables, theirs.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-4, atol=2e-5, err_msg=a.path)
    assert logs.keys() == their_logs.keys()
    for name in logs:
        np.testing.assert_allclose(logs[name], their_logs[name], rtol=1e-5, atol=1e-6, err_msg=name)
    return results


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", BEHIND)
def test_stages_give_the_numbers_of_the_reference_and_of_xla(name, threads, kernel, plans):
    layers = in_float64(chain(BEHIND[name]))
    (mine, logs), _ = both(kernel, plans, lambda: chain(BEHIND[name]), X, LABELS, threads)
    loss, accuracy = reference.train(layers, X, LABELS, "sparse", batch=32, epochs=2)
    np.testing.assert_allclose(logs["loss"][-1], loss, rtol=1e-5)
    np.testing.assert_allclose(logs["accuracy"][-1], accuracy, atol=1e-6)
    trained = [parameter.value for layer in layers for parameter in layer.parameters]
    for a, b in zip(mine.trainable_variables, trained, strict=True):
        np.testing.assert_allclose(a.numpy(), b, rtol=2e-4, atol=2e-5, err_msg=a.path)
    moments = [value for layer in layers for value in getattr(layer, "moving", ())]
    for a, b in zip(
        [v for v in mine.non_trainable_variables if "moving" in v.path], moments, strict=True
    ):
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-4, atol=1e-6, err_msg=a.path)


@pytest.mark.parametrize(
    ("batch", "threads"), [(1, 1), (7, 2), (16, 3), (33, 2), (101, 2), (500, 4)]
)
def test_stages_are_trained_with_any_batch_size_and_shorter_last_batches(
    batch, threads, kernel, plans
):
    # A batch of one sample has no deviation, so the gradients of the layers before its
    # normalization are rounding errors.
    behind = BEHIND["all"] if batch > 1 else BEHIND["dropout"]
    both(kernel, plans, lambda: chain(behind, first=33), X, LABELS, threads, batch_size=batch)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_wide_first_layer_may_have_stages(threads, kernel, plans):
    x = rng.normal(size=(70, 600)).astype("float32") / 25

    def make():
        gazelle.utils.set_random_seed(2)
        layers = [
            L.Dense(20, "relu"),
            L.BatchNormalization(),
            L.Dropout(0.3, seed=5),
            L.Dense(1, "sigmoid"),
        ]
        model = gazelle.Sequential([gazelle.Input((600,)), *layers])
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        return model

    both(kernel, plans, make, x, YES[:70], threads)


def test_chunks_of_steps_continue_the_same_sequence_of_masks(kernel):
    kernel(True)
    whole, stepwise = chain(BEHIND["all"]), chain(BEHIND["all"])
    given = {"epochs": 2, "shuffle": False, "verbose": 0}
    logs = whole.fit(X, LABELS, **given).history
    steps = gazelle.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    assert stepwise.fit(X, LABELS, callbacks=[steps], **given).history == logs
    for a, b in zip(whole.variables, stepwise.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("batch", [2, 16])
def test_masks_that_another_thread_draws_ahead_are_the_same(batch, kernel, monkeypatch):
    results = []
    for cores in (1, 2):
        kernel(True, cores)
        monkeypatch.setattr(native.plan, "ONE_THREAD", 2 << 20)
        model = chain(BEHIND["all"])
        history = model.fit(X, LABELS, batch_size=batch, epochs=3, verbose=0, shuffle=False).history
        results.append((history, [variable.numpy() for variable in model.variables]))
    (logs, values), (others, other_values) = results
    assert logs == others
    for mine, theirs in zip(values, other_values, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("penalty", "factors"),
    [
        (gazelle.regularizers.L2(0.02), (0, 0.02)),
        (gazelle.regularizers.L1(0.01), (0.01, 0)),
        (gazelle.regularizers.L1L2(0.01, 0.03), (0.01, 0.03)),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_penalties_of_kernels_biases_and_scales_are_in_loss_and_gradient(
    penalty, factors, threads, kernel, plans
):
    def make():
        hidden = L.Dense(19, "tanh", kernel_regularizer=penalty)
        normalization, last = (
            L.BatchNormalization(gamma_regularizer=penalty),
            L.Dense(1, bias_regularizer=penalty),
        )
        model = gazelle.Sequential(
            [gazelle.Input((11,)), hidden, normalization, last, L.Activation("sigmoid")]
        )
        draws = np.random.default_rng(1)
        model.set_weights(
            [np.abs(draws.normal(size=w.shape, scale=0.3)) for w in model.get_weights()]
        )
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        return model

    dense, normalization, last, _ = (layer.get_weights() for layer in make().layers)
    layers = [
        reference.Dense(*dense, penalty=factors),
        reference.Activation("tanh"),
        reference.Normalization(*normalization, penalty=factors),
        reference.Dense(*last, bias_penalty=factors),
    ]
    (mine, logs), _ = both(kernel, plans, make, X, YES, threads)
    loss, _ = reference.train(layers, X, YES, "binary", batch=32, epochs=2)
    np.testing.assert_allclose(logs["loss"][-1], loss, rtol=1e-5)
    trained = [parameter.value for layer in layers for parameter in layer.parameters]
    for a, b in zip(mine.trainable_variables, trained, strict=True):
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-4, atol=2e-5, err_msg=a.path)


HEADS = {
    "sparse": (4, "softmax", SPARSE, LABELS, "sparse"),
    "one-hot": (
        4,
        "softmax",
        "categorical_crossentropy",
        np.eye(4, dtype="float32")[LABELS],
        "one-hot",
    ),
    "binary": (1, "sigmoid", "binary_crossentropy", YES, "binary"),
    "squared": (1, None, "mse", X[:, 1], "squared"),
}


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("name", HEADS)
def test_samples_are_weighted(name, column, kernel, plans):
    units, end, loss, y, kind = HEADS[name]
    make = lambda: chain(([], []), units, end, loss=loss, metrics=[])  # noqa: E731
    layers = in_float64(make())
    given = WEIGHTS[:, None] if column else WEIGHTS
    (mine, logs), _ = both(kernel, plans, make, X, y, sample_weight=given)
    expected, _ = reference.train(layers, X, y, kind, batch=32, epochs=2, sample_weight=WEIGHTS)
    np.testing.assert_allclose(logs["loss"][-1], expected, rtol=1e-5)
    trained = [parameter.value for layer in layers for parameter in layer.parameters]
    for a, b in zip(mine.trainable_variables, trained, strict=True):
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-4, atol=2e-5)


def test_class_weights_become_sample_weights(kernel, plans):
    weights = {0: 1.0, 1: 2.0, 2: 0.5, 3: 0.0}
    both(kernel, plans, lambda: chain(([], [])), X, LABELS, class_weight=weights)


@pytest.mark.parametrize("together", [8, 1024])
@pytest.mark.parametrize("stepwise", [False, True])
def test_metrics_give_the_same_results_as_batch_by_batch(
    together, stepwise, kernel, plans, monkeypatch
):
    monkeypatch.setattr(measures, "_TOGETHER", together)
    M = gazelle.metrics

    def make():
        compiled = {
            "loss": "binary_crossentropy",
            "metrics": [
                "accuracy",
                "AUC",
                "mse",
                M.Precision(),
                M.Recall(),
                M.F1Score(threshold=0.5),
            ],
            "weighted_metrics": ["accuracy", "AUC"],
        }
        return chain(([], []), 1, "sigmoid", **compiled)

    given = {"sample_weight": WEIGHTS, "batch_size": 10}
    if stepwise:
        hook = gazelle.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
        given["callbacks"] = [hook]
    (_, logs), _ = both(kernel, plans, make, X, YES[:, None], **given)
    names = {"accuracy", "AUC", "precision", "recall", "weighted_accuracy", "f1_score"}
    assert names <= logs.keys()


def test_metrics_receive_logits_if_the_model_predicts_them(kernel, plans):
    loss = gazelle.losses.SparseCategoricalCrossentropy(from_logits=True)

    def make():
        crossentropy = gazelle.metrics.SparseCategoricalCrossentropy(from_logits=True)
        return chain(([], []), 4, None, loss=loss, metrics=["accuracy", crossentropy])

    both(kernel, plans, make, X, LABELS)
