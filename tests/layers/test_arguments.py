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
    "a weight's name in front": (
        lambda: layers.Layer().add_weight("kernel", shape=(3, 4)),
        ValueError,
        "name='kernel'",
    ),
    "a weight's shape twice": (
        lambda: layers.Layer().add_weight((3, 4), shape=(3, 4)),
        ValueError,
        "`shape` was passed both",
    ),
    "four arguments of a weight": (
        lambda: layers.Layer().add_weight((3,), "zeros", "float32", True),
        TypeError,
        "at most three",
    ),
    "bounds that exclude each other": (
        lambda: layers.BatchNormalization(renorm_clipping={"rmax": 0.0, "rmin": 1.0}),
        ValueError,
        "rmax",
    ),
    "a negative bound": (
        lambda: layers.BatchNormalization(renorm_clipping={"dmax": -1.0}),
        ValueError,
        "dmax",
    ),
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
    **{
        f"noise shape {shape}": (
            lambda shape=shape: layers.Dropout(0.5, noise_shape=shape),
            ValueError,
            "noise_shape",
        )
        for shape in [(2, 0), (-1, 2), (2.5, 2), 7, "ab"]
    },
    "dtype of a config": (lambda: layers.Dense(3, dtype={"a": 1}), ValueError, "dtype policy"),
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
    "data format": (lambda: layers.Flatten(data_format="last"), ValueError, "data_format"),
    "two open sizes": (lambda: layers.Reshape((-1, -1)), ValueError, "at most one -1"),
    "target of text": (lambda: layers.Reshape("ab"), ValueError, "target_shape"),
    "permutation": (lambda: layers.Permute((0, 1)), ValueError, "permutation"),
    "repeat": (lambda: layers.RepeatVector(0), ValueError, "n must be"),
    "repeat of a float": (lambda: layers.RepeatVector(3.5), TypeError, "n must be"),
    "dot axes": (lambda: layers.Dot(axes="last"), TypeError, "axes"),
    "dot over the batch": (lambda: layers.Dot(axes=0), ValueError, "batch axis"),
    "input of an int": (lambda: gazelle.Input(4), ValueError, "Cannot convert '4' to a shape"),
    "input of nothing": (lambda: gazelle.Input(), ValueError, "shape"),
    "input of text": (lambda: gazelle.Input(("a",)), ValueError, "shape"),
    "negative size": (lambda: gazelle.Input((-1,)), ValueError, "shape"),
    "two shapes": (
        lambda: gazelle.Input((1,), batch_shape=(None, 1)),
        ValueError,
        "both `shape` and `batch_shape`",
    ),
    "batch size twice": (
        lambda: gazelle.Input(batch_size=2, batch_shape=(None, 1)),
        ValueError,
        "both `batch_size` and `batch_shape`",
    ),
    "input of an array": (lambda: gazelle.Input(tensor=X), ValueError, "must be a KerasTensor"),
    **{
        f"input of a tensor, {name}": (
            lambda name=name, value=value: gazelle.layers.InputLayer(
                input_tensor=gazelle.KerasTensor((2, 3)), **{name: value}
            ),
            ValueError,
            f"incompatible `{name}`",
        )
        for name, value in {
            "shape": (4,),
            "batch_size": 3,
            "batch_shape": (2, 4),
            "dtype": "int32",
            "sparse": True,
        }.items()
    },
    "trainable of text": (lambda: layers.Dense(3, trainable="yes"), ValueError, "boolean"),
    "trainable of a number": (lambda: layers.Dense(3, trainable=1), ValueError, "boolean"),
    "dtype of an object": (lambda: layers.Dense(3, dtype=object()), ValueError, "dtype"),
    "unit normalization axis": (lambda: layers.UnitNormalization(axis="a"), TypeError, "axis"),
    "rms normalization axis": (lambda: layers.RMSNormalization(axis=None), TypeError, "axis"),
    "rows of a float": (lambda: layers.Embedding(3.0, 2), ValueError, "input_dim"),
    "length of 0": (lambda: layers.Embedding(3, 0), ValueError, "output_dim"),
    "embedding, lora": (lambda: layers.Embedding(3, 2, lora_rank=0), ValueError, "lora_rank"),
    "embedding, weights": (
        lambda: layers.Embedding(3, 2, weights=np.ones((2, 2))),
        ValueError,
        "weight shape",
    ),
    "groups": (lambda: layers.GroupNormalization(groups=0), ValueError, "groups"),
    "group axis": (lambda: layers.GroupNormalization(axis=[1]), TypeError, "axis"),
    "power iterations": (
        lambda: layers.SpectralNormalization(layers.Dense(2), power_iterations=0),
        ValueError,
        "power_iterations",
    ),
    "wrapper of no layer": (lambda: layers.Wrapper(2), ValueError, "takes a layer"),
    "steps of no layer": (lambda: layers.TimeDistributed("relu"), ValueError, "takes a layer"),
    "pooling format": (
        lambda: layers.GlobalMaxPooling1D(data_format="last"),
        ValueError,
        "data_format",
    ),
    "ragged input": (lambda: gazelle.Input((1,), ragged=True), ValueError, "Ragged"),
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
        ValueError,
        "Only input tensors may be passed as positional arguments",
    ),
    "setting by position": (
        lambda: layers.Dropout(0.5)(X, True),
        ValueError,
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
    "noise shape, None and too short": (
        lambda: layers.Dropout(0.5, noise_shape=(None, 1))(np.ones((2, 4, 3)), training=True),
        ValueError,
        "noise_shape",
    ),
    "merge of one": (lambda: layers.Add()(X), ValueError, "a list of tensors"),
    "merge of none": (lambda: layers.Add()([]), ValueError, "list"),
    "merge of unlike": (lambda: layers.Add()(two((2, 3), (2, 4))), ValueError, "cannot combine"),
    "merge of other batches": (
        lambda: layers.Add()(two((2, 3), (4, 3))),
        ValueError,
        "different batch sizes",
    ),
    "merge of one and more": (
        lambda: layers.Add()(two((1, 3), (4, 3))),
        ValueError,
        "different batch sizes",
    ),
    "masks of one": (
        lambda: layers.Add().compute_mask([X, X], X > 0),
        ValueError,
        "lists of the same length",
    ),
    "masks of too few": (
        lambda: layers.Concatenate().compute_mask([X, X], [X > 0]),
        ValueError,
        "lists of the same length",
    ),
    "softmax mask": (
        lambda: layers.Softmax()(X, mask=np.ones((3, 4), bool)),
        ValueError,
        "broadcastable",
    ),
    "softmax mask of too many axes": (
        lambda: layers.Softmax()(X, mask=np.ones((1, 2, 4), bool)),
        ValueError,
        "broadcastable",
    ),
    "groups that do not fit": (
        lambda: layers.GroupNormalization(groups=3)(X),
        ValueError,
        "cannot divide 4 features",
    ),
    "axis that is not there": (
        lambda: layers.UnitNormalization(axis=2)(gazelle.Input((3,))),
        ValueError,
        "out of bounds",
    ),
    "nothing to normalize": (
        lambda: layers.SpectralNormalization(layers.ReLU())(X),
        ValueError,
        "nothing that SpectralNormalization",
    ),
    "no steps": (
        lambda: layers.TimeDistributed(layers.Dense(2))(X),
        ValueError,
        "axis of steps",
    ),
    "mask of other steps": (
        lambda: layers.TimeDistributed(layers.Dense(2))(
            np.ones((2, 3, 4), "float32"), mask=np.ones((2, 2), bool)
        ),
        ValueError,
        "does not fit its input",
    ),
    "pooling of a matrix": (lambda: layers.GlobalAveragePooling1D()(X), ValueError, "ndim=3"),
    "equation": (lambda: layers.EinsumDense("ab-bc", 2)(X), ValueError, "not an equation"),
    "equation of other axes": (
        lambda: layers.EinsumDense("abc,cd->abd", (1, 2))(X),
        ValueError,
        "do not match the equation",
    ),
    "sizes of an equation": (
        lambda: layers.EinsumDense("ab,bc->abc", (3, 2))(X),
        ValueError,
        "axis 'b'",
    ),
    "unknown axis of an equation": (
        lambda: layers.EinsumDense("ab,bd->ac", 2)(X),
        ValueError,
        "does not occur",
    ),
    "bias of another axis": (
        lambda: layers.EinsumDense("ab,bc->ac", 2, bias_axes="b")(X),
        ValueError,
        "bias axis 'b'",
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
    with pytest.raises(AttributeError, match="no LSTM: Gazelle is for dense networks"):
        _ = layers.LSTM
    with pytest.raises(AttributeError, match="no attribute 'Dens'"):
        _ = layers.Dens
    with pytest.raises(ImportError):
        from gazelle.layers import Conv2D  # noqa: F401
