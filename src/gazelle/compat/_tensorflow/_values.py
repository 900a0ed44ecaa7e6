"""Tensors and variables: how they are made, converted and described."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle import ops
from gazelle._core.errors import ArgumentTypeError
from gazelle._core.symbolic import KerasTensor, any_symbolic
from gazelle._core.variable import Variable as GazelleVariable
from gazelle.compat._tensorflow._dtypes import array_dtype, is_text
from gazelle.compat._tensorflow._host import (
    HostTensor,
    holds_text,
    host_tensor,
    text_tensor,
)
from gazelle.compat._tensorflow._shapes import TensorShape
from gazelle.compat._tensorflow._table import answers, enter


class _TensorType(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, jax.Array | KerasTensor | HostTensor)


@answers("Tensor", "experimental.numpy.ndarray")
class Tensor(metaclass=_TensorType):
    """What `isinstance(x, tf.Tensor)` is true for: arrays of JAX, symbolic tensors, text."""


class _VariableType(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, GazelleVariable)


@answers("Variable")
class Variable(GazelleVariable, metaclass=_VariableType):
    """A variable, also one of a layer: `isinstance(layer.kernel, tf.Variable)` is true.

    Args:
        initial_value: Its first value, or a function without arguments that gives it.
        trainable: Whether tapes watch it and models train it.
        validate_shape: Has no effect.
        caching_device: Has no effect.
        name: A name; automatic when None.
        variable_def: Has no effect.
        dtype: Its type; that of the value when None.
        import_scope: Has no effect.
        constraint: Projection that optimizers apply after an update, or None.
        synchronization: Has no effect.
        aggregation: Has no effect.
        shape: Has no effect.
    """

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        import_scope: Any = None,
        constraint: Callable[..., Any] | None = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
        **_: Any,
    ):
        value = initial_value() if callable(initial_value) else initial_value
        if value is None:
            raise ArgumentTypeError("A variable needs a first value.", fix="pass initial_value")
        if is_text(dtype) or holds_text(value):
            raise ArgumentTypeError("Variables hold numbers, not text.", received=repr(value)[:80])
        value = convert_to_tensor(value, dtype)
        super().__init__(
            value,
            dtype=str(value.dtype),
            trainable=trainable is not False,
            name=name and name.replace("/", "_").split(":")[0],
            constraint=constraint,
        )
        self.shape: Any = TensorShape(self.shape)

    def assign(self, value: Any, *_: Any, **__: Any) -> Any:
        """Replace the value; returns the variable."""
        super().assign(convert_to_tensor(value))
        return self

    def assign_add(self, value: Any, *_: Any, **__: Any) -> Any:
        """Add to the value; returns the variable."""
        return super().assign_add(convert_to_tensor(value))

    def assign_sub(self, value: Any, *_: Any, **__: Any) -> Any:
        """Subtract from the value; returns the variable."""
        return super().assign_sub(convert_to_tensor(value))

    def load(self, value: Any, session: Any = None) -> None:
        """Replace the value."""
        self.assign(value)

    def read_value(self) -> jax.Array:
        """The value."""
        return self.value

    def initialized_value(self) -> jax.Array:
        """The value."""
        return self.value

    def eval(self, session: Any = None) -> np.ndarray:
        """The value as an array of NumPy's."""
        return self.numpy()

    @property
    def initializer(self) -> None:
        """Nothing to do: a variable has its first value from the start."""
        return

    def get_shape(self) -> TensorShape:
        """The shape."""
        return TensorShape(self.shape)

    def scatter_nd_update(self, indices: Any, updates: Any) -> Any:
        """Replace the values at some indices; returns the variable."""
        return self.assign(ops.scatter_update(self.value, indices, updates))

    def __repr__(self) -> str:
        return (
            f"<tf.Variable {self.name!r} shape={tuple(self.shape)} dtype={self.dtype},"
            f" numpy={self.numpy()!r}>"
        )


# ---- Conversion ----


