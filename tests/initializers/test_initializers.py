"""Initializers: distributions, fans and bounds against Keras's, seeds, dtypes, names, configs."""

import json
import random

import keras
import ml_dtypes
import numpy as np
import pytest

from gazelle import initializers
from gazelle._core.errors import ArgumentError, ShapeError, UnknownNameError
from gazelle._core.seeds import SeedGenerator
from gazelle.initializers._scaled import fans

pytestmark = pytest.mark.slow

SHAPE = (300, 500)
NAMED = ["GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform"]
DRAWN = [
    "RandomNormal",
    "TruncatedNormal",
    "RandomUniform",
    "VarianceScaling",
    "Orthogonal",
    *NAMED,
]
ALL = [*DRAWN, "Zeros", "Ones", "Constant", "Identity"]


@pytest.mark.parametrize(
    "name", [*NAMED, "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling"]
)
def test_the_distribution_is_keras_s(name):
    ours = getattr(initializers, name)(seed=1)(SHAPE)
    theirs = np.asarray(getattr(keras.initializers, name)(seed=1)(SHAPE))
    assert ours.dtype == theirs.dtype
    scale = theirs.std()
    assert abs(ours.mean()) < 0.01 * scale  # 150,000 draws: the standard error is 0.0026
    np.testing.assert_allclose(ours.std(), scale, rtol=0.01)
    quantiles = np.linspace(0.05, 0.95, 19)
    np.testing.assert_allclose(
        np.quantile(ours, quantiles), np.quantile(theirs, quantiles), atol=0.02 * scale
    )
    if name != "RandomNormal":
        np.testing.assert_allclose(
            [ours.min(), ours.max()], [theirs.min(), theirs.max()], rtol=1e-3
        )


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("GlorotUniform", np.sqrt(6 / 800)),
        ("HeUniform", np.sqrt(6 / 300)),
        ("LecunUniform", np.sqrt(3 / 300)),
        ("GlorotNormal", 2 * np.sqrt(2 / 800) / 0.87962566),
        ("HeNormal", 2 * np.sqrt(2 / 300) / 0.87962566),
        ("LecunNormal", 2 * np.sqrt(1 / 300) / 0.87962566),
    ],
)
def test_the_values_fill_the_range_of_the_paper(name, bound):
    values = getattr(initializers, name)(seed=5)(SHAPE)
    assert 0.999 * bound < np.abs(values).max() <= bound * (1 + 1e-6)


@pytest.mark.parametrize(
    ("name", "deviation"),
    [
        ("GlorotNormal", np.sqrt(2 / 800)),
        ("HeUniform", np.sqrt(2 / 300)),
        ("LecunNormal", np.sqrt(1 / 300)),
    ],
)
def test_the_standard_deviation_is_the_paper_s(name, deviation):
    np.testing.assert_allclose(
        getattr(initializers, name)(seed=6)(SHAPE).std(), deviation, rtol=0.01
    )


def keras_fan(shape, mode, **axes):
    """The fan that Keras uses, from the ratio of scaled and plain uniform numbers of one seed."""
    scaled = keras.initializers.VarianceScaling(mode=mode, distribution="uniform", seed=1, **axes)(
        shape
    )
    plain = keras.initializers.RandomUniform(-1.0, 1.0, seed=1)(shape)
    return 3 / np.median(np.asarray(scaled) / np.asarray(plain)) ** 2


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((), {}),
        ((5,), {}),
        ((3, 7), {}),
        ((2, 3, 4, 5), {}),
        ((4, 3, 5), {"input_axes": (0,), "output_axes": (1, 2)}),
        ((4, 3, 5), {"input_axes": [0, 1], "output_axes": [-1]}),
        ((4, 3, 5), {"input_axes": (0,)}),
    ],
)
def test_the_fans_are_keras_s(shape, axes):
    fan_in, fan_out = fans(shape, **axes)
    plain = initializers.RandomUniform(-1.0, 1.0, seed=1)(shape)
    for mode, wanted in (
        ("fan_in", fan_in),
        ("fan_out", fan_out),
        ("fan_avg", (fan_in + fan_out) / 2),
    ):
        np.testing.assert_allclose(keras_fan(shape, mode, **axes), wanted, rtol=1e-3)
        ours = initializers.VarianceScaling(mode=mode, distribution="uniform", seed=1, **axes)(
            shape
        )
        np.testing.assert_allclose(ours, plain * np.sqrt(3 / wanted), rtol=1e-4, atol=1e-6)


def test_an_axis_that_the_weight_does_not_have_is_refused():
    with pytest.raises(ArgumentError, match="axes of the weight"):
        initializers.GlorotUniform(input_axes=(0,), output_axes=(9,))((4, 3))


