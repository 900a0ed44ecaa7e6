"""Default types and dtype policies behave like Keras's."""

import jax.numpy as jnp
import keras
import ml_dtypes
import numpy as np
import pytest

from gazelle._core import dtypes
from gazelle._core.errors import ArgumentError

NAMES = ["float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16", "int32"]


@pytest.fixture(autouse=True)
def defaults():
    kept = dtypes.floatx(), dtypes.epsilon()
    yield
    dtypes.set_floatx(kept[0])
    dtypes.set_epsilon(kept[1])
    dtypes._settings.policy = None


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_computes_and_stores_in_the_types_of_keras(name):
    ours, theirs = dtypes.DTypePolicy(name), keras.DTypePolicy(name)
    assert (ours.compute_dtype, ours.variable_dtype) == (
        theirs.compute_dtype,
        theirs.variable_dtype,
    )
    assert ours.get_config() == theirs.get_config()
    assert dtypes.DTypePolicy.from_config(ours.get_config()) == ours


@pytest.mark.parametrize("name", ["float13", "mixed_float32", ""])
def test_a_name_that_is_not_a_policy_is_refused(name):
    with pytest.raises(ArgumentError, match="not a dtype policy"):
        dtypes.DTypePolicy(name)


@pytest.mark.parametrize(
    "identifier",
    [
        "float16",
        np.float16,
        jnp.float16,
        np.dtype("float16"),
        np.ones(1, "float16").dtype,
        dtypes.DTypePolicy("float16"),
        {"name": "float16"},
        {
            "module": "keras",
            "class_name": "DTypePolicy",
            "config": {"name": "float16"},
            "registered_name": None,
        },
    ],
    ids=str,
)
def test_a_policy_comes_from_a_name_a_type_a_config_or_a_policy(identifier):
    assert dtypes.get_policy(identifier) == dtypes.DTypePolicy("float16")


@pytest.mark.parametrize(
    "dtype",
    [
        "float32",
        "int32",
        "bool",
        "bfloat16",
        np.int8,
        np.dtype("uint8"),
        jnp.float16,
        ml_dtypes.bfloat16,
        int,
        float,
    ],
)
def test_a_dtype_has_the_standard_name_of_keras(dtype):
    assert dtypes.standardize_dtype(dtype) == keras.backend.standardize_dtype(dtype)


def test_an_invalid_dtype_is_refused():
    with pytest.raises(ArgumentError, match="Invalid dtype"):
        dtypes.standardize_dtype("flot32")


def test_floatx_is_the_default_of_types_and_policies():
    dtypes.set_floatx("bfloat16")
    assert dtypes.standardize_dtype(None) == dtypes.standardize_dtype(float) == "bfloat16"
    assert dtypes.dtype_policy().name == "bfloat16"
    with pytest.raises(ArgumentError, match="floatx"):
        dtypes.set_floatx("int32")
    assert dtypes.floatx() == "bfloat16"


@pytest.mark.parametrize("policy", ["mixed_bfloat16", dtypes.DTypePolicy("mixed_bfloat16")])
def test_the_global_policy_is_what_layers_get_by_default(policy):
    dtypes.set_dtype_policy(policy)
    assert dtypes.get_policy(None).compute_dtype == "bfloat16"
    assert dtypes.get_policy(None).variable_dtype == "float32"


def test_epsilon_is_keras_unless_set():
    assert dtypes.epsilon() == keras.config.epsilon()
    dtypes.set_epsilon(1e-3)
    assert dtypes.epsilon() == 1e-3


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float32", True),
        ("bfloat16", True),
        (np.float64, True),
        (np.ones(1, ml_dtypes.bfloat16).dtype, True),
        ("int32", False),
        ("bool", False),
        (np.uint8, False),
    ],
)
def test_floats_are_distinguished_from_other_types(dtype, expected):
    assert dtypes.is_float(dtype) is expected


def test_dtypes_of_tensorflow_and_pytorch_are_known_by_their_names():
    tf = type("DType", (), {"__module__": "tensorflow.python.framework.dtypes"})()
    for name in ("string", "int64", "float32"):
        tf.name = name
        assert dtypes.standardize_dtype(tf) == name
    torch = type("dtype", (), {"__module__": "torch", "__str__": lambda self: "torch.float16"})()
    assert dtypes.standardize_dtype(torch) == "float16"
    tf.name = "resource"
    with pytest.raises(ArgumentError, match="Invalid dtype"):
        dtypes.standardize_dtype(tf)
