"""Gradients before an update: missing ones are dropped, the others are clipped."""

from __future__ import annotations

import warnings
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.sparse import dense
from gazelle._core.variable import Variable


def clip(
    gradients: list[jax.Array],
    clipnorm: float | None,
    clipvalue: float | None,
    global_clipnorm: float | None,
) -> list[jax.Array]:
    """Clips gradients by the one limit that is not None (see `Optimizer`)."""
    if clipvalue is not None:
        return [jnp.clip(gradient, -clipvalue, clipvalue) for gradient in gradients]
    if clipnorm is not None:
        norms = [jnp.sqrt(jnp.sum(gradient**2)) for gradient in gradients]
        return [
            g * (clipnorm / jnp.maximum(norm, clipnorm))
            for g, norm in zip(gradients, norms, strict=True)
        ]
    if global_clipnorm is not None:
        norm = jnp.sqrt(sum(jnp.sum(gradient**2) for gradient in gradients))
        scale = global_clipnorm / jnp.maximum(norm, global_clipnorm)
        # With an infinite norm the scale would be 0, which would hide the overflow.
        scale = jnp.where(jnp.isfinite(norm), scale, jnp.nan)
        return [gradient * scale for gradient in gradients]
    return gradients


def usable(grads: list[Any], variables: list[Variable]) -> tuple[list[jax.Array], list[Variable]]:
    """The gradients that are not None, as arrays (sparse ones dense), and their variables.

    Raises:
        ArgumentError: The lists differ in length, or all gradients are None.
        ShapeError: A gradient has another shape than its variable.
    """
    if len(grads) != len(variables):
        raise ArgumentError(
            "The gradients do not match the variables one to one.",
            expected=f"{len(variables)} gradients",
            received=len(grads),
        )
    all_pairs = list(zip(grads, variables, strict=True))
    pairs = [(jnp.asarray(dense(gradient)), v) for gradient, v in all_pairs if gradient is not None]
    missing = [variable.path for gradient, variable in all_pairs if gradient is None]
    if not pairs:
        raise ArgumentError(
            "No gradients provided for any variable.", fix="pass a gradient that is not None"
        )
    if missing:
        warnings.warn(
            f"Gradients do not exist for variables {missing}: they are not updated.", stacklevel=3
        )
    for gradient, variable in pairs:
        if gradient.shape != variable.shape:
            raise ShapeError(
                f"The gradient of {variable.path!r} has the wrong shape.",
                expected=variable.shape,
                received=gradient.shape,
            )
    return [gradient for gradient, _ in pairs], [variable for _, variable in pairs]
