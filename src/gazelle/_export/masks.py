"""Masks in an ONNX graph: bool tensors, which are written where a layer gives one to its output."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gazelle import layers
from gazelle._export.emitter import Emitter, Value
from gazelle.layers import Layer

# The layers whose output depends on a mask outside training.
USES_MASKS = (
    layers.GlobalAveragePooling1D,
    layers.Maximum,
    layers.Minimum,
    layers.Multiply,
    layers.Softmax,
)
_ANY_OF = (
    layers.Add,
    layers.Average,
    layers.Maximum,
    layers.Minimum,
    layers.Multiply,
    layers.Subtract,
)


def output_mask(
    e: Emitter, called: Layer, inputs: Sequence[Value], masks: Sequence[Value | None]
) -> Value | None:
    """The mask of a layer's output; None for none.

    Args:
        e: The graph.
        called: The layer.
        inputs: Its inputs.
        masks: Their masks.
    """
    if isinstance(called, layers.Embedding):
        return _not_equal(e, inputs[0], 0) if called.mask_zero else None
    if isinstance(called, layers.Masking):
        return any_along(e, _not_equal(e, inputs[0], called.mask_value), -1)
    given = [mask for mask in masks if mask is not None]
    if not given or not called.supports_masking:
        return None
    if isinstance(called, layers.Concatenate):
        return _joined(e, called, inputs, masks)
    if isinstance(called, _ANY_OF):
        return (
            functools.reduce(functools.partial(_or, e), given) if len(given) == len(masks) else None
        )
    is_combined = isinstance(called, layers.Dot | layers.GlobalAveragePooling1D)
    return None if is_combined else given[0]


def _not_equal(e: Emitter, value: Value, number: Any) -> Value:
    constant = e.constant(np.asarray(number, value.dtype))
    equal = e.op("Equal", value, constant, shape=value.shape, dtype="bool")
    return e.op("Not", equal, shape=value.shape, dtype="bool")


def _or(e: Emitter, a: Value, b: Value) -> Value:
    shape = tuple(n if m == 1 else m for m, n in zip(a.shape, b.shape, strict=True))
    return e.op("Or", a, b, shape=shape, dtype="bool")


def any_along(e: Emitter, mask: Value, axis: int) -> Value:
    """Whether any value along an axis is True."""
    numbers = e.cast(mask, "float32")
    shape = tuple(n for i, n in enumerate(mask.shape) if i != axis % len(mask.shape))
    largest = e.op("ReduceMax", numbers, np.array([axis]), shape=shape, keepdims=0)
    return e.cast(largest, "bool")


def like(e: Emitter, mask: Value, value: Value) -> Value:
    """A mask with the shape of the value that it belongs to."""
    if len(mask.shape) < len(value.shape):
        axis = len(mask.shape)
        mask = e.op("Unsqueeze", mask, np.array([axis]), shape=(*mask.shape, 1), dtype="bool")
    shape = e.op("Shape", value, shape=(len(value.shape),), dtype="int64")
    return e.op("Expand", mask, shape, shape=value.shape, dtype="bool")


def _joined(
    e: Emitter, called: layers.Concatenate, inputs: Sequence[Value], masks: Sequence[Value | None]
) -> Value:
    """The mask of a Concatenate layer: that of each input, True for those without one."""
    everything = e.constant(np.ones((1,), bool))
    whole = [
        like(e, everything if mask is None else mask, value)
        for value, mask in zip(inputs, masks, strict=True)
    ]
    shape = called.compute_output_shape([value.shape for value in inputs])
    joined = e.op("Concat", *whole, shape=shape, dtype="bool", axis=called.axis)
    return any_along(e, joined, -1)


def merged(
    e: Emitter,
    kind: str,
    combine: Callable[[Value, Value], Value],
    inputs: list[Value],
    masks: list[Value | None],
) -> Value:
    """Inputs of one shape combined without their masked entries.

    Args:
        e: The graph.
        kind: `"Mul"`, in which masked entries count as 1, or `"Max"` or `"Min"`.
        combine: Writes the combination of two values.
        inputs: The inputs.
        masks: Their masks in their shapes; None for an input without one.
    """
    if kind == "Mul":
        factors = [
            x if mask is None else e.op("Where", mask, x, 1.0)
            for x, mask in zip(inputs, masks, strict=True)
        ]
        product = functools.reduce(combine, factors)
        given = [mask for mask in masks if mask is not None]
        if len(given) < len(masks):
            return product
        return e.op("Where", functools.reduce(functools.partial(_or, e), given), product, 0.0)
    result, counts = inputs[0], masks[0]
    for x, mask in zip(inputs[1:], masks[1:], strict=True):
        if mask is not None:
            x = e.op("Where", mask, x, result)
        if counts is not None:
            result = e.op("Where", counts, result, x)
        counts = None if mask is None or counts is None else _or(e, counts, mask)
        result = combine(result, x)
    return result
