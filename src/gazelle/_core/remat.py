"""Rematerialization: values of the forward pass that the backward pass computes again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal

import jax

from gazelle._core.checks import one_of

_MODES = ("full", "activations", "larger_than", "list_of_layers", None)


class _Scopes(threading.local):
    def __init__(self) -> None:
        self.open: list[RematScope] = []


_scopes = _Scopes()


class RematScope:
    """Within the block, operations are made whose inner values are not kept for the gradient.

    Args:
        mode: `"full"` for all of them, `"list_of_layers"` for those in `layer_names`, None for
            none; `"activations"` and `"larger_than"` are taken as `"full"`.
        output_size_threshold: Taken for Keras's sake.
        layer_names: The names for `"list_of_layers"`.

    Raises:
        ArgumentError: `mode` is unknown.
    """

    def __init__(
        self,
        mode: Literal["full", "activations", "larger_than", "list_of_layers"] | None = "full",
        output_size_threshold: int = 1024,
        layer_names: list[str] | None = None,
    ):
        self.mode = one_of("mode", mode, _MODES, "RematScope")
        self.output_size_threshold = output_size_threshold
        self.layer_names = list(layer_names or [])

    def __enter__(self) -> RematScope:
        _scopes.open.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _scopes.open.pop()


def in_scope(name: str) -> bool:
    """Whether what is made now under `name` is rematerialized."""
    if not _scopes.open:
        return False
    scope = _scopes.open[-1]
    if scope.mode == "list_of_layers":
        return name in scope.layer_names
    return scope.mode is not None


def remat(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose inner values are computed again for the gradient, which saves memory."""
    return jax.checkpoint(f)
