"""Gazelle's layers as ONNX nodes, as they compute outside training: one small function each."""

from __future__ import annotations

import functools
import string
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from gazelle import activations, layers
from gazelle._core.dtypes import is_float
from gazelle._core.errors import ArgumentError, StateError
from gazelle._core.symbolic import leaves, map_structure
from gazelle._export.activations import activation, leaky_relu
from gazelle._export.emitter import Emitter, Value
from gazelle._export.masks import USES_MASKS, like, merged, output_mask
from gazelle._export.operators import check_computed
from gazelle.layers import Layer

# The functions by their layers' classes, and what they do with inputs that are not floats: "kept"
# (any type will do), "cast" (to the compute dtype) or "refused".
_LAYERS: dict[type[Layer], tuple[Callable[..., Value], str]] = {}


def writes(*kinds: type[Layer], integers: str = "refused") -> Callable[[Any], Any]:
    """A decorator that adds a function to `_LAYERS`."""

    def enter(function: Callable[..., Value]) -> Callable[..., Value]:
        for kind in kinds:
            _LAYERS[kind] = function, integers
        return function

    return enter


def layer(
    e: Emitter,
    called: Layer,
    inputs: Any,
    mask: Any = None,
    *,
    training: bool | None = None,
    **others: Any,
) -> Value:
    """A call of a layer.

    Args:
        e: The graph.
        called: The layer.
        inputs: Its first argument, Values for arrays.
        mask: The mask that it is called with; None for those that the inputs carry.
        training: As in the layer's call.
        **others: Further arguments: the `reverse` of a ReversibleEmbedding.

    Raises:
        ArgumentError: The layer, or this call of it, has no ONNX form.
        StateError: The layer, an activation within another one, is not built.
    """
    function, integers = _LAYERS.get(type(called), (None, ""))
    takes = {"reverse"} if type(called) is layers.ReversibleEmbedding else set()
    if function is None or "call" in vars(called) or set(others) - takes:
        raise _refused(called)
    check_training(called, training)
    if not called.built:
        raise StateError(
            f"The layer {called.name!r} is not built, so it has no weights yet.",
            expected="a built layer",
            fix="call the model on data first",
        )
    masks = leaves(map_structure(e.mask_of, inputs) if mask is None else mask)
    seen = map_structure(functools.partial(_as_seen, e, called, integers), inputs)
    if type(called) in USES_MASKS and any(mask is not None for mask in masks):
        others = {**others, "mask": masks if isinstance(inputs, list) else masks[0]}
    with e.within(called.name):
        output = function(e, called, seen, **others)
        if not others.get("reverse"):
            e.set_mask(output, output_mask(e, called, leaves(inputs), masks))
    return output


def check_training(called: Layer, training: Any) -> None:
    """Refuse a call whose mode is fixed to training.

    Raises:
        ArgumentError: `training` is set.
    """
    if training:
        raise ArgumentError(
            f"The layer {called.name!r} is called with training=True, and an ONNX file has no"
            " training mode.",
            expected="a call without training=",
            received="training=True",
        )


def _as_seen(e: Emitter, called: Layer, integers: str, value: Value) -> Value:
    """An input in the type in which the layer sees it."""
    if is_float(value.dtype):
        return e.cast(value, called.compute_dtype) if called.autocast else value
    if integers == "refused":
        raise ArgumentError(
            f"The layer {called.name!r} ({type(called).__name__}) can be exported for inputs of"
            " floats only.",
            expected="float32 or float64",
            received=value.dtype,
            fix="give the Input another dtype, or convert it with Rescaling(1.0) first",
        )
    return e.cast(value, called.compute_dtype) if integers == "cast" else value


def _refused(called: Layer) -> ArgumentError:
    known = ", ".join(sorted(kind.__name__ for kind in _LAYERS))
    return ArgumentError(
        f"The layer {called.name!r} ({type(called).__name__}) has no ONNX form.",
        expected=f"the layers {known}, operators, and models of these; no others can be exported",
        received=f"{type(called).__module__}.{type(called).__qualname__}",
        fix="replace it by such layers, or export a model that ends before it",
    )


@writes(layers.Activation)
def activated(e: Emitter, called: Any, x: Value) -> Value:
    """The activation of a layer, which may be a layer itself."""
    if isinstance(called.activation, Layer):
        return layer(e, called.activation, x)
    return activation(e, called.activation, x, called.name)


def along(array: Any, axes: Sequence[int], ndim: int) -> np.ndarray:
    """A weight with the sizes of some axes, and 1 along the others."""
    sizes = iter(np.shape(array))
    return np.reshape(array, [next(sizes) if i in axes else 1 for i in range(ndim)])


