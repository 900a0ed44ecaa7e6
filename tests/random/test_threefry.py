"""The unrolled Threefry gives the numbers of jax.random bit for bit, compiled or not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gazelle.random import _threefry as threefry

pytestmark = pytest.mark.slow

KEYS = [np.array([1, 0], np.uint32), np.array([4_000_000_000, 77], np.uint32)]
SHAPES = [(), (7,), (32, 64), (3, 5, 2), (0, 4)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("key", KEYS, ids=lambda key: str(key[0]))
@pytest.mark.parametrize("wrap", [jax.jit, lambda function: function], ids=["compiled", "eager"])
def test_every_draw_is_that_of_jax(shape, key, wrap):
    for ours, theirs in (
        (lambda k: threefry.uniform(k, shape), lambda k: jax.random.uniform(k, shape)),
        (
            lambda k: threefry.uniform(k, shape, -2.0, 3.0),
            lambda k: jax.random.uniform(k, shape, jnp.float32, -2.0, 3.0),
        ),
        (
            lambda k: threefry.bernoulli(k, 0.3, shape),
            lambda k: jax.random.bernoulli(k, 0.3, shape),
        ),
        (lambda k: threefry.normal(k, shape), lambda k: jax.random.normal(k, shape)),
        (
            lambda k: threefry.normal(k, shape, "bfloat16"),
            lambda k: jax.random.normal(k, shape, "bfloat16"),
        ),
    ):
        found = wrap(ours)(key)
        expected = wrap(theirs)(key)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(np.asarray(found, "float32"), np.asarray(expected, "float32"))


def test_other_keys_are_drawn_from_by_jax():
    key = jax.random.key(3)
    np.testing.assert_array_equal(threefry.uniform(key, (4,)), jax.random.uniform(key, (4,)))
    with jax.threefry_partitionable(False):
        np.testing.assert_array_equal(
            threefry.uniform(KEYS[1], (5,)), jax.random.uniform(KEYS[1], (5,))
        )
