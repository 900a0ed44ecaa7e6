"""Scopes: values instead of variables' own, names, devices, rematerialization."""

import jax
import numpy as np
import pytest

import gazelle
from gazelle import RematScope, StatelessScope, Variable, ops
from gazelle.errors import ArgumentError


def test_within_a_stateless_scope_assignments_are_only_noted():
    given, other = Variable(np.zeros(2)), Variable(np.zeros(2))
    with StatelessScope(state_mapping=[(given, np.ones(2))]) as scope:
        other.assign(given + 1)
        other.assign_add([1, 1])
        np.testing.assert_array_equal(other.value, [3, 3])
    for variable in (given, other):
        np.testing.assert_array_equal(variable.numpy(), [0, 0])
    np.testing.assert_array_equal(scope.get_current_value(other), [3, 3])
    np.testing.assert_array_equal(scope.get_current_value(given), [1, 1])
    assert scope.get_current_value(Variable(1.0)) is None


def test_scopes_within_scopes():
    variable = Variable(1.0)
    with StatelessScope() as outer:
        variable.assign(2.0)
        with StatelessScope() as inner:
            variable.assign(3.0)
        assert float(variable.value) == 2.0
    assert float(variable.value) == 1.0
    assert float(outer.get_current_value(variable)) == 2.0
    assert float(inner.get_current_value(variable)) == 3.0


def test_what_does_not_fit_a_variable_is_refused():
    with pytest.raises(ArgumentError, match="must be Variable"):
        StatelessScope(state_mapping=[("name", 1.0)])
    with pytest.raises(ArgumentError, match="must be tensors with"):
        StatelessScope(state_mapping=[(Variable(np.zeros(2)), np.zeros(3))])


def test_losses_are_collected():
    layer = gazelle.layers.Dense(2, activity_regularizer="l2")
    x = np.ones((3, 2), "float32")
    layer(x)
    with StatelessScope(collect_losses=True) as scope:
        layer(x)
    assert len(scope.losses) == 1


def test_variables_are_named_after_the_open_scopes():
    with gazelle.name_scope("block"), gazelle.SymbolicScope():
        assert Variable(1.0, name="scale").path == "block/scale"
    assert Variable(1.0, name="scale").path == "scale"
    with pytest.raises(ArgumentError, match="cannot contain"):
        gazelle.name_scope("a/b")


def test_arrays_are_made_on_the_device():
    with gazelle.device("cpu:0"):
        assert ops.ones((2,)).devices() == {jax.devices("cpu")[0]}
    for wrong in ("cpu:99", "abacus:0", 3):
        with pytest.raises(ArgumentError), gazelle.device(wrong):
            pass


class Square(gazelle.Operation):
    def call(self, x):
        return ops.sin(x) ** 2


def test_rematerialized_operations_have_the_same_gradients():
    with RematScope():
        remat = Square()
    with RematScope("list_of_layers", layer_names=["other"]):
        plain = Square(name="mine")
    functions = [lambda x, step=step: step(x).sum() for step in (remat, plain)]
    gradients = [jax.grad(function)(np.ones(3, "float32")) for function in functions]
    np.testing.assert_allclose(*gradients)
    kinds = ["remat" in str(jax.make_jaxpr(f)(np.ones(3, "float32"))) for f in functions]
    assert kinds == [True, False]
    assert float(gazelle.remat(lambda x: x * 2)(3.0)) == 6
    with pytest.raises(ArgumentError, match="mode"):
        RematScope("everything")
