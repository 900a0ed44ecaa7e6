"""A layer's config holds every argument, survives JSON, and is one that Keras reads and writes."""

import inspect
import json

import keras
import numpy as np
import pytest

from gazelle import layers, saving
from gazelle._core.registry import deserialize, serialize
from gazelle.layers._parts import given_input_shape

WEIGHTS = {
    "kernel_initializer": "he_normal",
    "bias_initializer": "ones",
    "kernel_regularizer": "l2",
    "bias_regularizer": "l2",
    "activity_regularizer": "l2",
    "kernel_constraint": "max_norm",
    "bias_constraint": "non_neg",
}
NORM = {
    "epsilon": 0.25,
    "center": False,
    "scale": False,
    "beta_initializer": "ones",
    "gamma_initializer": "zeros",
    "beta_regularizer": "l2",
    "gamma_regularizer": "l2",
    "beta_constraint": "non_neg",
    "gamma_constraint": "max_norm",
}
TABLE = {
    "input_dim": 5,
    "output_dim": 3,
    "embeddings_initializer": "ones",
    "embeddings_regularizer": "l2",
    "embeddings_constraint": "max_norm",
    "mask_zero": True,
}
# Every argument of every layer, with a value that is not the default.
ARGUMENTS = {
    "Activation": {"activation": "tanh"},
    "ActivityRegularization": {"l1": 0.1, "l2": 0.2},
    "Add": {},
    "AlphaDropout": {"rate": 0.25, "noise_shape": (None, 1), "seed": 3},
    "Average": {},
    "BatchNormalization": {
        **NORM,
        "axis": 1,
        "momentum": 0.5,
        "moving_mean_initializer": "ones",
        "moving_variance_initializer": "zeros",
        "renorm": True,
        "renorm_clipping": {"rmax": 2.0},
        "renorm_momentum": 0.25,
        "synchronized": False,
    },
    "Concatenate": {"axis": 1},
    "Dense": {
        **WEIGHTS,
        "units": 3,
        "activation": "gelu",
        "use_bias": False,
        "lora_rank": 2,
        "lora_alpha": 4,
    },
    "Dot": {"axes": (2, 1), "normalize": True},
    "Dropout": {"rate": 0.25, "noise_shape": (None, 1), "seed": 3},
    "ELU": {"alpha": 0.5},
    "EinsumDense": {
        **WEIGHTS,
        "equation": "abc,cd->abd",
        "output_shape": (None, 3),
        "activation": "gelu",
        "bias_axes": "d",
    },
    "Embedding": TABLE,
    "Flatten": {"data_format": "channels_first"},
    "GaussianDropout": {"rate": 0.25, "seed": 3},
    "GaussianNoise": {"stddev": 0.25, "seed": 3},
    "GlobalAveragePooling1D": {"data_format": "channels_first", "keepdims": True},
    "GlobalMaxPooling1D": {"data_format": "channels_first", "keepdims": True},
    "GroupNormalization": {**NORM, "groups": 2, "axis": 1},
    "Identity": {},
    "InputLayer": {"batch_shape": (2, 3), "dtype": "int32", "optional": True},
    "LayerNormalization": {**NORM, "axis": [1, 2]},
    "LeakyReLU": {"negative_slope": 0.5},
    "Masking": {"mask_value": 2.0},
    "Maximum": {},
    "Minimum": {},
    "Multiply": {},
    "PReLU": {
        "alpha_initializer": "ones",
        "alpha_regularizer": "l2",
        "alpha_constraint": "non_neg",
        "shared_axes": [1],
    },
    "Permute": {"dims": (2, 1)},
    "RMSNormalization": {"axis": [1, 2], "epsilon": 0.25},
    "ReLU": {"max_value": 2.0, "negative_slope": 0.5, "threshold": 0.25},
    "RepeatVector": {"n": 3},
    "Rescaling": {"scale": 0.5, "offset": 0.25},
    "Reshape": {"target_shape": (3, -1)},
    "ReversibleEmbedding": {
        **TABLE,
        "tie_weights": False,
        "reverse_dtype": "float32",
        "logit_soft_cap": 5.0,
    },
    "Softmax": {"axis": [1, 2]},
    "SpatialDropout1D": {"rate": 0.25, "seed": 3},
    "Subtract": {},
    "UnitNormalization": {"axis": [1, 2]},
}
# Arguments that configs do not have, or that have only one valid value.
LEFT_OUT = {
    "sparse",
    "ragged",
    "weights",
    "lora_rank",
    "lora_alpha",
    "gptq_unpacked_column_size",
    "batch_size",
    "shape",
    "input_tensor",
    "quantization_config",
    "synchronized",
}
every_layer = pytest.mark.parametrize("name", ARGUMENTS)


