"""No name of Keras's API that Gazelle does not have makes anything, as a class or as a function."""

import inspect
import sys

import pytest

from gazelle import saving
from gazelle._core import registry
from gazelle._core.doors import load_rooms
from gazelle._core.errors import UnknownNameError

pytestmark = pytest.mark.slow


def public_names():
    """Every public name of Keras, with its module."""
    import keras

    assert keras.__version__
    rooms = {
        name: room
        for name, room in sys.modules.items()
        if name.partition(".")[0] == "keras" and ".src" not in name and "_tf_keras" not in name
    }
    return sorted(
        (module, name)
        for module, room in rooms.items()
        for name in dir(room)
        if not name.startswith("_") and not inspect.ismodule(getattr(room, name))
    )


def test_names_that_gazelle_does_not_have_are_refused():
    load_rooms()
    own = {name for _, name in registry._builtins} | set(registry._PLAIN)
    names = public_names()
    unknown = [(module, name) for module, name in names if name not in own]
    assert len(names) > 1000
    assert len(unknown) > 700
    for module, name in unknown:
        for config in (
            {"module": module, "class_name": name, "config": {}, "registered_name": name},
            {"module": module, "class_name": "function", "config": name},
        ):
            with pytest.raises(UnknownNameError):
                saving.deserialize_keras_object(config)


def test_names_that_gazelle_has_are_its_own():
    load_rooms()
    for made in registry._builtins.values():
        assert made.__module__.partition(".")[0] in ("gazelle", "tests")  # other tests add some
