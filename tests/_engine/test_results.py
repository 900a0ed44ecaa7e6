"""What fit, evaluate and the batch methods return, and under which names."""

import functools

import keras
import numpy as np
import pytest

import gazelle
from gazelle._core.errors import ArgumentError, ArgumentTypeError, StateError, UnknownNameError

pytestmark = pytest.mark.slow


def listed(value):
    return [float(v) for v in value] if isinstance(value, list) else float(value)


def outputs(K, kind):
    """A network with two outputs: as a list, as a dict, or a subclass."""
    L = K.layers
    if kind == "subclass":

        class Heads(K.Model):
            def __init__(self):
                super().__init__()
                self.first, self.second = L.Dense(1), L.Dense(3, activation="softmax")

            def call(self, inputs):
                return {"size": self.first(inputs), "kind": self.second(inputs)}

        model = Heads()
        model(np.zeros((1, 4), "float32"))
    else:
        x = K.Input((4,))
        size, kinds = L.Dense(1, name="size")(x), L.Dense(3, activation="softmax", name="kind")(x)
        model = K.Model(x, [size, kinds] if kind == "list" else {"kind": kinds, "size": size})
    rng = np.random.default_rng(2)
    shapes = {(4, 1): rng.normal(size=(4, 1)), (4, 3): rng.normal(size=(4, 3))}
    model.set_weights([shapes.get(tuple(w.shape), np.zeros(w.shape)) for w in model.weights])
    return model


@pytest.fixture
def targets(data):
    return data[1], np.clip((data[0][:, 0] + 1).round(), 0, 2).astype("int64")


SPARSE = "sparse_categorical_crossentropy"


