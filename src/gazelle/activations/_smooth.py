"""Smooth activations: sigmoid, tanh, the ELU family, GELU, SiLU, softplus and others."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gazelle.activations._catalogue import activation


@activation()
def linear(x: jax.Array) -> jax.Array:
    """The input itself."""
    return x


@activation()
def exponential(x: jax.Array) -> jax.Array:
    """`exp(x)`."""
    return jnp.exp(x)


@activation()
def sigmoid(x: jax.Array) -> jax.Array:
    """`1 / (1 + exp(-x))`, from 0 to 1."""
    return jax.nn.sigmoid(x)


@activation()
def log_sigmoid(x: jax.Array) -> jax.Array:
    """`log(sigmoid(x))`, computed without overflow."""
    return jax.nn.log_sigmoid(x)


@activation()
def tanh(x: jax.Array) -> jax.Array:
    """The hyperbolic tangent, from -1 to 1."""
    return jnp.tanh(x)


@activation()
def tanh_shrink(x: jax.Array) -> jax.Array:
    """`x - tanh(x)`."""
    return x - jnp.tanh(x)


@activation()
def softplus(x: jax.Array) -> jax.Array:
    """`log(1 + exp(x))`, a smooth ReLU."""
    return jax.nn.softplus(x)


@activation()
def softsign(x: jax.Array) -> jax.Array:
    """`x / (1 + |x|)`, from -1 to 1."""
    return jax.nn.soft_sign(x)


@activation()
def squareplus(x: jax.Array, b: float = 4) -> jax.Array:
    """`(x + sqrt(x**2 + b)) / 2`, a smooth ReLU without exponentials (Barron, 2021).

    Args:
        x: Input.
        b: Smoothness, at least 0; with 0 this is the ReLU.
    """
    return jax.nn.squareplus(x, b)


@activation()
def elu(x: jax.Array, alpha: float = 1.0) -> jax.Array:
    """`x` where positive, else `alpha * (exp(x) - 1)` (Clevert et al., 2015).

    Args:
        x: Input.
        alpha: The output tends to `-alpha` for large negative inputs.
    """
    return jax.nn.elu(x, alpha)


@activation()
def selu(x: jax.Array) -> jax.Array:
    """`1.0507 * elu(x, 1.6733)` (Klambauer et al., 2017).

    It keeps the mean 0 and the variance 1 from layer to layer, given the initializer
    `lecun_normal` and, for dropout, `AlphaDropout`.
    """
    return jax.nn.selu(x)


@activation()
def celu(x: jax.Array, alpha: float = 1.0) -> jax.Array:
    """`max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)` (Barron, 2017).

    Args:
        x: Input.
        alpha: The output tends to `-alpha` for large negative inputs; not 0.
    """
    return jax.nn.celu(x, alpha)


@activation()
def gelu(x: jax.Array, approximate: bool = False) -> jax.Array:
    """`x * P(Z <= x)` with standard normal `Z` (Hendrycks and Gimpel, 2016).

    Args:
        x: Input.
        approximate: Use the formula with tanh instead of the error function.
    """
    return jax.nn.gelu(x, approximate)


@activation("swish")
def silu(x: jax.Array) -> jax.Array:
    """`x * sigmoid(x)`, also called swish (Ramachandran et al., 2017)."""
    return jax.nn.silu(x)


@activation()
def mish(x: jax.Array) -> jax.Array:
    """`x * tanh(softplus(x))` (Misra, 2019)."""
    return x * jnp.tanh(jax.nn.softplus(x))
