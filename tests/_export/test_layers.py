"""Every layer: onnxruntime computes what the layer does outside training."""

import functools

import jax
import numpy as np
import pytest
from _export.running import check, own_outputs, random_data, random_weights, run

import gazelle
from gazelle import activations, layers
from gazelle.layers import Input

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*rms_scaling=True")]

# Shapes of one sample, per input.
ROW, MATRIX, BLOCK = [(6,)], [(3, 6)], [(2, 3, 4)]
PAIR = [(6,), (6,)]

# A name that starts with the layer's class, the layer, and the shapes of its inputs.
CASES = {
    "Dense": (lambda: layers.Dense(4, "tanh"), ROW),
    "Dense rank 3": (lambda: layers.Dense(4, use_bias=False), MATRIX),
    "Dense rank 4": (lambda: layers.Dense(4, "softmax"), BLOCK),
    "Dense unknown axis": (lambda: layers.Dense(4), [(None, 6)]),
    "Dense lora": (lambda: layers.Dense(4, lora_rank=2, lora_alpha=3.0), ROW),
    "Dense layer as activation": (lambda: layers.Dense(4, layers.LeakyReLU(0.1)), ROW),
    "Activation": (lambda: layers.Activation("relu"), ROW),
    "Activation layer": (lambda: layers.Activation(layers.ELU(0.4)), ROW),
    "ActivityRegularization": (lambda: layers.ActivityRegularization(0.1, 0.2), ROW),
    "ReLU": (layers.ReLU, ROW),
    "ReLU all": (lambda: layers.ReLU(1.5, negative_slope=0.2, threshold=0.4), ROW),
    "ReLU slope": (lambda: layers.ReLU(negative_slope=0.2), MATRIX),
    "LeakyReLU": (layers.LeakyReLU, ROW),
    "PReLU": (layers.PReLU, MATRIX),
    "PReLU shared": (lambda: layers.PReLU(shared_axes=[1, 3]), BLOCK),
    "ELU": (layers.ELU, ROW),
    "ELU alpha": (lambda: layers.ELU(0.7), ROW),
    "Softmax": (layers.Softmax, ROW),
    "Softmax axis": (lambda: layers.Softmax(axis=1), BLOCK),
    "Softmax axes": (lambda: layers.Softmax(axis=[1, -1]), BLOCK),
    "Dropout": (lambda: layers.Dropout(0.5), ROW),
    "AlphaDropout": (lambda: layers.AlphaDropout(0.5), ROW),
    "GaussianDropout": (lambda: layers.GaussianDropout(0.5), ROW),
    "GaussianNoise": (lambda: layers.GaussianNoise(0.5), ROW),
    "BatchNormalization": (layers.BatchNormalization, ROW),
    "BatchNormalization axis 1": (lambda: layers.BatchNormalization(axis=1), BLOCK),
    "BatchNormalization bare": (
        lambda: layers.BatchNormalization(axis=2, center=False, scale=False, epsilon=0.1),
        BLOCK,
    ),
    "BatchNormalization renorm": (lambda: layers.BatchNormalization(renorm=True), MATRIX),
    "LayerNormalization": (layers.LayerNormalization, ROW),
    "LayerNormalization axis 1": (lambda: layers.LayerNormalization(axis=1), BLOCK),
    "LayerNormalization axes": (lambda: layers.LayerNormalization(axis=[-1, 1]), BLOCK),
    "LayerNormalization bare": (
        lambda: layers.LayerNormalization(center=False, scale=False, epsilon=0.1),
        MATRIX,
    ),
    "UnitNormalization": (layers.UnitNormalization, ROW),
    "UnitNormalization axes": (lambda: layers.UnitNormalization(axis=[1, 3]), BLOCK),
    "Rescaling": (lambda: layers.Rescaling(1 / 255, -0.5), BLOCK),
    "Rescaling lists": (lambda: layers.Rescaling([1.0, 2, 3, 4], [4.0, 3, 2, 1]), BLOCK),
    "Add": (layers.Add, [(6,), (6,), (6,)]),
    "Add broadcast": (layers.Add, [(6,), (3, 6), (1, 6)]),
    "Add one": (lambda: _OfOne(layers.Add()), ROW),
    "Subtract": (layers.Subtract, PAIR),
    "Multiply": (layers.Multiply, [(6,), (1,), (6,)]),
    "Average": (layers.Average, [(6,), (6,), (3, 6)]),
    "Maximum": (layers.Maximum, PAIR),
    "Minimum": (layers.Minimum, PAIR),
    "Concatenate": (layers.Concatenate, [(6,), (2,)]),
    "Concatenate axis": (lambda: layers.Concatenate(axis=1), [(3, 6), (1, 6)]),
    "Dot": (lambda: layers.Dot(axes=1), PAIR),
    "Dot normalize": (lambda: layers.Dot(axes=-1, normalize=True), PAIR),
    "Dot pair": (lambda: layers.Dot(axes=(2, 1)), [(3, 6), (6, 2, 4)]),
    "Flatten": (layers.Flatten, BLOCK),
    "Flatten scalars": (layers.Flatten, [()]),
    "Flatten channels first": (lambda: layers.Flatten("channels_first"), BLOCK),
    "Flatten unknown axis": (layers.Flatten, [(None, 6)]),
    "Reshape": (lambda: layers.Reshape((4, 6)), BLOCK),
    "Reshape inferred": (lambda: layers.Reshape((-1, 2)), BLOCK),
    "Reshape unknown axis": (lambda: layers.Reshape((-1, 2, 3)), [(None, 6)]),
    "Permute": (lambda: layers.Permute((3, 1, 2)), BLOCK),
    "RepeatVector": (lambda: layers.RepeatVector(3), ROW),
    "Identity": (layers.Identity, BLOCK),
    "EinsumDense": (lambda: layers.EinsumDense("abc,cd->abd", (None, 4), "tanh", "d"), MATRIX),
    "EinsumDense dots": (lambda: layers.EinsumDense("...c,cd->...d", 4), BLOCK),
    "EinsumDense axes": (
        lambda: layers.EinsumDense("abc,bcd->abd", (3, 2), bias_axes="bd"),
        MATRIX,
    ),
    "Embedding": (lambda: layers.Embedding(30, 3), MATRIX),
    "ReversibleEmbedding": (lambda: layers.ReversibleEmbedding(30, 3), ROW),
    "Masking": (layers.Masking, MATRIX),
    "GlobalAveragePooling1D": (layers.GlobalAveragePooling1D, MATRIX),
    "GlobalAveragePooling1D first": (
        lambda: layers.GlobalAveragePooling1D("channels_first", True),
        MATRIX,
    ),
    "GlobalMaxPooling1D": (lambda: layers.GlobalMaxPooling1D(keepdims=True), MATRIX),
    "GlobalMaxPooling1D first": (lambda: layers.GlobalMaxPooling1D("channels_first"), MATRIX),
    "SpatialDropout1D": (lambda: layers.SpatialDropout1D(0.5), MATRIX),
    "GroupNormalization": (lambda: layers.GroupNormalization(2), MATRIX),
    "GroupNormalization axis 1": (
        lambda: layers.GroupNormalization(-1, axis=1, center=False, epsilon=0.1),
        BLOCK,
    ),
    "RMSNormalization": (layers.RMSNormalization, MATRIX),
    "RMSNormalization axes": (lambda: layers.RMSNormalization(axis=[-1, 1]), BLOCK),
    "LayerNormalization rms": (lambda: layers.LayerNormalization(rms_scaling=True), MATRIX),
    "SpectralNormalization": (lambda: layers.SpectralNormalization(layers.Dense(3)), ROW),
    "TimeDistributed": (lambda: layers.TimeDistributed(layers.Dense(2, "tanh")), MATRIX),
    "TimeDistributed flat": (lambda: layers.TimeDistributed(layers.Flatten()), BLOCK),
}


