"""The functions of `gazelle.activations`, as operations."""

from __future__ import annotations

import warnings
from typing import Any

import jax
import jax.numpy as jnp

from gazelle import activations
from gazelle._core.errors import CheckWarning
from gazelle._core.operation import known
from gazelle.ops._table import nn_op, unary

hard_sigmoid = unary("hard_sigmoid", activations.hard_sigmoid, "A sigmoid of three pieces.", nn_op)
hard_silu = unary("hard_silu", activations.hard_silu, "`x * hard_sigmoid(x)`.", nn_op)
hard_tanh = unary("hard_tanh", activations.hard_tanh, "`x` clipped to -1 to 1.", nn_op)
log_sigmoid = unary("log_sigmoid", activations.log_sigmoid, "`log(sigmoid(x))`.", nn_op)
relu = unary("relu", activations.relu, "`max(x, 0)`.", nn_op)
relu6 = unary("relu6", activations.relu6, "`x` clipped to 0 to 6.", nn_op)
selu = unary("selu", activations.selu, "The scaled exponential linear unit.", nn_op)
sigmoid = unary("sigmoid", activations.sigmoid, "`1 / (1 + exp(-x))`.", nn_op)
silu = unary("silu", activations.silu, "`x * sigmoid(x)`.", nn_op)
softplus = unary("softplus", activations.softplus, "`log(1 + exp(x))`.", nn_op)
softsign = unary("softsign", activations.softsign, "`x / (1 + |x|)`.", nn_op)
sparse_plus = unary("sparse_plus", activations.sparse_plus, "A softplus that is 0 up to -1.", nn_op)
sparse_sigmoid = unary("sparse_sigmoid", activations.sparse_sigmoid, "Its derivative.", nn_op)
tanh_shrink = unary("tanh_shrink", activations.tanh_shrink, "`x - tanh(x)`.", nn_op)

# Steps that are functions of `gazelle.activations` alone.
_KERAS_ACTIVATIONS = "keras.src.activations.activations"
known(module=_KERAS_ACTIVATIONS, class_name="ReLU", key="activations.relu")(activations.relu)
known(module=_KERAS_ACTIVATIONS)(activations.mish)

hard_swish = hard_silu
swish = silu


@nn_op()
def celu(x: Any, alpha: float = 1.0) -> jax.Array:
    """`max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)`."""
    return activations.celu(x, alpha)


@nn_op()
def elu(x: Any, alpha: float = 1.0) -> jax.Array:
    """`x` where positive, else `alpha * (exp(x) - 1)`."""
    return activations.elu(x, alpha)


@nn_op()
def gelu(x: Any, approximate: bool = True) -> jax.Array:
    """`x * P(Z <= x)` with standard normal `Z`."""
    return activations.gelu(x, approximate)


@nn_op()
def glu(x: Any, axis: int = -1) -> jax.Array:
    """`a * sigmoid(b)` with the halves of `x`."""
    return activations.glu(x, axis)


@nn_op()
def hard_shrink(x: Any, threshold: float = 0.5) -> jax.Array:
    """`x` where its magnitude exceeds `threshold`, else 0."""
    return activations.hard_shrink(x, threshold)


@nn_op()
def leaky_relu(x: Any, negative_slope: float = 0.2) -> jax.Array:
    """`x` where positive, else `negative_slope * x`."""
    return activations.leaky_relu(x, negative_slope)


@nn_op()
def log_softmax(x: Any, axis: Any = -1) -> jax.Array:
    """`log(softmax(x))`."""
    return activations.log_softmax(x, axis)


@nn_op()
def soft_shrink(x: Any, threshold: float = 0.5) -> jax.Array:
    """`x` moved towards 0 by `threshold`."""
    return activations.soft_shrink(x, threshold)


@nn_op()
def softmax(x: Any, axis: Any = -1) -> jax.Array:
    """`exp(x) / sum(exp(x))`. It warns of an axis of size 1, where the result is always 1."""
    shape = jnp.shape(x)
    if isinstance(axis, int) and shape and shape[axis] == 1:
        warnings.warn(
            f"You are using a softmax over axis {axis} of a tensor of shape {shape}. This axis has"
            " size 1. The softmax operation will always return the value 1, which is likely not"
            " what you intended. Did you mean to use a sigmoid instead?",
            CheckWarning,
            stacklevel=4,
        )
    return activations.softmax(x, axis)


@nn_op()
def sparsemax(x: Any, axis: int = -1) -> jax.Array:
    """The nearest point of the probability simplex."""
    return activations.sparsemax(x, axis)


@nn_op()
def squareplus(x: Any, b: float = 4) -> jax.Array:
    """`(x + sqrt(x**2 + b)) / 2`."""
    return activations.squareplus(x, b)


@nn_op()
def threshold(x: Any, threshold: float, default_value: float) -> jax.Array:
    """`x` where it exceeds `threshold`, else `default_value`."""
    return activations.threshold(x, threshold, default_value)
