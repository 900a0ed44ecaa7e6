"""The layers of sequences as ONNX nodes: embeddings, masking, pooling, layers within layers.

`layer` writes any layer: those here, which are added to its table, and those of `layers.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gazelle import layers
from gazelle._core.dtypes import is_float
from gazelle._core.errors import ArgumentError
from gazelle._export.emitter import Emitter, Value
from gazelle._export.layers import activated, along, layer, writes

__all__ = ["layer"]


@writes(layers.Embedding, layers.ReversibleEmbedding, integers="kept")
def _embedding(e: Emitter, called: Any, x: Value, reverse: bool = False) -> Value:
    dtype = called.compute_dtype
    if reverse:
        return _scores(e, called, x)
    table = e.weight(called, "embeddings", called.embeddings, dtype)
    numbers = e.cast(x, "int32") if is_float(x.dtype) or x.dtype == "bool" else x
    if numbers.dtype not in ("int32", "int64"):
        numbers = e.cast(numbers, "int64")
    shape = (*x.shape, called.output_dim)
    return e.op("Gather", table, numbers, shape=shape, dtype=dtype, axis=0)


def _scores(e: Emitter, called: Any, x: Value) -> Value:
    table = np.asarray(called.embeddings).T if called.tie_weights else called.reverse_embeddings
    dtype = x.dtype if called.reverse_dtype is None else str(called.reverse_dtype)
    kernel = e.weight(called, "reverse", table, dtype)
    shape = (*x.shape[:-1], called.input_dim)
    scores = e.op("MatMul", e.cast(x, dtype), kernel, shape=shape)
    cap = called.logit_soft_cap
    if cap is None:
        return scores
    return e.op("Mul", e.op("Tanh", e.op("Div", scores, cap)), cap)


@writes(layers.EinsumDense, integers="cast")
def _einsum_dense(e: Emitter, called: Any, x: Value) -> Value:
    kernel = e.weight(called, "kernel", called.kernel, x.dtype)
    shape = called.compute_output_shape(x.shape)
    x = e.op("Einsum", x, kernel, shape=shape, equation=called.equation)
    if called.bias is not None:
        x = e.op("Add", x, e.weight(called, "bias", called.bias, x.dtype))
    return activated(e, called, x)


@writes(layers.Masking, integers="kept")
def _masking(e: Emitter, called: Any, x: Value) -> Value:
    constant = e.constant(np.asarray(called.mask_value, x.dtype))
    differs = e.op("Not", e.op("Equal", x, constant, dtype="bool"), shape=x.shape, dtype="bool")
    shape = (*x.shape[:-1], 1)
    numbers = e.cast(differs, "float32")
    counts = e.cast(e.op("ReduceMax", numbers, np.array([-1]), shape=shape, keepdims=1), "bool")
    return e.op("Where", counts, x, 0)


def _axis(called: Any) -> int:
    return 1 if called.data_format == "channels_last" else 2


@writes(layers.GlobalAveragePooling1D, integers="cast")
def _average(e: Emitter, called: Any, x: Value, mask: Value | None = None) -> Value:
    axis, shape = _axis(called), called.compute_output_shape(x.shape)
    reduce = {"shape": shape, "keepdims": int(called.keepdims)}
    if mask is None:
        return e.op("ReduceMean", x, np.array([axis]), **reduce)
    place = 3 - axis
    wide = tuple(1 if i == place else n for i, n in enumerate(x.shape))
    counts = e.op("Unsqueeze", mask, np.array([place]), shape=wide, dtype="bool")
    total = e.op("ReduceSum", e.op("Where", counts, x, 0.0), np.array([axis]), **reduce)
    number = e.op("ReduceSum", e.cast(counts, x.dtype), np.array([axis]), **reduce)
    return e.op("Div", total, e.op("Max", number, 1.0), shape=shape)


@writes(layers.GlobalMaxPooling1D)
def _maximum(e: Emitter, called: Any, x: Value) -> Value:
    shape = called.compute_output_shape(x.shape)
    return e.op(
        "ReduceMax", x, np.array([_axis(called)]), shape=shape, keepdims=int(called.keepdims)
    )


@writes(layers.SpatialDropout1D, integers="kept")
def _nothing(e: Emitter, called: Any, x: Value) -> Value:
    return x


@writes(layers.GroupNormalization, integers="cast")
def _group_normalization(e: Emitter, called: Any, x: Value) -> Value:
    ndim, axis = len(x.shape), called.axis % len(x.shape)
    size = x.shape[axis] or 0
    number = size if called.groups == -1 else called.groups
    split, rest = [number, size // number], [-1 if n is None else n for n in x.shape[axis + 1 :]]
    grouped_shape = (*x.shape[:axis], *split, *x.shape[axis + 1 :])
    into = np.array([*[0] * axis, *split, *rest])  # 0: the input's size
    grouped = e.op("Reshape", x, into, shape=grouped_shape)
    axes = np.array([i for i in range(1, ndim + 1) if i != axis])
    centered = e.op("Sub", grouped, e.op("ReduceMean", grouped, axes), shape=grouped_shape)
    variance = e.op("ReduceMean", e.op("Mul", centered, centered), axes)
    root = e.op("Sqrt", e.op("Add", variance, called.epsilon))
    back = np.array([*[0] * axis, size, *rest])
    x = e.op("Reshape", e.op("Div", centered, root), back, shape=x.shape)
    if called.gamma is not None:
        x = e.op("Mul", x, e.weight(called, "gamma", along(called.gamma, [axis], ndim), x.dtype))
    if called.beta is not None:
        x = e.op("Add", x, e.weight(called, "beta", along(called.beta, [axis], ndim), x.dtype))
    return x


@writes(layers.RMSNormalization, integers="cast")
def _rms_normalization(e: Emitter, called: Any, x: Value) -> Value:
    ndim = len(x.shape)
    given = (called.axis,) if isinstance(called.axis, int) else called.axis
    axes = sorted(axis % ndim for axis in given)
    square = e.op("ReduceMean", e.op("Mul", x, x), np.array(axes))
    x = e.op("Div", x, e.op("Sqrt", e.op("Add", square, called.epsilon)))
    return e.op("Mul", x, e.weight(called, "scale", along(called.scale, axes, ndim), x.dtype))


@writes(layers.SpectralNormalization, integers="kept")
def _spectral_normalization(e: Emitter, called: Any, x: Value) -> Value:
    return layer(e, called.layer, x)


@writes(layers.TimeDistributed, integers="kept")
def _time_distributed(e: Emitter, called: Any, x: Value) -> Value:
    """The steps become rows of the layer, and its rows become steps again."""
    steps, sizes = x.shape[1], x.shape[2:]
    if steps is None or None in sizes:
        raise ArgumentError(
            f"The layer {called.name!r} can be exported for a known number of steps only.",
            expected="sizes for all axes but the first",
            received=x.shape,
            fix="give the sizes in Input(shape=...)",
        )
    rows = e.op("Reshape", x, np.array([-1, *sizes]), shape=(None, *sizes))
    rows = layer(e, called.layer, rows)
    known = [n for n in rows.shape[1:] if n is not None]
    shape = (x.shape[0], steps, *known)
    into = np.array([-1, steps, *known])
    return e.op("Reshape", rows, into, shape=shape)
