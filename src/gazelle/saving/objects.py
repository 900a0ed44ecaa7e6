"""Objects from configs, with Keras's arguments."""

from __future__ import annotations

from typing import Any

from gazelle._core import registry


def deserialize_keras_object(
    config: Any,
    custom_objects: dict[str, Any] | None = None,
    safe_mode: bool = True,
) -> Any:
    """The object that `serialize_keras_object` described, in Gazelle or Keras.

    Only constructors of known classes are run.

    Args:
        config: What it returned, also after a trip through JSON.
        custom_objects: Classes and functions by name, beside the registered ones.
        safe_mode: Changes nothing: a config's code is never run.

    Raises:
        UnknownNameError: The config names a class or function that is not known.
        ArgumentError: The config is damaged.
        ArgumentTypeError: A part of the config has the wrong type.
    """
    return registry.deserialize(config, custom_objects)


def get_registered_object(
    name: str,
    custom_objects: dict[str, Any] | None = None,
    module_objects: dict[str, Any] | None = None,
) -> Any:
    """The class or function registered under a name, or None.

    Args:
        name: The registered name: `"package>name"`.
        custom_objects: Classes and functions by name, which come first after the scope's.
        module_objects: Further ones, which come last.
    """
    found = registry.get_registered_object(name, custom_objects)
    return (module_objects or {}).get(name) if found is None else found
