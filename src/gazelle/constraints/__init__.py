"""Constraints: projections that are applied to a weight after every update of it."""

from typing import Any

from gazelle._core import registry
from gazelle.constraints.projections import (
    Constraint,
    MaxNorm,
    MinMaxNorm,
    NonNeg,
    UnitNorm,
    catalogue,
)

max_norm = maxnorm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = nonneg = NonNeg
unit_norm = unitnorm = UnitNorm


def get(identifier: Any) -> Any:
    """The constraint that `identifier` stands for.

    Args:
        identifier: None (gives None), a name, a config, a class, or a callable or instance
            (returned as it is).

    Raises:
        UnknownNameError: `identifier` stands for no constraint.
    """
    return catalogue.get(identifier)


def serialize(constraint: Any) -> Any:
    """The config of a constraint; None of None."""
    return registry.serialize(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The constraint that `serialize` described.

    Args:
        config: What `serialize` returned, or a name.
        custom_objects: Further classes by name.

    Raises:
        UnknownNameError: The config names something that is not known.
    """
    return catalogue.get(config, custom_objects)


__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "maxnorm",
    "min_max_norm",
    "non_neg",
    "nonneg",
    "serialize",
    "unit_norm",
    "unitnorm",
]
