"""From losses of samples to one number: sample weights, masks, reductions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.errors import ShapeError
from gazelle.losses.shapes import same_rank

REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)


def reduce_weighted(
    values: jax.Array,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: str | None = "sum_over_batch_size",
) -> jax.Array:
    """The weighted values, summed up as `reduction` says.

    `"sum_over_batch_size"` and `"mean"` divide by the number of values (not by the sum of the
    weights), `"mean_with_sample_weight"` by the sum of the weights, `"sum"` by nothing; `"none"`
    and None leave one value per sample. Masked values count in none of these: neither above nor
    below the line.

    Args:
        values: Losses, of any shape.
        sample_weight: A number, or weights that broadcast to the shape of `values`; None for 1.
        mask: True for values that count; None for all.
        reduction: One of `REDUCTIONS`.

    Returns:
        A scalar, or an array of the shape of `values` without a reduction.

    Raises:
        ShapeError: The shape of `sample_weight` or `mask` does not fit.
    """
    averaged = reduction not in ("sum", "none", None)
    weight = None
    if mask is not None:
        weight = jnp.asarray(mask).astype(values.dtype)
        if averaged:
            valid = jnp.sum(weight)
            weight = weight * jnp.where(
                valid == 0, 0.0, weight.size / jnp.where(valid == 0, 1.0, valid)
            )
    if sample_weight is not None:
        given = jnp.asarray(sample_weight).astype(values.dtype)
        if weight is None:
            weight = given
        else:
            given, weight = same_rank(given, weight)
            weight = _product(weight, given, "sample_weight", "mask")
    if weight is not None:
        values, weight = same_rank(values, weight)
        values = _product(values, weight, "sample_weight", "losses")
    if reduction in ("none", None):
        return values
    total = jnp.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weight is not None:
        divisor = jnp.sum(weight)
        return jnp.where(divisor == 0, 0.0, total / jnp.where(divisor == 0, 1.0, divisor))
    return total / max(values.size, 1)


def _product(values: jax.Array, weight: jax.Array, name: str, other: str) -> jax.Array:
    # Weights of fewer axes would be laid along the last axis, not the first: wrong wherever it does
    # not fail.
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
            "pass one weight per sample; for losses of more than one axis add axes of size 1:"
            " weights[:, None]"
        ),
    )
