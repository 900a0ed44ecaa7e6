"""Dtype policies, and the names of `keras.backend` about types."""

import copy
import itertools
import pickle

import keras
import numpy as np
import pytest

import gazelle
from gazelle import DTypePolicy, backend, dtype_policies
from gazelle.errors import ArgumentError, ArgumentTypeError

TYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
    *("float16", "bfloat16", "float32", "float64", int, float, None),
]


def outcome(function, *args):
    try:
        return function(*args)
    except ValueError:
        return ValueError


def test_the_names_are_keras_s():
    assert set(backend.__all__) - {"Variable"} == {n for n in dir(keras.backend) if n[0] != "_"}
    theirs = {n for n in dir(keras.dtype_policies) if n[0] != "_"}
    assert theirs - set(dtype_policies.__all__) == {
        n for n in theirs if "Quant" in n or n[:3] in ("AWQ", "GPT", "Int")
    }
    assert gazelle.mixed_precision.Policy is gazelle.FloatDTypePolicy is DTypePolicy


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_types_of_results_are_keras_s(count):
    for types in itertools.product(TYPES, repeat=count):
        assert outcome(backend.result_type, *types) == outcome(keras.backend.result_type, *types)


@pytest.mark.parametrize("dtype", [*TYPES, "complex64", "abc"])
def test_kinds_of_types_are_keras_s(dtype):
    for name in ("is_float_dtype", "is_int_dtype", "standardize_dtype"):
        found, expected = (outcome(getattr(b, name), dtype) for b in (backend, keras.backend))
        assert found == expected


def test_numbers_of_names_are_counted_until_the_session_is_cleared():
    backend.clear_session()
    assert [backend.get_uid("a"), backend.get_uid("a"), backend.get_uid("b")] == [1, 2, 1]
    backend.clear_session()
    assert backend.get_uid("a") == 1
    assert backend.is_keras_tensor(gazelle.Input((2,)))
    assert not backend.is_keras_tensor(np.ones(2))


def test_policies_are_values():
    policy = DTypePolicy("mixed_float16")
    assert (policy.compute_dtype, policy.variable_dtype) == ("float16", "float32")
    assert policy == DTypePolicy("mixed_float16") != DTypePolicy("float16")
    assert len({policy, DTypePolicy("mixed_float16")}) == 1
    assert DTypePolicy().name == "float32"
    for copied in (copy.deepcopy(policy), pickle.loads(pickle.dumps(policy))):
        assert copied == policy
    assert repr(policy) == repr(keras.DTypePolicy("mixed_float16"))
    config = dtype_policies.serialize(policy)
    assert config == keras.dtype_policies.serialize(keras.DTypePolicy("mixed_float16"))
    assert dtype_policies.deserialize(config) == dtype_policies.get(config) == policy
    assert dtype_policies.get("float32") == dtype_policies.get(None)


def test_inputs_are_converted_to_the_type_of_a_layer():
    policy = DTypePolicy("mixed_bfloat16")
    for value in (np.ones(2), np.ones(2, "int32"), 3, 2.5, "text"):
        for autocast in (True, False):
            theirs = keras.DTypePolicy("mixed_bfloat16").convert_input(value, autocast, "bfloat16")
            found = policy.convert_input(value, autocast, "bfloat16")
            assert str(getattr(found, "dtype", None)) == str(getattr(theirs, "dtype", None))


def test_wrong_policies_are_refused():
    with pytest.raises(ArgumentError, match="Cannot convert"):
        DTypePolicy("float31")
    with pytest.raises(ArgumentTypeError, match="must be a string"):
        DTypePolicy(32)
    with pytest.raises(ArgumentError, match="Cannot interpret"):
        dtype_policies.get(32)
    for wrong in (None, 32):
        with pytest.raises(ArgumentError, match="Invalid"):
            gazelle.config.set_dtype_policy(wrong)


def test_a_map_has_policies_by_paths_and_patterns():
    policies = dtype_policies.DTypePolicyMap("bfloat16")
    policies["model/dense"] = DTypePolicy("float16")
    policies["model/deep/.*"] = "mixed_float16"
    assert policies["model/dense"].name == "float16"
    assert policies["model/deep/dense_1"].name == "mixed_float16"
    assert policies["model/dense_1"].name == policies.compute_dtype == "bfloat16"
    assert list(policies) == ["model/dense", "model/deep/.*"]
    assert "default_policy=bfloat16" in repr(policies)
    again = dtype_policies.deserialize(dtype_policies.serialize(policies))
    assert dict(again) == dict(policies)
    with pytest.raises(ArgumentError, match="already exist"):
        policies["model/dense"] = DTypePolicy("float32")
    with pytest.raises(ArgumentError, match="assigned value"):
        policies["other"] = 3
    policies["model/.*"] = "float32"
    with pytest.raises(ArgumentError, match="matches multiple"):
        policies["model/deep/dense_1"]
    with pytest.raises(ArgumentTypeError, match="must be a dict"):
        dtype_policies.DTypePolicyMap(policy_map=[])
    assert policies.pop("model/dense").name == "float16"
    assert len(policies) == 2
