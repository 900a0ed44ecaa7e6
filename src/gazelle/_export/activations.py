"""Gazelle's activation functions as ONNX nodes.

Numbers are operands, not attributes: ONNX keeps attributes in float32 only.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gazelle import activations
from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._export.emitter import Emitter, Value

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def activation(e: Emitter, function: Any, x: Value, owner: str) -> Value:
    """An activation function of Gazelle on `x`.

    Args:
        e: The graph.
        function: The function, or `functools.partial` of it with keywords.
        x: Its input.
        owner: The name of the layer that applies it.

    Raises:
        ArgumentError: Another function.
    """
    parameters: dict[str, Any] = {}
    if isinstance(function, functools.partial) and not function.args:
        function, parameters = function.func, function.keywords
    if function not in ACTIVATIONS:
        name = getattr(function, "__name__", type(function).__name__)
        raise ArgumentError(
            f"The activation {name!r} of the layer {owner!r} has no ONNX form.",
            expected=f"one of {', '.join(sorted(known.__name__ for known in ACTIVATIONS))}",
            received=f"{getattr(function, '__module__', 'an object')}.{name}",
            fix="use one of these activations, by name",
        )
    return ACTIVATIONS[function](e, x, **parameters)


def _native(kind: str) -> Callable[..., Value]:
    return lambda e, x: e.op(kind, x)


def _along_axis(kind: str) -> Callable[..., Value]:
    return lambda e, x, axis=-1: e.op(kind, x, axis=axis)


def _relu(
    e: Emitter,
    x: Value,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> Value:
    kept = e.op("Relu", x) if threshold == 0 else _threshold(e, x, threshold, 0.0)
    if max_value is not None:
        kept = e.op("Clip", kept, 0.0, max_value)
    if negative_slope == 0:
        return kept
    below = e.op("Relu", e.op("Sub", threshold, x))
    return e.op("Sub", kept, e.op("Mul", below, negative_slope))


def leaky_relu(e: Emitter, x: Value, negative_slope: Any = 0.2) -> Value:
    """`x` where positive, else `negative_slope * x`; the slope is a number or a Value."""
    # onnxruntime 1.20 computes PRelu(inf) as NaN.
    return e.op("Where", _above(e, x, 0.0), x, e.op("Mul", x, negative_slope))


def _relu6(e: Emitter, x: Value) -> Value:
    return e.op("Clip", x, 0.0, 6.0)


def _hard_sigmoid(e: Emitter, x: Value) -> Value:
    return e.op("Div", _relu6(e, e.op("Add", x, 3.0)), 6.0)


def _hard_silu(e: Emitter, x: Value) -> Value:
    return e.op("Mul", x, _hard_sigmoid(e, x))


def _hard_tanh(e: Emitter, x: Value) -> Value:
    return e.op("Clip", x, -1.0, 1.0)


def _threshold(e: Emitter, x: Value, threshold: float, default_value: float) -> Value:
    return e.op("Where", _above(e, x, threshold), x, default_value)


def _hard_shrink(e: Emitter, x: Value, threshold: float = 0.5) -> Value:
    return e.op("Where", _above(e, e.op("Abs", x), threshold), x, 0.0)


def _soft_shrink(e: Emitter, x: Value, threshold: float = 0.5) -> Value:
    is_low = e.op("Less", x, -threshold, dtype="bool")
    negative = e.op("Where", is_low, e.op("Add", x, threshold), 0.0)
    return e.op("Where", _above(e, x, threshold), e.op("Sub", x, threshold), negative)


def _sparse_plus(e: Emitter, x: Value) -> Value:
    shifted = e.op("Relu", e.op("Add", x, 1.0))
    bent = e.op("Div", e.op("Mul", shifted, shifted), 4.0)
    return e.op("Where", _above(e, x, 1.0), x, bent)


def _sparse_sigmoid(e: Emitter, x: Value) -> Value:
    return e.op("Clip", e.op("Div", e.op("Add", x, 1.0), 2.0), 0.0, 1.0)


def _log_sigmoid(e: Emitter, x: Value) -> Value:
    return e.op("Neg", e.op("Softplus", e.op("Neg", x)))


def _tanh_shrink(e: Emitter, x: Value) -> Value:
    return e.op("Sub", x, e.op("Tanh", x))


def _squareplus(e: Emitter, x: Value, b: float = 4) -> Value:
    root = e.op("Sqrt", e.op("Add", e.op("Mul", x, x), b))
    return e.op("Div", e.op("Add", x, root), 2.0)


def _elu(e: Emitter, x: Value, alpha: float = 1.0) -> Value:
    unit = e.op("Elu", x)
    return unit if alpha == 1 else leaky_relu(e, unit, alpha)


def _selu(e: Emitter, x: Value) -> Value:
    return e.op("Mul", _elu(e, x, _SELU_ALPHA), _SELU_SCALE)


def _celu(e: Emitter, x: Value, alpha: float = 1.0) -> Value:
    power = e.op("Exp", e.op("Div", e.op("Min", x, 0.0), alpha))
    return e.op("Add", e.op("Relu", x), e.op("Mul", e.op("Sub", power, 1.0), alpha))


def _gelu(e: Emitter, x: Value, approximate: bool = False) -> Value:
    if approximate:
        cube = e.op("Mul", e.op("Mul", x, x), x)
        inner = e.op("Add", x, e.op("Mul", cube, 0.044715))
        share = e.op("Tanh", e.op("Mul", inner, math.sqrt(2 / math.pi)))
    elif x.dtype == "float64":
        raise ArgumentError(
            "The activation 'gelu' in float64 has no ONNX form that onnxruntime computes: it has"
            " the error function in float32 only.",
            expected="gelu in float32, or with approximate=True",
            received="float64",
        )
    else:
        share = e.op("Erf", e.op("Div", x, math.sqrt(2)))
    return e.op("Mul", e.op("Mul", x, 0.5), e.op("Add", share, 1.0))


def _silu(e: Emitter, x: Value) -> Value:
    # onnxruntime 1.20 replaces x * Sigmoid(x) by an operator that it lacks in float64.
    return e.op("Div", x, e.op("Add", e.op("Exp", e.op("Neg", x)), 1.0))


def _mish(e: Emitter, x: Value) -> Value:
    return e.op("Mul", x, e.op("Tanh", e.op("Softplus", x)))


def _glu(e: Emitter, x: Value, axis: int = -1) -> Value:
    size = _known_size(x, axis, "glu")
    shape = list(x.shape)
    shape[axis] = size // 2
    a, b = e.ops("Split", 2, [x], shape=tuple(shape), axis=axis, num_outputs=2)
    return e.op("Mul", a, e.op("Sigmoid", b))


def _sparsemax(e: Emitter, x: Value, axis: int = -1) -> Value:
    size, axes = _known_size(x, axis, "sparsemax"), np.array([axis])
    ranks = np.arange(1, size + 1, dtype=x.dtype)
    ranks = ranks.reshape([size if i == axis % len(x.shape) else 1 for i in range(len(x.shape))])
    z, _ = e.ops("TopK", 2, [x, np.array([size])], axis=axis)  # descending
    sums = e.op("CumSum", z, np.array(axis))
    excess = e.op("Sub", z, e.op("Div", e.op("Sub", sums, 1.0), ranks))
    support = _above(e, excess, 0.0)  # True for the classes whose output is positive
    count = e.op("ReduceSum", e.cast(support, x.dtype), axes)
    total = e.op("ReduceSum", e.op("Where", support, z, 0.0), axes)
    tau = e.op("Div", e.op("Sub", total, 1.0), count)
    return e.op("Relu", e.op("Sub", x, tau))


def _above(e: Emitter, x: Value, limit: float) -> Value:
    return e.op("Greater", x, limit, dtype="bool")


def _known_size(x: Value, axis: int, name: str) -> int:
    size = x.shape[axis]
    if size is None:
        raise ShapeError(
            f"The activation {name!r} cannot be exported along an axis of unknown size.",
            expected="a known size",
            received=f"shape {x.shape}, axis {axis}",
        )
    return size


ACTIVATIONS: dict[Any, Callable[..., Value]] = {
    activations.celu: _celu,
    activations.elu: _elu,
    activations.exponential: _native("Exp"),
    activations.gelu: _gelu,
    activations.glu: _glu,
    activations.hard_shrink: _hard_shrink,
    activations.hard_sigmoid: _hard_sigmoid,
    activations.hard_silu: _hard_silu,
    activations.hard_tanh: _hard_tanh,
    activations.leaky_relu: leaky_relu,
    activations.linear: lambda e, x: x,
    activations.log_sigmoid: _log_sigmoid,
    activations.log_softmax: _along_axis("LogSoftmax"),
    activations.mish: _mish,
    activations.relu: _relu,
    activations.relu6: _relu6,
    activations.selu: _selu,
    activations.sigmoid: _native("Sigmoid"),
    activations.silu: _silu,
    activations.soft_shrink: _soft_shrink,
    activations.softmax: _along_axis("Softmax"),
    activations.softplus: _native("Softplus"),
    activations.softsign: _native("Softsign"),
    activations.sparse_plus: _sparse_plus,
    activations.sparse_sigmoid: _sparse_sigmoid,
    activations.sparsemax: _sparsemax,
    activations.squareplus: _squareplus,
    activations.tanh: _native("Tanh"),
    activations.tanh_shrink: _tanh_shrink,
    activations.threshold: _threshold,
}
