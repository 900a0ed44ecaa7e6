"""Lookup of optimizers by name or config; names may be in upper or lower case."""

from __future__ import annotations

from typing import Any

from gazelle._core import registry
from gazelle._core.errors import UnknownNameError
from gazelle.optimizers._optimizer import Optimizer, catalogue
from gazelle.optimizers._transformations import OptaxOptimizer, is_transformation


def get(identifier: Any) -> Any:
    """Returns an optimizer by name or config.

    Args:
        identifier: A name in upper or lower case (`"adam"`, `"Adam"`); a config; a class, which is
            instantiated; a transformation of optax, which becomes an `OptaxOptimizer`; or an
            instance or None, which is returned as it is.

    Raises:
        UnknownNameError: No optimizer has that name; the message suggests the nearest names.

    Example:
        >>> get("Adam").get_config()["learning_rate"]
        0.001
    """
    if isinstance(identifier, str) and identifier not in registry.get_custom_objects():
        identifier = _spelled_as_known(identifier)
    if isinstance(identifier, dict) and "class_name" in identifier:
        return deserialize(identifier)
    if is_transformation(identifier):
        return OptaxOptimizer(identifier)
    found = None if identifier is None else catalogue.get(identifier)
    if found is not None and not hasattr(found, "apply"):
        raise UnknownNameError("optimizer", identifier, catalogue.names)
    return found


def serialize(optimizer: Optimizer) -> Any:
    """The JSON-ready config of an optimizer."""
    return registry.serialize(optimizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Creates the optimizer described by a config.

    Args:
        config: A return value of `serialize`.
        custom_objects: Further classes by name.

    Raises:
        UnknownNameError: The config names an unknown optimizer.
    """
    known = {**registry.get_custom_objects(), **(custom_objects or {})}
    name = config.get("class_name") if isinstance(config, dict) else None
    if isinstance(name, str) and name not in known:
        config = {**config, "class_name": _spelled_as_known(name)}
    return registry.deserialize(config, custom_objects, catalogue=catalogue)


def _spelled_as_known(name: str) -> str:
    """The known name that equals `name` except for upper and lower case, or else `name`."""
    if name in catalogue.names:
        return name
    for known in catalogue.names:
        if known.lower() == name.lower():
            return known
    return name
