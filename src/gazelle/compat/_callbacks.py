"""Callbacks take their old arguments, and have the data of the validation as Keras 2's had."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gazelle import callbacks
from gazelle.callbacks import CallbackList
from gazelle.compat._arguments import modern_function
from gazelle.compat._forms import CALLS
from gazelle.compat._patches import Patches


def install_callbacks(patches: Patches) -> None:
    """Let callbacks take their old arguments."""
    for path in CALLS:
        room, _, name = path.rpartition(".")
        if room == "callbacks":
            cls = getattr(callbacks, name)
            patches.attribute(cls, "__init__", modern_function(path, cls.__init__))
    patches.attribute(callbacks.Callback, "validation_data", None)


def with_validation_data(fit: Callable[..., Any]) -> Callable[..., Any]:
    """`fit` whose callbacks have `validation_data`: the inputs, the targets, and the weights."""

    @functools.wraps(fit)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        listed = list(_listed(kwargs.get("callbacks")))
        held = _held_out(args, kwargs) if listed else None
        for callback in listed:
            callback.validation_data = held
        return fit(self, *args, **kwargs)

    return call


def _listed(given: Any) -> Iterator[Any]:
    if isinstance(given, CallbackList):
        given = given.callbacks
    for callback in given if isinstance(given, list | tuple) else [given]:
        if isinstance(callback, callbacks.Callback):
            yield callback


def _held_out(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any] | None:
    """The rows that `fit` validates on; None for a stream, for dicts, or without any."""
    data = kwargs.get("validation_data")
    if isinstance(data, tuple | list) and len(data) in (2, 3):
        x, y, *rest = data
        if isinstance(x, dict) or isinstance(y, dict):  # Keras 2 had them in no order of ours
            return None
        return _with_weights(x, y, rest[0] if rest else None)
    share = kwargs.get("validation_split") or 0.0
    x: Any = kwargs.get("x", args[0] if args else None)
    y: Any = kwargs.get("y", args[1] if len(args) > 1 else None)
    if not share or x is None or y is None or isinstance(x, dict) or isinstance(y, dict):
        return None
    first = x[0] if isinstance(x, list | tuple) else x
    start = int(_length(first) * (1.0 - share))
    return _with_weights(_from(x, start), _from(y, start), None)


def _from(arrays: Any, start: int) -> Any:
    if isinstance(arrays, list | tuple):
        return [array[start:] for array in arrays]
    return arrays[start:]


def _with_weights(x: Any, y: Any, weights: Any) -> list[Any]:
    inputs = list(x) if isinstance(x, list | tuple) else [x]
    targets = list(y) if isinstance(y, list | tuple) else [y]
    if weights is None:
        weights = np.ones(_length(inputs[0]))
    return [*inputs, *targets, *(weights if isinstance(weights, list) else [weights])]


def _length(array: Any) -> int:
    return array.shape[0] if hasattr(array, "shape") else len(array)
