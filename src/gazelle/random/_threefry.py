"""Threefry-2x32 with unrolled rounds: the numbers of `jax.random`, but faster in loops on a CPU.

Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011. JAX computes the twenty rounds
in loops, so that they compile fast. On a CPU the overhead of each iteration exceeds the arithmetic
for a mask of a few thousand numbers. Unrolled, the rounds are one pass over the result: a mask of
(32, 64) in a compiled loop takes 7 to 10 microseconds instead of 60 to 69.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


@functools.partial(jax.jit, static_argnames=("shape", "minval", "maxval"), inline=True)
def uniform(
    key: Any, shape: tuple[int, ...], minval: float = 0.0, maxval: float = 1.0
) -> jax.Array:
    """Float32 numbers from `minval` (included) to `maxval` (excluded), as `jax.random.uniform`.

    Args:
        key: uint32 `(2,)`; with any other key JAX draws.
        shape: Shape of the result.
        minval: Lower bound.
        maxval: Upper bound.
    """
    if not _is_supported(key):
        return jax.random.uniform(key, shape, jnp.float32, minval, maxval)
    # 23 random bits are the mantissa of a float32 from 1 to 2, whose other bits are those of 1.0.
    bits = (_bits(key, shape) >> 9) | np.uint32(0x3F800000)
    floats = jax.lax.bitcast_convert_type(bits, jnp.float32) - 1.0
    low, high = np.float32(minval), np.float32(maxval)
    return jnp.maximum(low, floats * (high - low) + low)


@functools.partial(jax.jit, static_argnames=("probability", "shape"), inline=True)
def bernoulli(key: Any, probability: float, shape: tuple[int, ...]) -> jax.Array:
    """Bools, True with `probability`, as `jax.random.bernoulli`."""
    drawn = uniform(key, shape) < np.float32(probability)
    # The square root does not change 0 and 1, but XLA considers it expensive. So it keeps the mask
    # for the backward pass instead of drawing it again. (An optimization barrier does not help,
    # because XLA removes it before that decision.)
    return jnp.sqrt(drawn.astype(jnp.float32)) > 0


@functools.partial(jax.jit, static_argnames=("shape", "dtype"), inline=True)
def normal(key: Any, shape: tuple[int, ...], dtype: str = "float32") -> jax.Array:
    """Standard normal numbers, as `jax.random.normal`; dtypes except float32 are drawn by JAX."""
    if dtype != "float32":
        return jax.random.normal(key, shape, dtype)
    low = float(np.nextafter(np.float32(-1), np.float32(0)))
    return np.float32(np.sqrt(2)) * jax.lax.erf_inv(uniform(key, shape, low, 1.0))


def is_drawn_here() -> bool:
    """Whether these functions draw from keys of two words; with other settings JAX draws."""
    implementation = getattr(jax.config, "jax_default_prng_impl", None)
    partitionable = getattr(jax.config, "jax_threefry_partitionable", False)
    return implementation == "threefry2x32" and bool(partitionable)


def _is_supported(key: Any) -> bool:
    return getattr(key, "shape", None) == (2,) and key.dtype == jnp.uint32 and is_drawn_here()


def _bits(key: Any, shape: tuple[int, ...]) -> jax.Array:
    """A random uint32 per element: the exclusive or of both words of the block of its index."""
    keys = [key[0], key[1], key[0] ^ key[1] ^ _PARITY]
    index = jax.lax.iota(jnp.uint32, int(np.prod(shape, dtype=np.int64))).reshape(shape)
    x = [jnp.zeros(shape, jnp.uint32) + keys[0], index + keys[1]]
    for group in range(5):
        for distance in _ROTATIONS[group % 2]:
            x[0] = x[0] + x[1]
            x[1] = x[0] ^ ((x[1] << distance) | (x[1] >> (32 - distance)))
        x[0] = x[0] + keys[(group + 1) % 3]
        x[1] = x[1] + keys[(group + 2) % 3] + np.uint32(group + 1)
    return x[0] ^ x[1]