def made(library, name):
    general = {"dtype": "mixed_bfloat16", "trainable": False}
    if name == "InputLayer":
        general = {}
    elif name == "SpatialDropout1D":  # which Keras gives no `trainable`
        general = {"dtype": "bfloat16"}
    return getattr(library, name)(**ARGUMENTS[name], **general, name="own")


def through_json(config):
    return json.loads(json.dumps(config))


def test_every_layer_is_covered():
    classes = {name for name in layers.__all__ if inspect.isclass(getattr(layers, name))}
    wrappers = {"Lambda", "Pipeline", "SpectralNormalization", "TimeDistributed", "Wrapper"}
    aliases = {"GlobalAvgPool1D", "GlobalMaxPool1D"}
    in_preprocessing = {  # tested in preprocessing/
        *("CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup"),
        *("Normalization", "StringLookup", "TextVectorization"),
    }
    others = {"Layer", "InputSpec"} | wrappers | aliases | in_preprocessing
    assert classes - others == set(ARGUMENTS)


@every_layer
def test_every_argument_is_tried_with_a_value_that_is_not_its_default(name):
    parameters = dict(inspect.signature(getattr(layers, name)).parameters)
    own = (
        {key for key, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD}
        - LEFT_OUT
        - {"name", "dtype"}
    )
    assert own <= set(ARGUMENTS[name])
    for key, value in ARGUMENTS[name].items():
        assert key in LEFT_OUT or key not in parameters or value != parameters[key].default


@every_layer
def test_the_config_gives_an_equal_layer_after_a_trip_through_json(name):
    layer = made(layers, name)
    copy = deserialize(through_json(serialize(layer)))
    assert type(copy) is type(layer)
    assert through_json(copy.get_config()) == through_json(layer.get_config())
    assert (copy.name, copy.trainable, copy.dtype_policy) == (
        layer.name,
        layer.trainable,
        layer.dtype_policy,
    )
    for key in set(ARGUMENTS[name]) - {"output_shape"}:
        assert through_json(serialize(getattr(copy, key))) == through_json(
            serialize(getattr(layer, key))
        )


@every_layer
def test_the_config_is_that_of_keras_and_each_library_reads_that_of_the_other(name):
    ours, theirs = made(layers, name), made(keras.layers, name)
    expected = {
        key: value
        for key, value in through_json(
            keras.saving.serialize_keras_object(theirs)["config"]
        ).items()
        if key != "quantization_config" and not (name == "ActivityRegularization" and "act" in key)
    }
    if name == "SpatialDropout1D":  # of which Keras writes the name alone
        expected["dtype"] = through_json(serialize(ours.dtype_policy))
    assert through_json(serialize(ours)["config"]) == expected
    # The config of Keras is read and written again, and that of Gazelle is read by Keras.
    node = through_json(keras.saving.serialize_keras_object(theirs))
    assert through_json(serialize(deserialize(node))["config"]) == expected
    again = keras.saving.deserialize_keras_object(through_json(serialize(ours)))
    assert type(again) is type(theirs)
    assert through_json(again.get_config()) == through_json(theirs.get_config())