def _over_root(e: Emitter, x: Value, axes: Sequence[int]) -> Value:
    """`x`, scaled to Euclidean length 1 along some axes."""
    square = e.op("ReduceSum", e.op("Mul", x, x), np.array(axes), keepdims=1)
    return e.op("Div", x, e.op("Sqrt", e.op("Max", square, 1e-12)))


@writes(layers.Dense, integers="cast")
def _dense(e: Emitter, dense: Any, x: Value) -> Value:
    kernel = e.weight(dense, "kernel", dense.kernel, x.dtype)
    x = e.op("MatMul", x, kernel, shape=(*x.shape[:-1], dense.units))
    if dense.bias is not None:
        x = e.op("Add", x, e.weight(dense, "bias", dense.bias, x.dtype))
    return activated(e, dense, x)


# ---- Activations ----


@writes(layers.ReLU, layers.LeakyReLU, layers.ELU)
def _with_parameters(e: Emitter, called: Any, x: Value) -> Value:
    names = {
        layers.ReLU: ("relu", "max_value", "negative_slope", "threshold"),
        layers.LeakyReLU: ("leaky_relu", "negative_slope"),
        layers.ELU: ("elu", "alpha"),
    }
    function, *parameters = names[type(called)]
    keywords = {name: getattr(called, name) for name in parameters}
    partial = functools.partial(activations.get(function), **keywords)
    return activation(e, partial, x, called.name)


@writes(layers.PReLU)
def _prelu(e: Emitter, called: Any, x: Value) -> Value:
    return leaky_relu(e, x, e.weight(called, "alpha", called.alpha, x.dtype))


@writes(layers.Softmax)
def _softmax(e: Emitter, called: Any, x: Value, mask: Any = None) -> Value:
    if mask is None:
        return _softmax_along(e, x, called.axis)
    kept = e.cast(mask, "bool") if isinstance(mask, Value) else e.constant(np.asarray(mask, bool))
    x = e.op("Where", kept, x, e.op("Sub", x, 1e9))
    return e.op("Where", kept, _softmax_along(e, x, called.axis), 0.0)


def _softmax_along(e: Emitter, x: Value, axis: int | Sequence[int]) -> Value:
    if isinstance(axis, int):
        return e.op("Softmax", x, axis=axis)
    axes = np.array(axis)
    power = e.op("Exp", e.op("Sub", x, e.op("ReduceMax", x, axes)))
    return e.op("Div", power, e.op("ReduceSum", power, axes))


# ---- Normalization ----


@writes(layers.BatchNormalization, integers="cast")
def _batch_normalization(e: Emitter, called: Any, x: Value) -> Value:
    factor = 1 / np.sqrt(np.asarray(called.moving_variance) + called.epsilon)
    if called.gamma is not None:
        factor = factor * np.asarray(called.gamma)
    offset = -np.asarray(called.moving_mean) * factor
    if called.beta is not None:
        offset = offset + np.asarray(called.beta)
    axes, ndim = (called.axis % len(x.shape),), len(x.shape)
    x = e.op("Mul", x, e.weight(called, "factor", along(factor, axes, ndim), x.dtype))
    return e.op("Add", x, e.weight(called, "offset", along(offset, axes, ndim), x.dtype))


@writes(layers.LayerNormalization, integers="cast")
def _layer_normalization(e: Emitter, called: Any, x: Value) -> Value:
    ndim = len(x.shape)
    given = (called.axis,) if isinstance(called.axis, int) else called.axis
    axes = sorted(axis % ndim for axis in given)
    centered = e.op("Sub", x, e.op("ReduceMean", x, np.array(axes)))
    variance = e.op("ReduceMean", e.op("Mul", centered, centered), np.array(axes))
    root = e.op("Sqrt", e.op("Add", variance, called.epsilon))
    x = e.op("Div", x if called.rms_scaling else centered, root)
    if called.gamma is not None:
        x = e.op("Mul", x, e.weight(called, "gamma", along(called.gamma, axes, ndim), x.dtype))
    if called.beta is not None:
        x = e.op("Add", x, e.weight(called, "beta", along(called.beta, axes, ndim), x.dtype))
    return x


@writes(layers.UnitNormalization)
def _unit_normalization(e: Emitter, called: Any, x: Value) -> Value:
    return _over_root(e, x, (called.axis,) if isinstance(called.axis, int) else called.axis)


@writes(layers.Rescaling, integers="cast")
def _rescaling(e: Emitter, called: Any, x: Value) -> Value:
    x = e.op("Mul", x, e.constant(np.asarray(called.scale, x.dtype)))
    if isinstance(called.offset, int | float) and called.offset == 0:
        return x
    return e.op("Add", x, e.constant(np.asarray(called.offset, x.dtype)))


