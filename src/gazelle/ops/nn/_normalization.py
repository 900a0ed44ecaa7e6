"""Moments, and normalization with given moments or those of the data."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.dtypes import epsilon as default_epsilon
from gazelle._core.errors import ArgumentError, CheckWarning, ShapeError
from gazelle.ops._table import axes_of, float_array, nn_op


@nn_op()
def moments(
    x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False
) -> tuple[jax.Array, jax.Array]:
    """The means and variances along axes; of float16 without overflow."""
    x, axes = jnp.asarray(x), axes_of(axes)
    dtype = x.dtype
    if dtype in ("float16", "bfloat16"):
        x = x.astype("float32")
    mean, variance = jnp.mean(x, axes, keepdims=keepdims), jnp.var(x, axes, keepdims=keepdims)
    if dtype == "float16":
        limit = float(np.finfo("float16").max)
        mean, variance = jnp.clip(mean, -limit, limit), jnp.clip(variance, -limit, limit)
    if dtype in ("float16", "bfloat16"):
        mean, variance = mean.astype(dtype), variance.astype(dtype)
    return mean, variance


@nn_op(class_name="BatchNorm", tensors=("x", "mean", "variance", "offset", "scale"))
def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    axis: int,
    offset: Any = None,
    scale: Any = None,
    epsilon: float = 1e-3,
) -> jax.Array:
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`, given per index of `axis`."""
    x = float_array(x)
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    vectors = {"mean": mean, "variance": variance, "offset": offset, "scale": scale}
    rows = {
        name: _vector(name, value, x.shape[axis]).reshape(shape)
        for name, value in vectors.items()
        if value is not None
    }
    factor = jax.lax.rsqrt(rows["variance"] + epsilon) * rows.get("scale", 1)
    shift = rows.get("offset", 0) - rows["mean"] * factor
    return (x * factor + shift).astype(x.dtype)


def _vector(name: str, value: Any, size: int) -> jax.Array:
    value = jnp.asarray(value)
    if value.shape != (size,):
        raise ShapeError(
            f"batch_normalization: `{name}` must be a vector of length `x.shape[axis]`.",
            expected=(size,),
            received=value.shape,
        )
    return value


@nn_op(class_name="LayerNorm", tensors=("x", "gamma", "beta"))
def layer_normalization(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
    **kwargs: Any,
) -> jax.Array:
    """`x` with the mean 0 and the variance 1 along `axis`, times `gamma` plus `beta`.

    `rms_scaling=True`, which is deprecated, leaves the mean in and `beta` out.
    """
    is_rms = kwargs.pop("rms_scaling", False)
    x = float_array(x)
    dtype = jnp.promote_types(x.dtype, "float32")
    wide, axes = x.astype(dtype), axes_of(axis)
    mean = jnp.mean(wide, axes, keepdims=True)
    variance = jnp.var(wide, axes, keepdims=True)
    if is_rms:
        warnings.warn(
            "You passed `rms_scaling=True`, which is deprecated: it divides by the standard"
            " deviation. rms_normalization divides by the root of the mean of the squares.",
            CheckWarning,
            stacklevel=4,
        )
        mean, beta = 0, None
    out = (wide - mean) * jax.lax.rsqrt(variance + _or_default(epsilon))
    out = out * _along(gamma, x.ndim, axis, 1) + _along(beta, x.ndim, axis, 0)
    return out.astype(x.dtype)


@nn_op(class_name="RMSNorm", tensors=("x", "scale"))
def rms_normalization(
    x: Any,
    scale: Any = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
) -> jax.Array:
    """`x` divided by the root of the mean of its squares along `axis`, times `scale`."""
    x = float_array(x)
    wide = x.astype(jnp.promote_types(x.dtype, "float32"))
    squares = jnp.mean(jnp.square(wide), axes_of(axis), keepdims=True)
    out = wide * jax.lax.rsqrt(squares + _or_default(epsilon))
    return (out * _along(scale, x.ndim, axis, 1)).astype(x.dtype)


def _or_default(epsilon: float | None) -> float:
    return default_epsilon() if epsilon is None else epsilon


def _along(value: Any, ndim: int, axis: int | Sequence[int], default: float) -> Any:
    """Factors for some axes in a shape that broadcasts."""
    if value is None:
        return default
    value = jnp.asarray(value)
    axes = sorted(one % ndim for one in ([axis] if isinstance(axis, int) else axis))
    if value.ndim != len(axes):
        return value
    sizes = iter(value.shape)
    return value.reshape([next(sizes) if place in axes else 1 for place in range(ndim)])


@nn_op()
def normalize(x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> jax.Array:
    """`x` divided by its norms along `axis`.

    Raises:
        ArgumentError: `order` is not an int from 1 on.
    """
    if not isinstance(order, int) or order < 1:
        raise ArgumentError("Argument `order` must be an int >= 1.", received=repr(order))
    x, small = float_array(x), _or_default(epsilon)
    axis = axes_of(axis)
    if order == 2:
        squares = jnp.sum(jnp.square(x), axis, keepdims=True)
        return x * jax.lax.rsqrt(jnp.maximum(squares, small**2))
    norms = jnp.sum(jnp.abs(x) ** order, axis, keepdims=True) ** (1.0 / order)
    return x / jnp.maximum(norms, small)


@nn_op(class_name="PSNR", tensors=2)
def psnr(x1: Any, x2: Any, max_val: float) -> jax.Array:
    """The peak signal-to-noise ratio of two signals of the same shape, in decibels."""
    if jnp.shape(x1) != jnp.shape(x2):
        raise ShapeError(
            f"psnr: Input shapes {jnp.shape(x1)} and {jnp.shape(x2)} must match for PSNR."
        )
    error = jnp.mean(jnp.square(jnp.subtract(x1, x2)))
    return 20 * jnp.log10(jnp.asarray(max_val, error.dtype)) - 10 * jnp.log10(error)


@nn_op(tensors=2)
def polar(abs_: Any, angle: Any) -> jax.Array:
    """The complex numbers of some lengths and angles."""
    return jax.lax.complex(
        float_array(jnp.multiply(abs_, jnp.cos(angle))),
        float_array(jnp.multiply(abs_, jnp.sin(angle))),
    )
