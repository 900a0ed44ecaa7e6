"""Threefry-2x32 written out: the very numbers of `jax.random`, cheaper inside a loop on a CPU.

Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011. JAX computes the twenty rounds
in loops, to compile them fast; each turn costs a CPU's program more than the arithmetic of a mask
of some thousand numbers. Written out they are one pass over the result: a mask of (32, 64) in a
compiled loop took 60 to 69 microseconds, and takes 7 to 10.
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
    """Float32 numbers from `minval` (included) to `maxval` (not), equal to `jax.random.uniform`'s.

    Args:
        key: uint32 `(2,)`, or any other key of JAX (then JAX draws).
        shape: Shape of the result.
        minval: Lower bound.
        maxval: Upper bound.
    """
    if not _written_out(key):
        return jax.random.uniform(key, shape, jnp.float32, minval, maxval)
    # 23 random bits behind the one of a float32 from 1 to 2
    floats = (
        jax.lax.bitcast_convert_type((_bits(key, shape) >> 9) | np.uint32(0x3F800000), jnp.float32)
        - 1.0
    )
    low, high = np.float32(minval), np.float32(maxval)
    return jnp.maximum(low, floats * (high - low) + low)


@functools.partial(jax.jit, static_argnames=("probability", "shape"), inline=True)
def bernoulli(key: Any, probability: float, shape: tuple[int, ...]) -> jax.Array:
    """Bools, True with `probability`, equal to `jax.random.bernoulli`'s."""
    drawn = uniform(key, shape) < np.float32(probability)
    # A root changes nothing in zeros and ones, but XLA counts it as dear and so computes the draw
    # once, where it would draw again for the backward pass (a barrier does not help: it is gone
    # before XLA decides).
    return jnp.sqrt(drawn.astype(jnp.float32)) > 0


@functools.partial(jax.jit, static_argnames=("shape", "dtype"), inline=True)
def normal(key: Any, shape: tuple[int, ...], dtype: str = "float32") -> jax.Array:
    """Numbers from the standard normal distribution, equal to `jax.random.normal`'s (JAX draws other types)."""
    if dtype != "float32":
        return jax.random.normal(key, shape, dtype)
    low = float(np.nextafter(np.float32(-1), np.float32(0)))
    return np.float32(np.sqrt(2)) * jax.lax.erf_inv(uniform(key, shape, low, 1.0))


def is_drawn_here() -> bool:
    """Whether keys of two words are drawn from by these functions, as JAX is set; else JAX draws."""
    settings = (
        getattr(jax.config, "jax_default_prng_impl", None),
        getattr(jax.config, "jax_threefry_partitionable", 0),
    )
    return settings == ("threefry2x32", True)


def _written_out(key: Any) -> bool:
    return getattr(key, "shape", None) == (2,) and key.dtype == jnp.uint32 and is_drawn_here()


def _bits(key: Any, shape: tuple[int, ...]) -> jax.Array:
    """A random uint32 for each element: the exclusive or of both words of the block with the number of its place."""
    keys = [key[0], key[1], key[0] ^ key[1] ^ _PARITY]
    place = jax.lax.iota(jnp.uint32, int(np.prod(shape, dtype=np.int64))).reshape(shape)
    x = [jnp.zeros(shape, jnp.uint32) + keys[0], place + keys[1]]
    for group in range(5):
        for distance in _ROTATIONS[group % 2]:
            x[0] = x[0] + x[1]
            x[1] = x[0] ^ ((x[1] << distance) | (x[1] >> (32 - distance)))
        x[0] = x[0] + keys[(group + 1) % 3]
        x[1] = x[1] + keys[(group + 2) % 3] + np.uint32(group + 1)
    return x[0] ^ x[1]