def check_all_results(both, make, x, y, **more):
    """The history of fit and the results of all other methods are Keras's: names, order, values."""

    def run(K):
        model = make(K)
        fit = {"validation_data": (x, y), "verbose": 0, "shuffle": False, "epochs": 2}
        fitted = model.fit(x, y, **fit, **more).history
        results = [
            model.evaluate(x, y, verbose=0, **more),
            model.test_on_batch(x, y, **more),
            model.train_on_batch(x, y, **more),
        ]
        named = [
            model.evaluate(x, y, verbose=0, return_dict=True, **more),
            model.test_on_batch(x, y, return_dict=True, **more),
            model.train_on_batch(x, y, return_dict=True, **more),
        ]
        return fitted, [listed(result) for result in results], named

    (expected, their_results, their_named), (found, results, named) = both(run)
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, err_msg=name)
    for ours, theirs in zip(results, their_results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    for ours, theirs in zip(named, their_named, strict=True):
        assert list(ours) == list(theirs)
        np.testing.assert_allclose(
            list(ours.values()), [float(v) for v in theirs.values()], rtol=1e-5
        )
    return found


# ---- One output ----


def _mean_gap(y_true, y_pred):
    return abs(y_true - y_pred).mean(-1)


@pytest.mark.parametrize(
    "compiled",
    [
        lambda K: {"loss": "mse"},
        lambda K: {
            "loss": K.losses.MeanAbsoluteError,
            "metrics": ["mse", "MeanSquaredError", "mean_squared_error"],
        },
        lambda K: {
            "loss": K.losses.MeanSquaredError(),
            "metrics": [K.metrics.MeanAbsoluteError(name="gap"), "mae"],
        },
        lambda K: {
            "loss": _mean_gap,
            "metrics": [_mean_gap, lambda a, b: (a - b) ** 2, K.metrics.MeanSquaredError],
        },
        lambda K: {"loss": "mse", "metrics": ["mae"], "weighted_metrics": ["mse"]},
        lambda K: {"loss": ["mse"], "metrics": [["mae"]], "loss_weights": [0.5]},
        lambda K: {"loss": "mse", "loss_weights": 2.0},
    ],
    ids=["loss", "classes", "instances", "functions", "weighted", "lists", "loss weight"],
)
def test_results_of_one_output_are_those_of_keras(both, net, data, compiled):
    def make(K):
        return net(K, **compiled(K))

    check_all_results(both, make, *data)


@pytest.mark.parametrize("loss", ["categorical_crossentropy", SPARSE, "binary_crossentropy"])
def test_accuracy_is_the_metric_that_matches_the_shapes(both, net, data, targets, loss):
    labels = targets[1]
    y = {"categorical_crossentropy": np.eye(3)[labels], SPARSE: labels}.get(loss, labels % 2)
    units, activation = (1, "sigmoid") if loss == "binary_crossentropy" else (3, "softmax")

    def make(K):
        return net(K, units, activation, loss=loss, metrics=["accuracy", "acc", "Accuracy"])

    found = check_all_results(both, make, data[0], y)
    assert list(found)[:4] == ["Accuracy", "acc", "accuracy", "loss"]


# ---- Several outputs ----


@pytest.mark.parametrize(
    "compiled",
    [
        {"loss": ["mse", SPARSE], "metrics": [["mae"], ["accuracy"]]},
        {"loss": ["mse", SPARSE], "metrics": ["mae", "accuracy"], "loss_weights": [0.2, 3]},
        {
            "loss": {"size": "mse", "kind": SPARSE},
            "metrics": {"kind": ["accuracy"]},
            "loss_weights": {"size": 0.5, "kind": 1},
        },
        {
            "loss": ["mse", SPARSE],
            "weighted_metrics": [None, ["accuracy"]],
            "metrics": [["mae"], "accuracy"],
        },
        {"loss": {"size": "mse", "kind": None}, "metrics": [["mae", "mse"], None]},
    ],
    ids=["lists", "plain entries", "dicts", "weighted", "one loss"],
)
def test_results_of_a_list_of_outputs_are_those_of_keras(both, data, targets, compiled):
    def make(K):
        model = outputs(K, "list")
        model.compile(K.optimizers.SGD(0.1), **compiled)
        return model

    found = check_all_results(both, make, data[0], list(targets))
    assert "loss" in found


@pytest.mark.parametrize("kind", ["dict", "subclass"])
def test_results_of_a_dict_of_outputs_are_those_of_keras(both, data, targets, kind):
    def make(K):
        model = outputs(K, kind)
        losses, metrics = {"size": "mse", "kind": SPARSE}, {"size": ["mae"], "kind": ["accuracy"]}
        model.compile(K.optimizers.SGD(0.1), losses, metrics=metrics)
        return model

    found = check_all_results(both, make, data[0], {"size": targets[0], "kind": targets[1]})
    assert list(found)[:5] == ["kind_accuracy", "kind_loss", "loss", "size_loss", "size_mae"]


def test_a_list_of_outputs_accepts_targets_by_name(data, targets):
    results = []
    for y in (list(targets), {"kind": targets[1], "size": targets[0]}):
        model = outputs(gazelle, "list")
        model.compile("sgd", ["mse", SPARSE])
        results.append(model.evaluate(data[0], y, verbose=0))
    assert results[0] == results[1]


@pytest.mark.parametrize("form", ["list", "dict", "one for all"])
def test_sample_weights_of_several_outputs_may_have_any_structure(data, targets, form):
    first, second = np.linspace(0, 1, 70, dtype="float32"), np.linspace(2, 0, 70, dtype="float32")

    def run(K, weights):
        model = outputs(K, "list")
        model.compile(
            K.optimizers.SGD(0.1), ["mse", SPARSE], weighted_metrics=[["mae"], ["accuracy"]]
        )
        return model.fit(
            data[0], list(targets), sample_weight=weights, verbose=0, shuffle=False
        ).history

    given = {
        "list": [first, second],
        "dict": {"kind": second, "size": first},
        "one for all": first,
    }[form]
    # Keras does not accept a dict here.
    expected = run(keras, [first, second] if form == "dict" else given)
    found = run(gazelle, given)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5)


def test_predictions_have_the_structure_of_the_outputs(data):
    as_list, as_dict = outputs(gazelle, "list"), outputs(gazelle, "dict")
    size, kind = as_list.predict(data[0])
    named = as_dict.predict(data[0])
    assert (size.shape, kind.shape) == ((70, 1), (70, 3))
    np.testing.assert_array_equal(named["size"], size)
    # Another program, whose last bits may differ on some processors.
    np.testing.assert_allclose(as_dict.predict_on_batch(data[0])["kind"], kind, rtol=1e-6)


# ---- Refusals ----


@pytest.mark.parametrize(
    ("compiled", "error", "text"),
    [
        ({"loss": "mse", "metrics": "mae"}, ArgumentError, "list or dict"),
        ({"loss": "meansquared"}, UnknownNameError, "mean_squared_error"),
        ({"loss": "mse", "metrics": ["acuracy"]}, UnknownNameError, "accuracy"),
        ({"optimizer": gazelle.optimizers.Adam, "loss": "mse"}, ArgumentTypeError, "instance"),
        ({"optimizer": "adamm", "loss": "mse"}, UnknownNameError, "adam"),
    ],
    ids=[
        "metrics not a list",
        "unknown loss",
        "unknown metric",
        "optimizer class",
        "unknown optimizer",
    ],
)
def test_compile_refuses_invalid_arguments(net, compiled, error, text):
    with pytest.raises(error, match=text):
        net(gazelle).compile(**compiled)


