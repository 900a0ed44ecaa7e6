"""Piecewise activations: the ReLU family, the hard sigmoids, the shrinking functions."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gazelle.activations._catalogue import activation


@activation()
def relu(
    x: jax.Array,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> jax.Array:
    """`x` above `threshold`, clipped at `max_value`, else `negative_slope * (x - threshold)`.

    With the defaults this is `max(x, 0)`, whose derivative at 0 is 0.

    Args:
        x: Input.
        negative_slope: Slope below the threshold.
        max_value: The largest output; None for no limit.
        threshold: Values up to this one count as negative.
    """
    if negative_slope != 0.0 and max_value is None and threshold == 0:
        return jax.nn.leaky_relu(x, negative_slope)
    if threshold == 0 and max_value == 6:
        # Like in Keras, the derivative at 6 is 0; that of a clip would be 0.5.
        kept = jax.nn.relu6(x)
    else:
        kept = jax.nn.relu(x) if threshold == 0 else jnp.where(x > threshold, x, 0.0)
        if max_value is not None:
            kept = jnp.clip(kept, 0.0, max_value)
    if negative_slope != 0.0:
        kept = kept - negative_slope * jax.nn.relu(threshold - x)
    return kept


@activation()
def leaky_relu(x: jax.Array, negative_slope: float = 0.2) -> jax.Array:
    """`x` where it is not negative, else `negative_slope * x`.

    Args:
        x: Input.
        negative_slope: Slope below 0.
    """
    return jax.nn.leaky_relu(x, negative_slope)


@activation()
def relu6(x: jax.Array) -> jax.Array:
    """`min(max(x, 0), 6)`."""
    return jax.nn.relu6(x)


@activation()
def hard_sigmoid(x: jax.Array) -> jax.Array:
    """`relu6(x + 3) / 6`, a sigmoid of three straight pieces."""
    return jax.nn.hard_sigmoid(x)


@activation("hard_swish")
def hard_silu(x: jax.Array) -> jax.Array:
    """`x * relu6(x + 3) / 6`, also called hard swish."""
    return jax.nn.hard_silu(x)


@activation()
def hard_tanh(x: jax.Array) -> jax.Array:
    """`x` clipped to -1 to 1."""
    return jax.nn.hard_tanh(x)


@activation()
def hard_shrink(x: jax.Array, threshold: float = 0.5) -> jax.Array:
    """`x` where its magnitude exceeds `threshold`, else 0.

    Args:
        x: Input.
        threshold: The largest magnitude that becomes 0.
    """
    return jnp.where(jnp.abs(x) > threshold, x, 0.0)


@activation()
def soft_shrink(x: jax.Array, threshold: float = 0.5) -> jax.Array:
    """`x` moved towards 0 by `threshold`; 0 where its magnitude is smaller.

    Args:
        x: Input.
        threshold: How far values move.
    """
    negative = jnp.where(x < -threshold, x + threshold, 0.0)
    return jnp.where(x > threshold, x - threshold, negative)


@activation()
def threshold(x: jax.Array, threshold: float, default_value: float) -> jax.Array:
    """`x` where it exceeds `threshold`, else `default_value`.

    Args:
        x: Input.
        threshold: The largest value that is replaced.
        default_value: The value that replaces it.
    """
    return jnp.where(x > threshold, x, default_value)


@activation()
def sparse_plus(x: jax.Array) -> jax.Array:
    """0 up to -1, `x` from 1, `(x + 1)**2 / 4` between."""
    return jax.nn.sparse_plus(x)


@activation()
def sparse_sigmoid(x: jax.Array) -> jax.Array:
    """0 up to -1, 1 from 1, `(x + 1) / 2` between: the derivative of `sparse_plus`."""
    return jax.nn.sparse_sigmoid(x)
