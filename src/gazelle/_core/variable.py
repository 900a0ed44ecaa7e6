"""Variables own values. A program borrows them for a call (see `pure`) and gives them back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core import context, layouts
from gazelle._core.dtypes import is_float, standardize_dtype
from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.lending import Guard, borrowed_here, check_process, note_use
from gazelle._core.names import unique_name
from gazelle._core.registry import is_own_class, named

_AGGREGATIONS = (None, "none", "mean", "sum", "only_first_replica")


class Variable:
    """An array with a name that training may change.

    Args:
        initializer: The first value: an array or number, a callable `(shape, dtype) -> array`, or
            the name of an initializer.
        shape: Shape for a callable `initializer`, a tuple of ints.
        dtype: Type of the value; floatx for a callable or a float array, kept for integer and bool
            values.
        trainable: Whether an optimizer may change it.
        autocast: Whether a layer's `call` reads it in the layer's compute dtype (mixed precision).
        aggregation: How replicas would be joined; kept for Keras's sake, as is `synchronization`.
        synchronization: See `aggregation`.
        name: A short name without `/`; automatic when None.
        layout: How it is divided among several devices: a `distribution.TensorLayout`, a sharding
            of JAX's, or another variable whose layout it has; that of the distribution when None.
        regularizer: Penalty on the value that the owner adds to the loss, or None.
        constraint: Projection applied after each optimizer update, or None.
        path: The name with its owners', `model/dense/kernel`; the names of the open scopes
            and the own one when None.

    Raises:
        ArgumentError: A callable initializer without a shape, a name with `/`, an unknown
            aggregation.
        UnknownNameError: No initializer has that name.
        ShapeError: `shape` is not that of the value, or the layout does not fit it.
    """

    __array_priority__ = 100  # `array * variable` is an array of JAX, also for one of NumPy
    made = 0  # how many there have been: as long as it stays, no layer has got new weights

    def __init__(
        self,
        initializer: Any,
        shape: Iterable[int] | None = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        layout: Any = None,
        *,
        regularizer: Callable[..., Any] | None = None,
        constraint: Callable[..., Any] | None = None,
        path: str | None = None,
        overwrite_with_gradient: bool = False,
    ):
        _check_arguments(name, aggregation)
        if isinstance(initializer, str):
            initializer = named("keras.initializers", initializer)
        Variable.made += 1
        self.name = name or unique_name("variable")
        self.path = path or context.variable_path(self.name)
        self.frozen = False  # with the layer that owns it
        self._trainable = trainable
        self.autocast = autocast
        self.aggregation = aggregation or "none"
        self.synchronization = synchronization
        self.regularizer = regularizer
        self.constraint = constraint
        self.overwrite_with_gradient = overwrite_with_gradient
        self.layout = layout
        self.distribution: layouts.Distribution | None = None
        self.sharding: jax.sharding.Sharding | None = None  # on several devices
        is_new = False
        if callable(initializer):
            if shape is None:
                raise ArgumentError(
                    f"Variable {self.name!r} has a callable initializer and no shape.",
                    expected="shape=(...)",
                    fix="pass the shape, or an array as initializer",
                )
            shape = tuple(int(n) for n in shape)
            self._dtype = standardize_dtype(dtype)
            context.spend(shape, jnp.dtype(self._dtype).itemsize)
            value = initializer(shape, dtype=self._dtype)
            is_new = is_own_class(type(initializer))  # Gazelle's own draw a new array each time
        else:
            value = initializer.value if isinstance(initializer, Variable) else initializer
            if dtype is None and hasattr(value, "dtype") and not is_float(value.dtype):
                self._dtype = standardize_dtype(jax.dtypes.canonicalize_dtype(value.dtype))
            elif dtype is None and isinstance(value, bool | int | list | tuple):
                kind = np.asarray(value).dtype.kind
                self._dtype = {"b": "bool", "i": "int32"}.get(kind, standardize_dtype(None))
            else:
                self._dtype = standardize_dtype(dtype)
        note_use()
        check_process()
        # Concrete also when a model is built while it is being traced.
        with jax.ensure_compile_time_eval():
            self._own: Any = _array(value, self._dtype, copy=not is_new)
        self._lent = self._own is value  # the caller may still hold the array
        self.guard = Guard()
        self.shape: tuple[int, ...] = tuple(self._own.shape)
        if shape is not None and tuple(shape) != self.shape:
            raise ShapeError(
                f"The initial value of variable {self.name!r} has the wrong shape.",
                expected=tuple(shape),
                received=self.shape,
            )
        if (distribution := layouts.current()) is not None:
            self.lay_out(distribution)
        elif layout is not None and not isinstance(layout, Variable):
            self.sharding = layouts.sharding_of(layout)
            self._own = self._placed(self._own)

    @property
    def dtype(self) -> str:
        """Type of the value; in the call of a layer that type in which the layer reads it."""
        dtype = context.compute_dtype() if self.autocast else None
        return self._dtype if dtype is None or not is_float(self._dtype) else dtype

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change it; False while the layer that owns it is frozen."""
        return self._trainable and not self.frozen

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value

    @property
    def trained_by_layer(self) -> bool:
        """Whether an optimizer may change it while the layer that owns it is not frozen."""
        return self._trainable

    @property
    def value(self) -> jax.Array:
        """The array itself. It stays valid while the variable is trained on: training uses a copy.

        Within the call of a layer that computes in another float type it is read in that type.
        """
        value, dtype = self._shared(), self.dtype
        return value if dtype == self._dtype else value.astype(dtype)

    def _shared(self) -> Any:
        """The array for this thread. The variable's own is marked: no program may destroy it."""
        here = borrowed_here
        if self in here.values:
            value = here.values[self]
        else:
            with self.guard.lock:
                self._lent = True
                value = self._own
        return value if here.on_read is None else here.on_read(self, value)

    @property
    def _value(self) -> Any:
        """The array that this thread sees: the borrowed one, or the variable's own."""
        return borrowed_here.values.get(self, self._own)

    @_value.setter
    def _value(self, value: Any) -> None:
        here = borrowed_here
        if self in here.values or here.notes_all:
            here.values[self] = value
        else:
            self._own = self._placed(value)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    def assign(self, value: Any) -> jax.Array:
        """Replace the value.

        Args:
            value: An array, number or variable of the same shape; converted to the variable's
                dtype.

        Raises:
            ShapeError: `value` has another shape.
        """
        if isinstance(value, Variable):
            value = value.value
        value = _array(value, self._dtype)
        if tuple(value.shape) != self.shape:
            raise ShapeError(
                f"The value assigned to variable {self.path!r} has the wrong shape.",
                expected=self.shape,
                received=tuple(value.shape),
                fix="pass an array of the variable's own shape",
            )
        if self in borrowed_here.values or borrowed_here.notes_all:
            self._value = value
            return value
        value = self._placed(value)
        with self.guard.lock:
            self._own = value
            self._lent = True  # the caller may hold this very array, which is given back too
        return value

    def assign_add(self, value: Any) -> jax.Array:
        """Add to the value."""
        with self.guard.lock:
            return self.assign(self._value + _operand(value))

    def assign_sub(self, value: Any) -> jax.Array:
        """Subtract from the value."""
        with self.guard.lock:
            return self.assign(self._value - _operand(value))

    def lend(self, *, copy: bool = False) -> jax.Array:
        """The value for a program that may destroy it (donation), under the guard's lock.

        A copy where a user may still hold the array. The program's result comes back by `restore`;
        should it fail before it has begun, the variable is as it was.

        Args:
            copy: Whether to lend a copy in any case.
        """
        return self._placed(jnp.asarray(np.array(self._own))) if copy or self._lent else self._own

    def take(self, array: np.ndarray) -> None:
        """Replace the value with an array of the same shape and dtype that nothing else holds."""
        with self.guard.lock:
            self._own, self._lent = self._placed(jnp.asarray(array)), False

    def restore(self, value: jax.Array) -> None:
        """Put a program's result in, an array that nothing else holds."""
        self._own, self._lent = self._placed(value), False

    def lay_out(self, distribution: layouts.Distribution) -> None:
        """Divide the value among the devices of a distribution, unless that is done already."""
        if self.distribution is distribution:
            return
        if isinstance(self.layout, Variable):
            self.layout.lay_out(distribution)
            sharding = self.layout.sharding
        else:
            sharding = layouts.sharding_of(distribution.get_variable_layout(self))
        with self.guard.lock:
            self._own = self._placed(self._own, sharding)
            self.distribution, self.sharding = distribution, sharding

    def _placed(self, value: Any, sharding: jax.sharding.Sharding | None = None) -> Any:
        """A value on the devices of a sharding, the variable's own when None."""
        sharding = sharding or self.sharding
        if sharding is None:
            return value
        return layouts.placed(value, sharding, f"variable {self.path!r}")

    @property
    def current(self) -> jax.Array:
        """The variable's own array, for a program that does not destroy it; under the guard."""
        return self._own

    def numpy(self) -> np.ndarray:
        """A NumPy copy of the value."""
        return self.__array__()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        with self.guard.lock:
            return np.array(self._value, dtype=dtype)

    def __jax_array__(self) -> jax.Array:
        return self.value

    def __getstate__(self) -> dict[str, Any]:
        """What a copy gets: it is on one device until it is laid out itself."""
        if self.sharding is None:
            return vars(self)
        alone = {"_own": jnp.asarray(self.numpy()), "distribution": None, "sharding": None}
        return {**vars(self), **alone}

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"

    def __len__(self) -> int:
        return len(self._own)

    def __iter__(self) -> Any:
        return iter(self._shared())

    def __float__(self) -> float:
        return float(self._shared())

    def __int__(self) -> int:
        return int(self._shared())

    def __bool__(self) -> bool:
        return bool(self._shared())

    def __getitem__(self, index: Any) -> jax.Array:
        return self.value[index]  # `variable[:]` is the array itself

    def __neg__(self) -> jax.Array:
        return -self.value

    def __pos__(self) -> jax.Array:
        return self.value

    def __invert__(self) -> jax.Array:
        return ~self.value

    def __round__(self, ndigits: int | None = None) -> jax.Array:
        return jnp.round(self.value, ndigits or 0)

    def __abs__(self) -> jax.Array:
        return abs(self.value)