def test_numbers_of_numpy_are_taken_as_arguments():
    layer = layers.Dense(np.int64(3))
    assert json.dumps(layer.get_config()["units"]) == "3"
    assert layers.BatchNormalization(axis=np.int64(1)).axis == 1
    assert layers.Reshape(np.array([2, 3])).target_shape == (2, 3)
    assert layers.Dropout(np.float32(0.5)).rate == 0.5
    scaled = deserialize(
        through_json(serialize(layers.Rescaling(np.array([1.0, 2.0]), offset=np.array([0.5, 0.0]))))
    )
    np.testing.assert_array_equal(scaled(np.ones((1, 2), "float32")), [[1.5, 2.0]])
    theirs = keras.layers.Rescaling(np.array([1.0, 2.0]))
    read = deserialize(through_json(keras.saving.serialize_keras_object(theirs)))
    np.testing.assert_array_equal(read(np.ones((1, 2), "float32")), [[1.0, 2.0]])


def test_argument_names_of_keras_2_are_accepted():
    assert layers.LeakyReLU(alpha=0.2).negative_slope == 0.2
    assert given_input_shape(layers.Dense(3, input_dim=4)) == (4,)
    assert given_input_shape(layers.Dense(3, input_shape=(4, 5))) == (4, 5)
    assert given_input_shape(layers.Dense(3, batch_input_shape=(None, 4))) == (4,)
    with pytest.warns(UserWarning, match="input_shape"):
        assert layers.InputLayer(input_shape=(4,)).batch_shape == (None, 4)
    assert layers.InputLayer(batch_input_shape=(None, 4)).batch_shape == (None, 4)


@saving.register_keras_serializable("tests")
def doubled(x, by=2.0):
    return x * by


def test_a_lambda_layer_of_a_registered_function_has_a_config_and_that_of_a_lambda_has_none():
    layer = layers.Lambda(doubled, arguments={"by": 3.0})
    copy = deserialize(through_json(serialize(layer)))
    np.testing.assert_array_equal(copy(np.ones((1, 2), "float32")), [[3.0, 3.0]])
    with pytest.raises(TypeError, match="lambda"):
        serialize(layers.Lambda(lambda x: x))
    with pytest.raises(TypeError, match="function"):
        layers.Lambda(3)


class Plain(layers.Layer):
    def __init__(self, width, mode="a", flags=(1, 2), **kwargs):
        super().__init__(**kwargs)
        self.width = width


class Strict(layers.Layer):
    def __init__(self, width, name=None):
        super().__init__(name=name)


class Odd(layers.Layer):
    def __init__(self, thing):
        super().__init__()


class Bare(layers.Layer):
    pass


def test_the_arguments_of_a_subclass_are_its_config():
    layer = Plain(3, flags=[4], name="p", trainable=False)
    config = layer.get_config()
    assert {key: config[key] for key in ("width", "flags", "name", "trainable")} == {
        "width": 3,
        "flags": [4],
        "name": "p",
        "trainable": False,
    }
    assert Plain.from_config(through_json(config)).get_config() == config
    assert Strict(2, name="s").get_config() == {"width": 2, "name": "s"}
    assert set(Bare().get_config()) == {"name", "trainable", "dtype"}
    assert (
        Bare.from_config(Bare(name="b", dtype="bfloat16").get_config()).compute_dtype == "bfloat16"
    )


def test_arguments_that_are_not_plain_data_need_a_get_config():
    layer = Odd(object())
    with pytest.raises(NotImplementedError, match="get_config"):
        layer.get_config()


def test_a_config_that_does_not_match_the_constructor_names_the_class():
    with pytest.raises(TypeError, match="Strict"):
        Strict.from_config({"height": 3})


def test_a_registered_layer_is_found_by_its_registered_name():
    @saving.register_keras_serializable("tests")
    class Own(layers.Layer):
        def __init__(self, size=2, **kwargs):
            super().__init__(**kwargs)
            self.size = size

    node = through_json(serialize(Own(5, name="o")))
    assert node["module"] is None
    assert node["registered_name"] == "tests>Own"
    assert deserialize(node).size == 5
