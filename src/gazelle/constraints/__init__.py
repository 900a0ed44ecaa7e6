"""Constraints: projections of weights, which are applied after every update."""

from typing import Any

from gazelle._core import registry as _registry
from gazelle.constraints._projections import (
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


get = catalogue.get
deserialize = catalogue.deserialize


def serialize(constraint: Any) -> Any:
    """The config of a constraint; None for None."""
    return _registry.serialize(constraint)


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
