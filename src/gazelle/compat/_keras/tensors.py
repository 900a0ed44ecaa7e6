"""`keras.backend`: making tensors and variables, asking about them, and setting them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gazelle import initializers, ops, random
from gazelle._core.console import say
from gazelle._core.dtypes import floatx, standardize_dtype
from gazelle._core.errors import ArgumentError
from gazelle._core.symbolic import KerasTensor
from gazelle._core.variable import Variable
from gazelle.layers import Input

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
    shown = x if isinstance(x, Tracer | KerasTensor) else np.asarray(x)
    say(f"{message} {shown}")
    return x
