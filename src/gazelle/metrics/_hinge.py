"""Hinge errors: 0 for predictions on the correct side by a margin of 1."""

from __future__ import annotations

from typing import Any

from gazelle import losses
from gazelle.metrics._averages import FunctionMetric
from gazelle.metrics._base import catalogue


@catalogue.add()
class Hinge(FunctionMetric):
    """Mean of max(1 - y p, 0), where y is -1 or 1 (targets 0 and 1 are converted).

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    _direction = "down"

    def __init__(self, name: str | None = "hinge", dtype: Any = None):
        super().__init__(losses.hinge, name, dtype)


@catalogue.add()
class SquaredHinge(FunctionMetric):
    """Mean of max(1 - y p, 0)^2, where y is -1 or 1 (targets 0 and 1 are converted).

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    _direction = "down"

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None):
        super().__init__(losses.squared_hinge, name, dtype)


@catalogue.add()
class CategoricalHinge(FunctionMetric):
    """Mean of max(1 + greatest wrong score - right score, 0) over samples, for one-hot targets.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    _direction = "down"

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None):
        super().__init__(losses.categorical_hinge, name, dtype)
