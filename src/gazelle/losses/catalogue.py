"""The catalogue of losses: lookup by name or config."""

from __future__ import annotations

from typing import Any

from gazelle._core import registry
from gazelle._core.operation import StepCatalogue

# The name of a function (`"mse"`) stands for the function, that of a class for an instance.
catalogue = StepCatalogue("loss", "keras.losses")
get = catalogue.get
deserialize = catalogue.deserialize


def serialize(loss: Any) -> Any:
    """The config of a loss; for a built-in function its name, for None None.

    Raises:
        ArgumentTypeError: `loss` is a lambda, or another object that has no config.
    """
    return registry.serialize(loss)
