"""Old arguments of functions, methods and constructors, passed on under today's names."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from gazelle._core.errors import ArgumentError
from gazelle._formats.old_names import ANY, Renamed
from gazelle.compat._forms import CALLS
from gazelle.compat._telling import tell

# What a layer takes though its config does not have it today.
_STILL_TAKEN = ("input_shape", "input_dim", "batch_input_shape")


def modern_function(path: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that also takes its old arguments.

    Args:
        path: Where the table has it: `"Model.fit"`.
        function: The function, or a method.
    """
    renamed = CALLS[path]
    label = path.removeprefix("Model.").rpartition(".")[2]
    taken = _named_parameters(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **modern_arguments(label, renamed, kwargs, taken))

    return call


def modern_arguments(
    label: str, renamed: Renamed, given: dict[str, Any], taken: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Keyword arguments under today's names.

    Args:
        label: How the warning names what is called.
        renamed: What the arguments are called today.
        given: The arguments of a call.
        taken: The parameters that have their old names still.

    Raises:
        ArgumentError: An argument is given under both names, or had an effect that nothing has
            today.
    """
    modern = {}
    for name, value in given.items():
        if name in renamed.arguments and name not in taken:
            new = renamed.arguments[name]
            if new in given:
                raise ArgumentError(
                    f"{label} received the same argument under two names.",
                    expected=f"{new}=",
                    received=f"{name}= and {new}=",
                )
            tell(f"{label}({name}=)", f"{label}({new}=)")
            modern[new] = value
        elif name in renamed.dropped and name not in _STILL_TAKEN:
            _check_dropped(label, name, value, renamed.dropped[name])
        else:
            modern[name] = value
    return modern


def _check_dropped(label: str, name: str, value: Any, allowed: Any) -> None:
    if allowed is not ANY and not any(value is item or value == item for item in allowed):
        raise ArgumentError(
            f"{label}: `{name}` is an argument of an older Keras; nothing replaces it.",
            expected=" or ".join(repr(item) for item in allowed),
            received=repr(value),
            fix="leave it out",
        )
    tell(f"{label}({name}=)", f"{label}() without it; it has no effect")


def _named_parameters(function: Callable[..., Any]) -> frozenset[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(function).parameters.values()
    return frozenset(parameter.name for parameter in parameters if parameter.kind in kinds)
