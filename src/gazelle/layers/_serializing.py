"""The configs of layers: `layers.serialize` and `layers.deserialize`."""

from __future__ import annotations

from typing import Any

from gazelle._core import registry
from gazelle._core.errors import ArgumentError, short
from gazelle.layers._base import Layer


def serialize(layer: Layer) -> dict[str, Any]:
    """The JSON-ready config of a layer, from which `deserialize` makes an equal one."""
    return registry.serialize(layer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Layer:
    """A layer with new weights from its config.

    Args:
        config: What `serialize` returned, also after a trip through JSON.
        custom_objects: Classes and functions of the user's by name.

    Raises:
        UnknownNameError: The config names a class or function that is not known.
        ArgumentError: It is not the config of a layer.
    """
    found = registry.deserialize(config, custom_objects)
    if not isinstance(found, Layer):
        raise ArgumentError(
            "The config is not that of a layer.",
            expected="what layers.serialize(layer) returned",
            received=short(config),
        )
    return found
