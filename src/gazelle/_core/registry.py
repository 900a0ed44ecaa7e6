"""Names and configs: the class or function of each name, and the one serializer.

An object's config is `{"module", "class_name", "config", "registered_name"}`, the form that Keras
writes: `module` is Keras's public module (`"keras.layers"`) for what Gazelle brings, None for
registered classes of the user's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

from gazelle._core.doors import load_rooms
from gazelle._core.dtypes import DTypePolicy
from gazelle._core.errors import (
    ArgumentError,
    ArgumentTypeError,
    GazelleError,
    UnknownNameError,
    reason,
    short,
)
from gazelle._core.names import snake_case

Class = TypeVar("Class", bound=type)
Entry = TypeVar("Entry", bound=Callable[..., Any])  # a class or a function

_builtins: dict[tuple[str, str], Any] = {}  # (module, class name or function name) -> object
_custom: dict[str, Any] = {}  # registered name (`Package>Name`) or plain name -> object


_catalogues: dict[str, Any] = {}  # module -> Catalogue


def named(module: str, name: str) -> Any:
    """What `get` of the catalogue of a module gives for a name; the rooms are loaded for it."""
    if module not in _catalogues:
        load_rooms()
    return _catalogues[module].get(name)


def is_own_class(kind: type) -> bool:
    """Whether a class is Gazelle's own, not a user's."""
    return kind.__module__.partition(".")[0] == __name__.partition(".")[0]


class Catalogue:
    """The classes and functions of one kind (losses, optimizers, ...), by name.

    Args:
        kind: The word for error texts: `"loss"`.
        module: Keras's public module for configs: `"keras.losses"`.
        also: Modules whose classes may take the place of this kind.
    """

    def __init__(self, kind: str, module: str, also: tuple[str, ...] = ()):
        self.kind = kind
        self.module = module
        self.modules = (module, *also)
        self.names: dict[str, Any] = {}
        _catalogues[module] = self

    def add(self, *aliases: str) -> Callable[[Entry], Entry]:
        """A decorator that adds a class or a function under its name and `aliases`.

        A class is also added under its snake-case name.
        """

        def enter(obj: Entry) -> Entry:
            name, is_class = obj.__name__, inspect.isclass(obj)
            own = (name, snake_case(name)) if is_class else (name,)
            for known in (*own, *aliases):
                self.names.setdefault(known, obj)
            _builtins[self.module, name] = obj
            if is_class:
                obj._registry_module = self.module  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]
            return obj

        return enter

    def get(self, identifier: Any) -> Any:
        """Returns an object by name or config.

        Args:
            identifier: A name; a config, which is deserialized; a class, which is instantiated; or
                a callable, an instance or None, which is returned as it is.

        Returns:
            An instance, a function, or None. The name of a class gives an instance of it.

        Raises:
            UnknownNameError: The name is unknown; the message suggests the nearest known names.
        """
        return self.deserialize(identifier)

    def _may_be(self, found: Any) -> bool:
        """Whether an object can be of this kind; of a user's class that is not known."""
        if is_own_class(type(found)):
            return getattr(found, "_registry_module", None) in self.modules
        return callable(found) or hasattr(found, "get_config")

    def deserialize(self, config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
        """Creates the object described by a config.

        Args:
            config: A return value of `serialize`; anything that `get` accepts also works.
            custom_objects: Further classes and functions by name.

        Returns:
            An instance, a function, or None.

        Raises:
            UnknownNameError: The config names an unknown class or function.
            ArgumentError: The config is damaged.
        """
        identifier = config
        if identifier is None:
            return None
        if isinstance(identifier, str):
            custom = {**_custom, **(custom_objects or {})}
            found = custom.get(identifier, self.names.get(identifier))
            if found is None:
                raise UnknownNameError(self.kind, identifier, self.names)
            return found() if inspect.isclass(found) else found
        if isinstance(identifier, dict):
            found = deserialize(identifier, custom_objects, catalogue=self)
            if not self._may_be(found):
                raise ArgumentError(
                    f"The config of a {self.kind} is damaged.",
                    expected="a dict with class_name and config",
                    received=short(identifier),
                )
            return found
        if inspect.isclass(identifier):
            return identifier()
        if callable(identifier) or hasattr(identifier, "get_config"):
            return identifier
        raise UnknownNameError(self.kind, identifier, self.names)


def builtin(module: str) -> Callable[[Class], Class]:
    """A decorator that names the Keras module of a class of Gazelle's, for configs."""

    def enter(cls: Class) -> Class:
        _builtins[module, cls.__name__] = cls
        cls._registry_module = module  # pyright: ignore[reportAttributeAccessIssue]
        return cls

    return enter


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[Entry], Entry]:
    """A decorator that enters a user's class or function, so that configs can name it.

    Args:
        package: First half of the registered name `package>name`.
        name: Second half; the object's own name when None.

    Raises:
        ArgumentError: A class without `get_config`.
    """

    def enter(obj: Entry) -> Entry:
        is_class = inspect.isclass(obj)
        if is_class and not hasattr(obj, "get_config"):
            raise ArgumentError(
                f"Cannot register the class {obj.__name__}: it has no get_config().",
                expected="a class with get_config(self) -> dict",
                fix="define get_config, returning the arguments of __init__",
            )
        registered = f"{package}>{name or obj.__name__}"
        _custom[registered] = obj
        obj._registered_name = registered  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]
        return obj  # pyright: ignore[reportReturnType]

    return enter


