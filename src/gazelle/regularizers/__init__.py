"""Regularizers: penalties on weights or outputs that are added to the loss."""

from typing import Any

from gazelle._core import registry
from gazelle.regularizers.penalties import (
    L1,
    L1L2,
    L2,
    OrthogonalRegularizer,
    Regularizer,
    catalogue,
)

l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer


def get(identifier: Any) -> Any:
    """The regularizer that `identifier` stands for.

    Args:
        identifier: None (gives None), a name, a config, a class, or a callable or instance
            (returned as it is).

    Raises:
        UnknownNameError: `identifier` stands for no regularizer.
    """
    return catalogue.get(identifier)


def serialize(regularizer: Any) -> Any:
    """The config of a regularizer; None of None."""
    return registry.serialize(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The regularizer that `serialize` described.

    Args:
        config: What `serialize` returned, or a name.
        custom_objects: Further classes by name.

    Raises:
        UnknownNameError: The config names something that is not known.
    """
    return catalogue.get(config, custom_objects)


__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]
