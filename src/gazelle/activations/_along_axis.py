"""Activations that act along an axis: softmax, log-softmax, sparsemax, GLU."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gazelle.activations._catalogue import activation


@activation()
def softmax(x: jax.Array, axis: int = -1) -> jax.Array:
    """`exp(x) / sum(exp(x))` along `axis`: positive numbers that sum to 1.

    Args:
        x: Input of rank 1 or more.
        axis: The axis that holds the classes.
    """
    return jax.nn.softmax(x, axis)


@activation()
def log_softmax(x: jax.Array, axis: int = -1) -> jax.Array:
    """`log(softmax(x))`, computed without overflow.

    Args:
        x: Input.
        axis: The axis that holds the classes.
    """
    return jax.nn.log_softmax(x, axis)


@activation()
def sparsemax(x: jax.Array, axis: int = -1) -> jax.Array:
    """The point of the probability simplex nearest to `x`: like softmax, but with exact zeros.

    It is `max(x - tau, 0)`, where `tau` makes the sum 1 (Martins and Astudillo, 2016). Keras up to
    3.15 uses another `tau`, so that its sum is less than 1 where more than one class is positive
    (keras-team/keras#23469).

    Args:
        x: Input.
        axis: The axis that holds the classes.
    """
    z = jnp.flip(jnp.sort(x, axis), axis)  # descending
    sums = jnp.cumsum(z, axis)
    other_axes = [i for i in range(x.ndim) if i != axis % x.ndim]
    ranks = jnp.arange(1, x.shape[axis] + 1, dtype=x.dtype)
    ranks = jnp.expand_dims(ranks, other_axes)
    support = z - (sums - 1.0) / ranks > 0  # True for the classes whose output is positive
    size = jnp.sum(support, axis, keepdims=True)
    tau = (jnp.sum(jnp.where(support, z, 0.0), axis, keepdims=True) - 1.0) / size
    return jnp.maximum(x - tau, 0.0)


@activation()
def glu(x: jax.Array, axis: int = -1) -> jax.Array:
    """`a * sigmoid(b)` with `a` and `b` the halves of `x` along `axis` (Dauphin et al., 2016).

    Args:
        x: Input whose size along `axis` is even.
        axis: The axis to split.
    """
    return jax.nn.glu(x, axis)
