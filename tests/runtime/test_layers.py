"""Every layer and activation predicts as it does in Keras and in Gazelle."""

import keras
import numpy as np
import pytest

import gazelle
from gazelle.runtime._activations import ACTIVATIONS
from gazelle.runtime._layers import LAYERS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation"),
    pytest.mark.filterwarnings("ignore:.*rms_scaling=True"),
]

A, B = (5, 4), (6, 3, 4)  # shapes of inputs, with the batch axis


def draw(shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


CASES = {
    "dense": (A, lambda L: L.Dense(3)),
    "dense, no bias": (A, lambda L: L.Dense(3, use_bias=False, activation="tanh")),
    "dense, rank 3": (B, lambda L: L.Dense(3, activation="relu")),
    "dense, layer as activation": (A, lambda L: L.Dense(3, activation=L.LeakyReLU(0.1))),
    "activation": (B, lambda L: L.Activation("softmax")),
    "relu": (A, lambda L: L.ReLU()),
    "relu, slope": (A, lambda L: L.ReLU(negative_slope=0.2)),
    "relu, clipped": (A, lambda L: L.ReLU(max_value=0.7)),
    "relu, all": (A, lambda L: L.ReLU(max_value=1.0, negative_slope=0.2, threshold=0.3)),
    "leaky relu": (A, lambda L: L.LeakyReLU(0.2)),
    "prelu": (B, lambda L: L.PReLU()),
    "prelu, shared": (B, lambda L: L.PReLU(shared_axes=[1])),
    "elu": (A, lambda L: L.ELU(0.5)),
    "softmax": (B, lambda L: L.Softmax(axis=1)),
    "softmax, two axes": (B, lambda L: L.Softmax(axis=[1, 2])),
    "batch normalization": (A, lambda L: L.BatchNormalization()),
    "batch normalization, bare": (A, lambda L: L.BatchNormalization(center=False, scale=False)),
    "batch normalization, axis 1": (B, lambda L: L.BatchNormalization(axis=1, scale=False)),
    "batch renormalization": (A, lambda L: L.BatchNormalization(renorm=True)),
    "layer normalization": (B, lambda L: L.LayerNormalization()),
    "layer normalization, bare": (A, lambda L: L.LayerNormalization(center=False, scale=False)),
    "layer normalization, two axes": (B, lambda L: L.LayerNormalization(axis=[1, 2])),
    "layer normalization, axis 1": (B, lambda L: L.LayerNormalization(axis=1, center=False)),
    "unit normalization": (B, lambda L: L.UnitNormalization()),
    "unit normalization, two axes": (B, lambda L: L.UnitNormalization(axis=[1, 2])),
    "rescaling": (A, lambda L: L.Rescaling(1 / 255, offset=-0.5)),
    "rescaling, lists": (A, lambda L: L.Rescaling([1.0, 2.0, 3.0, 4.0], [0.1, 0.2, 0.3, 0.4])),
    "rescaling, arrays": (A, lambda L: L.Rescaling(np.arange(4.0), np.ones(4))),
    "flatten": (B, lambda L: L.Flatten()),
    "flatten, channels first": (B, lambda L: L.Flatten(data_format="channels_first")),
    "reshape": (B, lambda L: L.Reshape((2, 6))),
    "reshape, inferred": (B, lambda L: L.Reshape((-1, 2))),
    "permute": (B, lambda L: L.Permute((2, 1))),
    "repeat vector": (A, lambda L: L.RepeatVector(3)),
    "identity": (A, lambda L: L.Identity()),
    "dropout": (A, lambda L: L.Dropout(0.5)),
    "alpha dropout": (A, lambda L: L.AlphaDropout(0.5)),
    "gaussian dropout": (A, lambda L: L.GaussianDropout(0.5)),
    "gaussian noise": (A, lambda L: L.GaussianNoise(0.5)),
    "activity regularization": (A, lambda L: L.ActivityRegularization(0.1)),
    "einsum dense": (B, lambda L: L.EinsumDense("abc,cd->abd", (None, 5), "tanh", "d")),
    "einsum dense, no bias": (A, lambda L: L.EinsumDense("...b,bc->...c", 3)),
    "einsum dense, two axes": (B, lambda L: L.EinsumDense("abc,bcd->abd", (3, 5), bias_axes="bd")),
    "masking": (B, lambda L: L.Masking()),
    "average": (B, lambda L: L.GlobalAveragePooling1D()),
    "average, features first": (B, lambda L: L.GlobalAveragePooling1D("channels_first", True)),
    "maximum": (B, lambda L: L.GlobalMaxPooling1D(keepdims=True)),
    "maximum, features first": (B, lambda L: L.GlobalMaxPooling1D("channels_first")),
    "spatial dropout": (B, lambda L: L.SpatialDropout1D(0.5)),
    "group normalization": (B, lambda L: L.GroupNormalization(2)),
    "group normalization, axis 1": (B, lambda L: L.GroupNormalization(-1, axis=1, center=False)),
    "rms normalization": (B, lambda L: L.RMSNormalization()),
    "rms normalization, two axes": (B, lambda L: L.RMSNormalization(axis=[1, 2])),
    "layer normalization, rms": (B, lambda L: L.LayerNormalization(rms_scaling=True)),
    "spectral normalization": (A, lambda L: L.SpectralNormalization(L.Dense(3))),
    "steps": (B, lambda L: L.TimeDistributed(L.Dense(2, "relu"))),
    "steps, normalized": (B, lambda L: L.TimeDistributed(L.BatchNormalization())),
}
MERGED = {
    "add": ((A, A, A), lambda L: L.Add()),
    "add, broadcast": ((B, (6, 4)), lambda L: L.Add()),
    "subtract": ((A, A), lambda L: L.Subtract()),
    "multiply": ((A, (5, 1)), lambda L: L.Multiply()),
    "average": ((A, A, A), lambda L: L.Average()),
    "maximum": ((A, A), lambda L: L.Maximum()),
    "minimum": ((A, A), lambda L: L.Minimum()),
    "concatenate": ((A, (5, 2)), lambda L: L.Concatenate()),
    "concatenate, axis 1": ((B, (6, 2, 4)), lambda L: L.Concatenate(axis=1)),
    "dot": ((A, A), lambda L: L.Dot(axes=1)),
    "dot, cosine": ((A, A), lambda L: L.Dot(axes=-1, normalize=True)),
    "dot, rank 3": ((B, (6, 5, 4)), lambda L: L.Dot(axes=2)),
    "dot, two axes": ((B, (6, 4, 2)), lambda L: L.Dot(axes=(2, 1))),
}


@pytest.mark.parametrize("name", CASES)
def test_a_layer_predicts_as_in_both_libraries(name, check):
    shape, layer = CASES[name]
    check(lambda K, L: K.Sequential([K.Input(shape[1:]), layer(L)]), draw(shape))


TOKENS = np.array([[1, 2, 0, 0], [3, 0, 0, 0], [4, 4, 1, 2], [0, 1, 0, 2], [1, 1, 1, 1]])


def test_tables_predict_as_in_both_libraries(check):
    def make(K, L):
        x = K.Input((4,), dtype="int32")
        table = L.ReversibleEmbedding(5, 3, tie_weights=False, logit_soft_cap=2.0)
        return K.Model(x, [L.Embedding(5, 2)(x), table(table(x), reverse=True)])

    check(make, TOKENS)


def test_a_number_outside_the_table_gives_nan(load_gazelle):
    layers = gazelle.layers
    model = gazelle.Sequential([gazelle.Input((4,), dtype="int32"), layers.Embedding(4, 3)])
    found = load_gazelle(model)(TOKENS - 1)
    np.testing.assert_array_equal(found, model.predict(TOKENS - 1, verbose=0))
    assert not np.isnan(found[4]).any()
    assert np.isnan(load_gazelle(model)(TOKENS)[2, :2]).all()


MASKED = {
    "average": lambda L, a, b: L.GlobalAveragePooling1D()(L.Dense(2)(a)),
    "softmax": lambda L, a, b: L.Softmax(axis=1)(L.Flatten()(L.Dense(1)(a)), mask=None),
    "sum": lambda L, a, b: L.GlobalAveragePooling1D()(L.Add()([a, b])),
    "product": lambda L, a, b: L.Multiply()([a, b]),
    "product, one masked": lambda L, a, b: L.Multiply()([a, L.Identity()(b) + 0.0]),
    "largest": lambda L, a, b: L.GlobalAveragePooling1D()(L.Maximum()([a, b])),
    "smallest": lambda L, a, b: L.GlobalAveragePooling1D()(L.Minimum()([a, b, a])),
    "joined": lambda L, a, b: L.GlobalAveragePooling1D()(L.Concatenate(axis=1)([a, b])),
    "joined, one masked": lambda L, a, b: L.GlobalAveragePooling1D()(
        L.Concatenate(axis=1)([a, b + 0.0])
    ),
    "lost": lambda L, a, b: L.GlobalAveragePooling1D()(L.Reshape((3, 4))(a)),
    "steps": lambda L, a, b: L.GlobalAveragePooling1D()(L.TimeDistributed(L.Dense(2))(a)),
}


@pytest.mark.filterwarnings("ignore:.*does not support masking")
@pytest.mark.parametrize("name", MASKED)
def test_masks_count_as_in_both_libraries(name, check):
    def make(K, L):
        tokens, numbers = K.Input((4,), dtype="int32"), K.Input((4, 3))
        a = L.Embedding(5, 3, mask_zero=True)(tokens)
        return K.Model([tokens, numbers], MASKED[name](L, a, L.Masking()(numbers)))

    numbers = draw((5, 4, 3)) * (np.arange(20).reshape(5, 4, 1) % 3 > 0)
    check(make, TOKENS, numbers.astype("float32"))


@pytest.mark.parametrize("name", MERGED)
def test_a_merging_layer_predicts_as_in_both_libraries(name, check):
    shapes, layer = MERGED[name]

    def make(K, L):
        inputs = [K.Input(shape[1:]) for shape in shapes]
        return K.Model(inputs, layer(L)(inputs))

    check(make, *(draw(shape, seed) for seed, shape in enumerate(shapes)))


def test_every_layer_of_gazelle_is_known_or_refused_on_purpose():
    layers = {
        name
        for name in gazelle.layers.__all__
        if isinstance(kind := getattr(gazelle.layers, name), type)
        and issubclass(kind, gazelle.layers.Layer)
    }
    aliases = {"GlobalAvgPool1D", "GlobalMaxPool1D"}
    refused = {"CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup"}
    refused |= {"StringLookup", "TextVectorization", "Layer", "Lambda", "InputLayer", "Wrapper"}
    refused |= {"Pipeline"}
    assert layers - aliases - set(LAYERS) - {"Normalization"} == refused


NORMALIZATIONS = {
    "adapted": (A, {}),
    "adapted, rank 3": (B, {}),
    "adapted, two axes": (B, {"axis": (1, -1)}),
    "adapted, no axis": (A, {"axis": None}),
    "given": (A, {"mean": [1.0, 2.0, 3.0, 4.0], "variance": [0.1, 0.0, 2.0, 3.0]}),
    "given, numbers": (B, {"mean": 2.0, "variance": 3.0}),
    "given, axis 1": (B, {"mean": [1.0, 2.0, 3.0], "variance": [1.0, 2.0, 3.0], "axis": 1}),
    "inverted": (A, {"invert": True}),
}


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_normalization_predicts_as_in_keras(name, load_keras):
    shape, options = NORMALIZATIONS[name]
    x = 3 * draw(shape) + 1
    layer = keras.layers.Normalization(**options)
    if "mean" not in options:
        layer.adapt(x)
    model = keras.Sequential([keras.Input(shape[1:]), layer])
    np.testing.assert_allclose(load_keras(model)(x), model.predict(x, verbose=0), rtol=2e-6)


def test_a_layer_with_weights_as_activation_of_another(load_keras):
    layers = keras.layers
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation=layers.PReLU("ones"))])
    x = draw(A)
    model(x)  # makes the weights of the activation
    np.testing.assert_allclose(load_keras(model)(x), model.predict(x, verbose=0), atol=1e-6)


