"""Layers around a function or another layer, and layers of the user's own."""

import json

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import gazelle
from gazelle import layers, saving
from gazelle._core.masks import mask_of

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation")]

X = np.random.default_rng(0).normal(size=(4, 3, 5)).astype("float32")


def through_json(config):
    return json.loads(json.dumps(config))


@saving.register_keras_serializable("wrappers")
def doubled(x):
    return jnp.concatenate([x, x], axis=1)


@saving.register_keras_serializable("wrappers")
def doubled_shape(shape):
    return (shape[0], 2 * shape[1], *shape[2:])


@saving.register_keras_serializable("wrappers")
def first_steps(inputs, mask):
    return jnp.ones(inputs.shape[:2], bool).at[:, 2:].set(False)


WRAPPED = {
    "SpectralNormalization": lambda L: L.SpectralNormalization(L.Dense(2), power_iterations=3),
    "TimeDistributed": lambda L: L.TimeDistributed(L.Dense(2, activation="tanh"), name="own"),
    "Wrapper": lambda L: L.Wrapper(L.Dense(2), trainable=False),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_the_config_of_a_wrapper_is_read_by_both_libraries(name):
    ours, theirs = WRAPPED[name](layers), WRAPPED[name](keras.layers)
    for node in (layers.serialize(ours), keras.saving.serialize_keras_object(theirs)):
        copy = layers.deserialize(through_json(node))
        assert type(copy) is getattr(layers, name)
        assert type(copy.layer) is layers.Dense
        assert copy.layer.units == 2
        again = keras.saving.deserialize_keras_object(through_json(node))
        assert type(again) is getattr(keras.layers, name)
        assert again.layer.units == 2
        if name == "SpectralNormalization":
            assert copy.power_iterations == again.power_iterations == 3


@pytest.mark.parametrize("K", [gazelle, keras])
def test_wrappers_are_saved_for_both_libraries(K, tmp_path):
    L = K.layers
    model = K.Sequential(
        [
            K.Input((3, 5)),
            L.TimeDistributed(L.SpectralNormalization(L.Dense(4))),
            L.TimeDistributed(L.BatchNormalization()),
            L.SpectralNormalization(L.EinsumDense("abc,cd->abd", (None, 2))),
        ]
    )
    model.compile("sgd", "mse")
    model.fit(X, np.zeros((4, 3, 2)), verbose=0)
    model.save(tmp_path / "m.keras")
    for library in (gazelle, keras):
        found = library.models.load_model(tmp_path / "m.keras")
        np.testing.assert_allclose(found(X), model(X), rtol=1e-5, atol=1e-6)


def test_a_wrapper_of_the_users_own():
    class Halved(layers.Wrapper):
        def call(self, inputs):
            return self.layer(inputs) / 2

    inner = layers.Dense(2)
    layer = Halved(inner)
    found = layer(X)
    np.testing.assert_allclose(found, inner(X) / 2, rtol=1e-6)
    assert layer.weights == inner.weights
    assert Halved(layers.Dense(2))(gazelle.Input((3, 5))).shape == (None, 3, 2)


def test_steps_of_a_users_layer_and_of_a_model():
    class Counting(layers.Layer):
        def __init__(self):
            super().__init__()
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, inputs):
            self.count.assign_add(1.0)
            return inputs + self.count

    layer = layers.TimeDistributed(Counting())
    found = layer(X)
    np.testing.assert_allclose(found, X + np.arange(1.0, 4.0)[:, None], rtol=1e-6)
    chain = gazelle.Sequential([gazelle.Input((5,)), layers.Dense(2), layers.Dropout(0.5)])
    steps = layers.TimeDistributed(chain)
    expected = chain.predict(X.reshape(12, 5), verbose=0).reshape(4, 3, 2)
    np.testing.assert_allclose(steps(X), expected, rtol=1e-5, atol=1e-6)
    assert steps(gazelle.Input((None, 5))).shape == (None, None, 2)
    assert np.asarray(steps(X, training=True) == 0).any()