# ---- Merging ----


@writes(
    layers.Add, layers.Maximum, layers.Minimum, layers.Multiply, layers.Subtract, integers="kept"
)
def _merge(
    e: Emitter, called: Any, values: Sequence[Value], mask: Sequence[Value | None] | None = None
) -> Value:
    kinds = {
        layers.Maximum: "Max",
        layers.Minimum: "Min",
        layers.Multiply: "Mul",
        layers.Subtract: "Sub",
    }
    shape = called.compute_output_shape([value.shape for value in values])
    ranks = {len(value.shape) for value in values}
    values = _in_one_type(e, values)
    check_computed(f"The layer {called.name!r}", values[0].dtype)
    aligned = [_aligned(e, value, len(shape)) for value in values]
    kind = kinds.get(type(called), "Add")

    def combine(a: Value, b: Value) -> Value:
        return e.op(kind, a, b, shape=shape)

    if mask is None or len(ranks) > 1:  # masks get lost with the new axes
        return functools.reduce(combine, aligned)
    whole = [None if one is None else like(e, one, x) for one, x in zip(mask, aligned, strict=True)]
    return merged(e, kind, combine, aligned, whole)


@writes(layers.Average)
def _average(e: Emitter, called: Any, values: Sequence[Value]) -> Value:
    return e.op("Div", _merge(e, called, values), len(values))


def _in_one_type(e: Emitter, values: Sequence[Value]) -> list[Value]:
    dtype = str(functools.reduce(jnp.promote_types, (value.dtype for value in values)))
    return [e.cast(value, dtype) for value in values]


def _aligned(e: Emitter, value: Value, ndim: int) -> Value:
    """A tensor with `ndim` axes, new ones of size 1 after the batch axis."""
    missing = ndim - len(value.shape)
    if missing == 0:
        return value
    shape = (*value.shape[:1], *[1] * missing, *value.shape[1:])
    return e.op("Unsqueeze", value, np.arange(1, 1 + missing), shape=shape)


@writes(layers.Concatenate, integers="kept")
def _concatenate(e: Emitter, called: Any, values: Sequence[Value]) -> Value:
    shape = called.compute_output_shape([value.shape for value in values])
    return e.op("Concat", *_in_one_type(e, values), shape=shape, axis=called.axis)


@writes(layers.Dot)
def _dot(e: Emitter, called: Any, pair: Sequence[Value]) -> Value:
    a, b = _in_one_type(e, pair)
    axes = (called.axes, called.axes) if isinstance(called.axes, int) else called.axes
    first, second = axes[0] % len(a.shape), axes[1] % len(b.shape)
    if called.normalize:
        a, b = _over_root(e, a, (first,)), _over_root(e, b, (second,))
    letters = iter(string.ascii_lowercase)
    batch, summed = next(letters), next(letters)
    names = []
    for value, axis in ((a, first), (b, second)):
        own = {0: batch, axis: summed}
        names.append([own.get(i) or next(letters) for i in range(len(value.shape))])
    kept = [letter for letter in (*names[0], *names[1]) if letter not in (batch, summed)]
    equation = f"{''.join(names[0])},{''.join(names[1])}->{batch}{''.join(kept)}"
    shape = called.compute_output_shape([a.shape, b.shape])
    product = e.op("Einsum", a, b, shape=shape, equation=equation)
    return product if kept else e.op("Unsqueeze", product, np.array([1]), shape=shape)


# ---- Rearranging ----


@writes(
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    integers="kept",
)
def _nothing(e: Emitter, called: Any, x: Any) -> Any:
    return x


@writes(layers.Flatten, layers.Reshape, integers="kept")
def _reshape(e: Emitter, called: Any, x: Value) -> Value:
    shape = called.compute_output_shape(x.shape)
    ndim = len(x.shape)
    if getattr(called, "data_format", "") == "channels_first" and ndim > 2:
        order = [0, *range(2, ndim), 1]
        x = e.op("Transpose", x, perm=order)
    sizes = [-1 if size is None else size for size in shape[1:]]
    return e.op("Reshape", x, np.array([0, *sizes]), shape=shape)  # 0: the input's size


@writes(layers.Permute, integers="kept")
def _permute(e: Emitter, called: Any, x: Value) -> Value:
    shape = called.compute_output_shape(x.shape)
    return e.op("Transpose", x, shape=shape, perm=[0, *called.dims])


@writes(layers.RepeatVector, integers="kept")
def _repeat_vector(e: Emitter, called: Any, x: Value) -> Value:
    shape = called.compute_output_shape(x.shape)
    row = e.op("Unsqueeze", x, np.array([1]))
    return e.op("Expand", row, np.array([1, called.n, 1]), shape=shape)
