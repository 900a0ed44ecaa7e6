"""`tf.math`, and the same functions below `tf`: most are one of `gazelle.ops`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gazelle import ops
from gazelle._core.symbolic import KerasTensor
from gazelle.compat._tensorflow._dtypes import array_dtype
from gazelle.compat._tensorflow._table import answers, enter
from gazelle.compat._tensorflow._values import cast, convert_to_tensor

# ---- Element by element ----

_UNARY = {
    **{
        name: getattr(ops, name)
        for name in (
            *("abs", "ceil", "cos", "cosh", "erf", "erfc", "erfinv", "exp", "expm1", "floor"),
            *("log", "log1p", "log_sigmoid", "logical_not", "negative", "reciprocal", "round"),
            *("rsqrt", "sigmoid", "sign", "sin", "sinh", "softplus", "softsign", "sqrt"),
            *("square", "tan", "tanh", "real", "imag", "conj", "angle"),
        )
    },
    "acos": ops.arccos,
    "acosh": ops.arccosh,
    "asin": ops.arcsin,
    "asinh": ops.arcsinh,
    "atan": ops.arctan,
    "atanh": ops.arctanh,
    "rint": ops.round,
    "neg": ops.negative,
    "is_finite": ops.isfinite,
    "is_inf": ops.isinf,
    "is_nan": ops.isnan,
    "bessel_i0": ops.i0,
    "ndtri": lambda x: jax.scipy.special.ndtri(convert_to_tensor(x)),
    "digamma": lambda x: jax.scipy.special.digamma(convert_to_tensor(x)),
    "lgamma": lambda x: jax.scipy.special.gammaln(convert_to_tensor(x)),
    "log_cosh": lambda x: ops.logaddexp(x, ops.negative(x)) - float(np.log(2.0)),
}

_BINARY = {
    **{
        name: getattr(ops, name)
        for name in (
            *("add", "subtract", "multiply", "maximum", "minimum", "equal", "not_equal"),
            *("less", "less_equal", "greater", "greater_equal", "divide_no_nan"),
            *("logical_and", "logical_or", "logical_xor", "mod", "nextafter"),
        )
    },
    "sub": ops.subtract,
    "mul": ops.multiply,
    "divide": ops.true_divide,
    "truediv": ops.true_divide,
    "realdiv": ops.true_divide,
    "floordiv": ops.floor_divide,
    "floormod": ops.mod,
    "pow": ops.power,
    "atan2": ops.arctan2,
    "squared_difference": lambda x, y: ops.square(ops.subtract(x, y)),
    "multiply_no_nan": lambda x, y: ops.where(ops.equal(y, 0), 0.0, ops.multiply(x, y)),
    "xlogy": lambda x, y: jax.scipy.special.xlogy(convert_to_tensor(x), convert_to_tensor(y)),
    "xlog1py": lambda x, y: jax.scipy.special.xlog1py(convert_to_tensor(x), convert_to_tensor(y)),
    "xdivy": lambda x, y: ops.divide_no_nan(x, ops.where(ops.equal(x, 0), 0.0, y)),
    "igamma": lambda x, y: jax.scipy.special.gammainc(convert_to_tensor(x), convert_to_tensor(y)),
}


def _array(value: Any) -> Any:
    """A list, or an array on the host, as a tensor; numbers stay numbers."""
    return convert_to_tensor(value) if isinstance(value, list | tuple | np.ndarray) else value


def _unary(function: Callable[[Any], Any]) -> Callable[..., Any]:
    def call(x: Any) -> Any:
        return function(x if isinstance(x, KerasTensor) else convert_to_tensor(x))

    return call


def _binary(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def call(x: Any, y: Any) -> Any:
        return function(_array(x), _array(y))

    return call


for _name, _function in _UNARY.items():
    answers(_name, f"math.{_name}")(_unary(_function))
for _name, _function in _BINARY.items():
    answers(_name, f"math.{_name}")(_binary(_function))


@answers("div")
def _div(x: Any, y: Any) -> Any:
    x, y = convert_to_tensor(x), convert_to_tensor(y)
    is_whole = not jnp.issubdtype(jnp.result_type(x, y), jnp.inexact)
    return ops.floor_divide(x, y) if is_whole else ops.true_divide(x, y)


@answers("add_n", "math.add_n", "math.accumulate_n", "accumulate_n")
def _add_n(inputs: Sequence[Any]) -> Any:
    total = convert_to_tensor(inputs[0])
    for one in inputs[1:]:
        total = total + one
    return total


@answers("scalar_mul", "math.scalar_mul")
def _scalar_mul(scalar: Any, x: Any) -> Any:
    return ops.multiply(scalar, _array(x))


@answers("clip_by_value")
def _clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any) -> Any:
    return ops.clip(_array(t), clip_value_min, clip_value_max)


# ---- Reductions ----


def _like_input(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction whose results have the type of its input, also for whole numbers."""

    def call(input_tensor: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = convert_to_tensor(input_tensor)
        found = function(x, axis=axes(axis), keepdims=bool(keepdims))
        return found if found.dtype == x.dtype else cast(found, x.dtype)

    return call


def axes(axis: Any) -> Any:
    """An axis, or several, as an int or a tuple; also from a tensor."""
    if axis is None or isinstance(axis, int):
        return axis
    found = np.asarray(axis)
    return int(found) if found.ndim == 0 else tuple(map(int, found))


def _euclidean(x: Any, axis: Any, keepdims: bool) -> Any:
    return ops.sqrt(ops.sum(ops.square(x), axis=axis, keepdims=keepdims))


_REDUCTIONS = {
    "sum": ops.sum,
    "mean": ops.mean,
    "max": ops.max,
    "min": ops.min,
    "prod": ops.prod,
    "any": ops.any,
    "all": ops.all,
    "std": ops.std,
    "variance": ops.var,
    "logsumexp": ops.logsumexp,
    "euclidean_norm": _euclidean,
}
for _name, _function in _REDUCTIONS.items():
    answers(f"reduce_{_name}", f"math.reduce_{_name}")(_like_input(_function))


@answers("argmax", "math.argmax", "arg_max")
def _argmax(input: Any, axis: Any = None, output_type: Any = "int64") -> Any:
    return cast(ops.argmax(_array(input), axis=0 if axis is None else axes(axis)), output_type)


@answers("argmin", "math.argmin", "arg_min")
def _argmin(input: Any, axis: Any = None, output_type: Any = "int64") -> Any:
    return cast(ops.argmin(_array(input), axis=0 if axis is None else axes(axis)), output_type)


@answers("math.count_nonzero", "count_nonzero")
def _count_nonzero(
    input: Any, axis: Any = None, keepdims: bool = False, dtype: Any = "int64"
) -> Any:
    hits = cast(ops.not_equal(convert_to_tensor(input), 0), "int32")
    return cast(ops.sum(hits, axis=axes(axis), keepdims=bool(keepdims)), dtype)


def _running(function: Callable[..., Any], neutral: float) -> Callable[..., Any]:
    def call(x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Any:
        x = convert_to_tensor(x)
        if reverse:
            x = ops.flip(x, axis=axis)
        found = function(x, axis=axis)
        if exclusive:
            first = ops.full_like(jax.lax.slice_in_dim(found, 0, 1, axis=axis), neutral)
            rest = jax.lax.slice_in_dim(found, 0, found.shape[axis] - 1, axis=axis)
            found = ops.concatenate([first, rest], axis=axis)
        return ops.flip(found, axis=axis) if reverse else found

    return call


answers("cumsum", "math.cumsum")(_running(ops.cumsum, 0))
answers("cumprod", "math.cumprod")(_running(ops.cumprod, 1))


# ---- Norms ----


@answers("norm", "linalg.norm")
def _norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool = False) -> Any:
    tensor, axis = convert_to_tensor(tensor), axes(axis)
    if ord in ("euclidean", 2, "fro"):
        return _euclidean(tensor, axis, keepdims)
    if axis is None:
        tensor = ops.reshape(tensor, (-1,))
    return ops.norm(tensor, ord=ord, axis=axis, keepdims=keepdims)


@answers("clip_by_norm")
def _clip_by_norm(t: Any, clip_norm: Any, axes: Any = None) -> Any:
    t = convert_to_tensor(t)
    squares = ops.sum(ops.square(t), axis=axes, keepdims=True)
    norm = ops.sqrt(ops.where(ops.greater(squares, 0), squares, 1.0))
    return t * clip_norm / ops.maximum(norm, clip_norm)


@answers("linalg.global_norm", "global_norm")
def global_norm(t_list: Sequence[Any]) -> Any:
    """The norm of all tensors together; None is left out."""
    squares = [ops.sum(ops.square(convert_to_tensor(t))) for t in t_list if t is not None]
    return ops.sqrt(_add_n(squares))


@answers("clip_by_global_norm")
def _clip_by_global_norm(t_list: Sequence[Any], clip_norm: Any, use_norm: Any = None) -> Any:
    norm = global_norm(t_list) if use_norm is None else use_norm
    factor = clip_norm / ops.maximum(norm, clip_norm)
    return [None if t is None else t * factor for t in t_list], norm


@answers("math.l2_normalize", "nn.l2_normalize", "linalg.l2_normalize")
def _l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12) -> Any:
    x = convert_to_tensor(x)
    squares = ops.sum(ops.square(x), axis=axes(axis), keepdims=True)
    return x * ops.rsqrt(ops.maximum(squares, epsilon))


