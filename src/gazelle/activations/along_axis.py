"""Activations that look along an axis: softmax, log-softmax, sparsemax, GLU."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gazelle.activations.catalogue import activation


@activation()
def softmax(x: jax.Array, axis: int = -1) -> jax.Array:
    """`exp(x) / sum(exp(x))` along `axis`: positive numbers with sum 1.

    Args:
        x: Input of any rank from 1.
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
    """The point of the probability simplex nearest to `x`: sum 1 like softmax, with true zeros.

    `max(x - tau, 0)`, where `tau` makes the sum 1 (Martins and Astudillo, 2016). Keras up to 3.15
    takes another `tau`, and its sum falls short of 1 where more than one class is positive
    (keras-team/keras#23469).

    Args:
        x: Input.
        axis: The axis that holds the classes.
    """
    z = jnp.flip(jnp.sort(x, axis), axis)  # falling
    sums = jnp.cumsum(z, axis)
    ranks = jnp.arange(1, x.shape[axis] + 1, dtype=x.dtype)
    k = jnp.expand_dims(ranks, [i for i in range(x.ndim) if i != axis % x.ndim])
    support = z - (sums - 1.0) / k > 0  # true for the classes whose output is positive
    size = jnp.sum(support, axis, keepdims=True)
    tau = (jnp.sum(jnp.where(support, z, 0.0), axis, keepdims=True) - 1.0) / size
    return jnp.maximum(x - tau, 0.0)


@activation()
def glu(x: jax.Array, axis: int = -1) -> jax.Array:
    """`a * sigmoid(b)`, where `a` and `b` are the halves of `x` along `axis` (Dauphin et al., 2016).

    Args:
        x: Input whose size along `axis` is even.
        axis: The axis that is halved.
    """
    return jax.nn.glu(x, axis)
