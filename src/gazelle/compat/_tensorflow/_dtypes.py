"""`tf.float32` and its like."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.errors import ArgumentTypeError
from gazelle.compat._tensorflow._table import answers, enter

_NAMES = (
    *("float16", "bfloat16", "float32", "float64"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("bool", "complex64", "complex128", "string", "resource", "variant"),
)


class DType(str):
    """The type of a tensor's elements: its name, with TensorFlow's attributes.

    JAX computes with 64-bit types as with 32-bit ones unless it is set otherwise.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The name."""
        return str.__str__(self)

    @property
    def as_numpy_dtype(self) -> Any:
        """The type in NumPy."""
        return np.object_ if self.name == "string" else np.dtype(jnp.dtype(self.name)).type

    @property
    def base_dtype(self) -> DType:
        """Itself."""
        return self

    @property
    def real_dtype(self) -> DType:
        """The type of its real part."""
        return as_dtype({"complex64": "float32", "complex128": "float64"}.get(self, self))

    @property
    def is_floating(self) -> bool:
        """Whether it is a float type."""
        return "float" in self

    @property
    def is_integer(self) -> bool:
        """Whether it is an integer type."""
        return "int" in self

    @property
    def is_unsigned(self) -> bool:
        """Whether it is an integer type without sign."""
        return self.startswith("uint")

    @property
    def is_bool(self) -> bool:
        """Whether it is bool."""
        return self == "bool"

    @property
    def is_complex(self) -> bool:
        """Whether it is a complex type."""
        return self.startswith("complex")

    @property
    def is_numpy_compatible(self) -> bool:
        """Whether NumPy has it."""
        return self.name not in ("resource", "variant")

    @property
    def size(self) -> int:
        """The bytes of an element; 1 for text."""
        return 1 if self == "string" else jnp.dtype(self.name).itemsize

    @property
    def min(self) -> Any:
        """The smallest number."""
        return _limits(self).min

    @property
    def max(self) -> Any:
        """The largest number."""
        return _limits(self).max

    @property
    def limits(self) -> tuple[Any, Any]:
        """The smallest and the largest number."""
        return self.min, self.max

    def is_compatible_with(self, other: Any) -> bool:
        """Whether another type is this one."""
        return as_dtype(other) == self

    def __repr__(self) -> str:
        return f"tf.{self.name}"

    def __reduce__(self) -> Any:
        return DType, (self.name,)


def _limits(dtype: DType) -> Any:
    kind = jnp.dtype(dtype.name)
    return jnp.finfo(kind) if dtype.is_floating else jnp.iinfo(kind)


# The numbers of types in files of TensorFlow's.
_NUMBERS = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    8: "complex64",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    19: "float16",
}
_TYPES = {name: DType(name) for name in _NAMES}


@answers("as_dtype", "dtypes.as_dtype")
def as_dtype(type_value: Any) -> DType:
    """The `DType` for a name, a type of NumPy's or Python's, or a `DType`.

    Raises:
        ArgumentTypeError: There is none.
    """
    if isinstance(type_value, str) and type_value in _TYPES:
        return _TYPES[type_value]
    if type(type_value) is int and type_value in _NUMBERS:
        return _TYPES[_NUMBERS[type_value]]
    if type_value is str:
        return _TYPES["string"]
    if type_value is float:
        return _TYPES["float32"]
    if type_value is int:
        return _TYPES["int32"]
    given: Any = type_value
    try:
        found = jnp.dtype(given)
    except TypeError:
        found = None
    if found is None or (found.kind not in "SUO" and found.name not in _TYPES):
        raise ArgumentTypeError(
            "Cannot convert the value to a TensorFlow DType.",
            expected=", ".join(_NAMES),
            received=repr(type_value)[:80],
        )
    return _TYPES["string" if found.kind in "SUO" else found.name]


def array_dtype(dtype: Any) -> Any:
    """The type that an array of JAX has for a dtype; None for None."""
    return None if dtype is None else jax.dtypes.canonicalize_dtype(as_dtype(dtype).name)


def is_text(dtype: Any) -> bool:
    """Whether a dtype is that of text."""
    return dtype is not None and as_dtype(dtype) == "string"


for _name, _type in _TYPES.items():
    enter(_name, _type)
    enter(f"dtypes.{_name}", _type)
enter("half", _TYPES["float16"])
enter("double", _TYPES["float64"])
enter("DType", DType)
enter("dtypes.DType", DType)
enter("newaxis", None)