def plain(value: Any) -> Any:
    """The array that a variable holds for this thread; anything else as it is."""
    return value._value if isinstance(value, Variable) else value


def _operand(value: Any) -> Any:
    """What is added to a variable: a list as an array, the value of another variable."""
    return np.asarray(value) if isinstance(value, list | tuple) else plain(value)


def values_of(variables: Iterable[Variable]) -> list[Any]:
    """The arrays that variables hold for this thread: borrowed ones, or their own.

    Unlike `variable.value` this does not mark an array as handed out, so that no program makes a
    copy because of it. Only for code that lets go of the arrays before the next program runs.
    """
    return [variable._value for variable in variables]


def views_of(variables: Iterable[Variable]) -> list[np.ndarray]:
    """The values as read-only NumPy arrays, which are no copies where JAX's memory is the host's.

    As long as one is held, no program can reuse its memory. So let go of them soon.
    """
    views = []
    for variable in variables:
        with variable.guard.lock:
            views.append(np.asarray(variable._value))
    return views


def set_values(variables: Iterable[Variable], values: Iterable[Any]) -> None:
    """Put arrays (or tracers) into variables for this thread, without a check."""
    for variable, value in zip(variables, values, strict=True):
        variable._value = value


def is_handed_out(variable: Variable) -> bool:
    """Whether code outside may hold the variable's own array."""
    return variable._lent