@pytest.mark.parametrize(
    ("compiled", "text"),
    [
        ({"loss": {"size": "mse"}}, "Expected keys"),
        ({"loss": {"size": "mse", "sort": "mse"}}, "Expected keys"),
        ({"loss": "mse", "loss_weights": [2.0]}, "loss_weights"),
        ({"loss": ["mse", "mse", "mse"]}, "not in the model's outputs"),
        ({"loss": "mse", "metrics": ["mae"]}, "metrics"),
    ],
    ids=[
        "a loss missing",
        "no such output",
        "one weight",
        "too many losses",
        "one metric for two outputs",
    ],
)
def test_compile_refuses_arguments_that_do_not_match_the_outputs(compiled, text):
    with pytest.raises(ArgumentError, match=text):
        outputs(gazelle, "list").compile(**compiled)


def test_methods_before_compile_are_refused(net, data):
    model = net(gazelle)
    for method in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(StateError, match=r"You must call `compile\(\)` before using the model"):
            method(*data)
    assert model.predict(data[0]).shape == (70, 1)


def test_an_optimizer_of_another_model_is_refused_before_training(net, data):
    optimizer = gazelle.optimizers.Adam()
    net(gazelle, loss="mse", optimizer=optimizer).train_on_batch(*data)
    other = net(gazelle, loss="mse", optimizer=optimizer)
    with pytest.raises(StateError, match="was built for other variables"):
        other.fit(*data, verbose=0)


def test_compiling_again_keeps_loss_and_metrics_that_are_not_given(both, net, data):
    def run(K):
        model = net(K, loss="mse", metrics=["mae"])
        model.compile(K.optimizers.SGD(0.01))
        return model.evaluate(*data, verbose=0)

    expected, found = both(run)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


# ---- Batch methods ----


def test_batch_methods_train_like_one_step_of_fit_and_do_not_accumulate(net, data):
    fitted, stepped = net(gazelle, loss="mse"), net(gazelle, loss="mse")
    first = stepped.train_on_batch(*data)
    history = fitted.fit(*data, batch_size=70, shuffle=False, verbose=0).history
    assert first == pytest.approx(history["loss"][0], rel=1e-6)
    for ours, theirs in zip(stepped.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    tested = stepped.test_on_batch(*data)
    assert tested == stepped.test_on_batch(*data)
    assert tested == pytest.approx(fitted.evaluate(*data, verbose=0))
    assert stepped.train_on_batch(*data) < first


def test_evaluate_weights_samples_as_keras_does(both, net, data):
    weights = np.linspace(0, 3, 70)

    def run(K):
        model = net(K, loss="mse", weighted_metrics=["mae"])
        call = functools.partial(model.evaluate, *data, sample_weight=weights, verbose=0)
        return call(), call(steps=2), model.test_on_batch(*data, sample_weight=weights)

    expected, found = both(run)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(listed(ours), listed(theirs), rtol=1e-5)


def test_predictions_are_writable(net, data):
    model = net(gazelle)
    for predictions in (model.predict(data[0]), model.predict_on_batch(data[0])):
        predictions[0] = 7.0
    assert model.predict(data[0])[0] != 7.0


def test_a_layer_that_draws_in_predictions_draws_anew_each_time():
    """As in Keras: predict moves the states of the random generators, also by the shortcut."""

    class Draws(gazelle.layers.Layer):
        def __init__(self):
            super().__init__()
            self.generator = gazelle.random.SeedGenerator(1)

        def call(self, x):
            return x + gazelle.random.normal(x.shape, seed=self.generator)

    inputs = gazelle.Input((3,))
    model = gazelle.Model(inputs, Draws()(inputs))
    x = np.zeros((8, 3), "float32")
    drawn = [model.predict(x, verbose=0) for _ in range(4)]
    drawn += [model.predict_on_batch(x) for _ in range(2)]
    assert len({array.tobytes() for array in drawn}) == 6
    model.layers[-1].generator.state.assign([0, 1])
    again = model.predict(x, verbose=0)
    model.layers[-1].generator.state.assign([0, 1])
    np.testing.assert_array_equal(model.predict(x, verbose=0), again)
