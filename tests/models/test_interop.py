"""Weights files written by Keras are read by Gazelle, and the other way round."""

import warnings

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from gazelle._core.variable import Variable
from gazelle._formats.h5 import open_weights, read_weights, write_weights
from gazelle.models._loading import load_from
from gazelle.models._paths import attribute_sublayers, keras_layers

# Keras's variables have an `__array__` from before NumPy 2.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
]


class Block(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self._private = layers.Dense(2)
        self.several = [
            layers.Dense(5),
            layers.Dense(6),
            [layers.Dense(7), layers.Dense(8)],
            [layers.Dense(9)],
        ]
        self.named = {
            "b": layers.Dense(10),
            "a": layers.BatchNormalization(),
            "c": [layers.Dense(1)],
        }
        self.pair = (layers.Dense(11), layers.Dense(11))

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(2,), name="scale")
        for layer in self._flatten_layers(include_self=False):
            layer.build((None, 3))

    def call(self, inputs):
        return inputs * self.scale[0]


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(2)
        self.out = layers.Dense(3)
        self.norm = layers.BatchNormalization()
        self._hidden = layers.Dense(4)
        self.block = Block()
        self.twice = self.first
        self.each = layers.TimeDistributed(layers.Dense(2))
        self.inner = keras.Sequential([layers.Dense(3)])

    def call(self, inputs):
        hidden = self._hidden(self.out(self.norm(self.block(self.first(inputs)))))
        return self.inner(self.each(keras.ops.expand_dims(hidden, 1)))


def sequential():
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, activation="relu", name="any_name"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            keras.Sequential([layers.Dense(3, name="z"), layers.Dense(2, name="a")], name="nested"),
            layers.Dense(1),
        ]
    )


def functional():
    inputs = keras.Input((4,))
    hidden = layers.Dense(3, activation="tanh")(inputs)
    small = keras.Input((3,))
    nested = keras.Model(small, layers.Dense(2)(small), name="any")(hidden)
    shared = layers.Dense(3)
    outputs = layers.Dense(1)(layers.Concatenate()([shared(hidden), shared(hidden), nested]))
    return keras.Model(inputs, outputs)


def bfloat16():
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, dtype="bfloat16"), layers.Dense(1)])


def subclassed():
    model = Subclassed()
    model(np.ones((2, 4), "float32"))
    return model


def randomize(model, seed):
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))


def own_variables(layer):
    return layer._trainable_variables + layer._non_trainable_variables


def sublayers(layer):
    if type(layer).__name__ in ("Sequential", "Functional"):
        return layer.layers
    found = attribute_sublayers(
        layer, lambda value: isinstance(value, keras.layers.Layer), skip={"_layers"}
    )
    return found or None


def keras_tree(model):
    return {path: own_variables(layer) for path, layer in keras_layers(model, sublayers).items()}


MODELS = [sequential, functional, bfloat16, subclassed]


@pytest.mark.parametrize("make", MODELS)
def test_a_file_from_keras_has_its_arrays_at_the_paths_of_keras_layers(make, tmp_path):
    model = make()
    randomize(model, 0)
    model.save_weights(tmp_path / "k.weights.h5")
    tree = keras_tree(model)
    expected = {
        path: [np.asarray(v.value) for v in variables]
        for path, variables in tree.items()
        if variables
    }
    found = read_weights(tmp_path / "k.weights.h5")
    assert sorted(found) == sorted(expected)
    for path, arrays in expected.items():
        for ours, theirs in zip(found[path], arrays, strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("make", MODELS)
def test_keras_loads_a_file_from_gazelle_and_predicts_the_same(make, tmp_path):
    source, target = make(), make()
    randomize(source, 1)
    randomize(target, 2)
    tree = keras_tree(source)
    write_weights(
        tmp_path / "g.weights.h5",
        {p: [v.numpy() for v in vs] for p, vs in tree.items()},
    )
    x = np.random.default_rng(3).normal(size=(6, 4)).astype("float32")
    assert not np.allclose(source(x), target(x))
    target.load_weights(tmp_path / "g.weights.h5")
    np.testing.assert_array_equal(
        np.asarray(source(x), "float32"), np.asarray(target(x), "float32")
    )


@pytest.mark.parametrize("make", [sequential, functional])
def test_group_names_are_those_that_keras_writes(make, tmp_path):
    model = make()
    model.save_weights(tmp_path / "k.weights.h5")
    tree = keras_tree(model)
    write_weights(
        tmp_path / "g.weights.h5",
        {p: [v.numpy() for v in vs] for p, vs in tree.items()},
    )

    def content(path):
        found = set()
        with h5py.File(path) as file:
            file.visit(found.add)
        return found

    ours = content(tmp_path / "g.weights.h5")
    assert ours - {"gazelle_sha256"} == content(tmp_path / "k.weights.h5")


def test_optimizer_state_goes_from_keras_through_gazelle_to_keras(tmp_path):
    x, y = (
        np.random.default_rng(0).normal(size=(8, 4)).astype("float32"),
        np.ones((8, 1), "float32"),
    )

    def trained():
        model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(x, y, verbose=0, shuffle=False)
        return model

    source, target = trained(), trained()
    source.save_weights(tmp_path / "k.weights.h5")
    write_weights(tmp_path / "g.weights.h5", read_weights(tmp_path / "k.weights.h5"))
    target.load_weights(tmp_path / "g.weights.h5")
    for ours, theirs in zip(source.optimizer.variables, target.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert read_weights(tmp_path / "g.weights.h5")["optimizer"][0] == 1


def test_a_file_from_keras_loads_into_variables_of_gazelle(tmp_path):
    model = functional()
    randomize(model, 5)
    model.save_weights(tmp_path / "k.weights.h5")
    tree = keras_tree(model)
    ours = {
        path: [Variable(np.zeros(v.shape, "float32")) for v in variables]
        for path, variables in tree.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_weights(tmp_path / "k.weights.h5") as file:
            assert load_from(file, ours) == []
    for path, variables in tree.items():
        for mine, theirs in zip(ours[path], variables, strict=True):
            np.testing.assert_array_equal(mine, np.asarray(theirs.value))
