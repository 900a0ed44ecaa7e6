"""What `import gazelle` offers, and what it costs."""

import importlib
import importlib.metadata
import json
import subprocess
import sys
import types

import pytest

import gazelle

ROOMS = [
    "activations",
    "backend",
    "callbacks",
    "compat",
    "config",
    "constraints",
    "datasets",
    "distribution",
    "dtype_policies",
    "errors",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "ops",
    "optimizers",
    "preprocessing",
    "random",
    "regularizers",
    "runtime",
    "saving",
    "tree",
    "utils",
    "wrappers",
]
NAMES = [
    "DTypePolicy",
    "FloatDTypePolicy",
    "Function",
    "Functional",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Operation",
    "Optimizer",
    "Regularizer",
    "RematScope",
    "Sequential",
    "StatelessScope",
    "SymbolicScope",
    "Variable",
    "device",
    "name_scope",
    "remat",
    "report",
]
HEAVY = [
    "PIL",
    "h5py",
    "keras",
    "matplotlib",
    "pandas",
    "rich",
    "sklearn",
    "tensorflow",
    "torch",
    "typer",
]

# How many of its own and of other modules the import may add to those of jax and numpy.
OWN_MODULES = 220
OTHER_MODULES = 12

PROBE = """
import json, sys
import numpy, jax, jax.numpy
before = set(sys.modules)
import gazelle
import_adds = sorted(set(sys.modules) - before)
print(json.dumps({
    "adds": import_adds,
    "all": sorted(gazelle.__all__),
    "dir": sorted(dir(gazelle)),
    "version": gazelle.__version__,
    "heavy": sorted(set(sys.argv[1:]) & set(sys.modules)),
}))
"""


def in_a_fresh_process(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def door() -> dict:
    return json.loads(in_a_fresh_process(PROBE, *HEAVY))


def test_the_door_shows_exactly_the_public_names(door):
    assert set(door["all"]) == {*ROOMS, *NAMES, "__version__", "version"}
    assert set(door["all"]) <= set(door["dir"])


def test_every_public_name_can_be_reached_and_every_room_lists_its_own():
    program = """
import types, gazelle
for name in gazelle.__all__:
    thing = getattr(gazelle, name)
    if isinstance(thing, types.ModuleType):
        missing = [inner for inner in thing.__all__ if not hasattr(thing, inner)]
        assert not missing, (name, missing)
"""
    in_a_fresh_process(program)


def test_importing_gazelle_loads_no_heavy_package(door):
    assert door["heavy"] == []


def test_importing_gazelle_adds_few_modules_to_those_of_jax(door):
    own = [name for name in door["adds"] if name.split(".")[0] == "gazelle"]
    others = [name for name in door["adds"] if name.split(".")[0] != "gazelle"]
    assert len(own) <= OWN_MODULES
    assert len(others) <= OTHER_MODULES, others


def test_the_version_is_that_of_the_installed_package(door):
    assert door["version"] == importlib.metadata.version("gazelle")


def test_an_unknown_name_is_an_attribute_error():
    import gazelle

    with pytest.raises(AttributeError, match="no_such_name"):
        _ = gazelle.no_such_name


@pytest.mark.parametrize("name", ["plot_model", "Progbar"])
def test_utils_has_the_names_that_keras_has_there(name):
    utils = importlib.import_module("gazelle.utils")
    assert callable(getattr(utils, name))
    with pytest.raises(AttributeError, match="no attribute 'plot_modle'"):
        _ = utils.plot_modle


@pytest.mark.parametrize("name", ["Conv2D", "LSTM"])
def test_importing_a_missing_layer_explains_why_like_the_attribute_does(name):
    with pytest.raises(AttributeError) as by_attribute:
        getattr(gazelle.layers, name)
    with pytest.raises(ImportError) as by_import:
        exec(f"from gazelle.layers import {name}")
    assert str(by_import.value) == str(by_attribute.value)
    assert f"gazelle.layers has no {name}" in str(by_import.value)
    assert not hasattr(gazelle.layers, name)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_shows_its_names_and_not_its_files(room):
    module = importlib.import_module(f"gazelle.{room}")
    files = [
        name
        for name, value in vars(module).items()
        if isinstance(value, types.ModuleType) and value.__name__.startswith("gazelle.")
    ]
    public = getattr(module, "__all__", [])
    assert [name for name in files if not name.startswith("_") and name not in public] == []
