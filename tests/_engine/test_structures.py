"""Nested outputs with their targets, losses and metrics, and inputs that may be left out."""

import collections
import warnings

import jax
import numpy as np
import pytest

import gazelle
from gazelle._core.errors import ArgumentError, MissingKeyError, ShapeError

Pair = collections.namedtuple("Pair", ["left", "right"])


def heads(K, count):
    """An input and outputs `(None, 1)` with the same weights in both libraries."""
    x = K.Input((4,), name="x")
    return x, [
        K.layers.Dense(1, name=f"y{i}", kernel_initializer=K.initializers.Constant(0.1 * (i + 1)))(
            x
        )
        for i in range(1, count + 1)
    ]


def history_of(K, x, outputs, y, inputs, **compiled):
    model = K.Model(inputs, outputs)
    model.compile("sgd", **compiled)
    history = model.fit(x, y, epochs=2, batch_size=16, shuffle=False, verbose=0).history
    tested = model.evaluate(x, y, return_dict=True, verbose=0)
    return history | {f"evaluate {name}": value for name, value in tested.items()}, model.predict(
        x, verbose=0
    )


def whole(K):
    """A loss of any structure of outputs: the mean of all absolute errors."""

    def total(y_true, y_pred):
        errors = [
            K.ops.mean(K.ops.abs(t - p), axis=-1)
            for t, p in zip(K.tree.flatten(y_true), K.tree.flatten(y_pred), strict=True)
        ]
        return sum(errors)

    return total


def deep(a, b, c, d):
    return {"a": (a, b), "b": {"b1": c}, "c": d}


