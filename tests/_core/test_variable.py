"""Variables own their values, and an array that was handed out is never destroyed by a program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gazelle._core.errors import ArgumentError, ShapeError, UnknownNameError
from gazelle._core.pure import pure
from gazelle._core.variable import Variable

VALUES = np.array([[1.0, -2.0], [3.0, 4.0]], "float32")


# ---- Creating ----


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (VALUES, "float32"),
        (VALUES.astype("float64"), "float32"),
        (np.arange(3), "int32"),
        (np.arange(3, dtype="uint8"), "uint8"),
        (np.array([True]), "bool"),
        (1.5, "float32"),
        (3, "int32"),
        ([1.0, 2.0], "float32"),
        (jnp.ones(2, "bfloat16"), "float32"),
    ],
    ids=str,
)
def test_floats_become_floatx_and_other_types_stay(value, dtype):
    variable = Variable(value)
    assert variable.dtype == dtype == str(variable.value.dtype)
    np.testing.assert_array_equal(variable, np.asarray(value, dtype))


def test_an_initializer_is_called_with_shape_and_type():
    calls = []

    def initializer(shape, dtype=None):
        calls.append((shape, dtype))
        return np.full(shape, 7.0)

    variable = Variable(initializer, shape=[2, 3], dtype="bfloat16", name="kernel", trainable=False)
    assert calls == [((2, 3), "bfloat16")]
    assert (variable.shape, variable.ndim, variable.size, variable.dtype) == (
        (2, 3),
        2,
        6,
        "bfloat16",
    )
    assert (variable.name, variable.path, variable.trainable) == ("kernel", "kernel", False)
    assert float(variable[1, 2]) == 7.0


def test_wrong_arguments_are_refused():
    with pytest.raises(ArgumentError, match="no shape"):
        Variable(lambda shape, dtype: np.zeros(shape))
    with pytest.raises(ArgumentError, match="'/'"):
        Variable(1.0, name="a/b")
    with pytest.raises(ShapeError, match="initial value"):
        Variable(VALUES, shape=(2, 3))


def test_automatic_names_differ():
    assert Variable(1.0).name != Variable(1.0).name


# ---- Assigning ----


@pytest.mark.parametrize(
    "value",
    [VALUES, VALUES.tolist(), jnp.asarray(VALUES), Variable(VALUES), VALUES.astype("float64")],
)
def test_assigning_replaces_the_value_and_keeps_the_type(value):
    variable = Variable(np.zeros((2, 2), "float32"))
    returned = variable.assign(value)
    np.testing.assert_array_equal(variable, VALUES)
    np.testing.assert_array_equal(returned, VALUES)
    assert variable.dtype == "float32" == returned.dtype


def test_assigning_another_shape_is_refused_and_changes_nothing():
    variable = Variable(VALUES, path="dense/kernel")
    with pytest.raises(ShapeError, match="dense/kernel"):
        variable.assign(np.ones(2))
    with pytest.raises(ShapeError, match="dense/kernel"):
        variable.assign(1.0)
    np.testing.assert_array_equal(variable, VALUES)


def test_assign_add_and_assign_sub_take_numbers_arrays_and_variables():
    variable = Variable(VALUES)
    variable.assign_add(1)
    variable.assign_sub(Variable(VALUES))
    np.testing.assert_array_equal(variable, np.ones((2, 2)))


def test_a_numpy_array_that_is_changed_later_does_not_change_the_variable():
    source = VALUES.copy()
    variable = Variable(source)
    variable.assign(source)
    source[:] = 9
    np.testing.assert_array_equal(variable, VALUES)
    variable.numpy()[:] = 9
    np.asarray(variable)[:] = 9
    np.testing.assert_array_equal(variable, VALUES)


# ---- Computing ----


@pytest.mark.parametrize(
    "operation",
    [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / b,
        lambda a, b: a // b,
        lambda a, b: a % b,
        lambda a, b: abs(a) ** b,
        lambda a, b: a @ b,
        lambda a, b: a < b,
        lambda a, b: a <= b,
        lambda a, b: a > b,
        lambda a, b: a >= b,
        lambda a, b: -a,
    ],
)
def test_expressions_with_variables_give_the_results_of_numpy(operation):
    other = np.array([[2.0, 0.5], [3.0, 5.0]], "float32")
    expected = operation(VALUES, other)
    for a, b in [
        (Variable(VALUES), Variable(other)),
        (Variable(VALUES), other),
        (jnp.asarray(VALUES), Variable(other)),
    ]:
        np.testing.assert_allclose(operation(a, b), expected, rtol=1e-6)


def test_numbers_on_the_left_work_too():
    variable = Variable(VALUES)
    np.testing.assert_array_equal(1 - variable, 1 - VALUES)
    np.testing.assert_array_equal(2 / variable, 2 / VALUES)


@pytest.mark.parametrize(
    "function", [jnp.maximum, jnp.matmul, jnp.add, lambda x, v: jnp.where(v > 0, v, x)]
)
def test_jax_functions_accept_variables_eagerly_in_programs_and_under_gradients(function):
    variable = Variable(VALUES)
    x = jnp.full((2, 2), 0.5)
    expected = function(x, jnp.asarray(VALUES))
    np.testing.assert_array_equal(function(x, variable), expected)
    run = pure(lambda: function(x, variable), [variable])
    np.testing.assert_array_equal(jax.jit(run)([variable.value])[0], expected)
    gradient = jax.grad(lambda value: run([value])[0].sum())(variable.value)
    np.testing.assert_array_equal(
        gradient, jax.grad(lambda value: function(x, value).sum())(jnp.asarray(VALUES))
    )


def test_variables_act_as_numbers_sequences_and_arrays():
    variable = Variable(VALUES)
    np.testing.assert_array_equal(jnp.exp(variable), jnp.exp(VALUES))
    np.testing.assert_array_equal(np.maximum(variable, 0), np.maximum(VALUES, 0))
    assert float(Variable(2.5)) == 2.5
    assert int(Variable(2)) == 2
    assert bool(Variable(0.0)) is False
    assert len(variable) == 2
    np.testing.assert_array_equal(list(variable)[1], VALUES[1])
    np.testing.assert_array_equal(variable[0, 1:], VALUES[0, 1:])


def test_variables_are_compared_by_value_and_are_keys_by_identity():
    a, b = Variable(VALUES), Variable(VALUES)
    assert bool((a == b).all())
    assert not (a != b).any()
    assert Variable(3) == 3
    assert len({a: 1, b: 2}) == 2


def test_the_name_of_an_initializer_gives_the_first_value():
    variable = Variable("ones", shape=(2, 3))
    np.testing.assert_array_equal(variable.numpy(), np.ones((2, 3)))
    np.testing.assert_array_equal(Variable("he_normal", shape=(0, 3)).numpy(), np.ones((0, 3)))
    with pytest.raises(UnknownNameError, match="ones"):
        Variable("onse", shape=(2,))
    with pytest.raises(ArgumentError, match="aggregation"):
        Variable(1.0, aggregation="median")


@pytest.mark.parametrize(
    "function",
    [lambda v: ~v, lambda v: v & 6, lambda v: 6 | v, lambda v: v ^ 3, lambda v: +v, abs],
)
def test_operators_of_whole_numbers(function):
    np.testing.assert_array_equal(function(Variable([1, 2, 5])), function(np.array([1, 2, 5])))


# ---- Lending: `lend` gives an array that a program may destroy ----


def destroyed_by_a_program(variable):
    array = variable.lend()
    array.delete()


HOLDERS = {
    "value": lambda v: v.value,
    "asarray": lambda v: jnp.asarray(v),
    "all": lambda v: v[:],
    "ellipsis": lambda v: v[...],
    "assigned": lambda v: v.assign(jnp.asarray(VALUES)),
    "returned by assign_add": lambda v: v.assign_add(0.0),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_an_array_that_was_handed_out_survives_a_program(holder):
    variable = Variable(VALUES)
    held = HOLDERS[holder](variable)
    destroyed_by_a_program(variable)
    np.testing.assert_array_equal(held, VALUES)


def test_an_array_given_to_a_variable_survives_a_program():
    first, later = jnp.asarray(VALUES), jnp.asarray(VALUES)
    variable = Variable(first)
    destroyed_by_a_program(variable)
    variable.assign(later)
    destroyed_by_a_program(variable)
    np.testing.assert_array_equal(first, later)


def test_a_variable_assigned_from_another_does_not_share_its_array():
    source, target = Variable(VALUES), Variable(np.zeros((2, 2)))
    target.assign(source)
    destroyed_by_a_program(target)
    np.testing.assert_array_equal(source, VALUES)
    target.assign(source)
    destroyed_by_a_program(source)
    np.testing.assert_array_equal(target, VALUES)


def test_an_array_that_was_handed_out_survives_tracing_a_program_that_assigns():
    variable = Variable(VALUES)
    held = variable.value
    step = jax.jit(pure(lambda: variable.assign(variable * 2), [variable]))
    step([variable.value])
    destroyed_by_a_program(variable)
    np.testing.assert_array_equal(held, VALUES)


def test_an_array_that_was_not_handed_out_is_lent_without_a_copy():
    variable = Variable(VALUES)
    inside = variable._value
    assert variable.lend() is inside
    # Reads within a program do not count as handing out.
    jax.jit(pure(lambda: variable.value + jnp.asarray(variable), [variable]))([inside])
    assert variable.lend() is inside
