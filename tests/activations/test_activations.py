"""Activations: values and gradients against Keras's, kinks included; names and configs."""

import inspect
import json
import types

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from gazelle import activations
from gazelle._core.errors import ArgumentTypeError, UnknownNameError
from gazelle._core.registry import register_keras_serializable

pytestmark = pytest.mark.slow

NAMES = sorted(set(activations.__all__) - {"get", "serialize", "deserialize"})
# The kinks of all functions, points near them and extreme values.
POINTS = np.array(
    [
        [-1e4, -90, -6, -3, -1.5, -1, -0.5, -1e-3, -0.0, 0, 1e-3],
        [0.25, 0.5, 1, 1.5, 2, 3, 5.9, 6, 7, 90, 1e4],
    ],
    "float32",
)
ROWS = np.random.default_rng(3).normal(size=(4, 6)).astype("float32")
TIES = np.array([[1, 1, 0, -2], [0.5, 0.5, 0.5, 0.5]], "float32")
ALONG_AXIS = ("softmax", "log_softmax", "glu")

CASES = [
    (name, POINTS, {})
    for name in NAMES
    if name not in (*ALONG_AXIS, "threshold", "exponential", "sparsemax")
]
CASES += [
    (name, x, {"axis": axis})
    for name in ALONG_AXIS
    for x, axis in ((ROWS, -1), (ROWS, 0), (TIES, 1))
]
CASES += [
    ("threshold", POINTS, {"threshold": 0.5, "default_value": -2.0}),
    ("exponential", ROWS, {}),
    ("elu", POINTS, {"alpha": 0.3}),
    ("celu", POINTS, {"alpha": 0.3}),
    ("gelu", POINTS, {"approximate": True}),
    ("squareplus", POINTS, {"b": 1.0}),
    ("soft_shrink", POINTS, {"threshold": 1.0}),
    ("hard_shrink", POINTS, {"threshold": 1.0}),
    ("leaky_relu", POINTS, {"negative_slope": 0.01}),
]
for slope in (0.0, 0.1):
    for top in (None, 6.0, 5.9):
        for threshold in (0.0, 1.0 if slope else -1.0):
            arguments = {"negative_slope": slope, "max_value": top, "threshold": threshold}
            CASES.append(("relu", POINTS, arguments))


def all_cases(module):
    """Values and gradients of every case in one compiled program."""

    def program(inputs):
        results = []
        for (name, _, arguments), x in zip(CASES, inputs, strict=True):
            values, back = jax.vjp(
                lambda x, name=name, more=arguments: getattr(module, name)(x, **more), x
            )
            results.append(
                (values, back(jnp.linspace(0.5, 2.0, values.size).reshape(values.shape))[0])
            )
        return results

    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    return jax.device_get(jax.jit(program, compiler_options=options)([x for _, x, _ in CASES]))


@pytest.fixture(scope="module")
def results():
    return all_cases(activations), all_cases(keras.activations)


@pytest.mark.parametrize(
    "case", range(len(CASES)), ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)]
)
def test_an_activation_has_keras_s_values_and_gradient(case, results):
    for found, wanted in zip(results[0][case], results[1][case], strict=True):
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


def test_the_derivative_of_relu_at_zero_is_zero():
    assert jax.grad(activations.relu)(0.0) == 0.0


@pytest.mark.parametrize(
    ("x", "axis"), [(ROWS, -1), (ROWS, 0), (TIES, 1)], ids=["last", "first", "ties"]
)
def test_sparsemax_is_the_nearest_point_of_the_simplex(x, axis):
    found = np.moveaxis(np.asarray(activations.sparsemax(x, axis)), axis, -1)
    np.testing.assert_allclose(found.sum(-1), 1.0, rtol=1e-6)
    corners = np.eye(found.shape[-1])
    # y is the nearest point of the simplex to x if and only if (x - y) (c - y) <= 0 for every
    # corner c.
    for row, nearest in zip(np.moveaxis(x, axis, -1), found, strict=True):
        assert ((corners - nearest) @ (row - nearest) <= 1e-6).all()


def test_the_gradient_of_sparsemax_is_the_paper_s():
    weights = np.linspace(-1, 2, ROWS.shape[1], dtype="float32")
    found = jax.grad(lambda x: jnp.sum(activations.sparsemax(x) * weights))(ROWS)
    support = np.asarray(activations.sparsemax(ROWS)) > 0
    assert (support.sum(-1) > 1).any()
    means = (support * weights).sum(-1, keepdims=True) / support.sum(-1, keepdims=True)
    np.testing.assert_allclose(found, support * (weights - means), rtol=1e-5, atol=1e-6)


def test_all_of_keras_s_activations_are_there():
    theirs = {name for name in dir(keras.activations) if not name.startswith("_")}
    assert theirs <= set(dir(activations))


@pytest.mark.parametrize("name", NAMES)
def test_an_activation_has_keras_s_arguments_and_defaults(name):
    ours = inspect.signature(getattr(activations, name)).parameters.values()
    theirs = inspect.signature(getattr(keras.activations, name)).parameters.values()
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]


@pytest.mark.parametrize("name", NAMES)
def test_an_activation_is_found_by_its_name_and_written_as_keras_writes_it(name):
    function = activations.get(name)
    assert function is getattr(activations, name)
    assert isinstance(function, types.FunctionType)
    assert activations.serialize(function) == keras.activations.serialize(
        keras.activations.get(name)
    )
    assert activations.deserialize(activations.serialize(function)) is function


def test_none_is_linear_and_callables_pass_through():
    assert activations.get(None) is activations.linear
    assert activations.get(jnp.sin) is jnp.sin
    assert activations.deserialize(None) is activations.linear


@pytest.mark.parametrize("wrong", ["ReLU", "rellu", "LeakyReLU", 3])
def test_an_unknown_activation_is_refused(wrong):
    with pytest.raises(
        UnknownNameError, match="Could not interpret activation function identifier"
    ):
        activations.get(wrong)


@register_keras_serializable("tests.activations")
def doubled(x):
    return 2 * x


def test_a_user_s_activation_survives_its_config():
    config = json.loads(json.dumps(activations.serialize(doubled)))
    assert activations.deserialize(config) is doubled


def test_an_activation_can_be_named_by_custom_objects():
    config = activations.serialize(plain_identity)
    assert activations.deserialize(config, {"plain_identity": plain_identity}) is plain_identity
    with pytest.raises(UnknownNameError):
        activations.deserialize(config)


def plain_identity(x):
    return x


def test_a_lambda_cannot_be_written():
    with pytest.raises(ArgumentTypeError, match="lambda"):
        activations.serialize(lambda x: x)


def test_lists_and_numpy_arrays_are_taken():
    np.testing.assert_array_equal(activations.relu([-1.0, 2.0]), [0.0, 2.0])
    assert isinstance(activations.softmax(ROWS), jax.Array)


def test_the_dtype_of_half_precision_floats_is_kept():
    x = jax.ShapeDtypeStruct((4, 6), jnp.bfloat16)
    for name in set(NAMES) - {"threshold"}:
        assert jax.eval_shape(getattr(activations, name), x).dtype == jnp.bfloat16, name
