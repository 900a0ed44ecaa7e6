"""Functional models: structures of inputs and outputs, parts of other models, wrong arguments."""

from copy import copy as shallow_copy

import numpy as np
import pytest

import gazelle
from gazelle import Input, Model, layers
from gazelle.layers import Dense
from gazelle.models import Functional, clone_model, model_from_json

X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


def branched():
    x = Input((4,), name="x")
    h = Dense(3, name="h", activation="relu")(x)
    return Model(x, layers.Concatenate(name="end")([h, x]), name="m")


def two_inputs():
    a, b = Input((4,), name="a"), Input((2,), name="b")
    return Model([a, b], layers.Concatenate()([a, b]))


@pytest.mark.parametrize(
    "make",
    [
        lambda x, y: Model(x, y),
        lambda x, y: Model(inputs=x, outputs=y),
        lambda x, y: Model(x, outputs=y),
        lambda x, y: Model(x, y, name="n"),
        lambda x, y: Functional(x, y),
    ],
)
def test_a_model_is_made_from_its_inputs_and_outputs(make):
    x = Input((4,))
    model = make(x, Dense(2)(x))
    assert isinstance(model, Functional)
    assert model.built
    assert model(X).shape == (3, 2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x, y: Model(x), "both inputs and outputs"),
        (lambda x, y: Model(inputs=x), "both inputs and outputs"),
        (lambda x, y: Model(input=x, output=y), "inputs="),
        (lambda x, y: Model(x, y, activation=3), "Unrecognized keyword"),
        (lambda x, y: Model(x, X), "symbolic tensors"),
        (lambda x, y: Model((4,), y), "symbolic tensors"),
        (lambda x, y: Model(Input((4,)), y), "does not come from its inputs"),
        (
            lambda x, y: Model(x, layers.Add()([y, Dense(2)(Input((4,)))])),
            "does not come from its inputs",
        ),
        (
            lambda x, y: Model(x, Dense(2, name="same")(Dense(2, name="same")(x))),
            'name "same" is used 2 times',
        ),
    ],
)
def test_inputs_and_outputs_that_form_no_graph_are_refused(make, words):
    x = Input((4,))
    with pytest.raises((TypeError, ValueError), match=words):
        make(x, Dense(2)(x))


def test_data_may_be_a_list_a_tuple_or_a_dict_by_name():
    model = two_inputs()
    b = X[:, :2]
    expected = np.concatenate([X, b], -1)
    for data in ([X, b], (X, b), {"b": b, "a": X}, {"b": b, "a": X, "more": X}):
        np.testing.assert_array_equal(model(data), expected)
    with pytest.raises(ValueError, match=r"misses the inputs \['b'\]"):
        model({"a": X})
    with pytest.raises(ValueError, match="wrong number of inputs"):
        model([X])


def test_a_list_for_dict_inputs_is_used_in_the_order_of_the_keys_with_a_warning():
    ports = {"a": Input((4,), name="a"), "b": Input((2,), name="b")}
    model = Model(ports, layers.Concatenate()([ports["a"], ports["b"]]))
    with pytest.warns(UserWarning, match="sorted keys"):
        np.testing.assert_array_equal(model([X, X[:, :2]])[:, :4], X)
    mixed = Model(dict(reversed(ports.items())), model.output)
    with pytest.raises(ValueError, match="are not sorted"):
        mixed([X, X[:, :2]])


def test_data_is_converted_to_the_type_and_rank_of_its_input():
    x = Input((1,))
    model = Model(x, x * 2.0)
    np.testing.assert_array_equal(model(np.arange(3)), [[0.0], [2.0], [4.0]])
    y = Input((4,))
    doubled = Model(y, y * 2.0)
    assert doubled(np.ones((2, 4, 1), "int64")).dtype == "float32"
    assert doubled(np.ones((2, 4, 1))).shape == (2, 4)
    with pytest.raises(ValueError, match=r"expected shape=\(None, 4\), found shape=\(2, 5\)"):
        doubled(np.ones((2, 5)))
    with pytest.raises(ValueError, match="Flatten/Reshape"):
        doubled(np.ones((2, 2, 2)))


