"""The table of what `tensorflow` answers: names below `tf.`, with what they are."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from gazelle.compat._outside import OutOfScopeError

Function = TypeVar("Function", bound=Callable[..., Any])

# By the name below `tf.`: "reduce_mean", "math.reduce_mean".
ANSWERS: dict[str, Any] = {}

# Arguments that had other names in TensorFlow 1, and names of first arguments.
_OLD_ARGUMENTS = {
    "keep_dims": "keepdims",
    "reduction_indices": "axis",
    "dim": "axis",
    "dimension": "axis",
    "squeeze_dims": "axis",
    "concat_dim": "axis",
}
_FIRST = frozenset(
    {
        *("x", "input", "input_tensor", "tensor", "features", "logits", "inputs"),
        *("a", "t", "value", "values", "params", "data"),
    }
)


def enter(path: str, value: Any) -> None:
    """Enter a value under its name below `tf.`, such as `"math.pi"`."""
    ANSWERS[path] = value


def answers(*paths: str) -> Callable[[Function], Function]:
    """A decorator that enters a function or class under names below `tf.`.

    A function also takes `name`, which has no effect, and TensorFlow 1's names of its arguments.
    """

    def add(function: Any) -> Any:
        entered: Any = function if inspect.isclass(function) else lenient(function)
        for path in paths:
            enter(path, entered)
        return function

    return add


def lenient(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that also takes `name`, and old names of its arguments."""
    known = list(inspect.signature(function).parameters)

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        for key in [key for key in kwargs if key not in known]:
            if key == "name":
                del kwargs[key]
            elif key in _OLD_ARGUMENTS:
                kwargs[_OLD_ARGUMENTS[key]] = kwargs.pop(key)
            elif key in _FIRST and not args and known[0] not in kwargs:
                kwargs[known[0]] = kwargs.pop(key)
        return function(*args, **kwargs)

    return called


def out_of_scope(what: str) -> Callable[..., Any]:
    """A function that says that something is out of Gazelle's scope."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise OutOfScopeError(
            f"{what} is out of Gazelle's scope: it is for dense networks.",
            fix="run this script with TensorFlow",
        )

    return refuse