class _OfOne:
    """Calls a merging layer on a list of one tensor."""

    def __init__(self, layer):
        self.layer = layer

    def __call__(self, x):
        return self.layer([x])


def model_of(layer, shapes, dtype="float32"):
    inputs = [Input(shape, dtype=dtype) for shape in shapes]
    outputs = layer(inputs if len(inputs) > 1 else inputs[0])
    return random_weights(gazelle.Model(inputs, outputs))


@pytest.mark.parametrize("name", CASES)
def test_a_layer(name, tmp_path):
    make, shapes = CASES[name]
    check(model_of(make(), shapes), tmp_path)


def test_every_layer_that_can_be_exported_is_tested():
    of_layers = {
        name
        for name in layers.__all__
        if isinstance(getattr(layers, name), type)
        and issubclass(getattr(layers, name), layers.Layer)
    }
    others = {"Layer", "InputLayer", "Lambda", "Wrapper", "GlobalAvgPool1D", "GlobalMaxPool1D"}
    others |= {"CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup"}
    others |= {"Normalization", "Pipeline", "StringLookup", "TextVectorization"}  # refused
    assert {name.split()[0] for name in CASES} == of_layers - others


def test_a_reversible_embedding_backwards(tmp_path):
    x = Input((4,), dtype="int32")
    tied = layers.ReversibleEmbedding(9, 3, logit_soft_cap=2.0)
    own = layers.ReversibleEmbedding(9, 3, tie_weights=False)
    outputs = [tied(own(x), reverse=True), own(tied(x), reverse=True)]
    check(random_weights(gazelle.Model(x, outputs)), tmp_path)


