"""Draws from random distributions.

`seed` is an int (always the same numbers), a `SeedGenerator`, or None (other numbers every time).
Inside a compiled program it must be an int, a key, or a generator that belongs to a layer or model
of the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.checks import in_range
from gazelle._core.dtypes import is_float, standardize_dtype
from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.seeds import draw_key


def normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = None,
    seed: Any = None,
) -> jax.Array:
    """Normally distributed numbers.

    Args:
        shape: Shape of the result, a tuple of ints.
        mean: Mean.
        stddev: Standard deviation.
        dtype: A float type; floatx if None.
        seed: An int, a `SeedGenerator` or None.

    Raises:
        ArgumentError: `dtype` is not a float type, or `seed` is invalid.
    """
    dtype = _float_type(dtype, "normal")
    sample = jax.random.normal(draw_key(seed), tuple(shape), dtype)
    return sample * jnp.asarray(stddev, dtype) + jnp.asarray(mean, dtype)


def uniform(
    shape: Sequence[int],
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: Any = None,
    seed: Any = None,
) -> jax.Array:
    """Uniformly distributed numbers from `minval` (included) to `maxval` (excluded).

    Args:
        shape: Shape of the result, a tuple of ints.
        minval: Lower bound.
        maxval: Upper bound.
        dtype: A float type; floatx if None. For integers use `randint`.
        seed: An int, a `SeedGenerator` or None.

    Raises:
        ArgumentError: `dtype` is not a float type, or `seed` is invalid.
    """
    dtype = _float_type(dtype, "uniform", "; for integers use randint")
    return jax.random.uniform(draw_key(seed), tuple(shape), dtype, minval, maxval)


def truncated_normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = None,
    seed: Any = None,
) -> jax.Array:
    """Normally distributed numbers within two standard deviations; others are drawn again.

    Args:
        shape: Shape of the result, a tuple of ints.
        mean: Mean.
        stddev: Standard deviation before truncation.
        dtype: A float type; floatx if None.
        seed: An int, a `SeedGenerator` or None.

    Raises:
        ArgumentError: `dtype` is not a float type, or `seed` is invalid.
    """
    dtype = _float_type(dtype, "truncated_normal")
    sample = jax.random.truncated_normal(draw_key(seed), -2.0, 2.0, tuple(shape), dtype)
    return sample * jnp.asarray(stddev, dtype) + jnp.asarray(mean, dtype)


def randint(
    shape: Sequence[int], minval: int, maxval: int, dtype: Any = "int32", seed: Any = None
) -> jax.Array:
    """Uniformly distributed integers from `minval` (included) to `maxval` (excluded).

    Args:
        shape: Shape of the result, a tuple of ints.
        minval: Lower bound.
        maxval: Upper bound.
        dtype: An integer type.
        seed: An int, a `SeedGenerator` or None.

    Raises:
        ArgumentError: `dtype` is not an integer type, or `seed` is invalid.
    """
    name = standardize_dtype(dtype)
    if "int" not in name:
        raise ArgumentError(
            "randint only draws integers.",
            expected="an integer dtype",
            received=name,
            fix="use uniform",
        )
    return jax.random.randint(draw_key(seed), tuple(shape), minval, maxval, name)


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> jax.Array:
    """Class numbers, whose probabilities are the softmax of the logits.

    Args:
        logits: `(batch, classes)`, unnormalized log-probabilities.
        num_samples: Number of draws per row.
        dtype: An integer type.
        seed: An int, a `SeedGenerator` or None.

    Returns:
        `(batch, num_samples)` class numbers.

    Raises:
        ShapeError: `logits` does not have two axes.
    """
    logits = jnp.asarray(logits)
    if logits.ndim != 2:
        raise ShapeError(
            "categorical needs one row of logits per sample.",
            expected="(batch, classes)",
            received=logits.shape,
        )
    samples = jax.random.categorical(
        draw_key(seed), logits[:, :, None], axis=1, shape=(len(logits), num_samples)
    )
    return samples.astype(standardize_dtype(dtype))


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> jax.Array:
    """`x` with its slices along `axis` in random order; the rows of a table stay intact.

    Keras on JAX shuffles every column independently, which does not keep the rows; for an array of
    one axis the result is the same.

    Args:
        x: An array.
        axis: The axis to shuffle along.
        seed: An int, a `SeedGenerator` or None.
    """
    return jax.random.permutation(draw_key(seed), jnp.asarray(x), axis)


def dropout(
    inputs: Any, rate: float, noise_shape: Sequence[int | None] | None = None, seed: Any = None
) -> jax.Array:
    """`inputs` with a fraction `rate` set to 0 and the others scaled by 1 / (1 - rate).

    This keeps the mean (Srivastava et al., "Dropout", 2014).

    Args:
        inputs: An array.
        rate: Fraction to drop, from 0 to 1.
        noise_shape: Shape of the mask, which broadcasts along axes of size 1; None along an axis
            stands for the size of the inputs.
        seed: An int, a `SeedGenerator` or None.

    Raises:
        ArgumentError: `rate` is outside 0 to 1.
    """
    inputs = jnp.asarray(inputs)
    rate = in_range("rate", rate, 0.0, 1.0, "dropout")
    shape = inputs.shape
    if noise_shape is not None:
        pairs = zip(noise_shape, inputs.shape, strict=True)
        shape = tuple(own if n is None else n for n, own in pairs)
    keep = 1.0 - rate
    if keep == 0.0:
        return jnp.zeros_like(inputs)
    mask = jax.random.bernoulli(draw_key(seed), keep, shape)
    return jnp.where(mask, inputs / keep, jnp.zeros((), inputs.dtype))


def gamma(shape: Sequence[int], alpha: Any, dtype: Any = None, seed: Any = None) -> jax.Array:
    """Numbers from the gamma distribution with shape parameter `alpha` and scale 1.

    Args:
        shape: Shape of the result, a tuple of ints.
        alpha: Number or array > 0 that broadcasts to `shape`.
        dtype: A float type; floatx if None.
        seed: An int, a `SeedGenerator` or None.
    """
    return jax.random.gamma(
        draw_key(seed), jnp.asarray(alpha), tuple(shape), _float_type(dtype, "gamma")
    )


def beta(
    shape: Sequence[int], alpha: Any, beta: Any, dtype: Any = None, seed: Any = None
) -> jax.Array:
    """Numbers in 0 to 1 from the beta distribution.

    Args:
        shape: Shape of the result, a tuple of ints.
        alpha: First parameter, number or array > 0.
        beta: Second parameter, number or array > 0.
        dtype: A float type; floatx if None.
        seed: An int, a `SeedGenerator` or None.
    """
    return jax.random.beta(
        draw_key(seed),
        jnp.asarray(alpha),
        jnp.asarray(beta),
        tuple(shape),
        _float_type(dtype, "beta"),
    )


def binomial(
    shape: Sequence[int], counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None
) -> jax.Array:
    """Numbers of successes in `counts` trials with the given probability of success.

    Args:
        shape: Shape of the result, a tuple of ints.
        counts: Number of trials, number or array >= 0.
        probabilities: Number or array from 0 to 1.
        dtype: A float type; floatx if None.
        seed: An int, a `SeedGenerator` or None.
    """
    return jax.random.binomial(
        draw_key(seed),
        jnp.asarray(counts),
        jnp.asarray(probabilities),
        tuple(shape),
        _float_type(dtype, "binomial"),
    )


def _float_type(dtype: Any, owner: str, hint: str = "") -> str:
    name = standardize_dtype(dtype)
    if not is_float(name):
        raise ArgumentError(
            f"{owner} requires a floating point dtype.",
            expected=f"a float dtype{hint}",
            received=name,
        )
    return name
