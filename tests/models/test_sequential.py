"""Sequential: layers are added and removed, the input shape may come late, weights stay."""

import numpy as np
import pytest

import gazelle
from gazelle import Input, Model, Sequential, layers
from gazelle.layers import Dense

X = np.ones((3, 4), "float32")


def test_layers_are_listed_without_the_input():
    model = Sequential([Input((4,)), Dense(3), Dense(2)])
    assert [type(layer) for layer in model.layers] == [Dense, Dense]
    assert model.input_shape == (None, 4)
    assert model.output_shape == (None, 2)
    assert [t.shape for t in model.inputs] == [(None, 4)]
    assert model.count_params() == 23


@pytest.mark.parametrize(
    "first",
    [
        lambda: [Input((4,)), Dense(3)],
        lambda: [layers.InputLayer(shape=(4,)), Dense(3)],
        lambda: [Dense(3, input_shape=(4,))],
        lambda: [Dense(3, input_dim=4)],
        lambda: [Sequential([Input((4,)), Dense(3)])],
        lambda: [Model(*(lambda x: (x, Dense(3)(x)))(Input((4,))))],
    ],
    ids=["Input", "InputLayer", "input_shape", "input_dim", "a chain", "a graph"],
)
def test_the_input_may_be_defined_in_many_ways(first):
    model = Sequential([*first(), Dense(2)])
    assert model.built
    assert model.input_shape == (None, 4)
    assert model(X).shape == (3, 2)


def test_without_a_shape_the_first_data_decides():
    model = Sequential([Dense(3), Dense(2)])
    assert not model.built
    assert model.weights == []
    with pytest.raises(ValueError, match="count_params"):
        model.count_params()
    for name in ("input_shape", "output_shape", "input", "output"):
        with pytest.raises(AttributeError, match=r"has no defined (input|output)( shape)? yet"):
            getattr(model, name)
    model(X)
    assert model.built
    assert model.input_shape == (None, 4)
    assert model(np.ones((7, 4))).shape == (7, 2)  # another batch size
    with pytest.raises(ValueError, match="incompatible"):
        model(np.ones((7, 5)))


def test_build_sets_the_shape():
    model = Sequential([Dense(3)])
    model.build((None, 4))
    weights = model.weights
    model.build((7, 4))  # nothing to do
    with pytest.raises(ValueError, match="already been configured"):
        model.build((None, 9))
    assert model.weights == weights
    assert model.input_shape == (None, 4)
    with pytest.raises(ValueError, match="cannot be built"):
        Sequential().build((None, 4))
    with pytest.raises(ValueError, match="cannot be built"):
        Sequential([Dense(1)]).build()
    with pytest.raises(ValueError, match="cannot be built"):
        Sequential()(X)


def test_a_batch_size_is_kept_but_not_enforced():
    model = Sequential([Input((4,), batch_size=5), Dense(2)])
    assert model.input_shape == (5, 4)
    assert model(X).shape == (3, 2)


def test_adding_and_popping_keep_the_weights_of_the_others():
    model = Sequential([Input((4,)), Dense(3), Dense(2)])
    before = model.get_weights()
    model.add(Dense(1))
    assert model.output_shape == (None, 1)
    gone = model.pop()
    assert gone.units == 1
    assert model.output_shape == (None, 2)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(model(X), X @ before[0] @ before[2], rtol=1e-5)
    model.pop()
    model.pop()
    assert not model.built
    assert model.layers == []
    with pytest.raises(ValueError, match="no layers to pop"):
        model.pop()
    model.add(Dense(6))
    assert model.output_shape == (None, 6)


def test_layers_may_be_added_one_by_one_to_an_empty_model():
    model = Sequential(name="m")
    model.add(Input((4,)))
    model.add(Dense(3, name="d"))
    assert [v.path for v in model.weights] == ["m/d/kernel", "m/d/bias"]
    late = Sequential()
    late.add(Dense(3))
    late.add(Dense(2))
    assert late(X).shape == (3, 2)