def test_operators_compute_the_results_of_numpy():
    x, y = Input((4,)), Input((4,))
    z = Model(
        [x, y],
        [
            x + y,
            1 - x,
            x * 2,
            x / 4,
            2 / (y * y + 1),
            x**2,
            -x,
            abs(x),
            x[:, 1],
            x[:, None, 1:3],
            x @ X.T,
        ],
    )
    a, b = X, X[::-1].copy()
    expected = [
        a + b,
        1 - a,
        a * 2,
        a / 4,
        2 / (b * b + 1),
        a**2,
        -a,
        abs(a),
        a[:, 1],
        a[:, None, 1:3],
        a @ X.T,
    ]
    for got, wanted in zip(z([a, b]), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def test_a_model_of_inner_tensors_shares_the_layers_and_has_only_those_it_needs():
    model = branched()
    hidden = model.get_layer("h")
    first = Model(model.input, hidden.output)
    second = Model(hidden.output, layers.Dense(2, name="new")(hidden.output))
    assert first.layers[-1] is hidden
    assert [layer.name for layer in second.layers][1:] == ["new"]
    assert len(second.weights) == 2
    np.testing.assert_allclose(first(X), model(X)[:, :3], rtol=1e-6)
    assert second(np.ones((2, 3))).shape == (2, 2)
    # In the middle: from one inner tensor to another.
    deep_input = Input((4,))
    a = Dense(3, name="a")(deep_input)
    b = Dense(2, name="b")(a)
    Dense(1, name="c")(b)
    middle = Model(a, b)
    kernel, bias = middle.get_weights()
    np.testing.assert_allclose(
        middle(np.ones((1, 3), "float32")), np.ones((1, 3)) @ kernel + bias, rtol=1e-5
    )


def test_the_same_input_may_be_passed_twice():
    x = Input((4,))
    model = Model([x, x], Dense(2)(x))
    assert model([X, X]).shape == (3, 2)


def test_a_layer_that_is_called_again_after_the_model_was_made_stays_out_of_it():
    model = branched()
    model.get_layer("h")(Input((4,)))
    assert len(model.layers) == 3
    assert model_from_json(model.to_json())(X).shape == (3, 7)


def test_arguments_of_the_calls_are_kept_in_the_config():
    x = Input((4,))
    mask = np.array([[True, True, False, False]])
    y = layers.Softmax()(layers.Dropout(1.0)(x, training=True), mask=mask)
    model = Model(x, y)
    copy = model_from_json(model.to_json())
    for each in (model, copy):
        np.testing.assert_allclose(each(X), np.tile([[0.5, 0.5, 0, 0]], (3, 1)))


def test_shapes_are_known_without_data():
    model = branched()
    assert model.compute_output_shape((None, 4)) == (None, 7)
    assert model.compute_output_shape((5, 4)) == (5, 7)
    assert model(Input((4,), batch_size=2)).shape == (2, 7)
    pair = two_inputs()
    assert pair.compute_output_shape([(None, 4), (None, 2)]) == (None, 6)


def test_adding_losses_to_a_graph_is_refused():
    with pytest.raises(NotImplementedError, match="add_loss"):
        branched().add_loss(np.float32(1))


# ---- Copies ----


class Own(layers.Layer):
    """Not registered anywhere."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, inputs):
        return inputs * self.size


def test_a_clone_has_the_names_but_not_the_values_of_the_original():
    x = Input((4,))
    model = Model(x, Own(3)(Dense(3, name="d")(x)), name="m")
    clone = clone_model(model)
    assert clone.name == "m"
    assert [layer.name for layer in clone.layers] == [layer.name for layer in model.layers]
    assert not {id(v) for v in clone.weights} & {id(v) for v in model.weights}
    assert (clone.get_weights()[0] != model.get_weights()[0]).any()
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(clone(X), model(X), rtol=1e-6)


def test_the_results_of_a_clone_function_are_used_as_they_are():
    model = branched()
    shared = clone_model(model, clone_function=lambda layer: layer)
    assert shared.get_layer("h") is model.get_layer("h")

    def widened(layer):
        return Dense(5, name="w") if layer.name == "h" else type(layer)(name=layer.name)

    wide = clone_model(model, clone_function=widened)
    assert wide.output_shape == (None, 9)
    chain = gazelle.Sequential([Input((4,)), Dense(3), Dense(2)])
    kept = clone_model(chain, clone_function=lambda layer: layer)
    assert kept.layers == chain.layers
    assert kept is not chain


def test_a_clone_may_have_other_inputs():
    x = Input((4,), name="other")
    for model in (branched(), gazelle.Sequential([Input((4,)), Dense(3)])):
        clone = clone_model(model, input_tensors=x)
        assert clone.inputs == [x]
    with pytest.raises(ValueError, match="input_tensors"):
        clone_model(branched(), input_tensors=[x, x])


def test_clones_and_copies_of_compiled_models_are_compiled():
    model = branched()
    model.compile("sgd", "mse", metrics=["mae"])
    for copy in (clone_model(model), model_from_json(model.to_json())):
        assert copy.compiled
        assert copy.loss == "mse"
        assert copy.optimizer is not model.optimizer
    assert not clone_model(branched()).compiled


def test_subclassed_models_are_cloned_by_their_config_alone():
    class Mine(Model):
        def __init__(self, units=1, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(units)

        def call(self, inputs):
            return self.dense(inputs)

    model, clone = Mine(units=3), clone_model(Mine(units=3))
    assert clone(X).shape == model(X).shape == (len(X), 3)
    assert clone.dense.kernel is not model.dense.kernel
    for option in ({"clone_function": lambda layer: layer}, {"input_tensors": [Input((4,))]}):
        with pytest.raises(ValueError, match="class of its own"):
            clone_model(model, **option)
    with pytest.raises(ValueError, match="deep"):
        clone_model(branched(), deep=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        (None, "not JSON"),
        ("[]", "not a model's config"),
        ("{}", "not a model's config"),
        ('{"class_name": "Sequentia", "config": {}}', "Sequentia"),
        ('{"class_name": "Sequential", "config": 3}', "damaged"),
    ],
)
def test_text_that_is_not_a_model_is_refused(text, words):
    with pytest.raises((ValueError, TypeError), match=words):
        model_from_json(text)


def test_a_damaged_graph_is_refused():
    text = branched().to_json()
    with pytest.raises(ValueError, match="damaged"):
        model_from_json(text.replace('["h", 0, 0]', '["g", 0, 0]'))
    with pytest.raises(ValueError, match="Densest"):
        model_from_json(text.replace('"Dense"', '"Densest"'))
    x = Input((4,))
    text = Model(x, x + 1.0).to_json()
    with pytest.raises(ValueError, match="Relu"):
        model_from_json(text.replace('"Add"', '"Relu"'))


def test_a_shallow_copy_shares_the_weights_and_is_compiled_and_frozen_by_itself():
    x = gazelle.Input((3,))
    model = gazelle.Model(x, gazelle.layers.Dense(2)(x))
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    copied = shallow_copy(model)
    assert copied.loss == "mse"
    assert copied.weights[0] is model.weights[0]
    copied.compile("sgd", "mae")
    assert model.loss == "mse"
    before = model.history
    copied.fit(np.ones((4, 3)), np.zeros((4, 2)), verbose=0)
    assert model.history is before
    assert copied.history is not before
    layer = shallow_copy(model.layers[1])
    layer.trainable = False
    assert model.layers[1].trainable
    assert len(model.trainable_variables) == 2


@pytest.mark.parametrize("lists", [0, 1, 2, 3])
def test_lists_of_one_output_stay_as_they_are(lists):
    x = Input((3,))
    outputs = Dense(1)(x)
    for _ in range(lists):
        outputs = [outputs]
    config = Model(x, outputs).get_config()
    assert Model.from_config(config).get_config() == config


class Tripled(layers.Layer):
    """A layer that nobody registers."""

    def call(self, inputs):
        return 3 * inputs


@pytest.mark.parametrize("kind", ["functional", "sequential", "wrapper"])
def test_from_config_knows_custom_objects(kind):
    x = Input((2, 4))
    whole = {
        "functional": Model(x, Tripled()(x)),
        "sequential": gazelle.Sequential([Input((2, 4)), Tripled()]),
        "wrapper": layers.TimeDistributed(Tripled()),
    }[kind]
    config = whole.get_config()
    with pytest.raises(ValueError, match="Tripled"):
        type(whole).from_config(config)
    again = type(whole).from_config(config, custom_objects={"Tripled": Tripled})
    data = np.ones((3, 2, 4), "float32")
    np.testing.assert_array_equal(again(data), 3 * data)
