"""`tf.errors` and `tf.debugging`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gazelle._core.errors import ArgumentError, ArgumentTypeError, DataError, ShapeError
from gazelle._core.symbolic import KerasTensor, leaves
from gazelle.compat._tensorflow._dtypes import as_dtype
from gazelle.compat._tensorflow._shapes import TensorShape
from gazelle.compat._tensorflow._table import answers, enter
from gazelle.compat._tensorflow._values import convert_to_tensor


class OpError(Exception):
    """The base of TensorFlow's errors."""


class OutOfRangeError(OpError, StopIteration):
    """The data has ended."""


enter("errors.OpError", OpError)
enter("OpError", OpError)
enter("errors.OutOfRangeError", OutOfRangeError)
# What Gazelle raises where TensorFlow raises these.
enter("errors.InvalidArgumentError", ValueError)
for _name, _base in (
    ("NotFoundError", FileNotFoundError),
    ("AlreadyExistsError", FileExistsError),
    ("PermissionDeniedError", PermissionError),
    ("ResourceExhaustedError", MemoryError),
    ("UnimplementedError", NotImplementedError),
    ("CancelledError", InterruptedError),
    ("DeadlineExceededError", TimeoutError),
):
    enter(f"errors.{_name}", _base)
for _name in (
    *("AbortedError", "DataLossError", "FailedPreconditionError", "InternalError"),
    *("UnauthenticatedError", "UnavailableError", "UnknownError"),
):
    enter(f"errors.{_name}", type(_name, (OpError,), {"__doc__": "An error of TensorFlow's."}))


# ---- Checks of values ----


def _compared(name: str, holds: Callable[[Any, Any], Any]) -> Callable[..., None]:
    def check(x: Any, y: Any, message: str | None = None, summarize: Any = None) -> None:
        x, y = convert_to_tensor(x), convert_to_tensor(y)
        if _has_values(x, y) and not bool(jnp.all(holds(x, y))):
            raise ArgumentError(
                message or f"The condition x {name} y did not hold.",
                received=f"x = {np.asarray(x)}, y = {np.asarray(y)}",
            )

    return check


def _has_values(*tensors: Any) -> bool:
    return not any(isinstance(one, Tracer | KerasTensor) for one in leaves(tensors))


for _name, _word, _holds in (
    ("equal", "==", jnp.equal),
    ("none_equal", "!=", jnp.not_equal),
    ("less", "<", jnp.less),
    ("less_equal", "<=", jnp.less_equal),
    ("greater", ">", jnp.greater),
    ("greater_equal", ">=", jnp.greater_equal),
):
    answers(f"debugging.assert_{_name}", f"assert_{_name}")(_compared(_word, _holds))


def _checked(name: str, holds: Callable[[Any], Any]) -> Callable[..., None]:
    def check(x: Any, message: str | None = None, summarize: Any = None) -> None:
        x = convert_to_tensor(x)
        if _has_values(x) and not bool(jnp.all(holds(x))):
            raise ArgumentError(
                message or f"The tensor is not {name}.", received=str(np.asarray(x))
            )

    return check


for _name, _holds in (
    ("positive", lambda x: x > 0),
    ("negative", lambda x: x < 0),
    ("non_negative", lambda x: x >= 0),
    ("non_positive", lambda x: x <= 0),
):
    answers(f"debugging.assert_{_name}", f"assert_{_name}")(_checked(_name, _holds))


@answers("debugging.assert_near")
def _assert_near(
    x: Any, y: Any, rtol: Any = None, atol: Any = None, message: str | None = None
) -> None:
    x, y = convert_to_tensor(x), convert_to_tensor(y)
    close = 10 * float(jnp.finfo(x.dtype).eps)
    rtol, atol = (close if one is None else one for one in (rtol, atol))
    if _has_values(x, y) and not np.allclose(x, y, rtol=rtol, atol=atol):
        raise ArgumentError(message or "x and y are not equal to the tolerance.")


@answers("debugging.check_numerics", "check_numerics", "verify_tensor_all_finite")
def _check_numerics(tensor: Any, message: str = "") -> Any:
    tensor = convert_to_tensor(tensor)
    if _has_values(tensor) and not bool(jnp.all(jnp.isfinite(tensor))):
        raise DataError(message or "The tensor has NaN or infinity.")
    return tensor