def get_custom_objects() -> dict[str, Any]:
    """The dict of registered objects by name; it may be changed in place."""
    return _custom


@contextmanager
def custom_object_scope(custom_objects: dict[str, Any] | None) -> Iterator[None]:
    """Within the block, `custom_objects` (class or function by name) are known to every lookup."""
    objects = custom_objects or {}
    kept = {name: _custom[name] for name in objects if name in _custom}
    _custom.update(objects)
    try:
        yield
    finally:
        for name in objects:
            _custom.pop(name, None)
        _custom.update(kept)


def get_registered_name(obj: Any) -> str:
    """The registered name of a class or function; its own name when it was not registered."""
    own = getattr(obj, "__dict__", {})  # a subclass of a registered class is not registered itself
    return own.get("_registered_name", getattr(obj, "__name__", str(obj)))


def get_registered_object(
    name: str,
    custom_objects: dict[str, Any] | None = None,
    module_objects: dict[str, Any] | None = None,
) -> Any:
    """The class or function registered as `name`, or None.

    Args:
        name: The name.
        custom_objects: Classes and functions by name, which come first.
        module_objects: Classes and functions by name, which come last.
    """
    return {**(module_objects or {}), **_custom, **(custom_objects or {})}.get(name)


def serialize(obj: Any) -> Any:
    """A JSON-ready description of an object, from which `deserialize` builds an equal one.

    Raises:
        ArgumentTypeError: An object that cannot be described.
    """
    if obj is None or isinstance(obj, str | bool | int | float):
        return obj
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, list | tuple):
        return [serialize(item) for item in obj]
    if isinstance(obj, dict):
        return {key: serialize(value) for key, value in obj.items()}
    if isinstance(obj, np.ndarray):
        return {
            "class_name": "__numpy__",
            "config": {"value": obj.tolist(), "dtype": str(obj.dtype)},
        }
    if hasattr(obj, "addressable_shards"):  # a JAX array, without importing JAX
        return {
            "class_name": "__tensor__",
            "config": {"value": obj.tolist(), "dtype": str(obj.dtype)},
        }
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode()}}
    if isinstance(obj, slice):
        return {
            "class_name": "__slice__",
            "config": {name: serialize(getattr(obj, name)) for name in ("start", "stop", "step")},
        }
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, FunctionType):
        return _serialize_function(obj)
    if not hasattr(obj, "get_config"):
        raise ArgumentTypeError(
            f"An object of type {type(obj).__name__} cannot be written into a config.",
            expected="numbers, text, lists, dicts, arrays, functions or objects with get_config()",
            received=repr(obj)[:80],
            fix="give its class a get_config()",
        )
    cls = type(obj)
    module = cls.__dict__.get("_registry_module")
    if "_registered_name" in cls.__dict__:
        module = None
    node = {
        "module": module,
        "class_name": cls.__name__,
        "config": serialize(obj.get_config()),
        "registered_name": None if module else get_registered_name(cls),
    }
    if hasattr(obj, "get_build_config") and (build_config := obj.get_build_config()):
        node["build_config"] = serialize(build_config)
    if hasattr(obj, "get_compile_config") and (compile_config := obj.get_compile_config()):
        node["compile_config"] = compile_config
    return node


