"""Sparse arrays as arguments: which results stay sparse, with the values of dense arrays."""

import keras
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

import gazelle
from gazelle import ops

DENSE = np.array([[0.0, 0.5, 0.0], [0.9, 0.0, -0.25]], "float32")
OTHER = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "float32")

CASES = {
    "absolute": lambda ops, x, y: ops.absolute(x),
    "exp": lambda ops, x, y: ops.exp(x),
    "round": lambda ops, x, y: ops.round(x, 1),
    "cast": lambda ops, x, y: ops.cast(x, "float16"),
    "sum": lambda ops, x, y: ops.sum(x),
    "sum of rows": lambda ops, x, y: ops.sum(x, axis=1, keepdims=True),
    "sum of nothing": lambda ops, x, y: ops.sum(x, axis=()),
    "reshape": lambda ops, x, y: ops.reshape(x, (3, -1)),
    "expand_dims": lambda ops, x, y: ops.expand_dims(x, 1),
    "transpose": lambda ops, x, y: ops.transpose(x),
    "digitize": lambda ops, x, y: ops.digitize(x, np.array([0.1, 0.7])),
    "add": lambda ops, x, y: ops.add(x, x),
    "add dense": lambda ops, x, y: ops.add(x, y),
    "subtract": lambda ops, x, y: ops.subtract(x, x),
    "maximum": lambda ops, x, y: ops.maximum(x, x),
    "multiply": lambda ops, x, y: ops.multiply(x, x),
    "multiply a number": lambda ops, x, y: ops.multiply(x, 3.0),
    "multiply dense": lambda ops, x, y: ops.multiply(y, x),
    "divide": lambda ops, x, y: ops.divide(x, y),
    "divide by sparse": lambda ops, x, y: ops.divide(y, x + 0 * x),
    "dense on demand": lambda ops, x, y: ops.convert_to_tensor(x, sparse=False),
    "as it is": lambda ops, x, y: ops.convert_to_tensor(x),
}


def is_sparse(x):
    return isinstance(x, BCOO)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore")
def test_values_and_sparseness_are_keras_s(name):
    found = CASES[name](ops, BCOO.fromdense(DENSE), OTHER)
    expected = CASES[name](keras.ops, BCOO.fromdense(DENSE), OTHER)
    assert is_sparse(found) == is_sparse(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    arrays = [keras.ops.convert_to_numpy(x) for x in (found, expected)]
    np.testing.assert_allclose(*arrays, rtol=1e-6)
    np.testing.assert_array_equal(ops.convert_to_numpy(found), arrays[0])


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"cast", "divide by sparse"}))
def test_symbolic_results_say_whether_they_are_sparse(name):
    specs = []
    for library in (gazelle, keras):
        x, y = library.KerasTensor((2, 3), sparse=True), library.KerasTensor((2, 3))
        spec = CASES[name](library.ops, x, y)
        specs.append((tuple(spec.shape), spec.sparse))
    assert specs[0] == specs[1]


def test_one_hot_vectors_may_be_sparse():
    found = ops.one_hot(np.array([0, 2]), 3, sparse=True)
    assert is_sparse(found)
    np.testing.assert_array_equal(found.todense(), [[1, 0, 0], [0, 0, 1]])
    assert is_sparse(ops.multi_hot(np.array([[0, 2]]), 3, sparse=True))
    assert ops.is_tensor(found)
    x = gazelle.KerasTensor((None, 2), "int32")
    for function, shape in ((ops.one_hot, (None, 2, 3)), (ops.multi_hot, (None, 3))):
        for sparse in (True, False):
            spec = function(x, 3, sparse=sparse)
            assert (spec.shape, spec.sparse) == (shape, sparse)
