"""Layers on sparse arrays: which outputs stay sparse, as in Keras, and the values of dense ones."""

import keras
import numpy as np
import pytest
import scipy.sparse
from jax.experimental.sparse import BCOO

import gazelle
from gazelle import layers

RANDOM = np.random.default_rng(0)


def drawn(*shape):
    return (RANDOM.normal(size=shape) * (RANDOM.random(shape) < 0.3)).astype(np.float32)


A, B = drawn(5, 3, 4), drawn(5, 3, 4)
REARRANGING = {
    "Flatten": lambda L: L.Flatten(),
    "Flatten channels first": lambda L: L.Flatten(data_format="channels_first"),
    "Identity": lambda L: L.Identity(),
    "Permute": lambda L: L.Permute((2, 1)),
    "Reshape": lambda L: L.Reshape((4, -1)),
}
MERGING = {
    "Add": lambda L: L.Add(),
    "Average": lambda L: L.Average(),
    "Concatenate": lambda L: L.Concatenate(axis=1),
    "Dot": lambda L: L.Dot(axes=2),
    "Maximum": lambda L: L.Maximum(),
    "Minimum": lambda L: L.Minimum(),
    "Multiply": lambda L: L.Multiply(),
    "Subtract": lambda L: L.Subtract(),
}


def values(x):
    return np.asarray(x.todense() if isinstance(x, BCOO) else x)


@pytest.mark.parametrize("n_batch", [0, 1])
@pytest.mark.parametrize("case", REARRANGING)
def test_one_sparse_array_stays_sparse(case, n_batch):
    layer = REARRANGING[case](layers)
    found = layer(BCOO.fromdense(A, n_batch=n_batch))
    assert isinstance(found, BCOO)
    assert values(found).tolist() == values(layer(A)).tolist()


@pytest.mark.parametrize("n_batch", [0, 1])
@pytest.mark.parametrize("case", MERGING)
def test_sparse_arrays_merge_to_a_sparse_one_and_with_others_to_a_dense_one(case, n_batch):
    layer = MERGING[case](layers)
    expected = values(layer([A, B]))
    a, b = (BCOO.fromdense(x, n_batch=n_batch) for x in (A, B))
    for given in ([a, b], [a, B], [A, b]):
        found = layer(given)
        assert isinstance(found, BCOO) == all(isinstance(x, BCOO) for x in given)
        assert values(found) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("case", [*REARRANGING, *MERGING])
def test_symbolic_outputs_say_so_as_in_keras(case):
    found = {}
    for library in (keras, gazelle):
        inputs = [library.Input((3, 4), sparse=sparse) for sparse in (True, True, False)]
        if case in REARRANGING:
            layer = REARRANGING[case](library.layers)
            outputs = [layer(inputs[0]), layer(inputs[2])]
        else:
            layer = MERGING[case](library.layers)
            outputs = [layer(inputs[:2]), layer(inputs[1:])]
        found[library] = [output.sparse for output in outputs]
    assert found[gazelle] == found[keras] == [True, False]


@pytest.mark.parametrize("case", ["Add", "Average", "Concatenate", "Maximum", "Multiply"])
def test_models_of_sparse_inputs_train_as_on_dense_ones(case):
    a, b = A.reshape(5, 12), B.reshape(5, 12)
    weights = []
    for sparse in (True, False):
        gazelle.utils.set_random_seed(0)
        inputs = [gazelle.Input((12,), sparse=sparse) for _ in range(2)]
        merged = MERGING[case](layers)(inputs)
        model = gazelle.Model(inputs, layers.Dense(1)(layers.Dropout(0.0)(merged)))
        model.compile("sgd", "mse")
        data = [scipy.sparse.csr_matrix(x) if sparse else x for x in (a, b)]
        model.fit(data, np.ones(5), epochs=2, batch_size=2, shuffle=False, verbose=0)
        weights.append([*model.get_weights(), model.predict(data, verbose=0)])
    for found, expected in zip(*weights, strict=True):
        assert found == pytest.approx(expected, abs=1e-5)


def test_a_model_may_end_with_sparse_outputs():
    inputs = [gazelle.Input((12,), sparse=True) for _ in range(2)]
    model = gazelle.Model(inputs, layers.Add()(inputs))
    data = [scipy.sparse.csr_matrix(x.reshape(5, 12)) for x in (A, B)]
    expected = (A + B).reshape(5, 12)
    assert model.predict(data, verbose=0, batch_size=2) == pytest.approx(expected, abs=1e-6)
    model.compile(loss="mse")
    assert model.evaluate(data, expected, verbose=0) == pytest.approx(0, abs=1e-6)


def test_the_penalty_on_a_sparse_output_counts():
    layer = layers.Identity(activity_regularizer="l1")
    layer(BCOO.fromdense(A))
    assert float(layer.losses[0]) == pytest.approx(0.01 * np.abs(A).sum() / 5, rel=1e-5)


def test_functions_of_a_sparse_sum_are_of_the_whole_elements():
    total = layers.Add()([BCOO.fromdense(A), BCOO.fromdense(A)])
    assert values(gazelle.ops.square(total)) == pytest.approx((2 * A) ** 2, abs=1e-6)
