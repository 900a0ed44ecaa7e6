"""`keras.backend`, the functions on tensors of Keras 1, Keras 2 and tf.keras.

Most are functions of `gazelle.ops`, under the same name or another. They work on arrays, on
variables and on symbolic tensors.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from gazelle import config, losses, ops
from gazelle._core.dtypes import floatx
from gazelle._core.names import reset_names
from gazelle._core.scopes import name_scope
from gazelle._core.symbolic import KerasTensor
from gazelle._core.variable import Variable
from gazelle.compat._keras.functions import function, gradients
from gazelle.compat._keras.tensors import (
    arange,
    batch_get_value,
    batch_set_value,
    constant,
    count_params,
    dropout,
    dtype,
    eval,
    eye,
    get_value,
    get_variable_shape,
    int_shape,
    is_placeholder,
    is_sparse,
    is_tensor,
    moving_average_update,
    ndim,
    ones,
    placeholder,
    print_tensor,
    random_bernoulli,
    random_binomial,
    random_normal,
    random_normal_variable,
    random_uniform,
    random_uniform_variable,
    set_value,
    shape,
    to_dense,
    truncated_normal,
    update,
    update_add,
    update_sub,
    variable,
    zeros,
)
from gazelle.compat._outside import placeholder as _outside
from gazelle.compat._telling import tell

__all__ = [
    "KerasVariable",
    "_get_available_gpus",
    "abs",
    "all",
    "any",
    "arange",
    "argmax",
    "argmin",
    "backend",
    "batch_dot",
    "batch_flatten",
    "batch_get_value",
    "batch_normalization",
    "batch_set_value",
    "bias_add",
    "binary_crossentropy",
    "cast",
    "cast_to_floatx",
    "categorical_crossentropy",
    "clip",
    "concatenate",
    "constant",
    "cos",
    "count_params",
    "ctc_batch_cost",
    "cumprod",
    "cumsum",
    "dot",
    "dropout",
    "dtype",
    "elu",
    "epsilon",
    "equal",
    "eval",
    "exp",
    "expand_dims",
    "eye",
    "flatten",
    "foldl",
    "foldr",
    "function",
    "gather",
    "get_session",
    "get_value",
    "get_variable_shape",
    "gradients",
    "greater",
    "greater_equal",
    "hard_sigmoid",
    "identity",
    "image_dim_ordering",
    "in_test_phase",
    "in_top_k",
    "in_train_phase",
    "int_shape",
    "is_placeholder",
    "is_sparse",
    "is_tensor",
    "l2_normalize",
    "learning_phase",
    "learning_phase_scope",
    "less",
    "less_equal",
    "log",
    "logsumexp",
    "manual_variable_initialization",
    "map_fn",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moving_average_update",
    "name_scope",
    "ndim",
    "normalize_data_format",
    "not_equal",
    "one_hot",
    "ones",
    "ones_like",
    "permute_dimensions",
    "placeholder",
    "pow",
    "print_tensor",
    "prod",
    "random_bernoulli",
    "random_binomial",
    "random_normal",
    "random_normal_variable",
    "random_uniform",
    "random_uniform_variable",
    "relu",
    "repeat",
    "repeat_elements",
    "reset_uids",
    "reshape",
    "reverse",
    "round",
    "set_image_dim_ordering",
    "set_learning_phase",
    "set_session",
    "set_value",
    "shape",
    "sigmoid",
    "sign",
    "sin",
    "slice",
    "softmax",
    "softplus",
    "softsign",
    "sparse_categorical_crossentropy",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "stop_gradient",
    "sum",
    "switch",
    "tanh",
    "tile",
    "to_dense",
    "transpose",
    "truncated_normal",
    "update",
    "update_add",
    "update_sub",
    "var",
    "variable",
    "zeros",
    "zeros_like",
]

# Functions of `gazelle.ops` that have the same name and arguments.
abs = ops.abs
all = ops.all
any = ops.any
cast = ops.cast
clip = ops.clip
concatenate = ops.concatenate
cos = ops.cos
elu = ops.elu
equal = ops.equal
exp = ops.exp
expand_dims = ops.expand_dims
greater = ops.greater
greater_equal = ops.greater_equal
hard_sigmoid = ops.hard_sigmoid
less = ops.less
less_equal = ops.less_equal
log = ops.log
logsumexp = ops.logsumexp
max = ops.max
maximum = ops.maximum
mean = ops.mean
min = ops.min
minimum = ops.minimum
not_equal = ops.not_equal
one_hot = ops.one_hot
ones_like = ops.ones_like
prod = ops.prod
reshape = ops.reshape
round = ops.round
sigmoid = ops.sigmoid
sign = ops.sign
sin = ops.sin
softmax = ops.softmax
softplus = ops.softplus
softsign = ops.softsign
sqrt = ops.sqrt
square = ops.square
squeeze = ops.squeeze
stack = ops.stack
std = ops.std
stop_gradient = ops.stop_gradient
sum = ops.sum
tanh = ops.tanh
tile = ops.tile
transpose = ops.transpose
var = ops.var
zeros_like = ops.zeros_like

# Functions that have another name today.
permute_dimensions = ops.transpose
pow = ops.power
repeat_elements = ops.repeat
reverse = ops.flip

epsilon = config.epsilon
KerasVariable = Variable


def backend() -> str:
    """`"tensorflow"`, which scripts ask for; `"jax"` where KERAS_BACKEND says so."""
    return "jax" if os.environ.get("KERAS_BACKEND") == "jax" else "tensorflow"


ctc_batch_cost = _outside("backend.ctc_batch_cost")


# ---- Mathematics ----


def identity(x: Any, name: str | None = None) -> Any:
    """`x`."""
    return ops.convert_to_tensor(x) if not isinstance(x, KerasTensor) else x


def cast_to_floatx(x: Any) -> Any:
    """An array of dtype `floatx`; NumPy stays NumPy."""
    if isinstance(x, jax.Array | KerasTensor | Variable):
        return ops.cast(x, floatx())
    return np.asarray(x, dtype=floatx())


def dot(x: Any, y: Any) -> Any:
    """The product of matrices; of an axis more as NumPy's `dot`."""
    return ops.dot(x, y)


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """The product of each sample of `x` with that of `y`, over one axis of each.

    Args:
        x: `(samples, ...)`.
        y: `(samples, ...)`.
        axes: The axes that are summed over, an integer or a pair.

    Returns:
        `(samples, rest of x, rest of y)`, with a last axis of 1 where nothing is left.
    """
    if axes is None:
        axes = (len(x.shape) - 1, len(y.shape) - 2 if len(y.shape) > 2 else 1)
    a, b = (axes, axes) if isinstance(axes, int) else axes
    letters = "abcdefghijklmnopqrstuvw"
    of_x = list("z" + letters[: len(x.shape) - 1])
    of_y = list("z" + letters[len(x.shape) - 1 :][: len(y.shape) - 1])
    of_y[b] = of_x[a]
    rest = [c for i, c in enumerate(of_x) if i not in (0, a % len(of_x))]
    rest += [c for i, c in enumerate(of_y) if i not in (0, b % len(of_y))]
    out = ops.einsum(f"{''.join(of_x)},{''.join(of_y)}->z{''.join(rest)}", x, y)
    return out if rest else ops.expand_dims(out, 1)