ALONE = {"sparsemax"}  # Keras computes another function


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - ALONE - {"hard_swish", "swish"}))
def test_an_activation_predicts_as_in_both_libraries(name, check):
    x = np.concatenate([draw((40, 6)), 8 * draw((40, 6)), np.zeros((1, 6), np.float32)])
    check(lambda K, L: K.Sequential([K.Input((6,)), L.Activation(name)]), x)


def test_sparsemax_predicts_as_in_gazelle(load_gazelle):
    model = gazelle.Sequential([gazelle.Input((6,)), gazelle.layers.Activation("sparsemax")])
    x = 3 * draw((50, 6))
    np.testing.assert_allclose(load_gazelle(model)(x), model.predict(x, verbose=0), atol=1e-6)


def test_every_activation_of_gazelle_without_own_arguments_is_known():
    functions = set(gazelle.activations.__all__) - {"get", "serialize", "deserialize"}
    assert functions - set(ACTIVATIONS) == {"threshold"}


def test_extreme_inputs_give_no_warnings_and_the_same_limits(load_gazelle):
    x = np.array([[-1e4, 1e4, -np.inf, np.inf, np.nan, -0.0]], np.float32)
    for name in sorted(set(ACTIVATIONS) - {"glu", "sparsemax"}):
        model = gazelle.Sequential([gazelle.Input((6,)), gazelle.layers.Activation(name)])
        expected = model.predict(x, verbose=0)
        np.testing.assert_allclose(load_gazelle(model)(x), expected, atol=1e-5, err_msg=name)


def test_float64_layers_compute_in_float64(load_gazelle, tmp_path):
    model = gazelle.Sequential(
        [gazelle.Input((4,), dtype="float32"), gazelle.layers.Dense(3, activation="gelu")]
    )
    config = model.to_json().replace('{"name": "float32"}', '{"name": "float64"}')
    model.save_weights(tmp_path / "m.weights.h5")
    x = draw(A)
    found = gazelle.runtime.load(tmp_path / "m.weights.h5", config=config)(x)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-6)
