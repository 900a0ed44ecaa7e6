"""Answers Keras's inner names with a library's public ones: `answers.layers.core.dense.Dense`.

The tests of Keras import what they test from its inside, `keras.src`. `conformance.py` writes these
imports to `answers`, the package that this module puts into `sys.modules` on demand. It knows where
a library keeps the name in public. Tools of the tests that the library lacks stay Keras's own.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import sys
import types

import keras.src.backend

LIBRARY = importlib.import_module(os.environ["CONFORMANCE_LIBRARY"])
OPERATIONS_ONLY = bool(os.environ.get("CONFORMANCE_OPERATIONS"))
# Rooms that may answer for a name that stands elsewhere in Keras.
ROOMS = [
    "models",
    "layers",
    "utils",
    "saving",
    "losses",
    "metrics",
    "optimizers",
    "callbacks",
    "config",
]  # fmt: skip
# What the tests use to look at results; where the library has none, Keras's.
TOOLS = {
    *[
        "tree",
        "backend",
        "testing",
        "export",
        "quantizers",
        "distribution",
        "config",
        "trainers",
        "dtype_policies",
    ],
    *([] if OPERATIONS_ONLY else ["ops"]),
}
CONSTANTS = {"_MEMORY_UPPER_BOUND": 0.9}


class DenseModel(LIBRARY.Model):
    """What the tests of the trainer make of a Dense layer and Keras's inner Trainer."""

    def __init__(self, units, **options):
        LIBRARY.Model.__init__(self)
        self.dense = LIBRARY.layers.Dense(units, **options)

    def call(self, x):
        return self.dense(x)

    @property
    def kernel(self):
        return self.dense.kernel


def room_of(path):
    """The library's room for an inner path: `layers` for `layers.core.dense`; None for none."""
    parts = path.split(".")
    for name in (".".join(parts[:2]), parts[0]):
        try:
            return importlib.import_module(f"{LIBRARY.__name__}.{name}")
        except ImportError:
            continue
    return None


def operation_class(name):
    """A stand-in for an operation's inner class: `FullLike` calls `ops.full_like`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    function = getattr(LIBRARY.ops, words, None) or getattr(LIBRARY.ops, name.lower())

    class Operation:
        def __init__(self, *args, name=None, **options):
            self.args, self.options = args, options

        def call(self, *args, **options):
            return function(*args, *self.args, **self.options, **options)

        __call__ = symbolic_call = call

    return Operation


def find(path, name):
    """The library's object for `keras.src.<path>.<name>`.

    Raises:
        ImportError: It has none.
    """
    if name == "Functional":
        symbolic = LIBRARY.Input((1,))
        return type(LIBRARY.Model(symbolic, symbolic))
    known = ("KerasTensor", "Operation", "Function")
    if path.startswith("ops.") and name[0].isupper() and name not in known:
        return operation_class(name)
    if name in CONSTANTS:
        return CONSTANTS[name]
    own = room_of(path) if path else None
    rooms = [room_of(room) for room in ROOMS]
    for place in (own, LIBRARY, *rooms):
        if place is not None and hasattr(place, name):
            return getattr(place, name)
    first = path.split(".")[0] or name
    helpers = ("standardize_dtype", "is_float_dtype", "map_shape_structure")
    if first in TOOLS or (first in ("utils", "backend") and name in helpers):
        return getattr(importlib.import_module(".".join(filter(None, ("keras.src", path)))), name)
    raise ImportError(f"{LIBRARY.__name__} has nothing for {path}.{name}")


def is_inner_module(path):
    try:
        return importlib.util.find_spec(f"keras.src.{path}") is not None
    except (ImportError, ValueError):
        return False


class Room(types.ModuleType):
    """A package of `answers`, which looks a name up when it is asked for it."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        path = self.__name__.removeprefix("answers").lstrip(".")
        full = f"{path}.{name}" if path else name
        if full.split(".")[0] == "testing":
            tools = importlib.import_module("keras_testing")
            return getattr(tools, name, tools)
        if full == "backend":
            return BACKEND
        public = getattr(room_of(path) if path else None, name, None)
        is_module = public is None or isinstance(public, types.ModuleType)
        if not path.startswith("backend") and is_module and is_inner_module(full):
            return importlib.import_module(f"answers.{full}")
        try:
            return find(path, name)
        except (ImportError, AttributeError) as error:
            if name.islower():  # a module; the names in it are looked up when they are used
                return importlib.import_module(f"answers.{full}")
            raise AttributeError(str(error)) from None


class Random(types.ModuleType):
    """Keras's `backend.random`, whose functions and generators are the library's."""

    def __getattr__(self, name):
        known = LIBRARY.random if hasattr(LIBRARY.random, name) else keras.src.backend.random
        return getattr(known, name)


class Backend(types.ModuleType):
    """The helpers of Keras's backend, which take the library's variables too."""

    KerasTensor = LIBRARY.KerasTensor
    Variable = LIBRARY.Variable
    random = Random("answers_random")

    def __getattr__(self, name):
        return getattr(keras.src.backend, name)

    @classmethod
    def _plain(cls, x):
        return x.value if isinstance(x, cls.Variable) else x

    @classmethod
    def convert_to_numpy(cls, x):
        return keras.src.backend.convert_to_numpy(cls._plain(x))

    @classmethod
    def convert_to_tensor(cls, x, dtype=None, sparse=None, ragged=None):
        return keras.src.backend.convert_to_tensor(cls._plain(x), dtype=dtype)

    @classmethod
    def is_tensor(cls, x):
        return not isinstance(x, cls.Variable) and keras.src.backend.is_tensor(x)

    @classmethod
    def is_keras_tensor(cls, x):
        return isinstance(x, cls.KerasTensor)


BACKEND = Backend("answers_backend")


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes the rooms."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname.split(".")[0] != "answers":
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec):
        module = Room(spec.name)
        module.__path__ = []
        return module

    def exec_module(self, module):
        """Nothing: rooms are empty."""


def install():
    """From now on `import answers....` finds the rooms."""
    sys.modules.pop("answers", None)
    sys.meta_path.insert(0, Finder())