def argmax(x: Any, axis: int = -1) -> Any:
    """The place of the largest value along an axis."""
    return ops.argmax(x, axis=axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """The place of the smallest value along an axis."""
    return ops.argmin(x, axis=axis)


def cumsum(x: Any, axis: int = 0) -> Any:
    """The sums of the values so far along an axis."""
    return ops.cumsum(x, axis=axis)


def cumprod(x: Any, axis: int = 0) -> Any:
    """The products of the values so far along an axis."""
    return ops.cumprod(x, axis=axis)


def flatten(x: Any) -> Any:
    """All elements in one axis."""
    return ops.reshape(x, (-1,))


def batch_flatten(x: Any) -> Any:
    """`(samples, all else)`."""
    size = int(np.prod([int(n) for n in x.shape[1:]]))
    return ops.reshape(x, (-1, size))


def gather(reference: Any, indices: Any) -> Any:
    """Rows of `reference`."""
    return ops.take(reference, ops.cast(indices, "int32"), axis=0)


def repeat(x: Any, n: int) -> Any:
    """`(samples, n, features)` of `(samples, features)`."""
    return ops.repeat(ops.expand_dims(x, 1), n, axis=1)


def slice(x: Any, start: Any, size: Any) -> Any:
    """A block of `x`; -1 in `size` is the rest of the axis."""
    full = [n - s if k == -1 else k for n, s, k in zip(x.shape, start, size, strict=True)]
    return ops.slice(x, start, full)


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """`x` divided by its Euclidean norm along an axis; the squared norm is at least 1e-12."""
    squares = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x * ops.rsqrt(ops.maximum(squares, 1e-12))


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """The rectified linear unit, with a slope below the threshold and a largest value."""
    from gazelle import activations

    return activations.relu(x, negative_slope=alpha, max_value=max_value, threshold=threshold)


def bias_add(x: Any, bias: Any, data_format: Any = None) -> Any:
    """`x + bias`."""
    return ops.add(x, bias)


def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
) -> Any:
    """`(x - mean) / sqrt(var + epsilon) * gamma + beta`."""
    return (x - mean) / ops.sqrt(var + epsilon) * gamma + beta


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """The cross-entropy of each element."""
    return ops.binary_crossentropy(target, output, from_logits=from_logits)