# ---- Counting ----


@answers("math.confusion_matrix", "confusion_matrix")
def _confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    weights: Any = None,
    dtype: Any = "int32",
) -> Any:
    labels, predictions = convert_to_tensor(labels), convert_to_tensor(predictions)
    if num_classes is None:
        num_classes = int(jnp.maximum(labels.max(), predictions.max())) + 1
    counted = 1 if weights is None else convert_to_tensor(weights)
    empty = jnp.zeros((int(num_classes), int(num_classes)), array_dtype(dtype))
    return empty.at[labels.reshape(-1), predictions.reshape(-1)].add(counted)


@answers("math.bincount", "bincount")
def _bincount(
    arr: Any,
    weights: Any = None,
    minlength: Any = None,
    maxlength: Any = None,
    dtype: Any = "int32",
) -> Any:
    arr = convert_to_tensor(arr).reshape(-1)
    length = max(int(arr.max(initial=-1)) + 1, int(minlength or 0))
    found = jnp.bincount(arr, weights, length=length)
    found = found if maxlength is None else found[: int(maxlength)]
    return found if weights is not None else cast(found, dtype)


def _segments(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(data: Any, segment_ids: Any, num_segments: Any = None) -> Any:
        data, ids = convert_to_tensor(data), convert_to_tensor(segment_ids)
        count = int(ids.max()) + 1 if num_segments is None else int(num_segments)
        return function(data, ids, count)

    return call


def _segment_mean(data: Any, ids: Any, count: int) -> Any:
    sizes = jax.ops.segment_sum(jnp.ones(ids.shape, data.dtype), ids, count)
    total = jax.ops.segment_sum(data, ids, count)
    return total / jnp.maximum(sizes, 1).reshape(-1, *[1] * (data.ndim - 1))


for _name, _function in (
    ("segment_sum", jax.ops.segment_sum),
    ("segment_max", jax.ops.segment_max),
    ("segment_min", jax.ops.segment_min),
    ("segment_prod", jax.ops.segment_prod),
    ("segment_mean", _segment_mean),
):
    _call = _segments(_function)
    answers(f"math.{_name}", _name, f"math.unsorted_{_name}", f"unsorted_{_name}")(_call)


class TopK(NamedTuple):
    """The largest values along the last axis, and where they are."""

    values: Any
    indices: Any


@answers("math.top_k", "nn.top_k")
def _top_k(input: Any, k: int = 1, sorted: bool = True) -> TopK:
    return TopK(*ops.top_k(_array(input), int(k), sorted=sorted))


@answers("math.in_top_k", "nn.in_top_k")
def _in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    return ops.in_top_k(_array(targets), _array(predictions), k)


@answers("histogram_fixed_width")
def _histogram(values: Any, value_range: Any, nbins: int = 100, dtype: Any = "int32") -> Any:
    low, high = (float(one) for one in value_range)
    places = jnp.floor((convert_to_tensor(values) - low) / (high - low) * nbins)
    places = jnp.clip(places, 0, nbins - 1).astype(int).reshape(-1)
    return cast(jnp.bincount(places, length=int(nbins)), dtype)


@answers("searchsorted")
def _searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    sequence, values = convert_to_tensor(sorted_sequence), convert_to_tensor(values)
    find = lambda a, v: jnp.searchsorted(a, v, side=side)  # noqa: E731
    for _ in range(sequence.ndim - 1):
        find = jax.vmap(find)
    return find(sequence, values)


enter("math.pi", np.pi)
