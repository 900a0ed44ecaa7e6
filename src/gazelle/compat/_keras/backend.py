"""`keras.backend`, the functions on tensors of Keras 1, Keras 2 and tf.keras.

Most are functions of `gazelle.ops`, under the same name or another. They work on arrays, on
variables and on symbolic tensors.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gazelle import config, initializers, losses, ops, random
from gazelle._core.dtypes import floatx, standardize_dtype
from gazelle._core.errors import ArgumentError
from gazelle._core.names import reset_names
from gazelle._core.scopes import name_scope
from gazelle._core.symbolic import KerasTensor
from gazelle._core.variable import Variable
from gazelle.compat._keras.functions import function, gradients
from gazelle.compat._outside import placeholder as _outside
from gazelle.compat._telling import tell
from gazelle.layers import Input

__all__ = [
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
argmax = ops.argmax
argmin = ops.argmin
cast = ops.cast
clip = ops.clip
concatenate = ops.concatenate
cos = ops.cos
cumprod = ops.cumprod
cumsum = ops.cumsum
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


def backend() -> str:
    """`"tensorflow"`, which scripts ask for; `"jax"` where KERAS_BACKEND says so."""
    return "jax" if os.environ.get("KERAS_BACKEND") == "jax" else "tensorflow"


ctc_batch_cost = _outside("backend.ctc_batch_cost")


# ---- Making values ----


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Any:
    """A variable with this value, of `floatx` where no dtype is given."""
    if hasattr(value, "tocoo"):  # a sparse matrix of SciPy
        value = value.toarray()
    value = np.asarray(value, dtype=standardize_dtype(dtype or floatx()))
    return Variable(value, name=None if name is None else name.replace("/", "_"))


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Any:
    """An array, filled with `value` where a shape is given."""
    array = jnp.asarray(value, dtype=standardize_dtype(dtype or floatx()))
    return array if shape is None else jnp.broadcast_to(array, tuple(shape))


def placeholder(
    shape: Any = None,
    ndim: int | None = None,
    dtype: Any = None,
    sparse: bool = False,
    name: str | None = None,
) -> Any:
    """A symbolic tensor, whose shape has the batch axis too."""
    if shape is None:
        shape = (None,) * (ndim or 0)
    return Input(batch_shape=tuple(shape), dtype=dtype, sparse=sparse, name=name)


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """A variable of zeros."""
    return variable(np.zeros(tuple(shape)), dtype, name)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """A variable of ones."""
    return variable(np.ones(tuple(shape)), dtype, name)


def eye(size: int, dtype: Any = None, name: str | None = None) -> Any:
    """A variable that is the identity matrix."""
    return variable(np.eye(size), dtype, name)


def random_uniform_variable(
    shape: Any,
    low: float,
    high: float,
    dtype: Any = None,
    name: str | None = None,
    seed: Any = None,
) -> Any:
    """A variable of uniform random numbers in [low, high)."""
    drawn = initializers.RandomUniform(low, high, seed=seed)(tuple(shape))
    return variable(drawn, dtype, name)


def random_normal_variable(
    shape: Any,
    mean: float,
    scale: float,
    dtype: Any = None,
    name: str | None = None,
    seed: Any = None,
) -> Any:
    """A variable of normal random numbers."""
    drawn = initializers.RandomNormal(mean, scale, seed=seed)(tuple(shape))
    return variable(drawn, dtype, name)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = "int32") -> Any:
    """Numbers from `start` below `stop`."""
    return ops.arange(start, stop, step, dtype=dtype)


def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Normal random numbers."""
    return random.normal(_drawn_shape(shape), mean, stddev, dtype=dtype, seed=_seed(seed))


def random_uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Uniform random numbers in [minval, maxval)."""
    return random.uniform(_drawn_shape(shape), minval, maxval, dtype=dtype, seed=_seed(seed))


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Normal random numbers, drawn again where more than two deviations from the mean."""
    return random.truncated_normal(_drawn_shape(shape), mean, stddev, dtype=dtype, seed=_seed(seed))