def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """The cross-entropy of each sample with one-hot targets."""
    return ops.categorical_crossentropy(target, output, from_logits=from_logits, axis=axis)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """The cross-entropy of each sample with class numbers as targets."""
    return losses.sparse_categorical_crossentropy(target, output, from_logits, axis=axis)


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Whether each target is among the `k` largest predictions."""
    return ops.in_top_k(targets, predictions, k)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """One of two values; functions without arguments are called."""
    chosen: list[Any] = [e() if callable(e) else e for e in (then_expression, else_expression)]
    condition = ops.cast(condition, "bool")
    missing = len(chosen[0].shape) - len(getattr(condition, "shape", ()))
    for _ in range(missing if getattr(condition, "shape", ()) else 0):
        condition = ops.expand_dims(condition, -1)
    return ops.where(condition, *chosen)


def map_fn(fn: Callable[..., Any], elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """`fn` of each row, stacked."""
    return ops.stack([fn(element) for element in _rows(elems)])


def foldl(fn: Callable[..., Any], elems: Any, initializer: Any = None, name: Any = None) -> Any:
    """`fn(total, row)` over the rows from the first."""
    rows = list(_rows(elems))
    total = rows.pop(0) if initializer is None else initializer
    for row in rows:
        total = fn(total, row)
    return total


def foldr(fn: Callable[..., Any], elems: Any, initializer: Any = None, name: Any = None) -> Any:
    """`fn(total, row)` over the rows from the last."""
    return foldl(fn, ops.flip(elems, axis=0), initializer)


def _rows(elems: Any) -> Iterator[Any]:
    return (elems[index] for index in range(elems.shape[0]))


# ---- Phases and sessions ----

_phase: list[int] = [0]


def learning_phase() -> int:
    """0 for predictions, 1 for training: what `set_learning_phase` was given."""
    return _phase[0]


def set_learning_phase(value: int) -> None:
    """Set what `learning_phase` returns. Layers go by `training=`, which `fit` sets."""
    tell("K.set_learning_phase()", "layer(x, training=True); predict never trains")
    _phase[0] = int(value)


@contextmanager
def learning_phase_scope(value: int) -> Iterator[None]:
    """`set_learning_phase` for the time of a block."""
    before = learning_phase()
    set_learning_phase(value)
    try:
        yield
    finally:
        set_learning_phase(before)


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`x` in training, else `alt`; functions without arguments are called."""
    chosen = x if (learning_phase() if training is None else training) else alt
    return chosen() if callable(chosen) else chosen


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`alt` in training, else `x`."""
    return in_train_phase(alt, x, training)


def _get_available_gpus() -> list[str]:
    """The names of the GPUs that are used."""
    return [str(device) for device in jax.devices() if device.platform == "gpu"]


def get_session() -> Any:
    """A session of TensorFlow 1, whose `run` gives values."""
    from gazelle.compat._tensorflow._legacy import Session

    return Session()


def set_session(session: Any) -> None:
    """Nothing: there are no sessions."""


def manual_variable_initialization(value: bool) -> None:
    """Nothing: variables have their values from the beginning."""


def reset_uids() -> None:
    """Automatic names are counted from the beginning again."""
    reset_names()


def image_dim_ordering() -> str:
    """Keras 1's name of the format of images: `"tf"` or `"th"`."""
    return "th" if config.image_data_format() == "channels_first" else "tf"


def set_image_dim_ordering(dim_ordering: str) -> None:
    """Set the format of images: `"tf"` or `"th"`."""
    formats = {"tf": "channels_last", "th": "channels_first"}
    config.set_image_data_format(formats[dim_ordering])


def normalize_data_format(value: str | None) -> str:
    """The format of images, the global one where None."""
    return value or config.image_data_format()
