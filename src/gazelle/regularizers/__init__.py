"""Regularizers: penalties on weights or outputs, which are added to the loss."""

from typing import Any

from gazelle._core import registry as _registry
from gazelle.regularizers._penalties import (
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


get = catalogue.get
deserialize = catalogue.deserialize


def serialize(regularizer: Any) -> Any:
    """The config of a regularizer; None for None."""
    return _registry.serialize(regularizer)


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