def test_integers_of_few_bits_are_embedded(tmp_path):
    check(model_of(layers.Embedding(9, 3), ROW, "uint8"), tmp_path)


MASKED = {
    "average": lambda a, b: layers.GlobalAveragePooling1D()(layers.Dense(2)(a)),
    "sum": lambda a, b: layers.GlobalAveragePooling1D(keepdims=True)(layers.Add()([a, b])),
    "product": lambda a, b: layers.Multiply()([a, b]),
    "product, one masked": lambda a, b: layers.Multiply()([a, b + 0.0]),
    "largest": lambda a, b: layers.GlobalAveragePooling1D()(layers.Maximum()([a, b])),
    "smallest": lambda a, b: layers.GlobalAveragePooling1D()(layers.Minimum()([a, b, a + 0.0])),
    "joined": lambda a, b: layers.GlobalAveragePooling1D()(layers.Concatenate(axis=1)([a, b])),
    "joined, one masked": lambda a, b: layers.GlobalAveragePooling1D()(
        layers.Concatenate(axis=1)([a, b + 0.0])
    ),
    "steps": lambda a, b: layers.GlobalAveragePooling1D()(
        layers.TimeDistributed(layers.Dense(2))(a)
    ),
    "no step left": lambda a, b: layers.GlobalAveragePooling1D()(layers.Masking()(a * 0.0)),
}


@pytest.mark.parametrize("name", MASKED)
def test_masks(name, tmp_path):
    first, second = Input((4,), dtype="int32"), Input((4,), dtype="int32")
    a = layers.Embedding(9, 3, mask_zero=True)(first)
    b = layers.Embedding(9, 3)(second)
    b = layers.Masking()(b * layers.Embedding(9, 1, weights=_IS_HIGH)(second))
    check(gazelle.Model([first, second], MASKED[name](a, b)), tmp_path)


_IS_HIGH = (np.arange(9) > 3).astype("float32")[:, None]


@pytest.mark.parametrize("axes", [-1, [1, 2]])
def test_softmax_with_a_mask(axes, tmp_path):
    x, mask = Input((3, 6)), Input((3, 6), dtype="bool")
    check(gazelle.Model([x, mask], layers.Softmax(axes)(x, mask)), tmp_path)
    kept = np.arange(18).reshape(1, 3, 6) % 3 > 0
    check(gazelle.Model(x, layers.Softmax(axes)(x, mask=kept)), tmp_path)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Dense(2),
        lambda: layers.Rescaling(0.5),
        layers.BatchNormalization,
        layers.LayerNormalization,
        layers.Flatten,
        layers.Identity,
    ],
)
def test_integers_in(make, dtype, tmp_path):
    check(model_of(make(), MATRIX, dtype), tmp_path)


def test_integers_are_added_and_joined(tmp_path):
    a, b, c = Input((3,), dtype="int32"), Input((3,), dtype="int32"), Input((3,))
    outputs = [layers.Add()([a, b]), layers.Maximum()([a, c]), layers.Concatenate()([b, a])]
    check(gazelle.Model([a, b, c], [*outputs, -a, a * 2, a / b, abs(b) - 7.5]), tmp_path)


