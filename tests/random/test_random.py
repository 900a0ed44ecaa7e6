"""gazelle.random: the numbers of Keras, use in compiled programs, draws without state."""

import random as python_random

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from gazelle import random
from gazelle._core.errors import ArgumentError, ShapeError, StateError
from gazelle._core.pure import pure
from gazelle._core.registry import deserialize, serialize
from gazelle._core.seeds import draw_key, reset_shared

pytestmark = pytest.mark.slow

LOGITS = np.log(np.array([[0.1, 0.2, 0.7], [0.5, 0.4, 0.1]], np.float32))
X = np.linspace(1.0, 2.0, 12, dtype=np.float32).reshape(3, 4)
DRAWS = {
    "normal": lambda r: r.normal((3, 2), 1.0, 2.0, seed=5),
    "uniform": lambda r: r.uniform((4,), -1.0, 3.0, seed=5),
    "truncated_normal": lambda r: r.truncated_normal((5,), 1.0, 0.5, seed=5),
    "randint": lambda r: r.randint((6,), -3, 9, seed=5),
    "categorical": lambda r: r.categorical(LOGITS, 7, seed=5),
    "shuffle": lambda r: r.shuffle(X.ravel(), seed=5),
    "dropout": lambda r: r.dropout(X, 0.4, seed=5),
    "dropout_noise_shape": lambda r: r.dropout(X, 0.5, noise_shape=(None, 1), seed=5),
    "dropout_all": lambda r: r.dropout(X, 1.0, seed=5),
    "dropout_none": lambda r: r.dropout(X, 0.0, seed=5),
    "gamma": lambda r: r.gamma((3,), 2.0, seed=5),
    "beta": lambda r: r.beta((3,), 2.0, 3.0, seed=5),
    "binomial": lambda r: r.binomial((3,), 5.0, 0.5, seed=5),
    "beta of a list": lambda r: r.beta((2,), [1.0, 2.0], [2.0, 0.5], seed=5),
    "binomial of a list": lambda r: r.binomial((2,), [5.0, 6.0], [0.5, 0.4], seed=5),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_seeded_draw_gives_the_numbers_that_keras_gives(name):
    ours, theirs = DRAWS[name](random), DRAWS[name](keras.random)
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_a_generator_has_the_sequence_of_states_of_keras():
    ours, theirs = random.SeedGenerator(7), keras.random.SeedGenerator(7)
    for _ in range(3):
        np.testing.assert_array_equal(
            random.uniform((3,), seed=ours), keras.random.uniform((3,), seed=theirs)
        )
    np.testing.assert_array_equal(ours.state.numpy(), np.array(theirs.state.value))
    assert ours.state.name == "seed_generator_state"
    assert ours.state.path.endswith("/seed_generator_state")
    assert not ours.state.trainable


def test_an_unseeded_generator_takes_its_seed_from_pythons_random():
    python_random.seed(3)
    expected = python_random.randint(1, 10**9)
    python_random.seed(3)
    assert random.SeedGenerator().state.numpy().tolist() == [expected, 0]


def test_draws_inside_a_compiled_program_equal_eager_draws_and_move_the_state():
    eager, compiled = random.SeedGenerator(11), random.SeedGenerator(11)
    expected = [random.uniform((2,), seed=eager), random.uniform((2,), seed=eager)]

    def two():
        return random.uniform((2,), seed=compiled), random.uniform((2,), seed=compiled)

    result, (state,) = jax.jit(pure(two, [compiled.state]))([compiled.state.value])
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(state, eager.state.numpy())
    assert compiled.state.numpy().tolist() == [11, 0]


def test_draws_inside_a_scan_differ_from_step_to_step():
    generator = random.SeedGenerator(1)
    step = pure(lambda: random.uniform((), seed=generator), [generator.state])

    def body(state, _):
        number, (state,) = step([state])
        return state, number

    state, numbers = jax.lax.scan(body, generator.state.value, None, length=4)
    assert len(set(np.array(numbers).tolist())) == 4
    assert np.array(state).tolist() == [1, 4]


@pytest.mark.parametrize("seed", [None, random.SeedGenerator(1)], ids=["shared", "generator"])
def test_a_draw_without_state_in_a_compiled_program_is_refused_and_leaves_no_tracer(seed):
    with pytest.raises(StateError, match="SeedGenerator"):
        jax.jit(lambda: random.uniform((2,), seed=seed))()
    assert np.isfinite(random.uniform((2,), seed=seed)).all()


def test_unseeded_draws_differ_and_repeat_after_a_reset_to_a_seed():
    reset_shared(9)
    first = [np.array(random.normal((2,))) for _ in range(2)]
    assert not np.array_equal(*first)
    reset_shared(9)
    np.testing.assert_array_equal(first, [random.normal((2,)) for _ in range(2)])


def test_a_key_of_jax_is_accepted_as_seed():
    for key in (jax.random.PRNGKey(4), jax.random.key(4)):
        np.testing.assert_array_equal(random.uniform((3,), seed=key), jax.random.uniform(key, (3,)))
    assert draw_key(np.int64(4)).tolist() == [4, 0]


def test_dropout_keeps_the_mean_and_drops_the_given_fraction():
    kept = np.array(random.dropout(np.ones(20_000, np.float32), 0.3, seed=2))
    assert set(np.unique(kept)) == {0.0, np.float32(1 / 0.7)}
    # Binomial standard deviation of the fraction: sqrt(0.3 * 0.7 / 20000) = 0.0032.
    assert abs((kept == 0).mean() - 0.3) < 0.015


@pytest.mark.parametrize("axis", [0, 1])
def test_shuffle_keeps_rows_and_columns_intact(axis):
    table = np.arange(40).reshape(8, 5)
    mixed = np.array(random.shuffle(table, axis=axis, seed=3))
    assert not np.array_equal(mixed, table)
    parts = {tuple(part) for part in np.moveaxis(table, axis, 0)}
    assert {tuple(part) for part in np.moveaxis(mixed, axis, 0)} == parts


def test_half_precision_draws_come_in_half_precision():
    assert random.normal((2,), 1.0, 2.0, dtype="bfloat16", seed=1).dtype == jnp.bfloat16
    assert random.dropout(jnp.ones(4, jnp.bfloat16), 0.5, seed=1).dtype == jnp.bfloat16


@pytest.mark.parametrize("seed", [-1, 2**32, "a", 2.7])
def test_a_seed_that_is_not_a_32_bit_integer_is_refused(seed):
    with pytest.raises(ArgumentError, match="seed must be an integer"):
        random.SeedGenerator(seed)
    with pytest.raises(ArgumentError, match="received"):
        random.normal((2,), seed=seed)


def test_wrong_types_rates_and_shapes_are_refused():
    with pytest.raises(ArgumentError, match="requires a floating point"):
        random.uniform((2,), dtype="int32", seed=1)
    with pytest.raises(ArgumentError, match="randint only draws integers"):
        random.randint((2,), 0, 5, dtype="float32", seed=1)
    with pytest.raises(ArgumentError, match="rate"):
        random.dropout(np.ones(3, np.float32), 1.5)
    with pytest.raises(ShapeError, match="batch, classes"):
        random.categorical(np.zeros(3, np.float32), 2)
    with pytest.raises(ArgumentError, match="rng_type"):
        random.SeedGenerator(1, rng_type="x")


@pytest.mark.parametrize("seed", [None, 6])
def test_a_generator_survives_serialization_as_keras_writes_it(seed):
    generator = random.SeedGenerator(seed, name="noise")
    config = serialize(generator)
    assert (config["module"], config["class_name"]) == ("keras.random", "SeedGenerator")
    assert config["config"] == keras.random.SeedGenerator(6, name="noise").get_config() | {
        "seed": seed
    }
    assert deserialize(config).get_config() == generator.get_config()