def random_binomial(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Any:
    """Ones with probability `p`, else zeros."""
    drawn = random.uniform(_drawn_shape(shape), dtype=dtype, seed=_seed(seed))
    return ops.cast(ops.less(drawn, p), dtype or floatx())


random_bernoulli = random_binomial


def dropout(x: Any, level: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """`x` with a share of its values set to 0 and the others scaled up."""
    return random.dropout(x, level, noise_shape=noise_shape, seed=_seed(seed))


def _drawn_shape(shape: Any) -> tuple[int, ...]:
    return tuple(int(n) for n in shape)


def _seed(seed: Any) -> Any:
    """A seed of NumPy's global generator where none is given, as Keras 2 drew it."""
    return np.random.randint(2**31 - 1) if seed is None else seed


# ---- Asking about values ----


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The shape as a tuple."""
    return tuple(x.shape)


def shape(x: Any) -> Any:
    """The shape; of arrays a tuple."""
    return ops.shape(x)


def ndim(x: Any) -> int:
    """The number of axes."""
    return len(x.shape)


def dtype(x: Any) -> str:
    """The name of the dtype."""
    return standardize_dtype(x.dtype)


def count_params(x: Any) -> int:
    """The number of elements."""
    return int(np.prod([int(n) for n in x.shape]))


def is_tensor(x: Any) -> bool:
    """Whether `x` is an array of JAX or a symbolic tensor."""
    return isinstance(x, jax.Array | KerasTensor)


def is_placeholder(x: Any) -> bool:
    """Whether `x` is a symbolic tensor that nothing computes."""
    return isinstance(x, KerasTensor) and (x.node is None or not x.node.inputs)


def is_sparse(tensor: Any) -> bool:
    """Whether a tensor is sparse."""
    return bool(getattr(tensor, "sparse", False))


def to_dense(tensor: Any) -> Any:
    """The same values as a dense array."""
    return tensor.todense() if hasattr(tensor, "todense") else tensor


def eval(x: Any) -> Any:
    """The value as a NumPy array."""
    return np.asarray(x)


get_value = eval
get_variable_shape = int_shape


def set_value(x: Any, value: Any) -> None:
    """Give a variable a value, such as the learning rate of an optimizer."""
    if not isinstance(x, Variable):
        raise ArgumentError(
            "K.set_value sets variables.",
            expected="a variable",
            received=type(x).__name__,
            fix="a learning rate that is a schedule cannot be set",
        )
    x.assign(np.asarray(value, dtype=x.dtype))


def batch_get_value(tensors: Sequence[Any]) -> list[Any]:
    """The values of several variables."""
    return [np.asarray(tensor) for tensor in tensors]


def batch_set_value(tuples: Sequence[tuple[Any, Any]]) -> None:
    """Give several variables values: pairs of variable and value."""
    for one, value in tuples:
        set_value(one, value)


def update(x: Any, new_x: Any) -> Any:
    """Assign a value to a variable."""
    return x.assign(new_x)


def update_add(x: Any, increment: Any) -> Any:
    """Add to a variable."""
    return x.assign_add(increment)


def update_sub(x: Any, decrement: Any) -> Any:
    """Subtract from a variable."""
    return x.assign_sub(decrement)


def moving_average_update(x: Any, value: Any, momentum: float) -> Any:
    """Assign `momentum * x + (1 - momentum) * value` to a variable."""
    return x.assign(x * momentum + value * (1.0 - momentum))


def print_tensor(x: Any, message: str = "") -> Any:
    """Print a value and return it."""
    print(message, np.asarray(x) if not isinstance(x, Tracer | KerasTensor) else x)
    return x


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
        axes = (len(x.shape) - 1, max(len(y.shape) - 2, 1))
    a, b = (axes, axes) if isinstance(axes, int) else axes
    letters = "abcdefghijklmnopqrstuvw"
    of_x = list("z" + letters[: len(x.shape) - 1])
    of_y = list("z" + letters[len(x.shape) - 1 :][: len(y.shape) - 1])
    of_y[b] = of_x[a]
    rest = [c for i, c in enumerate(of_x) if i not in (0, a % len(of_x))]
    rest += [c for i, c in enumerate(of_y) if i not in (0, b % len(of_y))]
    out = ops.einsum(f"{''.join(of_x)},{''.join(of_y)}->z{''.join(rest)}", x, y)
    return out if rest else ops.expand_dims(out, 1)


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


def get_session() -> Any:
    """A session of TensorFlow 1, whose `run` gives values."""
    from gazelle.compat._sessions import Session

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
