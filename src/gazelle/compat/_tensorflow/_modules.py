"""The modules that answer for TensorFlow. TensorFlow itself is never imported."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from gazelle._core.doors import missing
from gazelle._core.errors import nearest
from gazelle.compat._modules import keras_module
from gazelle.compat._outside import OutOfScopeError
from gazelle.compat._tensorflow._table import ANSWERS

# Names below `tensorflow` that are Keras's.
_KERAS = ("keras", "losses", "metrics", "optimizers", "initializers")
# Paths at which `tensorflow` itself is found again.
_ROOTS = ("", "compat.v1", "compat.v2", "_api.v2", "_api.v2.v2", "_api.v1")
# Namespaces that are not for dense networks on their own.
_OUTSIDE = (
    *("audio", "contrib", "distributions", "estimator", "examples", "feature_column", "lite"),
    *("layers", "lookup", "quantization", "ragged", "raw_ops", "saved_model", "signal", "sparse"),
    *("sets", "spectral", "summary", "tensorrt", "tpu"),
)
# Where a name is looked up that is asked for below `tensorflow.python`, where TensorFlow's own
# files were.
_PLACES = ("", "math.", "nn.", "random.", "linalg.", "data.", "config.", "errors.", "io.gfile.")


@functools.cache
def _answers() -> dict[str, Any]:
    """The table, filled."""
    from gazelle.compat._tensorflow import (
        _config,
        _control,
        _errors,
        _files,
        _function,
        _gradient_tape,
        _image,
        _legacy,
        _linalg,
        _nn,
        _shaping,
        _text,
    )
    from gazelle.compat._tensorflow._data import sources

    _ = _config, _control, _errors, _files, _gradient_tape, _image, _legacy, _linalg, _nn
    _ = _function, _shaping, _text, sources
    return ANSWERS


@functools.cache
def _namespaces() -> set[str]:
    """The paths that have names below them: `"math"`, `"config"`, `"config.experimental"`."""
    found = {"compat", *_ROOTS, *_OUTSIDE}
    for path in _answers():
        parts = path.split(".")
        found |= {".".join(parts[:count]) for count in range(1, len(parts))}
    return found - set(_answers())


class Namespace(ModuleType):
    """A module below `tensorflow`.

    Args:
        path: Its path below `tensorflow`; `""` for `tensorflow` itself.
    """

    def __init__(self, path: str):
        super().__init__(f"tensorflow.{path}" if path else "tensorflow")
        self.__path__ = []  # it is a package
        self._path = path
        self._below = _below(path)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__version__":
            raise AttributeError(name)
        try:
            value = self._find(name)
        except LookupError as error:
            raise missing(self.__name__, name, str(error.args[0])) from None
        if not isinstance(value, ModuleType):
            setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *self._names()})

    def _names(self) -> set[str]:
        start = f"{self._below}." if self._below else ""
        paths = [*_answers(), *_namespaces(), *(_KERAS if not self._below else ())]
        below = (path.removeprefix(start) for path in paths if path.startswith(start) and path)
        return {name for path in below if (name := path.partition(".")[0])}

    def _find(self, name: str) -> Any:
        path = f"{self._below}.{name}" if self._below else name
        if path in _answers():
            return _answers()[path]
        if self._path.startswith("python"):
            for place in _PLACES:
                if place + name in _answers():
                    return _answers()[place + name]
        is_outside = self._below.partition(".")[0] in _OUTSIDE
        inner = None
        if not is_outside or path in _namespaces():
            inner = tensorflow_module(f"{self._path}.{name}" if self._path else name)
        if inner is not None:
            return inner
        if is_outside:
            raise OutOfScopeError(
                f"tf.{path} is out of Gazelle's scope: it is for dense networks.",
                fix="run this script with TensorFlow",
            )
        close = nearest(name, sorted(self._names()))
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise LookupError(f"Gazelle has no tf.{path}.{hint}")


def _below(path: str) -> str:
    """The path in the table for that of a module."""
    for root in sorted(_ROOTS, key=len, reverse=True):
        if root and (path == root or path.startswith(f"{root}.")):
            return path[len(root) + 1 :]
    return path


@functools.cache
def _namespace(path: str) -> Namespace:
    return Namespace(path)


def tensorflow_module(below: str) -> ModuleType | None:
    """The module that answers for `tensorflow.<below>`; None where there is none.

    Args:
        below: The path below `tensorflow`; `""` for `tensorflow` itself.
    """
    path = _below(below)
    top, _, rest = path.partition(".")
    if top in _KERAS:
        return keras_module(rest if top == "keras" else path)
    if path == "python.keras" or path.startswith("python.keras."):
        return keras_module(path.removeprefix("python.keras").removeprefix("."))
    if path in _namespaces() or top == "python" or top in _OUTSIDE:
        return _namespace(below)
    return None
