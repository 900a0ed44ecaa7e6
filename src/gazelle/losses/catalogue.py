"""The names of the losses and how to get one from a name or config."""

from __future__ import annotations

from typing import Any

from gazelle._core import registry

catalogue = registry.Catalogue("loss", "keras.losses")


def get(identifier: Any) -> Any:
    """The loss that `identifier` stands for.

    Args:
        identifier: None (gives None), a name (a function for `"mean_squared_error"` or `"mse"`, an
            instance for `"MeanSquaredError"`), a config, a class, or a function or instance
            (returned as it is).

    Raises:
        UnknownNameError: `identifier` stands for no loss.
    """
    return catalogue.get(identifier)


def serialize(loss: Any) -> Any:
    """The name of a built-in function, the config of any other function or loss; None of None.

    Raises:
        ArgumentTypeError: A lambda or another object that cannot be described.
    """
    return registry.serialize(loss)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The loss that `serialize` described.

    Args:
        config: What `serialize` returned.
        custom_objects: Further functions and classes by name.

    Raises:
        UnknownNameError: The config names something that is not known.
    """
    return catalogue.get(config, custom_objects)
