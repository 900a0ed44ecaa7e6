"""Code that assigns variables becomes a pure function that leaves the variables unchanged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gazelle._core.pure import borrowed, pure
from gazelle._core.variable import Variable


def counter():
    total, calls = Variable(np.zeros(3, "float32")), Variable(0)

    def update(x, scale=1.0):
        total.assign_add(scale * x)
        calls.assign_add(1)
        return total * 2

    return update, [total, calls]


def test_the_same_code_runs_eagerly_and_as_a_pure_function():
    update, variables = counter()
    function = pure(update, variables)
    result, values = function([np.ones(3, "float32"), 4], jnp.arange(3.0), scale=2.0)
    np.testing.assert_array_equal(result, [2.0, 6.0, 10.0])
    np.testing.assert_array_equal(values[0], [1.0, 3.0, 5.0])
    assert int(values[1]) == 5
    assert [v.numpy().tolist() for v in variables] == [[0, 0, 0], 0]
    np.testing.assert_array_equal(update(jnp.arange(3.0)), [0.0, 2.0, 4.0])
    assert int(variables[1]) == 1


def test_a_pure_function_works_under_jit_grad_vmap_and_scan():
    update, variables = counter()
    function = pure(update, variables)
    start = [v.value for v in variables]
    xs = jnp.arange(12.0).reshape(4, 3)

    jitted, _ = jax.jit(function)(start, xs[1])
    np.testing.assert_array_equal(jitted, 2 * xs[1])

    gradient = jax.grad(lambda x: function(start, x, scale=3.0)[0].sum())(xs[0])
    np.testing.assert_array_equal(gradient, np.full(3, 6.0))

    _, values = jax.vmap(function, in_axes=(None, 0))(start, xs)
    np.testing.assert_array_equal(values[0], xs)

    final, _ = jax.lax.scan(lambda values, x: (function(values, x)[1], None), start, xs)
    np.testing.assert_array_equal(final[0], xs.sum(axis=0))
    assert int(final[1]) == 4
    assert [v.numpy().tolist() for v in variables] == [[0, 0, 0], 0]


def test_variables_get_their_values_back_when_the_function_fails():
    _, variables = counter()

    def fail():
        variables[0].assign(np.ones(3))
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        jax.jit(pure(fail, variables))([v.value for v in variables])
    assert variables[0].numpy().tolist() == [0, 0, 0]


def test_borrowed_values_are_seen_only_within_the_block():
    a, b = Variable(1.0), Variable(2.0)
    with borrowed([a, b], [jnp.float32(5), jnp.float32(6)]):
        assert (float(a), float(b)) == (5, 6)
        with borrowed([a], [jnp.float32(7)]):
            assert float(a + b) == 13
        assert float(a) == 5
    assert (float(a), float(b)) == (1, 2)


def test_a_wrong_number_of_values_is_refused():
    with pytest.raises(ValueError, match="zip"):
        pure(lambda: None, [Variable(1.0)])([])
