"""Dropout and its variants: rates, means, masks and seeds."""

import jax.numpy as jnp
import numpy as np
import pytest

import gazelle
from gazelle import layers

ONES = np.ones((400, 50), "float32")


def trained(layer, x=ONES):
    return np.asarray(layer(x, training=True))


@pytest.fixture(autouse=True)
def _seeded():
    gazelle.utils.set_random_seed(1)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_fraction_of_rate_is_dropped_and_the_mean_is_kept(rate):
    outputs = trained(layers.Dropout(rate))
    deviation = np.sqrt(rate * (1 - rate) / ONES.size)  # of the fraction that is dropped
    assert abs((outputs == 0).mean() - rate) < 5 * deviation
    np.testing.assert_allclose(outputs[outputs != 0], 1 / (1 - rate), rtol=1e-6)
    assert abs(outputs.mean() - 1) < 5 * deviation / (1 - rate)


def test_each_call_draws_a_new_mask_and_a_seed_repeats_the_sequence():
    first, second = layers.Dropout(0.5, seed=7), layers.Dropout(0.5, seed=7)
    masks = [trained(first), trained(first)]
    assert (masks[0] != masks[1]).any()
    np.testing.assert_array_equal([trained(second), trained(second)], masks)
    assert (trained(layers.Dropout(0.5, seed=8)) != masks[0]).any()


def test_two_layers_without_a_seed_differ_and_the_global_seed_repeats_them():
    pair = [trained(layers.Dropout(0.5)) for _ in range(2)]
    assert (pair[0] != pair[1]).any()
    gazelle.utils.set_random_seed(1)
    np.testing.assert_array_equal([trained(layers.Dropout(0.5)) for _ in range(2)], pair)


def test_nothing_is_drawn_outside_training_or_at_rate_0():
    layer = layers.Dropout(0.5)
    np.testing.assert_array_equal(layer(ONES), ONES)
    np.testing.assert_array_equal(layer(ONES, training=False), ONES)
    assert int(layer.variables[0].value[1]) == 0
    trained(layer)
    assert int(layer.variables[0].value[1]) == 1
    assert layers.Dropout(0.0).variables == []
    np.testing.assert_array_equal(trained(layers.Dropout(0)), ONES)


def test_rate_1_drops_all():
    np.testing.assert_array_equal(trained(layers.Dropout(1.0)), 0 * ONES)
    np.testing.assert_array_equal(trained(layers.AlphaDropout(1.0)), 0 * ONES)


@pytest.mark.parametrize(
    ("noise_shape", "axis"), [((1, None), 0), ((1, 50), 0), ((50,), 0), ((None, 1), 1)]
)
def test_axes_of_size_1_in_the_noise_shape_are_dropped_together(noise_shape, axis):
    outputs = trained(layers.Dropout(0.5, noise_shape=noise_shape))
    assert (outputs.max(axis) == outputs.min(axis)).all()
    assert 0 < (outputs == 0).mean() < 1


def test_integers_come_out_as_floats():
    assert trained(layers.Dropout(0.5), np.ones((4, 4), "int32")).dtype == "float32"


def test_noise_has_the_documented_mean_and_variance():
    noise = trained(layers.GaussianNoise(2.0)) - 1
    assert abs(noise.mean()) < 0.1
    assert abs(noise.std() - 2) < 0.1
    factors = trained(layers.GaussianDropout(0.2))
    assert abs(factors.mean() - 1) < 0.02
    assert abs(factors.std() - 0.5) < 0.02
    x = np.random.default_rng(0).normal(size=ONES.shape).astype("float32")
    outputs = trained(layers.AlphaDropout(0.3), x)
    assert abs(outputs.mean()) < 0.03
    assert abs(outputs.std() - 1) < 0.03


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_dtypes_are_kept(dtype):
    for layer in (layers.Dropout(0.5, dtype=dtype), layers.GaussianNoise(0.5, dtype=dtype)):
        assert layer(ONES[:2], training=True).dtype == jnp.dtype(dtype)


def test_the_random_state_is_not_a_weight():
    layer = layers.Dropout(0.5)
    assert layer.weights == []
    assert layer.trainable_variables == []
    assert [v.name for v in layer.non_trainable_variables] == ["seed_generator_state"]
    assert layer.count_params() == 0