def test_a_layer_that_does_not_fit_is_not_added():
    model = Sequential([Input((4,)), Dense(3)])
    with pytest.raises(ValueError, match="total number of elements"):
        model.add(layers.Reshape((5,)))
    assert len(model.layers) == 1
    assert model(X).shape == (3, 3)


def test_forty_layers_added_one_by_one_make_one_graph():
    model = Sequential([Input((4,))])
    for _ in range(40):
        model.add(Dense(4))
    assert len(model.weights) == 80
    assert all(len(layer.inbound_nodes) == 1 for layer in model.layers)  # no layer was called again


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Sequential([Dense]), "Dense"),
        (lambda: Sequential(["relu"]), "can be added"),
        (lambda: Sequential(Dense(3)), "list of layers"),
        (lambda: Sequential([Dense(1, name="a"), Dense(1, name="a")]), "unique names"),
        (lambda: Sequential([Dense(1), Input((3,))]), "come first"),
        (lambda: Sequential([Input((3,)), Input((3,))]), "come first"),
    ],
)
def test_arguments_that_are_not_a_chain_of_layers_are_refused(wrong, words):
    with pytest.raises((TypeError, ValueError), match=words):
        wrong()


def test_a_chain_in_a_chain_is_one_layer():
    inner = Sequential([Dense(3), layers.Dropout(0.5)], name="inner")
    model = Sequential([Input((4,)), inner, Dense(2)])
    assert model.layers[0] is inner
    assert inner.built
    assert len(model.weights) == 4
    assert len(model.variables) == 5
    inner.trainable = False
    assert len(model.trainable_variables) == 2


def test_a_chain_may_start_with_a_layer_of_several_inputs():
    model = Sequential([layers.Concatenate(), Dense(2)])
    assert model([X, X]).shape == (3, 2)
    assert model.weights[0].shape == (8, 2)
    assert model([X[:1], X[:1]]).shape == (1, 2)


def test_the_training_argument_reaches_the_layers():
    model = Sequential([Input((4,)), layers.Dropout(0.999, seed=1)])
    assert float(abs(model(X, training=True)).sum()) == 0
    np.testing.assert_array_equal(model(X), X)
    np.testing.assert_array_equal(model(X, mask=None), X)


def test_a_layer_may_be_the_end_of_another_model():
    model = Sequential([Input((4,)), Dense(3, name="features"), Dense(2)])
    part = Model(model.inputs, model.get_layer("features").output)
    np.testing.assert_allclose(part(X), model.layers[0](X))
    model.pop()
    again = Model(model.inputs, model.layers[-1].output)
    np.testing.assert_allclose(again(X), part(X))


def test_get_layer_finds_by_name_and_by_index():
    model = Sequential([Input((4,)), Dense(3, name="a"), Dense(2, name="b")])
    assert model.get_layer("b") is model.get_layer(index=1) is model.get_layer(index=-1)
    with pytest.raises(ValueError, match=r"No such layer: c. Existing layers are: \['a', 'b'\]"):
        model.get_layer("c")
    with pytest.raises(ValueError, match="no layer 2"):
        model.get_layer(index=2)
    with pytest.raises(ValueError, match="either a name or an index"):
        model.get_layer()
    with pytest.raises(AttributeError, match="reserved"):
        model.layers = []


def test_the_config_of_an_unbuilt_chain_gives_an_unbuilt_chain():
    model = Sequential([Dense(3), Dense(2)], name="late")
    copy = Sequential.from_config(model.get_config())
    assert copy.name == "late"
    assert not copy.built
    model(X)
    assert Sequential.from_config(model.get_config()).input_shape == (None, 4)
    frozen = Sequential([Input((4,)), Dense(3)], trainable=False)
    assert frozen.trainable_variables == []
    assert Sequential.from_config(frozen.get_config()).trainable_variables == []


def test_names_are_automatic():
    gazelle.utils.clear_session()
    assert [Sequential().name, Sequential().name] == ["sequential", "sequential_1"]


def test_a_chain_may_be_longer_than_python_can_recurse():
    model = Sequential([Input((2,)), *(layers.ReLU() for _ in range(1100))])
    x = np.ones((3, 2), "float32")
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
