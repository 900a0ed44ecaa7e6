"""Gradients by finite differences of what Keras does not have, or has otherwise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO
from jax.test_util import check_grads

import gazelle
from gazelle import activations, layers, losses

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(6, 5)).astype("float32")
Y = np.abs(RANDOM.normal(size=(6, 5))).astype("float32")


@pytest.mark.parametrize("axis", [-1, 0])
def test_sparsemax(axis):
    """Keras's has another Jacobian where some outputs are 0."""
    assert (np.asarray(activations.sparsemax(X, axis=axis)) == 0).any()
    check_grads(lambda x: activations.sparsemax(x, axis=axis), (X,), 1, atol=1e-2, rtol=1e-2)


def test_a_dense_layer_on_sparse_rows():
    sparse = BCOO.fromdense(jnp.where(jnp.abs(X) > 0.5, X, 0.0))
    layer = layers.Dense(3, "tanh")
    layer.build((None, 5))

    def output(kernel, bias):
        return layer.stateless_call([kernel, bias], [], sparse)[0]

    weights = [variable.value for variable in layer.trainable_variables]
    check_grads(output, weights, 1, modes=["rev"], atol=1e-2, rtol=1e-2)


def test_a_loss_of_several_outputs():
    def distance(y_true, y_pred):
        return sum(jnp.mean(jnp.square(t - p), -1) for t, p in zip(y_true, y_pred, strict=True))

    loss = losses.FunctionLoss(distance)
    check_grads(lambda a, b: loss((Y, Y), (a, b)), (X, 2 * X), 1, atol=1e-2, rtol=1e-2)


def test_several_losses_of_one_output():
    inputs = gazelle.Input((5,))
    model = gazelle.Model(inputs, layers.Dense(5)(inputs))
    model.compile("sgd", loss=["mse", "log_cosh"])

    def total(kernel, bias):
        predicted, _ = model.stateless_call([kernel, bias], [], X)
        return losses.MeanSquaredError()(Y, predicted) + losses.LogCosh()(Y, predicted)

    before = [variable.value for variable in model.trainable_variables]
    check_grads(total, before, 1, modes=["rev"], atol=1e-2, rtol=1e-2)
    slopes = jax.grad(total, argnums=(0, 1))(*before)
    model.train_on_batch(X, Y)
    for variable, start, slope in zip(model.trainable_variables, before, slopes, strict=True):
        np.testing.assert_allclose(variable.value, start - 0.01 * slope, rtol=1e-4, atol=1e-6)