def _serialize_function(function: FunctionType) -> Any:
    if function.__name__ == "<lambda>":
        raise ArgumentTypeError(
            "A lambda cannot be written into a config: a config is data and holds no code.",
            expected="a named function",
            fix=(
                "define it with def and register it with"
                " @gazelle.saving.register_keras_serializable()"
            ),
        )
    for (_, name), known in _builtins.items():
        if known is function:
            return name
    registered = get_registered_name(function)
    return {
        "module": "builtins",
        "class_name": "function",
        "config": registered,
        "registered_name": "function",
    }


@contextmanager
def reading_config(kind: str, *, own: bool = True) -> Iterator[None]:
    """Within the block, whatever fails in reading a config is raised as one short error.

    Args:
        kind: What the config describes.
        own: Whether the code that reads it is Gazelle's. The traceback of a user's own class is
            kept.

    Raises:
        ArgumentError: The block failed.
        ArgumentTypeError: It failed with a TypeError.
    """
    try:
        yield
    except (GazelleError, Warning):  # a warning is an exception where the user made it one
        raise
    except Exception as error:
        failed = ArgumentTypeError if isinstance(error, TypeError) else ArgumentError
        fix = f"let {kind}.get_config() return the arguments of its __init__"
        raise failed(
            f"The config of {kind} is damaged or does not match it.",
            expected="a config as it was written",
            received=reason(error),
            fix="write the config again" if own else fix,
        ) from (None if own else error)


def deserialize(
    config: Any,
    custom_objects: dict[str, Any] | None = None,
    safe_mode: bool = True,
    *,
    catalogue: Catalogue | None = None,
) -> Any:
    """The object that `serialize` described. Only constructors of registered classes are run.

    Args:
        config: What `serialize` returned, also after a trip through JSON.
        custom_objects: Classes and functions by name, beside the registered ones.
        safe_mode: Kept for Keras's signature; code in a config is never run.
        catalogue: Where names without a module are looked up first.

    Raises:
        UnknownNameError: The config names a class or function that is not known.
        ArgumentError: The config is damaged.
    """
    with reading_config("an object"):
        return _deserialize(config, custom_objects, catalogue)


def _deserialize(
    config: Any, custom_objects: dict[str, Any] | None, catalogue: Catalogue | None
) -> Any:
    if isinstance(config, list):
        return [deserialize(item, custom_objects) for item in config]
    if not isinstance(config, dict):
        return config
    if "class_name" not in config:
        return {key: deserialize(value, custom_objects) for key, value in config.items()}
    class_name, inner = _named(config, "class_name"), config.get("config")
    registered, module = _named(config, "registered_name"), _named(config, "module")
    if class_name in _PLAIN:
        try:
            return _PLAIN[class_name](inner)
        except (KeyError, TypeError, ValueError) as error:
            problem = f"The config of a {class_name} is damaged: {error}"
            raise ArgumentError(problem, received=repr(inner)[:80]) from None
    known = {**_custom, **(custom_objects or {})}
    if class_name == "function":
        return _find_function(inner, registered, known, catalogue)
    found = known.get(registered) or known.get(class_name)
    if found is None:
        found = _find_builtin(module, class_name, registered, known, catalogue)
    if not inspect.isclass(found):
        raise ArgumentError(
            "A config names something that is not a class.", received=repr(class_name)
        )
    if not isinstance(inner, dict):
        problem = f"The config of a {found.__name__} is damaged."
        raise ArgumentTypeError(problem, expected="a dict", received=repr(inner)[:80])
    with (
        _noting(f"{class_name} {short(inner.get('name', ''), 30)}"),
        custom_object_scope(custom_objects),
        reading_config(found.__name__, own=is_own_class(found)),
    ):
        _check_flags(found, inner)
        make: Callable[..., Any] | None = getattr(found, "from_config", None)
        instance: Any = make(inner) if make is not None else found(**inner)
        # Gazelle's own layers are built by their models.
        if config.get("build_config") and not is_own_class(found):
            instance.build_from_config(config["build_config"])
        if config.get("compile_config") and hasattr(instance, "compile_from_config"):
            instance.compile_from_config(config["compile_config"])
    return instance


