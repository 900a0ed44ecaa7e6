"""The constraints: bounded norms, unit norms and non-negative weights.

For a kernel `(inputs, units)` the default `axis=0` constrains the incoming weights of each unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import epsilon
from gazelle._core.registry import Catalogue, builtin

catalogue = Catalogue("constraint", "keras.constraints")

Axis = int | Sequence[int] | None


@builtin("keras.constraints")
class Constraint:
    """Base class of constraints: called on a weight, it returns the weight that replaces it.

    A subclass defines `__call__(w)` and, if its constructor takes arguments, `get_config()`.
    """

    def __call__(self, w: Any) -> Any:
        """The weight that replaces `w`; here `w` itself."""
        return w

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        """Creates a constraint from its config."""
        return cls(**config)


@catalogue.add("maxnorm")
class MaxNorm(Constraint):
    """Scales vectors longer than `max_value` down to it.

    Args:
        max_value: Largest Euclidean norm.
        axis: The axis or axes of the vectors; None for all.
    """

    def __init__(self, max_value: float = 2, axis: Axis = 0):
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: Any) -> jax.Array:
        """The weight `w`, scaled to the bound."""
        w = jnp.asarray(w)
        norms = _norms(w, self.axis)
        return w * (jnp.clip(norms, 0, self.max_value) / (epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"max_value": self.max_value, "axis": self.axis}


@catalogue.add("minmaxnorm")
class MinMaxNorm(Constraint):
    """Scales vectors to a norm from `min_value` to `max_value`.

    Args:
        min_value: Smallest Euclidean norm.
        max_value: Largest Euclidean norm.
        rate: Fraction of the way to the bounds that each update moves the norm; 1 for all of it.
        axis: The axis or axes of the vectors; None for all.
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0
    ):
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Any) -> jax.Array:
        """The weight `w`, moved towards the bounds."""
        w = jnp.asarray(w)
        norms = _norms(w, self.axis)
        bounded = jnp.clip(norms, self.min_value, self.max_value)
        new_norms = self.rate * bounded + (1.0 - self.rate) * norms
        return w * (new_norms / (epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


@catalogue.add("nonneg")
class NonNeg(Constraint):
    """Sets negative weights to 0."""

    def __call__(self, w: Any) -> jax.Array:
        """The weight `w` with negative values set to 0."""
        return jnp.maximum(jnp.asarray(w), 0.0)


@catalogue.add("unitnorm")
class UnitNorm(Constraint):
    """Scales vectors to norm 1.

    Args:
        axis: The axis or axes of the vectors; None for all.
    """

    def __init__(self, axis: Axis = 0):
        self.axis = axis

    def __call__(self, w: Any) -> jax.Array:
        """The weight `w`, scaled to unit vectors."""
        w = jnp.asarray(w)
        return w / (epsilon() + _norms(w, self.axis))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"axis": self.axis}


def _norms(w: jax.Array, axis: Axis) -> jax.Array:
    axes = tuple(axis) if isinstance(axis, Sequence) else axis
    return jnp.sqrt(jnp.sum(jnp.square(w), axes, keepdims=True))
