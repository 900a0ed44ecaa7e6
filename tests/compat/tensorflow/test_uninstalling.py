"""`uninstall` takes back what tensors were given."""

import importlib
import sys

import jax.numpy as jnp

import gazelle
import gazelle.compat


def test_uninstalling_leaves_nothing():
    gazelle.compat.install()
    importlib.import_module("tensorflow")
    gazelle.compat.uninstall()
    assert "tensorflow" not in sys.modules
    array = jnp.zeros((2, 3))
    assert type(array.shape) is tuple
    assert not hasattr(array, "numpy")
    assert type(gazelle.Input((2,)).shape) is tuple
    assert not hasattr(gazelle.Model, "compiled_loss")
