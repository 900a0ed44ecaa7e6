"""Layers in the functions of a `tf.data.Dataset`, with a stand-in for TensorFlow's graph."""

import sys
import types

import numpy as np
import pytest

import gazelle
from gazelle import layers


class SymbolicTensor:
    """A tensor whose values only the steps of the graph see, as TensorFlow's."""

    def __init__(self, array, shape=None):
        self.values = np.asarray(array)
        is_text = self.values.dtype.kind in "OU"
        self.dtype = types.SimpleNamespace(name="string" if is_text else str(self.values.dtype))
        self.shape = np.shape(array) if shape is None else shape

    def set_shape(self, shape):
        assert len(shape) == len(self.values.shape)
        assert all(n in (None, m) for n, m in zip(shape, self.values.shape, strict=True))
        self.shape = shape

    def __array__(self, *args, **kwargs):
        raise NotImplementedError("Cannot convert a symbolic tf.Tensor to a numpy array.")


SymbolicTensor.__module__ = "tensorflow.stand_in"


@pytest.fixture
def tensors(monkeypatch):
    """Puts the stand-in where TensorFlow would be."""

    def as_bytes(array):
        is_text = array.dtype.kind in "OU"
        return (
            np.array([t.encode() for t in array.ravel()], object).reshape(array.shape)
            if is_text
            else array
        )

    def numpy_function(function, inputs, types):
        return [SymbolicTensor(array) for array in function(*(as_bytes(i.values) for i in inputs))]

    def as_dtype(name):
        kind = None if name == "string" else np.dtype(name)
        return types.SimpleNamespace(as_numpy_dtype=object if name == "string" else kind)

    stand_in = types.ModuleType("tensorflow")
    stand_in.numpy_function, stand_in.as_dtype = numpy_function, as_dtype
    monkeypatch.setitem(sys.modules, "tensorflow", stand_in)
    return SymbolicTensor


WORDS = np.array(["b", "a", "c"], object)
NUMBERS = np.array([[1.0], [2.0], [4.0]], "float32")


def lookup():
    return layers.StringLookup(vocabulary=["a", "b"])


def normalization():
    layer = layers.Normalization()
    layer.adapt(NUMBERS)
    return layer


@pytest.mark.parametrize(
    ("make", "data"),
    [
        (lookup, WORDS),
        (lambda: layers.StringLookup(vocabulary=["a"], output_mode="multi_hot"), WORDS[:, None]),
        (lambda: layers.Hashing(7), WORDS[:, None]),
        (lambda: layers.TextVectorization(vocabulary=["a", "b"]), WORDS),
        (normalization, NUMBERS),
        (lambda: layers.Rescaling(2.0, 1.0), NUMBERS),
        (lambda: layers.Discretization([1.5, 3.0]), NUMBERS),
    ],
)
def test_a_layer_is_a_step_of_the_graph(tensors, make, data):
    layer = make()
    found = layer(tensors(data))
    assert isinstance(found, SymbolicTensor)
    np.testing.assert_allclose(found.values, np.asarray(layer(data)))


@pytest.mark.parametrize("mode", ["concat", "dict"])
def test_a_feature_space_takes_batches_and_single_rows(tensors, mode):
    kinds = gazelle.utils.FeatureSpace
    columns = {"word": WORDS, "number": NUMBERS[:, 0], "other": NUMBERS[:, 0]}
    space = kinds(
        {"word": kinds.string_categorical(), "number": kinds.float_normalized()}, output_mode=mode
    )
    space.adapt(columns)
    expected = space(columns)
    found = space({name: tensors(column) for name, column in columns.items()})
    row = space({name: tensors(column[1]) for name, column in columns.items()})
    if mode == "concat":
        expected, found, row = {"": expected}, {"": found}, {"": row}
    assert found.keys() == row.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].values, values, rtol=1e-6)
        np.testing.assert_allclose(row[name].values, values[1], rtol=1e-6)
