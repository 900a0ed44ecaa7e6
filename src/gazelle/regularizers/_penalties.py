"""The regularizers: L1, L2, both, and one that makes rows or columns orthogonal."""

from __future__ import annotations

import math
import numbers
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.checks import one_of
from gazelle._core.dtypes import epsilon
from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.registry import Catalogue, builtin

catalogue = Catalogue("regularizer", "keras.regularizers")


@builtin("keras.regularizers")
class Regularizer:
    """Base class of regularizers: called on an array, it returns a penalty to add to the loss.

    A subclass defines `__call__(x)` and `get_config()`.
    """

    def __call__(self, x: Any) -> Any:
        """The penalty of the array `x`, a scalar; here 0."""
        return 0.0

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments.

        Raises:
            NotImplementedError: The subclass does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not define get_config(), which returns the constructor's"
            " arguments."
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        """Creates a regularizer from its config."""
        return cls(**config)


@catalogue.add("l1")
class L1(Regularizer):
    """`l1 * sum(|x|)`, which drives weights to zero.

    Args:
        l1: Factor, at least 0.

    Raises:
        ArgumentError: `l1` is negative or not a number.
    """

    def __init__(self, l1: float = 0.01):
        self.l1 = _factor("l1", 0.01 if l1 is None else l1, "L1")

    def __call__(self, x: Any) -> jax.Array:
        """The penalty of the array `x`, a scalar."""
        return self.l1 * jnp.sum(jnp.abs(jnp.asarray(x)))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"l1": self.l1}


@catalogue.add("l2")
class L2(Regularizer):
    """`l2 * sum(x**2)`, which keeps weights small. There is no factor of one half.

    Args:
        l2: Factor, at least 0.

    Raises:
        ArgumentError: `l2` is negative or not a number.
    """

    def __init__(self, l2: float = 0.01):
        self.l2 = _factor("l2", 0.01 if l2 is None else l2, "L2")

    def __call__(self, x: Any) -> jax.Array:
        """The penalty of the array `x`, a scalar."""
        return self.l2 * jnp.sum(jnp.square(jnp.asarray(x)))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"l2": self.l2}


@catalogue.add("l1l2", "l1_l2")
class L1L2(Regularizer):
    """`l1 * sum(|x|) + l2 * sum(x**2)`.

    Args:
        l1: Factor of the magnitudes, at least 0; None counts as 0.
        l2: Factor of the squares, at least 0; None counts as 0.

    Raises:
        ArgumentError: A factor is negative or not a number.
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0):
        self.l1 = _factor("l1", 0.0 if l1 is None else l1, "L1L2")
        self.l2 = _factor("l2", 0.0 if l2 is None else l2, "L1L2")

    def __call__(self, x: Any) -> jax.Array:
        """The penalty of the array `x`, a scalar."""
        x = jnp.asarray(x)
        penalty = jnp.zeros((), x.dtype)
        if self.l1:
            penalty = penalty + self.l1 * jnp.sum(jnp.abs(x))
        if self.l2:
            penalty = penalty + self.l2 * jnp.sum(jnp.square(x))
        return penalty

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"l1": self.l1, "l2": self.l2}


@catalogue.add()
class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean magnitude of the cosines between all pairs of rows or columns.

    Args:
        factor: Factor, at least 0.
        mode: The vectors that should be orthogonal: `"rows"` or `"columns"`.

    Raises:
        ArgumentError: `factor` is negative or not a number, or `mode` is unknown.
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = _factor("factor", factor, "OrthogonalRegularizer")
        self.mode = one_of("mode", mode, ("rows", "columns"), "OrthogonalRegularizer")

    def __call__(self, inputs: Any) -> jax.Array:
        """The penalty of a matrix, a scalar; 0 for a single vector.

        Raises:
            ShapeError: `inputs` is not a matrix.
        """
        x = jnp.asarray(inputs)
        if x.ndim != 2:
            raise ShapeError(
                "Inputs to OrthogonalRegularizer must have rank 2.",
                expected="(rows, columns)",
                received=x.shape,
                fix="use it for kernels, not for biases",
            )
        vectors = x if self.mode == "rows" else x.T  # (vectors, components)
        # Bounding the squared norms keeps the gradient of a zero vector finite.
        squares = jnp.maximum(jnp.sum(jnp.square(vectors), 1, keepdims=True), epsilon() ** 2)
        unit = vectors * jax.lax.rsqrt(squares)
        cosines = unit @ unit.T
        count = len(vectors)
        others = 1.0 - jnp.eye(count, dtype=x.dtype)
        pairs = max(count * (count - 1) / 2, 1)
        return 0.5 * self.factor * jnp.sum(jnp.abs(cosines * others)) / pairs

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"factor": self.factor, "mode": self.mode}


def _factor(name: str, value: Any, owner: str) -> float:
    if not isinstance(value, numbers.Real) or not math.isfinite(value) or value < 0:
        raise ArgumentError(
            f"{owner}: {name} must be a non-negative number.",
            expected="a finite number >= 0",
            received=repr(value),
        )
    return float(value)