def _check_flags(kind: type, config: dict[str, Any]) -> None:
    """Refuse a config of Gazelle's own classes in which an option for true or false is neither."""
    if not is_own_class(kind):
        return
    for name in _flags(kind) & config.keys():
        value = config[name]
        if not isinstance(value, int) or value not in (0, 1):
            raise ArgumentError(
                f"{name} of a {kind.__name__} is a flag.",
                expected="true or false",
                received=short(value),
            )


@cache
def _flags(kind: type) -> frozenset[str]:
    """The arguments of a class, and of its base classes, that are true or false."""
    annotations: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        annotations |= getattr(vars(base).get("__init__"), "__annotations__", {})
    return frozenset(name for name, kind in annotations.items() if kind in ("bool", bool))


@contextmanager
def _noting(place: str) -> Iterator[None]:
    """Note in an error of Gazelle's which part of a config it comes from."""
    try:
        yield
    except GazelleError as error:
        error.places.append(place)
        raise


def _named(config: dict[str, Any], key: str) -> str:
    """A name in a config; `""` where there is none."""
    name = config.get(key)
    if name is not None and not isinstance(name, str):
        raise ArgumentError(
            "A config is damaged.", expected=f"a name as {key}", received=short(name)
        )
    return name or ""


def _number_type(name: Any) -> np.dtype:
    found = np.dtype(name)
    if (
        found.kind not in "biufc" and found.name != "bfloat16"
    ) or found.shape:  # a text type may be of any size
        raise ValueError(f"{str(name)[:40]!r} is not a type of numbers")
    return found


def _tensor(value: Any, dtype: np.dtype) -> Any:
    import jax.numpy as jnp

    return jnp.array(value, dtype)


# Where configs say that Keras's classes are; "" where they do not say.
_KERAS = ("", "builtins", "gazelle", "keras", "keras_core", "tensorflow", "tf_keras")

_PLAIN: dict[str, Callable[[Any], Any]] = {
    "__numpy__": lambda inner: np.array(inner["value"], dtype=_number_type(inner["dtype"])),
    "__tensor__": lambda inner: _tensor(inner["value"], _number_type(inner["dtype"])),
    "__bytes__": lambda inner: inner["value"].encode(),
    "__slice__": lambda inner: slice(
        *(deserialize(inner[name]) for name in ("start", "stop", "step"))
    ),
    "__ellipsis__": lambda inner: Ellipsis,
    "DTypePolicy": lambda inner: DTypePolicy(**inner),
}


def _find_builtin(
    module: str,
    class_name: str,
    registered: str,
    known: dict[str, Any],
    catalogue: Catalogue | None,
) -> Any:
    """A class of Gazelle's; never in place of a user's class of the same name."""
    if (module, class_name) not in _builtins:
        load_rooms()  # this process may not have loaded the room of that class yet
    is_keras = (module, class_name) in _builtins or module.partition(".")[0] in _KERAS
    if not is_keras or registered not in ("", class_name):
        raise _unknown(catalogue, registered or class_name, known)
    return _builtins.get((module, class_name)) or _find(class_name, known, catalogue)


def _find_function(
    name: Any, registered: str, known: dict[str, Any], catalogue: Catalogue | None
) -> Any:
    if not isinstance(name, str):
        raise ArgumentTypeError(
            "The config of a function is damaged.", expected="its name", received=short(name)
        )
    by_short_name = [entry for entry in known if entry.partition(">")[2] == name]
    if name not in known and registered == "function" and len(by_short_name) == 1:
        return known[by_short_name[0]]  # older files leave out the package
    found = _find(name, known, catalogue)
    if name not in known and registered not in ("", "function", name):
        raise _unknown(catalogue, registered, known)  # never Gazelle's for a user's
    if inspect.isclass(found):
        raise ArgumentError("A config names a class as a function.", received=repr(name))
    return found


def _find(name: str, known: dict[str, Any], catalogue: Catalogue | None) -> Any:
    named = catalogue.names if catalogue else {}
    candidates = {**{key[1]: value for key, value in _builtins.items()}, **named, **known}
    if name not in candidates:
        raise _unknown(catalogue, name, candidates)
    return candidates[name]


def _unknown(catalogue: Catalogue | None, name: str, known: Iterable[str]) -> UnknownNameError:
    also = "a class or function of your own: pass custom_objects={name: it}, or register it with "
    also += "@gazelle.saving.register_keras_serializable()"
    return UnknownNameError(catalogue.kind if catalogue else "object", name, known, also=also)
