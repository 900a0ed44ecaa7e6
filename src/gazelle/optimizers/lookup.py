"""From names and configs to optimizers and back."""

from __future__ import annotations

from typing import Any

from gazelle._core import registry
from gazelle._core.errors import UnknownNameError
from gazelle.optimizers.optimizer import Optimizer, catalogue


def get(identifier: Any) -> Any:
    """The optimizer that `identifier` stands for.

    Args:
        identifier: A name in upper or lower case (`"adam"`, `"Adam"`), a config, a class or an
            instance; None gives None.

    Raises:
        UnknownNameError: It stands for none; the nearest names are in the message.

    Example:
        >>> get("Adam").get_config()["learning_rate"]
        0.001
    """
    if isinstance(identifier, str) and identifier not in registry.get_custom_objects():
        identifier = _own_case(identifier)
    if isinstance(identifier, dict) and "class_name" in identifier:
        return deserialize(identifier)
    found = None if identifier is None else catalogue.get(identifier)
    if found is not None and not hasattr(found, "apply"):
        raise UnknownNameError("optimizer", identifier, catalogue.names)
    return found


def serialize(optimizer: Optimizer) -> Any:
    """The config of an optimizer, JSON-ready."""
    return registry.serialize(optimizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """An optimizer from `serialize`.

    Raises:
        UnknownNameError: The config names no known optimizer.
    """
    known = {**registry.get_custom_objects(), **(custom_objects or {})}
    name = config.get("class_name") if isinstance(config, dict) else None
    if isinstance(name, str) and name not in known:
        config = {**config, "class_name": _own_case(name)}
    return registry.deserialize(config, custom_objects, catalogue=catalogue)


def _own_case(name: str) -> str:
    """The known name that differs from `name` in upper and lower case only, or `name`."""
    if name in catalogue.names:
        return name
    return next((known for known in catalogue.names if known.lower() == name.lower()), name)