def test_steps_of_a_table():
    tokens = np.array([[[1, 2], [3, 0]]])
    layer = layers.TimeDistributed(layers.Embedding(4, 3))
    np.testing.assert_array_equal(layer(tokens), np.asarray(layer.layer.embeddings)[tokens])
    assert layer(gazelle.Input((2, 2), dtype="int32")).shape == (None, 2, 2, 3)


def test_the_kernel_that_a_spectral_normalization_has_trained_stretches_by_1():
    layer = layers.SpectralNormalization(layers.Dense(4), power_iterations=30)
    outputs = layer(X, training=True)
    largest = np.linalg.svd(np.asarray(layer.layer.kernel))[1][0]
    assert largest == pytest.approx(1, rel=1e-3)
    np.testing.assert_allclose(layer(X), outputs, rtol=1e-6)
    layer.layer.kernel.assign(np.zeros((5, 4)))
    vector = np.asarray(layer.vector_u)
    assert not np.asarray(layer(X, training=True)).any()
    np.testing.assert_array_equal(layer.vector_u, vector)


def test_training_with_spectral_normalization_follows_keras():
    weights, results = None, []
    for library in (keras, gazelle):
        chain = [library.Input((5,)), library.layers.SpectralNormalization(library.layers.Dense(4))]
        model = library.Sequential(chain)
        if weights is None:
            rng = np.random.default_rng(1)
            weights = [rng.normal(size=w.shape).astype("float32") for w in model.get_weights()]
        model.set_weights(weights)
        model.compile(library.optimizers.SGD(0.1), "mse")
        model.fit(X[:, 0], X[:, 1, :4], batch_size=2, epochs=3, shuffle=False, verbose=0)
        results.append(model.get_weights())
    for theirs, ours in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


# Lambda


def test_the_output_shape_of_a_lambda_may_be_a_function():
    layer = layers.Lambda(doubled, output_shape=doubled_shape)
    assert layer(gazelle.Input((3, 5))).shape == (None, 6, 5)
    assert layer.compute_output_shape((None, 3, 5)) == (None, 6, 5)
    assert layers.Lambda(doubled, output_shape=(6, 5))(gazelle.Input((3, 5))).shape == (None, 6, 5)
    assert layers.Lambda(doubled)(gazelle.Input((3, 5))).shape == (None, 6, 5)
    copy = layers.deserialize(through_json(layers.serialize(layer)))
    assert copy.compute_output_shape((None, 3, 5)) == (None, 6, 5)


def test_the_mask_of_a_lambda_may_be_a_function_or_an_array():
    masked = layers.Lambda(lambda x: 2 * x, mask=first_steps)(X)
    np.testing.assert_array_equal(mask_of(masked), np.arange(3) < np.full((4, 1), 2))
    fixed = layers.Lambda(doubled, mask=np.ones((4, 3), bool))
    assert mask_of(fixed(X)).shape == (4, 3)
    for layer in (fixed, layers.Lambda(doubled, mask=first_steps)):
        copy = layers.deserialize(through_json(layers.serialize(layer)))
        np.testing.assert_array_equal(mask_of(copy(X)), mask_of(layer(X)))
    with pytest.warns(UserWarning, match="does not support masking"):
        assert mask_of(layers.Lambda(lambda x: 2 * x)(masked)) is None


def test_a_lambda_gets_the_mask_and_the_mode():
    def function(x, mask=None, training=None):
        return x * (mask is not None), training

    layer = layers.Lambda(function)
    assert not np.asarray(layer(X)[0]).any()
    masked = layers.Masking()(X)
    outputs, training = layer(masked, training=True)
    assert np.asarray(outputs).any()
    assert training is True


# layers.serialize