@pytest.fixture
def _double():
    with jax.enable_x64(True):
        gazelle.config.set_floatx("float64")
        yield
        gazelle.config.set_floatx("float32")


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("name", CASES)
def test_a_layer_in_float64(name, tmp_path):
    make, shapes = CASES[name]
    check(model_of(make(), shapes, "float64"), tmp_path, tolerance=1e-12)


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("autocast", [True, False])
def test_a_layer_of_another_type(autocast, tmp_path):
    layer = layers.Activation("tanh", dtype="float32", autocast=autocast)
    check(model_of(layer, ROW, "float64"), tmp_path)


def test_a_layer_as_activation_is_exported(tmp_path):
    x = Input((6,))
    model = gazelle.Model(x, layers.Activation(layers.PReLU("ones"))(x))
    check(model, tmp_path)


# The parameters with which an activation is also tested; those of `threshold` have no defaults.
PARAMETERS = {
    "celu": {"alpha": 0.6},
    "elu": {"alpha": 0.6},
    "gelu": {"approximate": True},
    "glu": {"axis": 1},
    "hard_shrink": {"threshold": 0.9},
    "leaky_relu": {"negative_slope": 0.4},
    "log_softmax": {"axis": 1},
    "relu": {"threshold": -0.5, "max_value": 1.0, "negative_slope": 0.1},
    "soft_shrink": {"threshold": 0.9},
    "softmax": {"axis": 1},
    "sparsemax": {"axis": 1},
    "squareplus": {"b": 2},
    "threshold": {"threshold": 0.3, "default_value": 2.0},
}
ACTIVATIONS = [
    name for name in activations.__all__ if name not in ("deserialize", "get", "serialize")
]


def of_activation(function):
    x = Input((4, 6))
    return gazelle.Model(x, layers.Activation(function)(x))


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "threshold"])
def test_an_activation(name, tmp_path):
    model = of_activation(name)
    check(model, tmp_path)
    edges = [-100, -30, -3, -1, -0.5, 0, 0.5, 1, 3, 6, 30, 100]
    wild = [np.nan, np.inf, -np.inf, 1e30, -1e30, 0]
    # onnxruntime 1.20 computes sqrt(inf) as NaN.
    for numbers in (edges,) if name == "squareplus" else (edges, wild):
        x = np.resize(np.float32(numbers), (2, 6, 4)).swapaxes(1, 2)
        want = own_outputs(model, [x], 0)[0]
        np.testing.assert_allclose(run(tmp_path / "model.onnx", [x])[0], want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", PARAMETERS)
def test_an_activation_with_parameters(name, tmp_path):
    function = functools.partial(getattr(activations, name), **PARAMETERS[name])
    check(of_activation(function), tmp_path)


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize(
    "name", [name for name in ACTIVATIONS if name not in ("gelu", "threshold")]
)
def test_an_activation_in_float64(name, tmp_path):
    check(of_activation(name), tmp_path, tolerance=1e-12)


@pytest.mark.usefixtures("_double")
def test_exact_gelu_in_float64_is_refused(tmp_path):
    with pytest.raises(gazelle.errors.ArgumentError, match="'gelu' in float64 has no ONNX form"):
        of_activation("gelu").export(tmp_path / "model.onnx")
    check(of_activation(functools.partial(activations.gelu, approximate=True)), tmp_path)


INDICES = {
    "an int": np.s_[:, 1],
    "the last": np.s_[:, -1, -2],
    "a slice": np.s_[:, 1:, :-1],
    "backwards": np.s_[:, ::-2],
    "from the end": np.s_[..., -2:],
    "a new axis": np.s_[:, None, 0, ..., None],
    "everything": np.s_[:],
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_an_index(index, tmp_path):
    x = Input((3, 4))
    check(gazelle.Model(x, x[index]), tmp_path)


def test_operators_with_arrays_and_numbers(tmp_path):
    x, y = Input((3, 4)), Input((4, 2))
    row = np.arange(4, dtype="float32")
    outputs = [x + row, row - x, x * 2, 1 / x, abs(x) ** 0.5, x**3, 2**x, -x, x @ y]
    check(gazelle.Model([x, y], outputs), tmp_path)


def test_data_of_any_length_along_an_unknown_axis(tmp_path):
    model = model_of(layers.Dense(2), [(None, 6)])
    model.export(tmp_path / "model.onnx")
    for length in (1, 4):
        x = random_data(model, 3)[0][:, :length]
        np.testing.assert_allclose(
            run(tmp_path / "model.onnx", [x])[0],
            own_outputs(model, [x], 0)[0],
            rtol=1e-5,
            atol=1e-5,
        )
