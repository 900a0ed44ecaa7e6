"""The projections: norms bounded above, bounded on both sides or equal to 1, and weights that are not negative.

For a kernel `(inputs, units)` the default `axis=0` looks at each unit's incoming weights.
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
    """What every constraint is: called on a weight it returns the weight that takes its place.

    A subclass defines `__call__(w)` and, if its constructor takes arguments, `get_config()`.
    """

    def __call__(self, w: Any) -> Any:
        """The weight that takes the place of `w`; here `w` itself."""
        return w

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal constraint."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        """A constraint from `get_config`."""
        return cls(**config)


@catalogue.add("maxnorm")
class MaxNorm(Constraint):
    """Vectors longer than `max_value` are shortened to it.

    Args:
        max_value: Largest Euclidean norm.
        axis: The axis or axes along which the norm is taken; None for all.
    """

    def __init__(self, max_value: float = 2, axis: Axis = 0):
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: Any) -> jax.Array:
        """The weight `w` within the bound."""
        w = jnp.asarray(w)
        norms = _norms(w, self.axis)
        return w * (jnp.clip(norms, 0, self.max_value) / (epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal constraint."""
        return {"max_value": self.max_value, "axis": self.axis}


@catalogue.add("minmaxnorm")
class MinMaxNorm(Constraint):
    """Vectors are scaled towards a norm from `min_value` to `max_value`.

    Args:
        min_value: Smallest Euclidean norm.
        max_value: Largest Euclidean norm.
        rate: 1 puts the norm into the bounds at once, smaller numbers move it there by that
            fraction each time.
        axis: The axis or axes along which the norm is taken; None for all.
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
        wanted = (
            self.rate * jnp.clip(norms, self.min_value, self.max_value) + (1.0 - self.rate) * norms
        )
        return w * (wanted / (epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal constraint."""
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


@catalogue.add("nonneg")
class NonNeg(Constraint):
    """Negative weights become 0."""

    def __call__(self, w: Any) -> jax.Array:
        """The weight `w` without its negative values."""
        return jnp.maximum(jnp.asarray(w), 0.0)


@catalogue.add("unitnorm")
class UnitNorm(Constraint):
    """Vectors are scaled to norm 1.

    Args:
        axis: The axis or axes along which the norm is taken; None for all.
    """

    def __init__(self, axis: Axis = 0):
        self.axis = axis

    def __call__(self, w: Any) -> jax.Array:
        """The weight `w` as unit vectors."""
        w = jnp.asarray(w)
        return w / (epsilon() + _norms(w, self.axis))

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal constraint."""
        return {"axis": self.axis}


def _norms(w: jax.Array, axis: Axis) -> jax.Array:
    axes = tuple(axis) if isinstance(axis, Sequence) else axis
    return jnp.sqrt(jnp.sum(jnp.square(w), axes, keepdims=True))
