"""Calls of operations that would give another result than meant, and are refused."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

import gazelle
from gazelle import KerasTensor, ops
from gazelle.errors import CheckWarning

X = np.arange(30.0, dtype="float32").reshape(2, 5, 3)
SYMBOLIC = KerasTensor((None, 5, 3))


@pytest.mark.parametrize("x", [X, SYMBOLIC], ids=["array", "symbolic"])
@pytest.mark.parametrize(
    "key",
    [np.s_[:, 5], np.s_[:, -6], np.s_[..., 3], np.s_[..., 1, ...], np.s_[:, :, :, :]],
    ids=str,
)
def test_a_key_that_does_not_fit(x, key):
    with pytest.raises(ValueError, match=r"out of bounds|does not fit"):
        ops.get_item(x, key)


@pytest.mark.parametrize(
    "key",
    [np.s_[:, 4], np.s_[1, -5], np.s_[..., -3], np.s_[:, None, 1], X > 3, [0, 1], np.array([0, 1])],
    ids=str,
)
def test_a_key_that_fits(key):
    np.testing.assert_array_equal(
        ops.get_item(X, key), X[tuple(key) if isinstance(key, list) else key]
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: ops.squeeze(KerasTensor((None, 1)), 0),
        lambda: ops.diag(KerasTensor((2, 3, 4))),
        lambda: ops.diagonal(X, axis1=-1, axis2=2),
        lambda: ops.diagonal(SYMBOLIC, axis1=1, axis2=1),
        lambda: ops.histogram(X.ravel(), range=(5, 1)),
        lambda: ops.histogram(X.ravel(), range=(5,)),
        lambda: ops.repeat(KerasTensor((None, 3)), [1, 2], axis=1),
    ],
)
def test_other_calls(call):
    with pytest.raises(ValueError, match=r"."):
        call()


def test_a_softmax_of_one_number_is_told_of():
    with pytest.warns(CheckWarning, match="sigmoid") as told:
        ops.softmax(np.ones((2, 1)))
    assert told[0].filename == __file__


def test_the_size_of_a_symbolic_tensor_is_counted_where_it_is_known():
    assert ops.size(KerasTensor((2, 3))) == 6
    inputs = gazelle.Input((4,))
    model = gazelle.Model(inputs, inputs / ops.cast(ops.size(inputs), "float32"))
    assert float(model(np.ones((5, 4)))[0, 0]) == pytest.approx(1 / 20)
    again = gazelle.Model.from_config(model.get_config())
    assert float(again(np.ones((2, 4)))[0, 0]) == pytest.approx(1 / 8)


def test_a_number_for_each_row_gives_the_size_of_an_unknown_axis():
    repeated = ops.repeat(KerasTensor((None, 3)), [1, 2], axis=0)
    assert repeated.shape == (3, 3)


def test_sparse_arrays_are_joined():
    eye = BCOO.fromdense(jnp.eye(3))
    for axis in (0, 1, -1):
        joined = ops.concatenate([eye, eye], axis=axis)
        assert isinstance(joined, BCOO)
        expected = np.concatenate([np.eye(3)] * 2, axis=axis)
        np.testing.assert_array_equal(joined.todense(), expected)
        mixed = ops.concatenate([eye, np.ones((3, 3))], axis=axis)
        assert isinstance(mixed, jnp.ndarray)
    sparse, dense = KerasTensor((2, 3), sparse=True), KerasTensor((2, 3))
    assert ops.concatenate([sparse, sparse]).sparse
    assert not ops.concatenate([sparse, dense]).sparse


def test_rms_scaling_of_layer_normalization_is_that_of_keras():
    import keras

    x, gamma = X + 1, np.arange(3.0, dtype="float32")
    results = []
    for library in (ops, keras.ops):
        with pytest.warns(UserWarning, match="deprecated"):
            results.append(library.layer_normalization(x, gamma=gamma, rms_scaling=True))
    np.testing.assert_allclose(*results, rtol=1e-5)