def test_truncated_values_have_the_truncated_normal_distribution():
    from scipy import stats

    values = initializers.TruncatedNormal(1.0, 2.0, seed=2)(SHAPE)
    assert -3.0 <= values.min() < -2.99
    assert 4.99 < values.max() <= 5.0
    statistic = stats.kstest(
        ((values.ravel() - 1) / 2).astype("float64"), stats.truncnorm(-2, 2).cdf
    )
    assert statistic.pvalue > 0.001


@pytest.mark.parametrize("shape", [(20, 8), (8, 20), (5, 4, 8), (2, 3, 40)])
def test_orthogonal_rows_or_columns_have_the_norm_of_the_gain(shape):
    matrix = initializers.Orthogonal(gain=1.5, seed=1)(shape).reshape(-1, shape[-1])
    product = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(product, 1.5**2 * np.eye(len(product)), atol=1e-5)


def test_orthogonal_matrices_are_uniformly_distributed():
    # For a uniform orthogonal matrix the trace has mean 0; without the choice of signs QR's
    # diagonal is one-sided.
    traces = [np.trace(initializers.Orthogonal(seed=seed)((3, 3))) for seed in range(400)]
    assert abs(np.mean(traces)) < 0.2  # its variance is 1: the standard error is 0.05


def test_the_fixed_initializers_give_keras_s_arrays():
    for name, arguments, shape in [
        ("Zeros", {}, (2, 3)),
        ("Ones", {}, (2,)),
        ("Constant", {"value": 2.5}, (2, 3)),
        ("Constant", {"value": [[1], [2]]}, (2, 3)),
        ("Identity", {}, (3, 3)),
        ("Identity", {"gain": 2.0}, (2, 3)),
    ]:
        found = getattr(initializers, name)(**arguments)(shape)
        np.testing.assert_array_equal(
            found, np.asarray(getattr(keras.initializers, name)(**arguments)(shape))
        )


def test_shapes_that_an_initializer_cannot_fill_are_refused():
    with pytest.raises(ShapeError, match="2D"):
        initializers.Identity()((3,))
    with pytest.raises(ShapeError, match="two-dimensional"):
        initializers.Orthogonal()((3,))
    with pytest.raises(ShapeError, match="Constant"):
        initializers.Constant([1, 2])((3,))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        (None, np.float32),
        ("bfloat16", ml_dtypes.bfloat16),
        (np.float16, np.float16),
        ("float64", np.float64),
    ],
)
def test_an_initializer_returns_a_numpy_array_of_the_type_asked_for(name, dtype, wanted):
    values = getattr(initializers, name)()((4, 4), dtype=dtype)
    assert type(values) is np.ndarray
    assert values.dtype == wanted


def test_integers_come_from_the_fixed_initializers_only():
    assert initializers.Constant(3)((2,), "int32").dtype == np.int32
    assert initializers.Zeros()((2,), "bool").dtype == bool
    with pytest.raises(ArgumentError, match="float"):
        initializers.RandomNormal()((2,), "int32")