STRUCTURES = {
    "one name for a tuple": lambda K, a, b, c, d: ((a, b), {"loss": "mse"}),
    "one name and weight for a dict": lambda K, a, b, c, d: (
        {"p": a, "q": b},
        {"loss": "mse", "loss_weights": 0.5},
    ),
    "one name for nested outputs": lambda K, a, b, c, d: (
        deep(a, b, c, d),
        {"loss": "mae"},
    ),
    "losses by nested keys": lambda K, a, b, c, d: (
        deep(a, b, c, d),
        {
            "loss": {"a": ["mse", "mae"], "b": {"b1": "mse"}, "c": "mae"},
            "loss_weights": {"a": [1.0, 2.0], "b": {"b1": 0.5}, "c": 3.0},
        },
    ),
    "a list of dicts": lambda K, a, b, c, d: (
        [{"p": a, "q": b}, {"r": c}],
        {"loss": [{"p": "mse", "q": "mae"}, {"r": "mse"}]},
    ),
    "losses for some keys": lambda K, a, b, c, d: (
        {"p": a, "q": b},
        {"loss": {"q": "mse"}, "metrics": {"q": ["mae"]}},
    ),
    "a loss of the whole and one of each part": lambda K, a, b, c, d: (
        (a, b),
        {"loss": [whole(K), (whole(K), "mse")], "loss_weights": [1.0, (2.0, 0.5)]},
    ),
    "losses of parts": lambda K, a, b, c, d: (
        deep(a, b, c, d),
        {"loss": {"a": [whole(K), (None, whole(K))], "b": whole(K), "c": "mse"}},
    ),
    "a named tuple": lambda K, a, b, c, d: (Pair(a, b), {"loss": [whole(K), Pair("mse", "mae")]}),
    "a list of one loss for an output": lambda K, a, b, c, d: (
        [a, b],
        {"loss": ["mse", ["mae"]], "metrics": ["mse", ["mse", "mae"]]},
    ),
    "metrics by nested keys": lambda K, a, b, c, d: (
        {"p": (a, b), "q": {"r": c}},
        {
            "loss": "mse",
            "metrics": {"p": (["mae"], ["mse", "mae"]), "q": {"r": ["mae"]}},
            "weighted_metrics": {"p": (["mae"], None), "q": {"r": None}},
        },
    ),
    "the only output in a dict": lambda K, a, b, c, d: (
        {"p": a},
        {"loss": {"p": ["mse"]}, "metrics": {"p": ["mse", "mae"]}},
    ),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_it_trains_and_logs_as_in_keras(both, data, name):
    x, y = data
    targets = deep(y, -y, 2 * y, y + 1)

    def run(K):
        inputs, tensors = heads(K, 4)
        outputs, compiled = STRUCTURES[name](K, *tensors)
        by_name = dict(zip([t.name for t in tensors], jax.tree.leaves(targets), strict=True))
        given = jax.tree.map(
            lambda tensor: by_name[tensor.name],
            outputs,
            is_leaf=lambda node: hasattr(node, "name"),
        )
        return history_of(K, x, outputs, given, inputs, **compiled)

    (expected, predicted), (found, ours) = both(run)
    assert found.keys() == expected.keys()
    for log, values in expected.items():
        np.testing.assert_allclose(found[log], values, rtol=1e-4, err_msg=log)
    assert jax.tree.structure(ours) == jax.tree.structure(predicted)
    for mine, theirs in zip(jax.tree.leaves(ours), jax.tree.leaves(predicted), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_several_losses_of_one_output_are_added_and_logged_as_their_sum(data):
    x, y = data
    inputs, (a, b) = heads(gazelle, 2)
    model = gazelle.Model(inputs, [a, b])
    model.compile("sgd", loss=["mse", ["mse", "mae"]])
    logs = model.evaluate(x, [y, y], return_dict=True, verbose=0)
    assert [*logs] == ["loss", "y1_loss", "y2_loss"]
    error = model.predict(x, verbose=0)[1] - y
    assert logs["y2_loss"] == pytest.approx(np.mean(error**2) + np.mean(np.abs(error)), rel=1e-4)
    assert logs["loss"] == pytest.approx(logs["y1_loss"] + logs["y2_loss"], rel=1e-5)
    single = gazelle.Model(inputs, b)
    single.compile("sgd", loss=["mse", "mae"])
    assert single.evaluate(x, y, verbose=0) == pytest.approx(logs["y2_loss"], rel=1e-5)


def test_unnamed_outputs_of_a_subclass_are_logged_by_their_losses_with_numbers(data):
    x, y = data

    class Two(gazelle.Model):
        def __init__(self):
            super().__init__()
            self.dense = gazelle.layers.Dense(1)

        def call(self, inputs):
            return [(self.dense(inputs), self.dense(inputs) * 2), self.dense(inputs) + 1]

    model = Two()
    model.compile("sgd", loss="mse")
    logs = model.evaluate(x, [(y, y), y], return_dict=True, verbose=0)
    name = "mean_squared_error"
    assert {*logs} == {"loss", f"{name}_loss", f"{name}_1_loss", f"{name}_2_loss"}
    assert 2 * logs["loss"] == pytest.approx(sum(logs.values()), rel=1e-5)


@pytest.mark.parametrize(
    ("outputs", "compiled", "error"),
    [
        (lambda a, b: {"p": a, "q": b}, {"loss": {"p": "mse", "s": "mse"}}, MissingKeyError),
        (lambda a, b: {"p": (a, b)}, {"loss": {"p": ("mse", "mse", "mse")}}, MissingKeyError),
        (lambda a, b: (a, b), {"loss": ("mse", "mse"), "loss_weights": [1.0]}, ArgumentError),
        (lambda a, b: {"p": (a, b)}, {"loss": "mse", "metrics": {"s": ["mae"]}}, ArgumentError),
        (lambda a, b: {"p": (a, b)}, {"loss": "mse", "metrics": {"p": ["mae"]}}, ArgumentError),
    ],
    ids=["key", "place", "weights", "metrics key", "metrics place"],
)
def test_losses_and_metrics_that_do_not_fit_are_refused_at_compile(outputs, compiled, error):
    inputs, tensors = heads(gazelle, 2)
    model = gazelle.Model(inputs, outputs(*tensors))
    with pytest.raises(error):
        model.compile("sgd", **compiled)


def test_targets_of_another_structure_are_refused(data):
    x, y = data
    inputs, (a, b) = heads(gazelle, 2)
    model = gazelle.Model(inputs, {"p": (a, b)})
    model.compile("sgd", loss="mse")
    with pytest.raises(ArgumentError, match="structure of the model's outputs"):
        model.fit(x, {"p": y}, verbose=0)
    with pytest.raises(ArgumentError, match="structure of the model's outputs"):
        model.fit(x, {"q": (y, y)}, verbose=0)
    model.fit(x, [y, y], verbose=0)  # a plain list in the order of the outputs


# ---- Inputs ----


def with_option(K, structure):
    class Plus(K.layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = K.layers.Dense(1, kernel_initializer="ones")

        def call(self, x, other=None):
            return self.dense(x if other is None else x + other)

    x, other = K.Input((4,), name="x"), K.Input((4,), name="other", optional=True)
    y = Plus()(x, other)
    return K.Model(structure(x, other), y)


@pytest.mark.parametrize("structure", [lambda x, o: {"x": x, "other": o}, lambda x, o: [x, o]])
@pytest.mark.parametrize("is_given", [False, True])
def test_an_optional_input_may_be_none(both, data, structure, is_given):
    x, y = data
    given = structure(x, 2 * x if is_given else None)

    def run(K):
        model = with_option(K, structure)
        model.compile("sgd", loss="mse")
        losses = model.fit(given, y, shuffle=False, verbose=0, batch_size=16).history["loss"]
        losses += model.fit(
            ((given, y) for _ in range(3)), steps_per_epoch=2, shuffle=False, verbose=0
        ).history["loss"]
        losses.append(model.train_on_batch(given, y))
        return losses, model.predict(given, verbose=0), model(given)

    for expected, found in zip(*both(run), strict=True):
        np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-4, atol=1e-5)


def test_none_for_an_input_that_is_needed_is_refused(data):
    x, _ = data
    model = with_option(gazelle, lambda x, other: {"x": x, "other": other})
    with pytest.raises(ArgumentError, match="not optional"):
        model({"x": None, "other": x})
    with pytest.raises(ArgumentError, match="not optional"):
        model.predict({"x": None, "other": x}, verbose=0)


def test_keys_that_the_model_does_not_have_are_left_out_with_a_warning(data):
    x, y = data
    inputs, (a, b) = heads(gazelle, 2)
    model = gazelle.Model({"x": inputs}, a + b)
    with pytest.warns(UserWarning, match=r"has no inputs \['extra'\]"):
        found = model({"x": x, "extra": y})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(found, model({"x": x}))


def test_inputs_in_an_ordered_dict_are_found_by_their_keys(data):
    x, _ = data
    b, a = gazelle.Input((4,), name="b"), gazelle.Input((4,), name="a")
    model = gazelle.Model(collections.OrderedDict(b=b, a=a), b - 2 * a)
    expected = x - 6 * x
    for given in (
        {"a": 3 * x, "b": x},
        {"b": x, "a": 3 * x},
        collections.OrderedDict(b=x, a=3 * x),
    ):
        np.testing.assert_allclose(model(given), expected, rtol=1e-5)
        np.testing.assert_allclose(model.predict(given, verbose=0), expected, rtol=1e-5)


def test_one_loss_of_several_outputs_takes_one_array_of_sample_weights(data):
    x, y = data
    inputs, (a, b) = heads(gazelle, 2)
    model = gazelle.Model(inputs, (a, b))
    model.compile("sgd", loss=[whole(gazelle), (None, "mse")])
    ones = np.ones(len(x), "float32")
    plain = model.evaluate(x, (y, y), verbose=0)
    assert model.evaluate(x, (y, y), sample_weight=ones, verbose=0) == pytest.approx(plain)
    with pytest.raises(ArgumentError, match="need the same sample weights"):
        model.evaluate(x, (y, y), sample_weight=(ones, 2 * ones), verbose=0)


def test_nested_inputs(data):
    x, y = data
    inputs = {"one": gazelle.Input((4,), name="one"), "rest": [gazelle.Input((4,), name="two")]}
    total = gazelle.layers.Add()([inputs["one"], inputs["rest"][0]])
    model = gazelle.Model(inputs, gazelle.layers.Dense(1)(total))
    model.compile("sgd", loss="mse")
    given = {"one": x, "rest": [2 * x]}
    model.fit(given, y, verbose=0)
    with pytest.warns(UserWarning, match="sorted keys"):
        listed = model.predict([x, 2 * x], verbose=0)
    np.testing.assert_allclose(model.predict(given, verbose=0), listed, rtol=1e-6)
    with pytest.raises(ArgumentError, match="misses the inputs"):
        model({"one": x})
    with pytest.raises(ShapeError, match="another structure"):
        model({"one": x, "rest": [x, x]})


def test_the_type_of_the_outputs_survives_a_config(tmp_path):
    inputs, (a, b) = heads(gazelle, 2)
    for outputs in ((a, b), {"p": a, "q": b}, [a, b], {"p": [a, {"q": b}]}):
        model = gazelle.Model(inputs, outputs)
        copy = gazelle.Model.from_config(model.get_config())
        assert jax.tree.structure(copy(np.ones((2, 4)))) == jax.tree.structure(
            model(np.ones((2, 4)))
        )
