"""The activation functions on NumPy arrays. None of them changes its input.

They are called with NumPy's floating-point warnings off: overflow to infinity is meant.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Activation = Callable[[np.ndarray], np.ndarray]

_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805
# Beyond this limit erf rounds to 1 or -1. The degree is that of a polynomial in x**2.
_ERF_LIMIT = {np.dtype(np.float32): (4.0, 16), np.dtype(np.float64): (6.0, 42)}


def linear(x: np.ndarray) -> np.ndarray:
    """The input itself."""
    return x


def relu(
    x: np.ndarray,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> np.ndarray:
    """`x` above `threshold`, clipped at `max_value`, else `negative_slope * (x - threshold)`."""
    if negative_slope != 0.0 and max_value is None and threshold == 0:
        return leaky_relu(x, negative_slope)
    kept = np.maximum(x, 0) if threshold == 0 else np.where(x > threshold, x, x.dtype.type(0))
    if max_value is not None:
        kept = np.clip(kept, 0, max_value)
    if negative_slope != 0.0:
        kept = kept - negative_slope * np.maximum(threshold - x, 0)
    return kept


def leaky_relu(x: np.ndarray, negative_slope: float = 0.2) -> np.ndarray:
    """`x` where it is not negative, else `negative_slope * x`."""
    return np.where(x >= 0, x, negative_slope * x)


def relu6(x: np.ndarray) -> np.ndarray:
    """`x` clipped to 0 to 6."""
    return np.clip(x, 0, 6)


def hard_sigmoid(x: np.ndarray) -> np.ndarray:
    """`relu6(x + 3) / 6`."""
    return np.clip(x + 3, 0, 6) / 6


def hard_silu(x: np.ndarray) -> np.ndarray:
    """`x * hard_sigmoid(x)`."""
    return x * hard_sigmoid(x)


def hard_tanh(x: np.ndarray) -> np.ndarray:
    """`x` clipped to -1 to 1."""
    return np.clip(x, -1, 1)


def hard_shrink(x: np.ndarray) -> np.ndarray:
    """`x` where its magnitude exceeds 0.5, else 0."""
    return np.where(np.abs(x) > 0.5, x, x.dtype.type(0))


def soft_shrink(x: np.ndarray) -> np.ndarray:
    """`x` moved towards 0 by 0.5."""
    return np.where(np.abs(x) > 0.5, x - np.copysign(0.5, x).astype(x.dtype), x.dtype.type(0))


def sparse_plus(x: np.ndarray) -> np.ndarray:
    """0 up to -1, `x` from 1, `(x + 1)**2 / 4` between."""
    middle = np.square(np.clip(x, -1, 1) + 1) / 4
    return np.where(x >= 1, x, middle)


def sparse_sigmoid(x: np.ndarray) -> np.ndarray:
    """0 up to -1, 1 from 1, `(x + 1) / 2` between."""
    return (np.clip(x, -1, 1) + 1) / 2


def sigmoid(x: np.ndarray) -> np.ndarray:
    """`1 / (1 + exp(-x))`."""
    return 1 / (1 + np.exp(-x))


def log_sigmoid(x: np.ndarray) -> np.ndarray:
    """`log(sigmoid(x))`."""
    return -np.logaddexp(-x, 0)


def tanh_shrink(x: np.ndarray) -> np.ndarray:
    """`x - tanh(x)`."""
    return x - np.tanh(x)


def softplus(x: np.ndarray) -> np.ndarray:
    """`log(1 + exp(x))`."""
    return np.logaddexp(x, 0)


def softsign(x: np.ndarray) -> np.ndarray:
    """`x / (1 + |x|)`."""
    return x / (1 + np.abs(x))


def squareplus(x: np.ndarray) -> np.ndarray:
    """`(x + sqrt(x**2 + 4)) / 2`."""
    return (x + np.sqrt(np.square(x) + 4)) / 2


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """`x` where positive, else `alpha * (exp(x) - 1)`."""
    return np.where(x > 0, x, alpha * np.expm1(x))


def selu(x: np.ndarray) -> np.ndarray:
    """`1.0507 * elu(x, 1.6733)`."""
    return _SELU_SCALE * elu(x, _SELU_ALPHA)


def celu(x: np.ndarray) -> np.ndarray:
    """`max(x, 0) + min(exp(x) - 1, 0)`."""
    return elu(x)


def gelu(x: np.ndarray) -> np.ndarray:
    """`x` times the probability that a standard normal number is at most `x`."""
    return x * (1 + _erf(x * math.sqrt(0.5))) / 2


def silu(x: np.ndarray) -> np.ndarray:
    """`x * sigmoid(x)`."""
    return x * sigmoid(x)


def mish(x: np.ndarray) -> np.ndarray:
    """`x * tanh(softplus(x))`."""
    return x * np.tanh(softplus(x))


def softmax(x: np.ndarray, axis: int | tuple[int, ...] = -1) -> np.ndarray:
    """`exp(x) / sum(exp(x))` along one or several axes."""
    # With an initial value, an axis may be of size 0.
    powers = np.exp(x - np.maximum.reduce(x, axis, keepdims=True, initial=-np.inf))
    powers /= np.add.reduce(powers, axis, keepdims=True)
    return powers


def log_softmax(x: np.ndarray) -> np.ndarray:
    """`log(softmax(x))`."""
    shifted = x - np.max(x, -1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), -1, keepdims=True))


def sparsemax(x: np.ndarray) -> np.ndarray:
    """The point of the probability simplex nearest to `x`."""
    descending = np.flip(np.sort(x, -1), -1)
    sums = np.cumsum(descending, -1)
    ranks = np.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    support = descending - (sums - 1) / ranks > 0  # True for the classes with a positive output
    size = np.sum(support, -1, keepdims=True, dtype=x.dtype)
    tau = (np.sum(descending, -1, keepdims=True, where=support) - 1) / size
    return np.maximum(x - tau, 0)


def glu(x: np.ndarray) -> np.ndarray:
    """`a * sigmoid(b)` with `a` and `b` the halves of the last axis."""
    a, b = np.split(x, 2, -1)
    return a * sigmoid(b)


def _erf(x: np.ndarray) -> np.ndarray:
    """The error function, to the rounding of the dtype."""
    limit, degree = _ERF_LIMIT[x.dtype]
    near = np.clip(x, -limit, limit)
    series = _erf_series(limit, degree).astype(x.dtype)
    values = near * np.polynomial.chebyshev.chebval(np.square(near) * (2 / limit**2) - 1, series)
    return np.where(near == x, values, np.sign(x))


@functools.cache
def _erf_series(limit: float, degree: int) -> np.ndarray:
    """Chebyshev coefficients of `erf(x) / x` as a function of `x**2` from 0 to `limit**2`."""

    def ratio(places: np.ndarray) -> Any:  # NumPy's types ask for one number
        points = limit * np.sqrt((places + 1) / 2)
        return np.array([math.erf(point) / point for point in points.tolist()])

    return np.polynomial.chebyshev.chebinterpolate(ratio, degree)


# Name in a config -> function. All of Gazelle's but `threshold`, which has no default arguments.
ACTIVATIONS: dict[str, Activation] = {
    "celu": celu,
    "elu": elu,
    "exponential": np.exp,
    "gelu": gelu,
    "glu": glu,
    "hard_shrink": hard_shrink,
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": hard_silu,
    "hard_swish": hard_silu,
    "hard_tanh": hard_tanh,
    "leaky_relu": leaky_relu,
    "linear": linear,
    "log_sigmoid": log_sigmoid,
    "log_softmax": log_softmax,
    "mish": mish,
    "relu": relu,
    "relu6": relu6,
    "selu": selu,
    "sigmoid": sigmoid,
    "silu": silu,
    "soft_shrink": soft_shrink,
    "softmax": softmax,
    "softplus": softplus,
    "softsign": softsign,
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
    "sparsemax": sparsemax,
    "squareplus": squareplus,
    "swish": silu,
    "tanh": np.tanh,
    "tanh_shrink": tanh_shrink,
}
