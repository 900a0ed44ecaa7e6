"""Constraints: values against Keras's, bounds, names, configs."""

import json

import keras
import numpy as np
import pytest

from gazelle import constraints
from gazelle._core.errors import UnknownNameError

KERNEL = 2 * np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
KERNEL[:, 2] /= 50
CASES = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 1.0, "axis": 1}),
    ("MaxNorm", {"max_value": 1.0, "axis": None}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 1.5, "rate": 0.3, "axis": 1}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": [0, 1]}),
    ("Constraint", {}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_the_projection_equals_keras_s(name, arguments):
    found = getattr(constraints, name)(**arguments)(KERNEL)
    np.testing.assert_allclose(
        found, getattr(keras.constraints, name)(**arguments)(KERNEL), rtol=1e-6
    )


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_a_constraint_survives_its_config(name, arguments):
    constraint = getattr(constraints, name)(**arguments)
    config = json.loads(json.dumps(constraints.serialize(constraint)))
    again = constraints.deserialize(config)
    assert type(again) is type(constraint)
    assert again.get_config() == constraint.get_config()
    assert again.get_config() == getattr(keras.constraints, name)(**arguments).get_config()


def test_the_norms_of_the_units_are_within_the_bounds():
    norms = np.linalg.norm(constraints.MaxNorm(1.5)(KERNEL), axis=0)
    np.testing.assert_allclose(norms, np.minimum(np.linalg.norm(KERNEL, axis=0), 1.5), rtol=1e-5)
    norms = np.linalg.norm(constraints.MinMaxNorm(0.5, 1.5)(KERNEL), axis=0)
    np.testing.assert_allclose(norms, np.clip(np.linalg.norm(KERNEL, axis=0), 0.5, 1.5), rtol=1e-5)
    np.testing.assert_allclose(
        np.linalg.norm(constraints.UnitNorm()(KERNEL), axis=0), 1.0, rtol=1e-5
    )


def test_a_zero_vector_stays_zero():
    for constraint in (constraints.MaxNorm(), constraints.MinMaxNorm(0.5), constraints.UnitNorm()):
        np.testing.assert_array_equal(constraint(np.zeros((3, 2), "float32")), 0.0)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("max_norm", "MaxNorm"),
        ("maxnorm", "MaxNorm"),
        ("MaxNorm", "MaxNorm"),
        ("min_max_norm", "MinMaxNorm"),
        ("non_neg", "NonNeg"),
        ("nonneg", "NonNeg"),
        ("NonNeg", "NonNeg"),
        ("unit_norm", "UnitNorm"),
        ("unitnorm", "UnitNorm"),
    ],
)
def test_names_stand_for_classes(name, cls):
    assert type(constraints.get(name)) is getattr(constraints, cls)
    assert getattr(constraints, name) is getattr(constraints, cls)


def test_all_of_keras_s_names_are_there():
    theirs = {name for name in dir(keras.constraints) if not name.startswith("_")}
    assert theirs <= set(dir(constraints))
    assert set(constraints.__all__) <= set(dir(constraints))


def test_none_instances_functions_and_classes_are_taken():
    own = constraints.NonNeg()
    assert constraints.get(None) is None
    assert constraints.get(own) is own
    assert constraints.get(np.abs) is np.abs
    assert type(constraints.get(constraints.MaxNorm)) is constraints.MaxNorm


@pytest.mark.parametrize("wrong", ["max_norms", 3])
def test_an_unknown_constraint_is_refused(wrong):
    with pytest.raises(UnknownNameError, match="Could not interpret constraint identifier"):
        constraints.get(wrong)
