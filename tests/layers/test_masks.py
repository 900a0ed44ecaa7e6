"""Masks go from layer to layer, to the loss and to the metrics, as in Keras."""

import gc
import weakref

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import gazelle
from gazelle import layers
from gazelle._core.masks import mask_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation"),
    pytest.mark.filterwarnings("ignore:.*does not support masking"),
]

TOKENS = np.array([[1, 2, 0, 0], [3, 0, 0, 0], [4, 4, 1, 2], [0, 1, 0, 2], [1, 1, 1, 1]])
RNG = np.random.default_rng(2)
NUMBERS = (RNG.normal(size=(5, 4, 3)) * (np.arange(20).reshape(5, 4, 1) % 3 > 0)).astype("float32")
TARGETS = RNG.normal(size=(5, 4, 2)).astype("float32")


def masks_through(K, L, name):
    """The outputs of a functional model in which layers get masks."""
    tokens, numbers = K.Input((4,), dtype="int32"), K.Input((4, 3))
    a = L.Embedding(5, 3, mask_zero=True)(tokens)
    b = L.Masking()(numbers)
    return K.Model([tokens, numbers], PATHS[name](L, a, b))


PATHS = {
    "average": lambda L, a, b: L.GlobalAveragePooling1D()(L.Dense(2)(b)),
    "normalization": lambda L, a, b: L.BatchNormalization()(a),
    "sum": lambda L, a, b: L.GlobalAveragePooling1D()(L.Add()([a, b])),
    "difference": lambda L, a, b: L.GlobalAveragePooling1D()(L.Subtract()([a, b])),
    "mean": lambda L, a, b: L.GlobalAveragePooling1D()(L.Average()([a, b])),
    "product": lambda L, a, b: L.Multiply()([a, b]),
    "product of three": lambda L, a, b: L.GlobalAveragePooling1D()(L.Multiply()([a, b, a])),
    "largest": lambda L, a, b: L.GlobalAveragePooling1D()(L.Maximum()([a, b])),
    "smallest": lambda L, a, b: L.Minimum()([b, a]),
    "joined": lambda L, a, b: L.GlobalAveragePooling1D()(L.Concatenate(axis=1)([a, b])),
    "joined features": lambda L, a, b: L.GlobalAveragePooling1D()(L.Concatenate()([a, b])),
    "one masked": lambda L, a, b: L.GlobalAveragePooling1D()(L.Concatenate(axis=1)([a, b + 0.0])),
    "sum of one masked": lambda L, a, b: L.GlobalAveragePooling1D()(L.Add()([a, b + 0.0])),
    "dot": lambda L, a, b: L.GlobalAveragePooling1D()(L.Dot(axes=2)([a, b])),
    "dropout": lambda L, a, b: L.GlobalAveragePooling1D()(L.SpatialDropout1D(0.5, seed=1)(a)),
    "steps": lambda L, a, b: L.GlobalAveragePooling1D()(L.TimeDistributed(L.Dense(2))(a)),
    "lost": lambda L, a, b: L.GlobalAveragePooling1D()(L.Reshape((4, 3))(L.Dense(3)(a))),
    "activations": lambda L, a, b: L.GlobalAveragePooling1D()(
        L.PReLU()(L.LeakyReLU()(L.Activation("tanh")(L.LayerNormalization()(a))))
    ),
    "groups": lambda L, a, b: L.GlobalAveragePooling1D()(L.GroupNormalization(3)(a)),
    "lengths": lambda L, a, b: L.GlobalAveragePooling1D()(L.UnitNormalization()(L.Identity()(a))),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", PATHS)
def test_a_mask_goes_through_a_functional_model_as_in_keras(name, training):
    ours = masks_through(gazelle, layers, name)
    theirs = masks_through(keras, keras.layers, name)
    weights = [RNG.uniform(0.1, 0.9, w.shape).astype("float32") for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    found = ours([TOKENS, NUMBERS], training=training)
    wanted = theirs([TOKENS, NUMBERS], training=training)
    theirs_mask = getattr(wanted, "_keras_mask", None)
    np.testing.assert_allclose(found, np.nan_to_num(wanted), rtol=1e-5, atol=1e-6)
    assert (mask_of(found) is None) == (theirs_mask is None)
    if theirs_mask is not None:
        np.testing.assert_array_equal(mask_of(found), theirs_mask)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    # The same in a compiled program.
    np.testing.assert_allclose(
        ours.predict([TOKENS, NUMBERS], verbose=0),
        np.nan_to_num(theirs.predict([TOKENS, NUMBERS], verbose=0)),
        rtol=1e-5,
        atol=1e-6,
    )


def functional(K, L):
    x = K.Input((4,), dtype="int32")
    return K.Model(x, L.Dense(2)(L.BatchNormalization()(L.Embedding(5, 3, mask_zero=True)(x))))


def sequential(K, L):
    chain = [L.Embedding(5, 3, mask_zero=True), L.BatchNormalization(), L.Dense(2)]
    return K.Sequential([K.Input((4,), dtype="int32"), *chain])


def deferred(K, L):
    return K.Sequential([L.Embedding(5, 3, mask_zero=True), L.BatchNormalization(), L.Dense(2)])


def nested(K, L):
    x = K.Input((4,), dtype="int32")
    inner = K.Sequential([L.BatchNormalization(), L.Dense(2)])
    return K.Model(x, inner(L.Embedding(5, 3, mask_zero=True)(x)))


def subclassed(K, L):
    class Own(K.Model):
        def __init__(self):
            super().__init__()
            self.table = L.Embedding(5, 3, mask_zero=True)
            self.norm = L.BatchNormalization()
            self.dense = L.Dense(2)

        def call(self, inputs, training=None):
            return self.dense(self.norm(self.table(inputs), training=training))

    return Own()


MODELS = [functional, sequential, deferred, nested, subclassed]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("make", MODELS)
def test_masked_values_do_not_count_in_training(make, weighted):
    """Keras loses the mask on the way to the metrics of a fit, not to those of an evaluation."""
    models = []
    weights = None
    options = {"batch_size": 2, "verbose": 0}
    if weighted:
        options["sample_weight"] = np.linspace(0.5, 2, 20).reshape(5, 4)
    for library in (keras, gazelle):
        model = make(library, library.layers)
        model(TOKENS)
        rng = np.random.default_rng(0)
        weights = [rng.uniform(0.1, 0.9, w.shape).astype("float32") for w in model.get_weights()]
        model.set_weights(weights)
        model.compile("adam", "mse", metrics=["mae"], weighted_metrics=["mse"])
        history = model.fit(TOKENS, TARGETS, epochs=3, shuffle=False, **options).history
        result = model.evaluate(TOKENS, TARGETS, return_dict=True, **options)
        models.append((history["loss"], result, model.get_weights()))
    (theirs, ours) = models
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
    assert ours[1] == pytest.approx(theirs[1], rel=1e-5)
    for one, other in zip(ours[2], theirs[2], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_the_metrics_of_a_fit_are_masked_as_those_of_an_evaluation_are():
    model = functional(gazelle, layers)
    model.compile(gazelle.optimizers.SGD(0.0), "mse", metrics=["mae", "mse"])
    model.layers[2].momentum = 1.0
    logs = model.fit(TOKENS, TARGETS, batch_size=5, verbose=0).history
    assert logs["mse"] == pytest.approx(logs["loss"], rel=1e-6)


class Attention(layers.Layer):
    """Takes the mask of its input, and gives none."""

    def call(self, inputs, mask=None):
        counts = jnp.ones(inputs.shape[:2]) if mask is None else jnp.asarray(mask, "float32")
        return (inputs * counts[..., None]).sum(1) / counts.sum(1, keepdims=True)


class Pairs(layers.Layer):
    """Takes the masks of two arguments, and makes one of its own."""

    def call(self, first, second, first_mask=None, second_mask=None):
        self.seen = first_mask is not None, second_mask is not None
        return first + second

    def compute_mask(self, inputs, previous_mask=None):
        return inputs[..., 0] > 0


class Twice(layers.Layer):
    """Lets masks pass."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        return 2 * inputs


def test_a_users_layer_gets_the_mask_of_its_input():
    x = gazelle.Input((4,), dtype="int32")
    table = layers.Embedding(5, 3, mask_zero=True)
    model = gazelle.Model(x, Attention()(Twice()(table(x))))
    rows = np.asarray(table.embeddings)[TOKENS]
    counts = (TOKENS != 0)[..., None]
    wanted = 2 * (rows * counts).sum(1) / counts.sum(1)
    np.testing.assert_allclose(model(TOKENS), wanted, rtol=1e-5)
    np.testing.assert_allclose(model.predict(TOKENS, verbose=0), wanted, rtol=1e-5)
    np.testing.assert_allclose(Attention()(Twice()(table(TOKENS))), wanted, rtol=1e-5)


def test_masks_of_several_arguments_have_their_names():
    masked = layers.Masking()(NUMBERS)
    layer = Pairs()
    out = layer(masked, jnp.asarray(NUMBERS))
    assert layer.seen == (True, False)
    np.testing.assert_array_equal(mask_of(out), NUMBERS[..., 0] > 0)
    assert layer.supports_masking
    a, b = gazelle.Input((4, 3)), gazelle.Input((4, 3))
    found = Pairs()(layers.Masking()(a), b)
    assert found._keras_mask.shape == (None, 4)
    assert found._keras_mask.dtype == "bool"


def test_a_mask_that_is_given_comes_before_the_one_that_is_carried():
    masked = layers.Masking()(NUMBERS)
    other = np.ones((5, 4), bool)
    np.testing.assert_allclose(
        layers.GlobalAveragePooling1D()(masked, mask=other), np.mean(NUMBERS, axis=1), rtol=1e-6
    )
    chain = gazelle.Sequential([layers.Dense(3), layers.GlobalAveragePooling1D()])
    dense = chain.layers[0]
    found = chain(NUMBERS, mask=np.arange(4) < np.array([[1], [2], [3], [4], [1]]))
    np.testing.assert_allclose(found[0], dense(NUMBERS)[0, 0], rtol=1e-6)
    np.testing.assert_allclose(found[3], np.mean(dense(NUMBERS)[3], axis=0), rtol=1e-5)


def test_a_mask_that_is_given_does_not_stay_with_the_users_array():
    x = jnp.asarray(NUMBERS)
    mask = np.arange(4) < np.array([[1], [2], [3], [4], [1]])
    inputs = gazelle.Input((4, 3))
    model = gazelle.Model(
        inputs, layers.GlobalAveragePooling1D()(layers.Activation("linear")(inputs))
    )
    np.testing.assert_allclose(model(x, mask=mask)[0], NUMBERS[0, 0], rtol=1e-6)
    np.testing.assert_allclose(model(x), NUMBERS.mean(1), rtol=1e-6)
    assert mask_of(x) is None


def test_a_layer_that_loses_a_mask_says_so():
    masked = layers.Masking()(NUMBERS)
    with pytest.warns(UserWarning, match="Layer 'own' .* does not support masking"):
        out = layers.Flatten(name="own")(masked)
    assert mask_of(out) is None
    with pytest.warns(UserWarning, match="Layer 'own' .* does not support masking"):
        layers.Flatten(name="own")(layers.Masking()(gazelle.Input((4, 3))))


@pytest.mark.filterwarnings("error")
def test_layers_that_use_or_keep_masks_say_nothing():
    x = layers.Masking()(gazelle.Input((4, 3)))
    inner = gazelle.Sequential([gazelle.Input((4, 3)), layers.Dense(2)])
    layers.GlobalAveragePooling1D()(inner(x))
    Attention()(x)


def test_the_mask_of_a_symbolic_tensor_is_a_symbolic_tensor_that_a_model_can_give():
    x = gazelle.Input((4,), dtype="int32")
    table = layers.Embedding(5, 3, mask_zero=True)
    out = layers.Dense(2)(table(x))
    model = gazelle.Model(x, [out, out._keras_mask, table.compute_mask(x)])
    _, carried, computed = model(TOKENS)
    np.testing.assert_array_equal(carried, TOKENS != 0)
    np.testing.assert_array_equal(computed, TOKENS != 0)
    copy = gazelle.Model.from_config(model.get_config())
    np.testing.assert_array_equal(copy(TOKENS)[1], TOKENS != 0)
    np.testing.assert_array_equal(gazelle.models.clone_model(model)(TOKENS)[2], TOKENS != 0)


def test_masks_work_in_a_function_that_is_traced_by_the_user():
    table, average = layers.Embedding(5, 3, mask_zero=True), layers.GlobalAveragePooling1D()

    def run(tokens):
        return average(table(tokens))

    wanted = run(jnp.asarray(TOKENS))
    np.testing.assert_allclose(jax.jit(run)(TOKENS), wanted, rtol=1e-6)

    def loss(tokens, targets):
        return gazelle.losses.MeanSquaredError()(targets, layers.Identity()(table(tokens)))

    targets = RNG.normal(size=(5, 4, 3)).astype("float32")
    counts = TOKENS != 0
    errors = np.square(np.asarray(table.embeddings)[TOKENS] - targets).mean(-1)
    assert jax.jit(loss)(TOKENS, targets) == pytest.approx(errors[counts].mean(), rel=1e-5)


def test_no_masks_of_a_traced_function_stay_behind():
    table = layers.Embedding(5, 3, mask_zero=True)
    seen = []

    @jax.jit
    def run(tokens):
        out = layers.Identity()(table(tokens))
        seen.append(weakref.ref(out))
        return out

    run(TOKENS)
    layers.Identity()(table(TOKENS))  # with values
    gc.collect()
    assert seen[0]() is None


@pytest.mark.parametrize("K", [gazelle, keras])
def test_a_model_with_masks_is_saved_for_both_libraries(K, tmp_path):
    x = K.Input((4,), dtype="int32")
    h = K.layers.Embedding(5, 3, mask_zero=True)(x)
    h = K.layers.Dense(2)(h)
    model = K.Model(x, [h, K.layers.GlobalAveragePooling1D()(h)] if K is gazelle else h)
    model.compile("sgd", "mse")
    model.save(tmp_path / "m.keras")
    wanted = jax.tree.leaves(model(TOKENS))
    for library in (gazelle, keras):
        found = library.models.load_model(tmp_path / "m.keras")
        for one, other in zip(jax.tree.leaves(found(TOKENS)), wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)
        if library is gazelle:
            assert mask_of(jax.tree.leaves(found(TOKENS))[0]) is not None
