"""The catalogue of losses: lookup by name or config."""

from __future__ import annotations

from typing import Any

from gazelle._core import registry
from gazelle._core.operation import StepCatalogue

# The name of a function (`"mse"`) stands for the function, that of a class for an instance.
catalogue = StepCatalogue("loss", "keras.losses")
get = catalogue.get


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A loss by name or config; see `get`.

    Args:
        name: What `serialize` returned; anything that `get` takes also works.
        custom_objects: Further classes and functions by name.

    Raises:
        UnknownNameError: The name is unknown.
        ArgumentError: The config is damaged.
    """
    return catalogue.deserialize(name, custom_objects)


def serialize(loss: Any) -> Any:
    """The config of a loss; for a built-in function its name, for None None.

    Raises:
        ArgumentTypeError: `loss` is a lambda, or another object that has no config.
    """
    return registry.serialize(loss)
