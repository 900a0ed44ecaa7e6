"""The modules that answer for Keras: `import keras` gives these, with Gazelle's classes in them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import Any

from gazelle._core.doors import missing
from gazelle._core.errors import nearest
from gazelle.compat._arguments import modern_function
from gazelle.compat._forms import CALLS, FILES, INNER, MODULES, NAMES
from gazelle.compat._outside import outside, placeholder
from gazelle.compat._telling import tell

# Room below `keras` -> the modules that its names come from, the first that has one. The first
# are compat's own, with what Gazelle has under no name.
_OWN = "gazelle.compat._keras"
_ROOMS: dict[str, tuple[str, ...]] = {
    "": (f"{_OWN}.top", "gazelle"),
    "activations": (f"{_OWN}.activations", "gazelle.activations"),
    "applications": (),
    "backend": (f"{_OWN}.backend", "gazelle.backend", "gazelle.config"),
    "callbacks": (f"{_OWN}.callbacks", "gazelle.callbacks"),
    "config": ("gazelle.config",),
    "constraints": ("gazelle.constraints",),
    "datasets": ("gazelle.datasets",),
    "dtype_policies": ("gazelle.dtype_policies",),
    "engine": (f"{_OWN}.engine", "gazelle.layers", "gazelle.models"),
    "estimator": (),
    "initializers": (f"{_OWN}.initializers", "gazelle.initializers"),
    "layers": (f"{_OWN}.layers", "gazelle.layers"),
    "legacy": (f"{_OWN}.layers",),
    "losses": (f"{_OWN}.losses", "gazelle.losses"),
    "metrics": (f"{_OWN}.metrics", "gazelle.metrics", "gazelle.losses"),
    "mixed_precision": (f"{_OWN}.mixed_precision", "gazelle.mixed_precision"),
    "models": (f"{_OWN}.models", "gazelle.models"),
    "ops": ("gazelle.ops",),
    "optimizers": ("gazelle.optimizers",),
    "optimizers.schedules": ("gazelle.optimizers.schedules",),
    "premade": (),
    "preprocessing": ("gazelle.preprocessing",),
    "preprocessing.image": ("gazelle.preprocessing.image", "gazelle.utils"),
    "preprocessing.sequence": (f"{_OWN}.sequence", "gazelle.preprocessing.sequence"),
    "preprocessing.text": (f"{_OWN}.text",),
    "random": ("gazelle.random",),
    "regularizers": (f"{_OWN}.regularizers", "gazelle.regularizers"),
    "saving": ("gazelle.saving",),
    "tree": ("gazelle.tree",),
    "utils": (f"{_OWN}.utils", "gazelle.utils"),
    "wrappers": ("gazelle.wrappers",),
    "wrappers.scikit_learn": (f"{_OWN}.scikit_learn",),
    **{
        f"datasets.{name}": (f"gazelle.datasets.{name}",)
        for name in (
            "boston_housing", "california_housing", "cifar10", "cifar100", "fashion_mnist", "imdb",
            "mnist", "reuters",
        )
    },
}  # fmt: skip
_WITHOUT = ("applications", "estimator", "premade")  # rooms of which everything is out of scope


class Room(ModuleType):
    """A module below `keras`.

    Args:
        path: Its path below `keras`; `""` for `keras` itself.
    """

    def __init__(self, path: str):
        super().__init__(f"keras.{path}" if path else "keras")
        self.__path__ = []  # it is a package
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return sorted(set(self._names()))
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

    def _names(self) -> Iterator[str]:
        for source in map(import_module, _ROOMS[self._path]):
            yield from _public(source)
        yield from self._children()
        yield from (old.rpartition(".")[2] for old in NAMES if old.rpartition(".")[0] == self._path)

    def _children(self) -> list[str]:
        start = f"{self._path}." if self._path else ""
        below = [path.removeprefix(start) for path in _ROOMS if path.startswith(start) and path]
        return [path for path in below if "." not in path]

    def _find(self, name: str) -> Any:
        path = f"{self._path}.{name}" if self._path else name
        if path in _ROOMS:
            return room(path)
        for source in map(import_module, _ROOMS[self._path]):
            if name in _public(source):
                return _with_old_arguments(path, getattr(source, name))
        if path in NAMES:
            return self._renamed(path, NAMES[path])
        if path in MODULES:
            return room(MODULES[path])
        if self._path in _WITHOUT or outside(self._path, name):
            return placeholder(path)
        known = sorted(set(self._names()))
        close = nearest(name, known)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise LookupError(f"Gazelle has no keras.{path}.{hint}")

    def _renamed(self, old: str, new: str) -> Any:
        place, _, name = new.rpartition(".")
        value = getattr(room(place), name) if place else getattr(self, new)
        tell(f"keras.{old}", f"keras.{place or self._path}.{name}")
        return value


_rooms: dict[str, Room] = {}


def room(path: str) -> Room:
    """The module of a path below `keras`; always the same object."""
    if path not in _rooms:
        _rooms[path] = Room(path)
    return _rooms[path]


def forget_rooms() -> None:
    """Make the modules again when they are next asked for."""
    _rooms.clear()


def path_of(dotted: str) -> str | None:
    """Today's path of a module below `keras`; None for one that Keras never had.

    Args:
        dotted: A path as it is written: `"layers.core"`, `"src.layers.core.dense"`.
    """
    if dotted in _ROOMS:
        return dotted
    if dotted in MODULES:
        return MODULES[dotted]
    first, _, rest = dotted.partition(".")
    if first in INNER:
        return _path_of_file(rest)
    above, _, _ = dotted.rpartition(".")
    return above if above in _WITHOUT else None


def _path_of_file(dotted: str) -> str | None:
    """The room of a module of Keras's inside: `"layers.core.dense"` is in `"layers"`."""
    path = path_of(dotted)
    above, _, last = dotted.rpartition(".")
    return _path_of_file(above) if path is None and above and last in FILES else path


