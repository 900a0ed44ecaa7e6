"""Checks of arguments that many constructors share."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any

import jax
import numpy as np

from gazelle._core.errors import ArgumentError, ArgumentTypeError


def checked_name(name: Any, what: str) -> str:
    """A name that was given, checked to be text without `/`.

    Args:
        name: The name.
        what: What has it, for the error text: `"A layer"`.

    Raises:
        ArgumentError: It is not text, or holds a `/`.
    """
    if not isinstance(name, str) or "/" in name:
        raise ArgumentError(
            f"{what}'s name must be text without '/'.",
            received=repr(name),
            fix="choose another name",
        )
    return name


def array_from(what: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The result of a user's function, which must be an array or a number.

    Args:
        what: The function in error texts: `"The loss 'mine'"`.
        function: The function.
        *args: Its arguments.
        **kwargs: Its keyword arguments.

    Raises:
        ArgumentTypeError: It returns something else, or needs concrete numbers while it is traced.
    """
    try:
        value = function(*args, **kwargs)
    except jax.errors.JAXTypeError as error:
        raise ArgumentTypeError(
            f"{what} needs the numbers of an array, which are not known while it is compiled.",
            expected="functions of jax.numpy alone",
            received=f"{type(error).__name__} {_place(error.__traceback__)}".rstrip(),
            fix="use jax.numpy instead of numpy, and jax.numpy.where instead of if",
        ) from None
    if isinstance(value, numbers.Number) or hasattr(value, "dtype"):
        return value
    kind = "None" if value is None else f"a {type(value).__name__}"
    raise ArgumentTypeError(
        f"{what} returns {kind}.",
        expected="an array: one value per sample, or a scalar",
        received=kind,
        fix="end the function with `return ...`" if value is None else "return one array",
    )


def _place(trace: TracebackType | None) -> str:
    """Where in the user's code an error was raised; `""` if unknown."""
    place = ""
    while trace is not None:
        package = str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0]
        if package not in ("gazelle", "jax", "jaxlib", "numpy", "contextlib"):
            place = f"at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def positive_int(name: str, value: Any, owner: str) -> int:
    """`value` as an int > 0.

    Raises:
        ArgumentError: It is not.
    """
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value <= 0:
        raise ArgumentError(
            f"{owner}: {name} must be a positive integer.",
            expected="an int > 0",
            received=repr(value),
        )
    return int(value)


def in_range(name: str, value: Any, low: float, high: float, owner: str) -> float:
    """`value` as a float within [low, high].

    Raises:
        ArgumentError: It is not a number or out of range.
    """
    if not isinstance(value, numbers.Real) or not low <= float(value) <= high:
        raise ArgumentError(
            f"{owner}: {name} is out of range.",
            expected=f"a number from {low} to {high}",
            received=repr(value),
        )
    return float(value)


def checked_flag(name: str, value: Any, owner: str) -> bool:
    """`value`, if it is True or False.

    Raises:
        ArgumentError: It is not.
    """
    if not isinstance(value, bool | np.bool_):
        raise ArgumentError(
            f"{owner}: {name} is expected to be a boolean.",
            expected="True or False",
            received=repr(value),
        )
    return bool(value)


def one_of(name: str, value: Any, allowed: Collection[Any], owner: str) -> Any:
    """`value`, if it is one of `allowed`.

    Raises:
        ArgumentError: It is not.
    """
    if value not in allowed:
        raise ArgumentError(
            f"{owner}: {name} has an unknown value.",
            expected=f"one of {tuple(allowed)}",
            received=repr(value),
        )
    return value
