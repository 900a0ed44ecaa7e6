"""Checks of arguments that many constructors share."""

from __future__ import annotations

import numbers
from collections.abc import Collection
from typing import Any

from gazelle._core.errors import ArgumentError


def positive_int(name: str, value: Any, owner: str) -> int:
    """`value` as an int > 0.

    Raises:
        ArgumentError: It is none.
    """
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value <= 0:
        raise ArgumentError(f"{owner}: {name} must be a positive integer.", expected="an int > 0", received=repr(value))
    return int(value)


def in_range(name: str, value: Any, low: float, high: float, owner: str) -> float:
    """`value` as a float within [low, high].

    Raises:
        ArgumentError: It is no number or outside.
    """
    if not isinstance(value, numbers.Real) or not low <= float(value) <= high:
        raise ArgumentError(
            f"{owner}: {name} is out of range.", expected=f"a number from {low} to {high}", received=repr(value)
        )
    return float(value)


def one_of(name: str, value: Any, allowed: Collection[Any], owner: str) -> Any:
    """`value`, when it is one of `allowed`.

    Raises:
        ArgumentError: It is not.
    """
    if value not in allowed:
        raise ArgumentError(
            f"{owner}: {name} has an unknown value.", expected=f"one of {tuple(allowed)}", received=repr(value)
        )
    return value