def _public(source: ModuleType) -> Sequence[str]:
    """The names that a module offers: `__all__`, or else the functions that it defines."""
    listed = getattr(source, "__all__", None)
    if listed is not None:
        return listed
    return [
        name
        for name, value in vars(source).items()
        if isinstance(value, FunctionType)
        and value.__module__ == source.__name__
        and name[0] != "_"
    ]


def _with_old_arguments(path: str, value: Any) -> Any:
    """A function that takes its old arguments too; classes are changed by `install`."""
    if path in CALLS and isinstance(value, FunctionType):
        return modern_function(path, value)
    return value


class Finder(MetaPathFinder, Loader):
    """Finds the modules of some names and those below them.

    Args:
        serve: Top-level name -> a function of the path below it, which returns a module, or None
            where there is none.
    """

    def __init__(self, serve: Mapping[str, Callable[[str], ModuleType | None]]):
        self.serve = serve

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for a module that is served; None for all others."""
        top, _, below = fullname.partition(".")
        if top not in self.serve or self.serve[top](below) is None:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The module that is served, which the import system does not fill."""
        top, _, below = spec.name.partition(".")
        return self.serve[top](below)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: the module is complete."""


def keras_module(below: str) -> Room | None:
    """The module that answers for `keras.<below>`."""
    path = path_of(below) if below else ""
    if path is None:
        return None
    if below in MODULES:
        tell(f"keras.{below}", f"keras.{MODULES[below]}")
    return room(path)


def preprocessing_module(below: str) -> Room | None:
    """The module that answers for `keras_preprocessing.<below>`."""
    return keras_module(f"preprocessing.{below}".rstrip("."))


def scikeras_module(below: str) -> Room | None:
    """The module that answers for `scikeras.<below>`."""
    return room("wrappers.scikit_learn") if below in ("", "wrappers") else None


def loaded(names: Sequence[str]) -> dict[str, ModuleType]:
    """What is loaded of some top-level modules and of those below them."""
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] in names}