@pytest.mark.parametrize("name", DRAWN)
def test_an_instance_gives_the_same_values_every_time(name):
    instance = getattr(initializers, name)()
    np.testing.assert_array_equal(instance((6, 5)), instance((6, 5)))
    assert (getattr(initializers, name)()((6, 5)) != instance((6, 5))).any()
    one, two = (getattr(initializers, name)(seed=3)((6, 5)) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_unseeded_instances_follow_python_s_random():
    drawn = []
    for _ in range(2):
        random.seed(11)
        drawn.append(initializers.GlorotUniform()((3, 4)))
    np.testing.assert_array_equal(*drawn)


def test_weights_of_different_shapes_share_no_numbers():
    one, two = (
        initializers.HeNormal(seed=1)(shape).ravel()[:6] * shape[0] ** 0.5
        for shape in ((6, 4), (6, 5))
    )
    assert not np.isclose(one, two).any()


def test_a_seed_generator_advances_with_every_call():
    instance = initializers.RandomNormal(seed=SeedGenerator(4))
    first = instance((5,))
    assert (instance((5,)) != first).all()
    np.testing.assert_array_equal(initializers.RandomNormal(seed=SeedGenerator(4))((5,)), first)


@pytest.mark.parametrize("seed", [-3, 2**70, np.int64(5)])
def test_any_integer_is_a_seed(seed):
    assert np.isfinite(initializers.RandomNormal(seed=seed)((2,))).all()


@pytest.mark.parametrize("seed", ["a", 1.5, True])
def test_an_invalid_seed_is_refused(seed):
    with pytest.raises(ArgumentError, match="seed"):
        initializers.GlorotUniform(seed=seed)


@pytest.mark.parametrize(
    "arguments",
    [{"scale": 0}, {"scale": -1.0}, {"scale": "a"}, {"mode": "fan"}, {"distribution": "beta"}],
)
def test_wrong_arguments_of_variance_scaling_are_refused(arguments):
    with pytest.raises(ArgumentError, match=next(iter(arguments))):
        initializers.VarianceScaling(**arguments)


@pytest.mark.parametrize("name", [name for name in ALL if name != "Identity"])
def test_the_config_has_keras_s_keys_and_either_reads_the_other_s(name):
    ours, theirs = getattr(initializers, name)(), getattr(keras.initializers, name)()
    assert ours.get_config() == theirs.get_config()
    assert type(initializers.deserialize(keras.initializers.serialize(theirs))) is type(ours)
    assert type(keras.initializers.deserialize(initializers.serialize(ours))) is type(theirs)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("RandomNormal", {"mean": 1.0, "stddev": 0.2, "seed": 3}),
        ("TruncatedNormal", {"mean": 1.0, "stddev": 0.2, "seed": 3}),
        ("RandomUniform", {"minval": 1.0, "maxval": 2.0, "seed": 3}),
        (
            "VarianceScaling",
            {"scale": 2.0, "mode": "fan_out", "distribution": "uniform", "seed": 3},
        ),
        ("HeNormal", {"seed": 3, "input_axes": (0,), "output_axes": (1,)}),
        ("Orthogonal", {"gain": 2.0, "seed": 3}),
        ("Constant", {"value": 3.0}),
        ("Constant", {"value": np.array([1.0, 2.0, 3.0, 4.0])}),
        ("Constant", {"value": [1.0, 2.0, 3.0, 4.0]}),
        ("Identity", {"gain": 3.0}),
        ("Zeros", {}),
        ("GlorotUniform", {"seed": SeedGenerator(9)}),
    ],
)
def test_the_config_builds_an_initializer_of_the_same_values(name, arguments):
    instance = getattr(initializers, name)(**arguments)
    config = json.loads(json.dumps(initializers.serialize(instance)))
    again = initializers.deserialize(config)
    assert type(again) is type(instance)
    np.testing.assert_array_equal(again((4, 4)), instance((4, 4)))
    assert initializers.serialize(again) == initializers.serialize(instance)


def test_a_clone_of_an_unseeded_instance_draws_its_own_seed():
    instance = initializers.GlorotUniform()
    assert (instance.clone()((5, 5)) != instance((5, 5))).any()
    seeded = initializers.GlorotUniform(seed=1)
    np.testing.assert_array_equal(seeded.clone()((5, 5)), seeded((5, 5)))


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        *((name, name) for name in ALL),
        ("zero", "Zeros"),
        ("zeros", "Zeros"),
        ("one", "Ones"),
        ("ones", "Ones"),
        ("normal", "RandomNormal"),
        ("random_normal", "RandomNormal"),
        ("uniform", "RandomUniform"),
        ("random_uniform", "RandomUniform"),
        ("truncated_normal", "TruncatedNormal"),
        ("variance_scaling", "VarianceScaling"),
        ("glorot_uniform", "GlorotUniform"),
        ("he_normal", "HeNormal"),
        ("lecun_normal", "LecunNormal"),
        ("orthogonal", "Orthogonal"),
        ("OrthogonalInitializer", "Orthogonal"),
        ("identity", "Identity"),
        ("IdentityInitializer", "Identity"),
        ("constant", "Constant"),
    ],
)
def test_names_stand_for_classes(name, cls):
    assert type(initializers.get(name)) is getattr(initializers, cls)


def test_snake_case_attributes_are_the_classes():
    theirs = {name for name in dir(keras.initializers) if not name.startswith("_")} - {
        "STFT",
        "STFTInitializer",
        "stft",
    }
    assert theirs <= set(dir(initializers))
    assert set(initializers.__all__) <= set(dir(initializers))
    assert initializers.he_normal is initializers.HeNormal
    assert initializers.constant is initializers.Constant


def test_none_instances_functions_and_classes_are_taken():
    own = initializers.HeNormal()
    assert initializers.get(None) is None
    assert initializers.get(own) is own
    assert initializers.get(np.zeros) is np.zeros
    assert type(initializers.get(initializers.Ones)) is initializers.Ones


@pytest.mark.parametrize("wrong", ["glorotuniforms", 2.0])
def test_an_unknown_initializer_is_refused(wrong):
    with pytest.raises(UnknownNameError, match="Could not interpret initializer identifier"):
        initializers.get(wrong)


def test_the_base_class_requires_call():
    with pytest.raises(NotImplementedError, match="__call__"):
        initializers.Initializer()((2,))