def test_a_layer_comes_back_from_its_config():
    layer = layers.Embedding(5, 3, mask_zero=True, name="own")
    copy = layers.deserialize(through_json(layers.serialize(layer)))
    assert (copy.name, copy.input_dim, copy.mask_zero) == ("own", 5, True)
    with pytest.raises(ValueError, match="not that of a layer"):
        layers.deserialize(gazelle.losses.serialize(gazelle.losses.MeanSquaredError()))

    class Own(layers.Layer):
        pass

    node = through_json(layers.serialize(Own(name="o")))
    assert layers.deserialize(node, custom_objects={"Own": Own}).name == "o"


def test_weights_may_be_given_to_an_embedding():
    table = np.arange(6.0).reshape(3, 2)
    for given in (table, [table]):
        layer = layers.Embedding(3, 2, weights=given)
        np.testing.assert_array_equal(layer(np.array([2, 0])), table[[2, 0]])
    with pytest.raises(AttributeError, match="not built"):
        _ = layers.Embedding(3, 2).embeddings
    with pytest.warns(UserWarning, match="input_length"):
        layers.Embedding(3, 2, input_length=4)


# Layers of the user's own


class Sampling(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generator = gazelle.random.SeedGenerator(3)

    def call(self, inputs):
        mean, deviation = inputs
        noise = gazelle.random.normal(mean.shape, seed=self.generator)
        return mean + jnp.exp(deviation) * noise


def test_a_layer_that_draws_outside_training_is_called_on_symbolic_tensors():
    mean, deviation = gazelle.Input((5,)), gazelle.Input((5,))
    layer = Sampling()
    before = np.asarray(layer.generator.state)
    drawn = layer([mean, deviation])
    model = gazelle.Model([mean, deviation], layers.Dense(5)(drawn))
    np.testing.assert_array_equal(layer.generator.state, before)
    first = model.predict([X[:, 0], X[:, 1]], verbose=0)
    assert np.isfinite(first).all()
    model.compile("sgd", "mse")
    model.fit([X[:, 0], X[:, 1]], X[:, 2], verbose=0)
    assert not np.array_equal(layer.generator.state, before)


def test_a_subclass_of_a_layer_without_weights_may_have_some():
    class Scaled(layers.Dropout):
        def build(self, input_shape):
            self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")

        def call(self, inputs, training=False):
            return self.factor * super().call(inputs, training=training)

    layer = Scaled(0.5)
    assert not layer.built
    assert layer(X).shape == X.shape
    assert layer.factor.shape == (5,)
    assert layers.Dropout(0.5).built


def test_the_arguments_of_build_are_those_of_call():
    class WithoutSuffix(layers.Layer):
        def build(self, first_shape, second):
            pass

        def call(self, first, second):
            return first + second

    class OfOthers(layers.Layer):
        def build(self, first_shape, third_shape):
            pass

        def call(self, first, second):
            return first + second

    with pytest.raises(ValueError, match="argument `second`, but its name does not end"):
        WithoutSuffix()(X, X)
    with pytest.raises(ValueError, match="does not have argument `third`"):
        OfOthers()(X, X)


def test_the_outputs_for_symbolic_tensors_may_be_told_by_the_layer():
    class Rows(layers.Layer):
        def call(self, inputs):
            return (inputs[:, 0] > 0).astype("int32")

        def compute_output_spec(self, inputs):
            return gazelle.KerasTensor((inputs.shape[0], inputs.shape[2]), "int32")

    x = gazelle.Input((3, 5))
    out = Rows()(x)
    assert (out.shape, out.dtype) == ((None, 5), "int32")
    np.testing.assert_array_equal(gazelle.Model(x, out).predict(X, verbose=0), X[:, 0] > 0)
    spec = layers.Dense(2).compute_output_spec(x)
    assert (spec.shape, spec.dtype) == ((None, 3, 2), "float32")


def test_one_pytree_of_outputs_may_have_one_mask():
    class Split(layers.Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking = True

        def call(self, inputs):
            return {"a": inputs, "b": 2 * inputs}

    out = Split()(layers.Masking()(X))
    assert [mask_of(leaf) is not None for leaf in jax.tree.leaves(out)] == [True, False]