@answers("debugging.Assert", "Assert")
def _assert(condition: Any, data: Any, summarize: Any = None) -> None:
    if _has_values(condition) and not bool(jnp.all(convert_to_tensor(condition))):
        raise ArgumentError("Expected the condition to be true.", received=str(data)[:200])


# ---- Checks of shapes and types ----


def _ranks(name: str, holds: Callable[[int, int], bool]) -> Callable[..., None]:
    def check(x: Any, rank: Any, message: str | None = None) -> None:
        ndim = len(convert_to_tensor(x).shape)
        if not holds(ndim, int(rank)):
            raise ShapeError(message or f"The tensor must have rank {name} {rank}.", received=ndim)

    return check


answers("debugging.assert_rank", "assert_rank")(_ranks("equal to", int.__eq__))
answers("debugging.assert_rank_at_least")(_ranks("of at least", int.__ge__))


@answers("debugging.assert_rank_in")
def _assert_rank_in(x: Any, ranks: Any, message: str | None = None) -> None:
    if len(convert_to_tensor(x).shape) not in [int(rank) for rank in ranks]:
        raise ShapeError(message or "The tensor has another rank.", expected=list(ranks))


@answers("debugging.assert_scalar")
def _assert_scalar(tensor: Any, message: str | None = None) -> Any:
    if convert_to_tensor(tensor).shape != ():
        raise ShapeError(message or "The tensor is not a scalar.")
    return tensor


@answers("debugging.assert_shapes")
def _assert_shapes(shapes: Any, *_: Any, message: str | None = None, **__: Any) -> None:
    known: dict[Any, int] = {}
    for tensor, wanted in shapes.items() if isinstance(shapes, dict) else shapes:
        found = tuple(convert_to_tensor(tensor).shape)
        if len(found) != len(wanted):
            raise ShapeError(message or "A tensor has another rank.", expected=tuple(wanted))
        for size, symbol in zip(found, wanted, strict=True):
            expected = known.setdefault(symbol, size) if isinstance(symbol, str) else symbol
            if expected is not None and size != expected:
                raise ShapeError(
                    message or "A tensor has another shape.",
                    expected=tuple(wanted),
                    received=found,
                )


@answers("debugging.assert_type", "assert_type")
def _assert_type(tensor: Any, tf_type: Any, message: str | None = None) -> None:
    if as_dtype(tensor.dtype) != as_dtype(tf_type):
        raise ArgumentTypeError(
            message or "The tensor has another type.", expected=tf_type, received=tensor.dtype
        )


@answers("debugging.assert_same_float_dtype")
def _assert_same_float_dtype(tensors: Any = None, dtype: Any = None) -> Any:
    return dtype or as_dtype(tensors[0].dtype)


@answers("debugging.is_numeric_tensor")
def _is_numeric_tensor(tensor: Any) -> bool:
    return hasattr(tensor, "dtype") and as_dtype(tensor.dtype) not in ("string", "bool")


def _nothing(*_: Any, **__: Any) -> None:
    return None


for _name in (
    *("enable_check_numerics", "disable_check_numerics", "set_log_device_placement"),
    *("enable_traceback_filtering", "disable_traceback_filtering"),
    "experimental.enable_dump_debug_info",
):
    enter(f"debugging.{_name}", _nothing)


@answers("compat.dimension_value", "compat.v1.dimension_value")
def _dimension_value(dimension: Any) -> Any:
    return dimension


@answers("compat.as_str", "compat.as_text", "compat.as_str_any")
def _as_str(bytes_or_text: Any, encoding: str = "utf-8") -> str:
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text.decode(encoding)
    return str(bytes_or_text)


@answers("compat.as_bytes")
def _as_bytes(bytes_or_text: Any, encoding: str = "utf-8") -> bytes:
    return bytes_or_text.encode(encoding) if isinstance(bytes_or_text, str) else bytes_or_text


@answers("compat.dimension_at_index")
def _dimension_at_index(shape: Any, index: int) -> Any:
    return TensorShape(shape)[index]
