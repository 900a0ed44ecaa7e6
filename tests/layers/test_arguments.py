"""Wrong arguments and inputs raise errors that say what was expected, and how to fix them."""

import numpy as np
import pytest

import gazelle
from gazelle import layers
from gazelle._core.errors import GazelleError

X = np.ones((2, 4), "float32")


def two(*shapes):
    return [np.ones(shape, "float32") for shape in shapes]


CONSTRUCTORS = {
    "units of a float": (lambda: layers.Dense(3.0), ValueError, "units must be a positive integer"),
    "units of text": (lambda: layers.Dense("3"), ValueError, "units"),
    "no units": (lambda: layers.Dense(0), ValueError, "units"),
    "negative units": (lambda: layers.Dense(-2), ValueError, "-2"),
    "units of a bool": (lambda: layers.Dense(True), ValueError, "units"),
    "unknown keyword": (
        lambda: layers.Dense(3, activaton="relu"),
        ValueError,
        "Unrecognized keyword arguments passed to Dense: {'activaton': 'relu'}",
    ),
    "quantization": (
        lambda: layers.Dense(3, quantization_config={"a": 1}),
        ValueError,
        "quantized",
    ),
    "unknown activation": (lambda: layers.Dense(3, activation="reluu"), ValueError, "relu"),
    "unknown initializer": (
        lambda: layers.Dense(3, kernel_initializer="glorot"),
        ValueError,
        "initializer",
    ),
    "lora rank": (lambda: layers.Dense(3, lora_rank=0), ValueError, "lora_rank"),
    "name with a slash": (lambda: layers.Dense(3, name="a/b"), ValueError, "'/'"),
    "name that is no text": (lambda: layers.Dense(3, name=3), ValueError, "name"),
    "dtype": (lambda: layers.Dense(3, dtype="float31"), ValueError, "float31"),
    "relu": (lambda: layers.ReLU(negative_slope=-1), ValueError, "negative_slope"),
    "relu without a threshold": (lambda: layers.ReLU(threshold=None), ValueError, "threshold"),
    "leaky relu": (lambda: layers.LeakyReLU(negative_slope=None), ValueError, "negative_slope"),
    "dropout rate": (lambda: layers.Dropout(1.5), ValueError, "rate"),
    "negative dropout rate": (lambda: layers.Dropout(-0.1), ValueError, "rate"),
    "rate that is no number": (lambda: layers.Dropout("half"), ValueError, "rate"),
    "gaussian dropout": (lambda: layers.GaussianDropout(1), ValueError, "rate"),
    "gaussian noise": (lambda: layers.GaussianNoise(-1), ValueError, "stddev"),
    "dropout seed": (lambda: layers.Dropout(0.5, seed=-1), ValueError, "seed"),
    "batch normalization axes": (
        lambda: layers.BatchNormalization(axis=[1, 2]),
        TypeError,
        "axis must be an int",
    ),
    "momentum": (lambda: layers.BatchNormalization(momentum=1.5), ValueError, "momentum"),
    "clipping": (
        lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"rmix": 1}),
        ValueError,
        "rmix",
    ),
    "fused": (lambda: layers.BatchNormalization(fused=True), ValueError, "Unrecognized keyword"),
    "layer normalization axis": (lambda: layers.LayerNormalization(axis=1.5), TypeError, "axis"),
    "rms scaling": (lambda: layers.LayerNormalization(rms_scaling=True), ValueError, "rms_scaling"),
    "data format": (lambda: layers.Flatten(data_format="last"), ValueError, "data_format"),
    "two open sizes": (lambda: layers.Reshape((-1, -1)), ValueError, "at most one -1"),
    "target of text": (lambda: layers.Reshape("ab"), ValueError, "target_shape"),
    "permutation": (lambda: layers.Permute((0, 1)), ValueError, "permutation"),
    "repeat": (lambda: layers.RepeatVector(0), ValueError, "n must be"),
    "dot axes": (lambda: layers.Dot(axes="last"), TypeError, "axes"),
    "dot over the batch": (lambda: layers.Dot(axes=0), ValueError, "batch axis"),
    "input of an int": (lambda: gazelle.Input(4), ValueError, "Cannot convert '4' to a shape"),
    "input of nothing": (lambda: gazelle.Input(), ValueError, "shape"),
    "input of text": (lambda: gazelle.Input(("a",)), ValueError, "shape"),
    "negative size": (lambda: gazelle.Input((-1,)), ValueError, "shape"),
    "two shapes": (
        lambda: gazelle.Input((1,), batch_shape=(None, 1)),
        ValueError,
        "either shape or batch_shape",
    ),
    "sparse input": (lambda: gazelle.Input((1,), sparse=True), ValueError, "Sparse"),
}
CALLS = {
    "rank 1": (
        lambda: layers.Dense(3)(np.ones(4)),
        ValueError,
        "is incompatible with the layer: expected min_ndim=2",
    ),
    "another size": (
        lambda: gazelle.Sequential([gazelle.Input((4,)), layers.Dense(3, name="d")]).layers[0](
            np.ones((20, 5))
        ),
        ValueError,
        (
            "of layer 'd' is incompatible with the layer: expected axis -1 of input shape to have"
            " value 4, but received input with shape (20, 5)"
        ),
    ),
    "list": (
        lambda: layers.Dense(3)([[1.0, 2.0]]),
        TypeError,
        "Only input tensors may be passed as positional arguments",
    ),
    "setting by position": (
        lambda: layers.Dropout(0.5)(X, True),
        TypeError,
        "Only input tensors may be passed as positional arguments",
    ),
    "text": (lambda: layers.Dense(3)(np.array([["a", "b"]])), TypeError, "numbers"),
    "objects": (lambda: layers.Dense(3)(np.array([[None, 1]])), TypeError, "numbers"),
    "unknown last axis": (lambda: layers.Dense(3)(gazelle.Input((None,))), ValueError, "last axis"),
    "unknown features": (
        lambda: layers.BatchNormalization()(gazelle.Input((None,))),
        ValueError,
        "axis -1",
    ),
    "missing axis": (lambda: layers.BatchNormalization(axis=3)(X), ValueError, "no axis 3"),
    "unknown normalized axis": (
        lambda: layers.LayerNormalization()(gazelle.Input((None,))),
        ValueError,
        "size",
    ),
    "reshape": (lambda: layers.Reshape((3,))(X), ValueError, "total number of elements"),
    "reshape, open": (lambda: layers.Reshape((3, -1))(X), ValueError, "total number of elements"),
    "noise shape": (
        lambda: layers.Dropout(0.5, noise_shape=(3, 1))(X, training=True),
        ValueError,
        "noise_shape",
    ),
    "noise shape, too long": (
        lambda: layers.Dropout(0.5, noise_shape=(2, 4, 1))(X, training=True),
        ValueError,
        "noise_shape",
    ),
    "merge of one": (lambda: layers.Add()(X), ValueError, "a list of tensors"),
    "merge of none": (lambda: layers.Add()([]), ValueError, "list"),
    "merge of unlike": (lambda: layers.Add()(two((2, 3), (2, 4))), ValueError, "cannot combine"),
    "merge of other batches": (
        lambda: layers.Add()(two((2, 3), (4, 3))),
        ValueError,
        "cannot combine",
    ),
    "subtract": (lambda: layers.Subtract()([X, X, X]), ValueError, "exactly two"),
    "concatenate": (
        lambda: layers.Concatenate()(two((2, 3, 1), (2, 4, 1))),
        ValueError,
        "concatenation axis",
    ),
    "concatenate ranks": (
        lambda: layers.Concatenate()(two((2, 3), (2, 3, 1))),
        ValueError,
        "same number of axes",
    ),
    "dot of three": (lambda: layers.Dot(1)([X, X, X]), ValueError, "exactly two"),
    "dot of unlike": (lambda: layers.Dot(1)(two((2, 3), (2, 4))), ValueError, "differ in size"),
    "repeat of a matrix": (
        lambda: layers.RepeatVector(2)(np.ones((2, 3, 4))),
        ValueError,
        "ndim=2",
    ),
}


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_a_constructor_refuses(name):
    _refused(*CONSTRUCTORS[name])


@pytest.mark.parametrize("name", CALLS)
def test_a_call_refuses(name):
    _refused(*CALLS[name])


def _refused(action, kind, words):
    with pytest.raises(kind) as caught:
        action()
    assert isinstance(caught.value, GazelleError)
    assert words in str(caught.value)


def test_missing_units_raise_pythons_own_error():
    with pytest.raises(TypeError, match="units"):
        layers.Dense()


@pytest.mark.parametrize(
    "name", ["Conv2D", "LSTM", "MultiHeadAttention", "MaxPooling2D", "RandomFlip", "UpSampling1D"]
)
def test_layers_out_of_scope_are_referred_to_keras(name):
    with pytest.raises(
        AttributeError, match=f"{name}: Gazelle is for dense networks.*Keras has {name}"
    ):
        getattr(layers, name)


def test_missing_keras_layers_are_announced_and_others_are_unknown():
    with pytest.raises(AttributeError, match="no Embedding yet"):
        _ = layers.Embedding
    with pytest.raises(AttributeError, match="no attribute 'Dens'"):
        _ = layers.Dens
    with pytest.raises(ImportError):
        from gazelle.layers import Conv2D  # noqa: F401