@answers("convert_to_tensor")
def convert_to_tensor(value: Any, dtype: Any = None, dtype_hint: Any = None) -> Any:
    """A value as a tensor; symbolic tensors stay what they are."""
    if isinstance(value, KerasTensor):
        return value if dtype is None else ops.cast(value, array_dtype(dtype).name)
    if isinstance(value, HostTensor) and value.dtype.kind == "O":
        return value
    if is_text(dtype) or holds_text(value):
        return text_tensor(value)
    if isinstance(value, GazelleVariable):
        value = value.value
    if isinstance(value, list | tuple) and any_symbolic(value):
        return ops.stack([convert_to_tensor(one) for one in value])
    wanted = array_dtype(dtype)
    if isinstance(value, jax.Array):
        return value if wanted in (None, value.dtype) else value.astype(wanted)
    if wanted is None and _is_float64(value):
        wanted = array_dtype("float64")
    return jnp.asarray(_plain(value), wanted)


def _plain(value: Any) -> Any:
    """A list of numbers as an array of NumPy's, which is quicker to convert."""
    if isinstance(value, list | tuple) and not _has_arrays(value):
        return np.asarray(value)
    if isinstance(value, list | tuple):
        return jnp.stack([jnp.asarray(convert_to_tensor(one)) for one in value])
    return value


def _has_arrays(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_arrays, value))
    return isinstance(value, jax.Array | GazelleVariable)


def _is_float64(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.generic) and value.dtype == np.float64


@answers("constant")
def _constant(value: Any, dtype: Any = None, shape: Any = None) -> Any:
    tensor = convert_to_tensor(value, dtype)
    if shape is None:
        return tensor
    shape = sizes(shape)
    if isinstance(tensor, HostTensor):
        return np.broadcast_to(tensor, shape) if tensor.size == 1 else tensor.reshape(shape)
    return jnp.broadcast_to(tensor, shape) if tensor.size == 1 else tensor.reshape(shape)


@answers("cast", "dtypes.cast")
def cast(x: Any, dtype: Any) -> Any:
    """A tensor with another type of elements."""
    if is_text(dtype):
        return text_tensor(np.asarray(x))
    if isinstance(x, KerasTensor):
        return ops.cast(x, array_dtype(dtype).name)
    return convert_to_tensor(x, dtype)


def _caster(dtype: str) -> Callable[[Any], Any]:
    return lambda x: cast(x, dtype)


for _old, _dtype in (
    ("to_float", "float32"),
    ("to_double", "float64"),
    ("to_int32", "int32"),
    ("to_int64", "int64"),
):
    answers(_old)(_caster(_dtype))


@answers("saturate_cast", "dtypes.saturate_cast")
def _saturate_cast(value: Any, dtype: Any) -> Any:
    return ops.saturate_cast(value, array_dtype(dtype).name)


@answers("is_tensor")
def _is_tensor(x: Any) -> bool:
    return isinstance(x, Tensor | GazelleVariable)


@answers("get_static_value")
def _get_static_value(tensor: Any) -> Any:
    return None if isinstance(tensor, KerasTensor) else np.asarray(tensor)


@answers("make_ndarray")
def _make_ndarray(tensor: Any) -> np.ndarray:
    return np.asarray(tensor)


# ---- Shapes ----


def sizes(shape: Any) -> tuple[int, ...]:
    """A shape in any form as ints: a list, a tensor, a number for one axis."""
    if isinstance(shape, jax.Array | np.ndarray):
        return tuple(int(size) for size in np.asarray(shape).reshape(-1))
    if hasattr(shape, "__index__"):
        return (int(shape),)
    return tuple(-1 if size is None else int(size) for size in shape)


@answers("shape")
def shape_of(input: Any, out_type: Any = None) -> Any:
    """The shape as a tensor; of a symbolic tensor a tuple, with None for unknown sizes."""
    if isinstance(input, KerasTensor):
        return TensorShape(input.shape)
    return host_tensor(np.shape(_with_shape(input)), np.int32)


def _with_shape(value: Any) -> Any:
    return value if hasattr(value, "shape") else convert_to_tensor(value)


@answers("rank")
def _rank(input: Any) -> HostTensor:
    return host_tensor(len(_with_shape(input).shape), np.int32)


@answers("size")
def _size(input: Any, out_type: Any = None) -> HostTensor:
    return host_tensor(np.prod(_with_shape(input).shape, dtype=np.int32))


# ---- New tensors ----


@answers("zeros")
def _zeros(shape: Any, dtype: Any = "float32") -> Any:
    return jnp.zeros(sizes(shape), array_dtype(dtype))


@answers("ones")
def _ones(shape: Any, dtype: Any = "float32") -> Any:
    return jnp.ones(sizes(shape), array_dtype(dtype))