def _array(value: Any, dtype: str, *, copy: bool = True) -> Any:
    """A value as a JAX array; a NumPy array is copied, since JAX may use its memory."""
    value = plain(value)
    if isinstance(value, jax.Array):
        return value if value.dtype == dtype else value.astype(dtype)
    make = np.array if copy else np.asarray
    return jnp.asarray(make(value, dtype=jnp.dtype(dtype)))


def _binary(name: str) -> Callable[[Variable, Any], jax.Array]:
    def operation(self: Variable, other: Any) -> jax.Array:
        return getattr(self.value, name)(other.value if isinstance(other, Variable) else other)

    operation.__name__ = name
    return operation


_OPERATORS = (
    "__add__",
    "__radd__",
    "__sub__",
    "__rsub__",
    "__mul__",
    "__rmul__",
    "__truediv__",
    "__rtruediv__",
    "__floordiv__",
    "__rfloordiv__",
    "__mod__",
    "__rmod__",
    "__pow__",
    "__rpow__",
    "__matmul__",
    "__rmatmul__",
    "__eq__",
    "__ne__",
    "__lt__",
    "__le__",
    "__gt__",
    "__ge__",
    "__and__",
    "__rand__",
    "__or__",
    "__ror__",
    "__xor__",
    "__rxor__",
)
for _name in _OPERATORS:
    setattr(Variable, _name, _binary(_name))
Variable.__hash__ = object.__hash__  # by identity, though `==` compares values


def _unflatten(_: None, parts: Any) -> Any:
    return parts[0]


# JAX's own functions see a variable as its value: `jnp.matmul(x, variable)`.
jax.tree_util.register_pytree_node(Variable, lambda variable: ((variable.value,), None), _unflatten)


def _check_arguments(name: Any, aggregation: Any) -> None:
    if name is not None and (not isinstance(name, str) or "/" in name):
        raise ArgumentError("A variable's name must not hold '/'.", received=repr(name))
    if aggregation not in _AGGREGATIONS:
        raise ArgumentError(
            "Invalid value for argument `aggregation`.",
            expected=f"one of {_AGGREGATIONS}",
            received=repr(aggregation),
        )
