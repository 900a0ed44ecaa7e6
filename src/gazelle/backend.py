"""The names of `keras.backend`: settings, types, and automatic names."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import (
    epsilon,
    floatx,
    is_float,
    set_epsilon,
    set_floatx,
    standardize_dtype,
)
from gazelle._core.names import unique_name
from gazelle._core.symbolic import KerasTensor
from gazelle._core.variable import Variable
from gazelle.config import backend, image_data_format, set_image_data_format
from gazelle.config._session import clear_session

__all__ = [
    "Variable",
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "standardize_dtype",
]


def is_float_dtype(dtype: Any) -> bool:
    """Whether a dtype is a floating one."""
    return is_float(standardize_dtype(dtype))


def is_int_dtype(dtype: Any) -> bool:
    """Whether a dtype is an integer one, with or without sign."""
    return jnp.issubdtype(jnp.dtype(standardize_dtype(dtype)), jnp.integer)


def is_keras_tensor(x: Any) -> bool:
    """Whether `x` is a symbolic tensor."""
    return isinstance(x, KerasTensor)


def get_uid(prefix: str = "") -> int:
    """A number that is 1 the first time, then 2, 3, ..., until `clear_session`.

    Args:
        prefix: What is counted.
    """
    name = unique_name(f"uid of {prefix}")
    return int(name.rpartition("_")[2]) + 1 if name != f"uid of {prefix}" else 1


def result_type(*dtypes: Any) -> str:
    """The type of the result of arithmetic between types.

    Args:
        *dtypes: Names, NumPy's or JAX's types, or Python's `int` and `float`, which do not widen
            others; without any, floatx.
    """
    if not dtypes:
        return floatx()
    types = [
        kind
        if _is_python(kind)
        else jax.dtypes.canonicalize_dtype(jnp.dtype(standardize_dtype(kind)))
        for kind in dtypes
    ]
    if all(kind is int for kind in types):
        return "int32"
    if all(_is_python(kind) for kind in types):
        return floatx()
    with jax.numpy_dtype_promotion("standard"):
        found = jnp.result_type(*types)
    return standardize_dtype(found)


def _is_python(kind: Any) -> bool:
    return kind is int or kind is float
