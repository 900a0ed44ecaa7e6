"""Regularizers: values and gradients against Keras's, arguments, names, configs."""

import json

import jax
import keras
import numpy as np
import pytest

from gazelle import regularizers
from gazelle._core.errors import ArgumentError, ShapeError, UnknownNameError
from gazelle._core.registry import register_keras_serializable

pytestmark = pytest.mark.slow

KERNEL = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
KERNEL[1, 1] = 0.0
CASES = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L2", {}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {}),
    ("L1L2", {"l1": 0.1, "l2": 0.2}),
    ("L1L2", {"l1": None, "l2": 0.2}),
    ("OrthogonalRegularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_the_penalty_and_its_gradient_equal_keras_s(name, arguments):
    ours = jax.value_and_grad(getattr(regularizers, name)(**arguments))(KERNEL)
    theirs = jax.value_and_grad(
        lambda w: getattr(keras.regularizers, name)(**arguments)(w) + 0.0 * w.sum()
    )(KERNEL)
    for found, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_a_regularizer_survives_its_config(name, arguments):
    regularizer = getattr(regularizers, name)(**arguments)
    config = json.loads(json.dumps(regularizers.serialize(regularizer)))
    again = regularizers.deserialize(config)
    assert type(again) is type(regularizer)
    assert again.get_config() == regularizer.get_config()
    assert type(keras.regularizers.deserialize(config)) is getattr(keras.regularizers, name)


def test_the_mean_cosine_of_the_rows_is_what_the_orthogonal_regularizer_gives():
    unit = KERNEL / np.linalg.norm(KERNEL, axis=1, keepdims=True)
    cosines = [abs(unit[i] @ unit[j]) for i in range(4) for j in range(i)]
    np.testing.assert_allclose(
        regularizers.OrthogonalRegularizer(0.5)(KERNEL), 0.5 * np.mean(cosines), rtol=1e-6
    )


def test_zero_vectors_and_single_ones_have_finite_penalties_and_gradients():
    for kernel in (np.zeros((3, 2), "float32"), np.ones((1, 2), "float32")):
        value, gradient = jax.value_and_grad(regularizers.OrthogonalRegularizer())(kernel)
        assert value == 0
        assert np.isfinite(gradient).all()


def test_a_vector_is_refused_by_the_orthogonal_regularizer():
    with pytest.raises(ShapeError, match="rank 2"):
        regularizers.OrthogonalRegularizer()(KERNEL[0])


@pytest.mark.parametrize("wrong", [-1, "a", float("inf"), float("nan")])
@pytest.mark.parametrize(
    "cls", [regularizers.L1, regularizers.L2, regularizers.L1L2, regularizers.OrthogonalRegularizer]
)
def test_a_negative_or_non_numeric_factor_is_refused(cls, wrong):
    with pytest.raises(ArgumentError, match="non-negative"):
        cls(wrong)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ArgumentError, match="mode"):
        regularizers.OrthogonalRegularizer(mode="diagonal")


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("l1", "L1"),
        ("L1", "L1"),
        ("l2", "L2"),
        ("l1l2", "L1L2"),
        ("l1_l2", "L1L2"),
        ("L1L2", "L1L2"),
        ("orthogonal_regularizer", "OrthogonalRegularizer"),
        ("OrthogonalRegularizer", "OrthogonalRegularizer"),
    ],
)
def test_names_stand_for_classes(name, cls):
    assert type(regularizers.get(name)) is getattr(regularizers, cls)


def test_snake_case_attributes_are_the_classes():
    theirs = {name for name in dir(keras.regularizers) if not name.startswith("_")}
    assert theirs <= set(dir(regularizers))
    assert regularizers.l1 is regularizers.L1
    assert regularizers.l2 is regularizers.L2
    assert regularizers.l1_l2 is regularizers.L1L2
    assert regularizers.orthogonal_regularizer is regularizers.OrthogonalRegularizer


def test_none_instances_functions_and_classes_are_taken():
    own = regularizers.L2(0.1)
    assert regularizers.get(None) is None
    assert regularizers.serialize(None) is None
    assert regularizers.get(own) is own
    assert regularizers.get(np.sum) is np.sum
    assert type(regularizers.get(regularizers.L2)) is regularizers.L2


@pytest.mark.parametrize("wrong", ["l3", 0.1])
def test_an_unknown_regularizer_is_refused(wrong):
    with pytest.raises(UnknownNameError, match="Could not interpret regularizer identifier"):
        regularizers.get(wrong)


@register_keras_serializable("tests")
class Squares(regularizers.Regularizer):
    def __init__(self, factor=2.0):
        self.factor = factor

    def __call__(self, x):
        return self.factor * (x**2).sum()

    def get_config(self):
        return {"factor": self.factor}


def test_a_user_s_regularizer_survives_its_config():
    again = regularizers.deserialize(json.loads(json.dumps(regularizers.serialize(Squares(3.0)))))
    assert isinstance(again, Squares)
    assert again.factor == 3.0


def test_a_subclass_without_get_config_is_reported():
    with pytest.raises(NotImplementedError, match="get_config"):
        regularizers.Regularizer().get_config()
