"""Hinge errors: 0 where the right side wins by a margin of 1."""

from __future__ import annotations

from typing import Any

from gazelle import losses
from gazelle.metrics.averages import FunctionMetric
from gazelle.metrics.base import catalogue


@catalogue.add()
class Hinge(FunctionMetric):
    """Mean of max(1 - y p, 0), y being -1 or 1 (0 and 1 are taken for them).

    Args:
        name: Name in the logs.
        dtype: Type of the state; floatx when None.
    """

    _direction = "down"

    def __init__(self, name: str | None = "hinge", dtype: Any = None):
        super().__init__(losses.hinge, name, dtype)


@catalogue.add()
class SquaredHinge(FunctionMetric):
    """Mean of max(1 - y p, 0)^2, y being -1 or 1 (0 and 1 are taken for them).

    Args:
        name: Name in the logs.
        dtype: Type of the state; floatx when None.
    """

    _direction = "down"

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None):
        super().__init__(losses.squared_hinge, name, dtype)


@catalogue.add()
class CategoricalHinge(FunctionMetric):
    """Mean over samples of max(1 + the greatest wrong score - the right score, 0), for one-hot targets.

    Args:
        name: Name in the logs.
        dtype: Type of the state; floatx when None.
    """

    _direction = "down"

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None):
        super().__init__(losses.categorical_hinge, name, dtype)
