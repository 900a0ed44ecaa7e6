"""Scopes of Keras: values instead of variables' own, names, devices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core import context
from gazelle._core.errors import ArgumentError
from gazelle._core.lending import borrowed_here
from gazelle._core.variable import Variable


class StatelessScope:
    """Within the block, variables have other values, and what is assigned to them is only noted.

    Args:
        state_mapping: Pairs of a variable and its value within the block.
        collect_losses: Whether the losses that layers add are kept in `losses`.
        initialize_variables: Taken for Keras's sake.

    Attributes:
        losses: The losses that were added, if they are collected.
        state_mapping: Variables, and their values within the block.

    Raises:
        ArgumentError: Another key than a variable, or a value of another shape.
    """

    def __init__(
        self,
        state_mapping: Iterable[tuple[Variable, Any]] | None = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ):
        self.collect_losses = collect_losses
        self.initialize_variables = initialize_variables
        self.losses: list[Any] = []
        self.state_mapping: dict[Variable, Any] = {}
        for variable, value in dict(state_mapping or {}).items():
            if not isinstance(variable, Variable):
                raise ArgumentError(
                    "Invalid reference variable: all keys in argument `mapping` must be Variable"
                    " instances.",
                    received=repr(variable)[:80],
                )
            value = jnp.asarray(value, variable.dtype)
            if value.shape != variable.shape:
                raise ArgumentError(
                    "Invalid variable value: all values in argument `mapping` must be tensors with"
                    " the shape of their variable.",
                    expected=variable.shape,
                    received=value.shape,
                )
            self.state_mapping[variable] = value

    def __enter__(self) -> StatelessScope:
        here = borrowed_here
        self._kept = (here.values, here.notes_all)
        here.values = {**here.values, **self.state_mapping}
        here.notes_all = True
        self._stack = ExitStack()
        if self.collect_losses:
            self.losses = self._stack.enter_context(context.collected_losses())
        return self

    def __exit__(self, *_: object) -> None:
        values = borrowed_here.values
        outer, notes_all = self._kept
        changed = {v: value for v, value in values.items() if outer.get(v) is not value}
        self.state_mapping |= changed
        borrowed_here.values, borrowed_here.notes_all = outer, notes_all
        self._stack.close()

    def add_loss(self, loss: Any) -> None:
        """Add a loss to `losses`."""
        self.losses.append(loss)

    def add_update(self, update: tuple[Variable, Any]) -> None:
        """Note a value for a variable, without assigning it."""
        variable, value = update
        self.state_mapping[variable] = value

    def get_current_value(self, variable: Variable) -> Any:
        """The value that was noted last; None if there is none."""
        return self.state_mapping.get(variable)


class SymbolicScope:
    """Within the block Keras computes shapes alone; Gazelle needs no such block."""

    def __enter__(self) -> SymbolicScope:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def name_scope(name: str, **kwargs: Any) -> AbstractContextManager[None]:
    """A block within which variables are made under `name`.

    Args:
        name: The name, without `/`.
        **kwargs: Taken for Keras's sake.

    Raises:
        ArgumentError: `name` is not such a text.
    """
    if not isinstance(name, str) or "/" in name:
        raise ArgumentError(
            "Argument `name` must be a string and cannot contain character `/`.",
            received=repr(name),
        )
    return context.scope(name)


@contextmanager
def device(device_name: str) -> Iterator[None]:
    """A block within which arrays are made on a device.

    Args:
        device_name: `"cpu:0"`, `"gpu:1"`, ...

    Raises:
        ArgumentError: There is no such device.
    """
    if not isinstance(device_name, str):
        raise ArgumentError(
            "Invalid value for argument `device_name`: expected a string like 'gpu:0'.",
            received=repr(device_name),
        )
    kind, _, number = device_name.lower().partition(":")
    try:
        found = jax.devices(kind)[int(number or 0)]
    except (RuntimeError, ValueError, IndexError):
        raise ArgumentError(
            f"There is no device {device_name!r}.",
            expected=", ".join(f"{d.platform}:{d.id}" for d in jax.devices()),
            received=repr(device_name),
        ) from None
    with jax.default_device(found):
        yield
