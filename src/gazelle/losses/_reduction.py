"""Reduction of per-sample losses to one number: sample weights, masks, sums and means."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.errors import ShapeError
from gazelle.losses._shapes import same_rank

REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)


def reduce_weighted(
    values: jax.Array,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: str | None = "sum_over_batch_size",
) -> jax.Array:
    """Weights, masks and reduces per-sample losses.

    `"sum_over_batch_size"` and `"mean"` divide the sum by the number of values (not by the sum of
    the weights), `"mean_with_sample_weight"` divides it by the sum of the weights, and `"sum"` does
    not divide it; `"none"` and None leave one value per sample. Masked values are left out of both
    the sum and the divisor.

    Args:
        values: Losses, of any shape.
        sample_weight: A number, or weights that broadcast to the shape of `values`; None for 1.
        mask: True for values that count; None for all.
        reduction: One of `REDUCTIONS`.

    Returns:
        A scalar, or an array of the shape of `values` if there is no reduction.

    Raises:
        ShapeError: The shape of `sample_weight` or `mask` does not fit.
    """
    weight = None
    if mask is not None:
        weight = jnp.asarray(mask).astype(values.dtype)
        if reduction not in ("sum", "none", None):
            # The mean below divides by all values; this makes it a mean of the unmasked ones.
            weight = weight * _safe_ratio(weight.size, jnp.sum(weight))
    if sample_weight is not None:
        given = jnp.asarray(sample_weight).astype(values.dtype)
        weight = given if weight is None else masked_weight(given, weight)
    if weight is not None:
        values, weight = same_rank(values, weight)
        values = _product(values, weight, "sample_weight", "losses")
    if reduction in ("none", None):
        return values
    total = jnp.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weight is not None:
        return _safe_ratio(total, jnp.sum(weight))
    return total / max(values.size, 1)


def masked_weight(sample_weight: jax.Array, mask: jax.Array) -> jax.Array:
    """The product of sample weights and a mask of numbers, which broadcasts along the first axes.

    Raises:
        ShapeError: Their shapes do not fit.
    """
    sample_weight, mask = same_rank(sample_weight, mask)
    return _product(mask, sample_weight, "sample_weight", "mask")


def _safe_ratio(numerator: jax.Array | int, divisor: jax.Array) -> jax.Array:
    """`numerator / divisor`, or 0 where the divisor is 0; finite gradients in both cases."""
    is_zero = divisor == 0
    return jnp.where(is_zero, 0.0, numerator / jnp.where(is_zero, 1.0, divisor))


def _product(values: jax.Array, weight: jax.Array, name: str, other: str) -> jax.Array:
    # NumPy's broadcasting would align weights of fewer axes with the last axis instead of the
    # first, which is wrong even where it does not fail.
    fits = weight.size == 1 or values.ndim in (0, weight.ndim)
    if fits:
        try:
            return values * weight
        except (TypeError, ValueError):
            fits = False
    raise ShapeError(
        f"The shape of {name} does not fit that of the {other}.",
        expected=f"a number or a shape that broadcasts to {values.shape}, axis by axis",
        received=weight.shape,
        fix=(
            "pass one weight per sample; if the losses have more than one axis, add axes of size 1:"
            " weights[:, None]"
        ),
    )
