"""Recorded arguments of a constructor: the config of a layer without `get_config`."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=256)
def _signature(function: Any) -> inspect.Signature:
    return inspect.signature(function)


def bound_arguments(
    owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any] | None:
    """A constructor's arguments by name; None where they do not match, which it refuses itself."""
    signature = _signature(type(owner).__init__)
    try:
        bound = signature.bind(owner, *args, **kwargs)
    except TypeError:
        return None
    arguments = dict(list(bound.arguments.items())[1:])  # without `self`
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            arguments.update(arguments.pop(parameter.name, {}))
    return arguments


def recorded_config(layer: Any, base: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """The config of a layer whose class does not define `get_config`.

    Args:
        layer: The layer.
        base: What every layer's config holds.
        arguments: The recorded arguments.

    Raises:
        NotImplementedError: An argument is not plain data.
    """
    config = {key: value for key, value in arguments.items() if key not in base}
    if not all(_is_plain(value) for value in config.values()):
        raise NotImplementedError(
            f"{type(layer).__name__} takes arguments that are not plain data; define"
            " get_config(self) to return them in a form that JSON can hold."
        )
    parameters = inspect.signature(type(layer).__init__).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if not takes_any:
        base = {key: value for key, value in base.items() if key in parameters}
    return {**base, **config}


def _is_plain(value: Any) -> bool:
    """Whether JSON can hold a value."""
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(_is_plain(item) for item in value.values())
    return value is None or isinstance(value, str | int | float | bool)