@answers("zeros_like")
def _zeros_like(input: Any, dtype: Any = None) -> Any:
    return _like(ops.zeros_like, input, dtype)


@answers("ones_like")
def _ones_like(input: Any, dtype: Any = None) -> Any:
    return _like(ops.ones_like, input, dtype)


def _like(make: Callable[..., Any], source: Any, dtype: Any) -> Any:
    found = make(convert_to_tensor(source))
    return found if dtype is None else cast(found, dtype)


@answers("fill")
def _fill(dims: Any, value: Any) -> Any:
    value = convert_to_tensor(value)
    return jnp.full(sizes(dims), value, value.dtype)


@answers("eye", "linalg.eye")
def _eye(
    num_rows: int, num_columns: int | None = None, batch_shape: Any = None, dtype: Any = "float32"
) -> Any:
    found = jnp.eye(num_rows, num_columns, dtype=array_dtype(dtype))
    return found if batch_shape is None else jnp.broadcast_to(found, (*batch_shape, *found.shape))


@answers("range")
def _range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None) -> Any:
    start, limit = (0, start) if limit is None else (start, limit)
    numbers: list[Any] = [np.asarray(one)[()] for one in (start, limit, delta)]
    found = np.arange(*numbers)
    return convert_to_tensor(found, dtype)


@answers("linspace", "lin_space")
def _linspace(start: Any, stop: Any, num: Any, axis: int = 0) -> Any:
    return jnp.linspace(convert_to_tensor(start), convert_to_tensor(stop), int(num), axis=axis)


@answers("one_hot")
def _one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = 1,
    off_value: Any = 0,
    axis: int | None = None,
    dtype: Any = None,
) -> Any:
    hot = ops.one_hot(indices, int(depth), axis=-1 if axis is None else axis, dtype="float32")
    if dtype is None:
        dtype = "float32" if (on_value, off_value) == (1, 0) else np.asarray(on_value).dtype
    if (on_value, off_value) != (1, 0):
        hot = hot * (on_value - off_value) + off_value
    return cast(hot, dtype)


@answers("sequence_mask")
def _sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = "bool") -> Any:
    lengths = convert_to_tensor(lengths)
    count = int(lengths.max()) if maxlen is None else int(maxlen)
    return cast(jnp.arange(count) < lengths[..., None], dtype)


@answers("get_variable")
def _get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool = True,
    **_: Any,
) -> Variable:
    from gazelle import initializers

    if initializer is None or isinstance(initializer, str):
        initializer = initializers.get(initializer or "glorot_uniform")
    dtype = array_dtype(dtype or "float32")
    value = initializer
    if callable(initializer):
        value = initializer(sizes(shape), dtype=dtype.name)
    variable = Variable(value, trainable=trainable, name=name, dtype=dtype.name)
    variable.regularizer = regularizer
    return variable


class VariableSynchronization:
    """Has no effect."""

    AUTO, NONE, ON_WRITE, ON_READ = range(4)


class VariableAggregation:
    """Has no effect."""

    NONE, SUM, MEAN, ONLY_FIRST_REPLICA = range(4)


enter("VariableSynchronization", VariableSynchronization)
enter("VariableAggregation", VariableAggregation)


# ---- Initializers below `tf` ----


def _enter_initializer(name: str, keras_name: str) -> None:
    def make(*args: Any, **kwargs: Any) -> Any:
        from gazelle import initializers

        dtype = kwargs.pop("dtype", None)
        del dtype  # variables have types of their own
        return getattr(initializers, keras_name)(*args, **kwargs)

    enter(name, make)


for _name, _keras_name in (
    ("zeros_initializer", "Zeros"),
    ("ones_initializer", "Ones"),
    ("constant_initializer", "Constant"),
    ("random_uniform_initializer", "RandomUniform"),
    ("random_normal_initializer", "RandomNormal"),
    ("truncated_normal_initializer", "TruncatedNormal"),
    ("orthogonal_initializer", "Orthogonal"),
    ("glorot_uniform_initializer", "GlorotUniform"),
    ("glorot_normal_initializer", "GlorotNormal"),
    ("variance_scaling_initializer", "VarianceScaling"),
    ("uniform_unit_scaling_initializer", "VarianceScaling"),
):
    _enter_initializer(_name, _keras_name)
