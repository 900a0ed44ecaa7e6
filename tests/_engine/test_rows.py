"""Whether rows have a part in each other's outputs, and predictions where they have."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gazelle
from gazelle import layers, ops
from gazelle._engine.rows import rows_are_apart

X = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
TABLE = jnp.arange(12.0).reshape(4, 3)
APART = {
    "elementwise": lambda x: jnp.tanh(x) * 2 + jnp.where(x > 0, x, -x),
    "dense": lambda x: jax.nn.relu(x @ TABLE),
    "softmax": lambda x: jax.nn.softmax(x),
    "layer norm": lambda x: (x - x.mean(1, keepdims=True)) / jnp.sqrt(x.var(1, keepdims=True)),
    "reshape": lambda x: x.reshape(-1, 2, 2).transpose(0, 2, 1).reshape(x.shape[0], 4),
    "pairs within a row": lambda x: jnp.einsum("ni,nj->nij", x, x),
    "batch matmul": lambda x: x[:, None, :] @ x[:, :, None],
    "lookup": lambda x: jnp.take(TABLE, (x > 0).astype(int), axis=0),
    "concatenate": lambda x: jnp.concatenate([x, x[:, :2]], axis=1),
    "sort": lambda x: jnp.sort(x, axis=1)[:, ::-1],
    "top k": lambda x: jax.lax.top_k(x, 2)[0],
    "cumsum": lambda x: jnp.cumsum(x, axis=1),
    "jit within": lambda x: jax.jit(jnp.exp)(x),
    "logsumexp": lambda x: jax.nn.logsumexp(x, axis=-1),
    "selu": jax.nn.selu,
    "gelu": jax.nn.gelu,
    "pad": lambda x: jnp.pad(x, ((0, 0), (1, 1))),
    "one hot": lambda x: jax.nn.one_hot(jnp.argmax(x, axis=1), 4),
}
MIXED = {
    "mean of the batch": lambda x: x - x.mean(0),
    "number of rows": lambda x: x / x.size,
    "number of rows, as a sum": lambda x: x + jnp.ones(x.shape[0]).sum(),
    "softmax over rows": lambda x: jax.nn.softmax(x, axis=0),
    "similarities": lambda x: x @ x.T,
    "sort rows": lambda x: jnp.sort(x, axis=0),
    "cumsum over rows": lambda x: jnp.cumsum(x, axis=0),
    "place of the row": lambda x: x + jnp.arange(x.shape[0])[:, None],
    "last row": lambda x: x - x[-1:],
    "reversed": lambda x: x[::-1],
    "rolled": lambda x: jnp.roll(x, 1, axis=0),
    "transposed": lambda x: x.T,
    "flattened": lambda x: x.reshape(-1),
    "loop": lambda x: jax.lax.fori_loop(0, 3, lambda i, y: y - y.mean(0), x),
    "argmax of rows": lambda x: x + jnp.argmax(x, axis=0),
}


@pytest.mark.parametrize("name", APART)
def test_rows_apart(name):
    assert rows_are_apart(lambda _, x: APART[name](x), (), X)


@pytest.mark.parametrize("name", MIXED)
def test_rows_mixed(name):
    assert not rows_are_apart(lambda _, x: MIXED[name](x), (), X)


def model_of(function):
    inputs = gazelle.Input((4,))
    return gazelle.Model(inputs, layers.Lambda(function)(inputs))


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis 0")
@pytest.mark.parametrize("rows", [1, 5, 32, 33, 70])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x / ops.cast(ops.size(x), "float32"),
        lambda x: x - ops.mean(x, axis=0),
        lambda x: ops.softmax(x, axis=0),
    ],
    ids=["size", "mean", "softmax"],
)
def test_predictions_are_those_of_batches(rows, function):
    x = np.random.default_rng(1).normal(size=(rows, 4)).astype("float32")
    model = model_of(function)
    for size in (32, 10):
        batches = [x[start : start + size] for start in range(0, rows, size)]
        expected = np.concatenate([np.asarray(function(jnp.asarray(batch))) for batch in batches])
        for _ in range(2):  # the second time by the short way, if there is one
            found = model.predict(x, batch_size=size, verbose=0)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_operations_and_subclasses_are_looked_at():
    inputs = gazelle.Input((4,))
    by_ops = gazelle.Model(inputs, inputs - ops.mean(inputs, axis=0))

    class Own(gazelle.Model):
        def call(self, x):
            return x - jnp.mean(x, axis=0)

    class Within(layers.Layer):
        def call(self, x):
            return x - jnp.mean(x, axis=0)

    models = [by_ops, Own(), gazelle.Sequential([Within()])]
    models.append(gazelle.Sequential([gazelle.Input((4,)), layers.Softmax(axis=0)]))
    for model in models[:3]:
        np.testing.assert_allclose(model.predict(X), X - X.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(models[3].predict(X).sum(axis=0), 1, rtol=1e-5)


def test_a_model_run_eagerly_sees_its_batches():
    seen = []

    class Own(gazelle.Model):
        def call(self, x):
            seen.append(len(x))
            return x * 2

    model = Own()
    model.compile("sgd", "mse", run_eagerly=True)
    model.predict(np.ones((70, 4)), verbose=0)
    assert seen[-3:] == [32, 32, 6]


def test_layers_of_gazelle_are_known_without_following_them(monkeypatch):
    def never(*_):
        raise AssertionError("followed")

    monkeypatch.setattr("gazelle._engine.engine.rows_are_apart", never)
    model = gazelle.Sequential(
        [
            gazelle.Input((4,)),
            layers.Dense(3, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
        ]
    )
    assert model.predict(X).shape == (5, 3)
