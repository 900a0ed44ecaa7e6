"""LambdaCallback: a callback made of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gazelle._core.errors import ArgumentTypeError, nearest
from gazelle.callbacks._base import HOOKS, Callback


class LambdaCallback(Callback):
    """Calls the given functions as the hooks of the same names.

    Args:
        on_epoch_begin: `f(epoch, logs)`.
        on_epoch_end: `f(epoch, logs)`.
        on_train_begin: `f(logs)`.
        on_train_end: `f(logs)`.
        on_train_batch_begin: `f(batch, logs)`; makes training run step by step, like
            `on_train_batch_end`.
        on_train_batch_end: `f(batch, logs)`.
        **kwargs: Functions for the other hooks of `Callback`.

    Raises:
        ArgumentTypeError: A name is not a hook, or a value is not callable.

    Example:
        >>> callback = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
        >>> callback.on_epoch_end(0, {"loss": 0.5})
        0 0.5
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Callable[..., Any] | None,
    ):
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, function in given.items():
            if name not in HOOKS:
                raise ArgumentTypeError(
                    f"LambdaCallback: there is no hook {name!r}.",
                    expected=f"one of {', '.join(HOOKS)}",
                    received=repr(name),
                    fix=f"near names: {', '.join(nearest(name, HOOKS)) or 'none'}",
                )
            if function is None:
                continue
            if not callable(function):
                raise ArgumentTypeError(
                    f"LambdaCallback: {name} is not callable.",
                    expected="a function",
                    received=repr(function),
                )
            setattr(self, name, function)
