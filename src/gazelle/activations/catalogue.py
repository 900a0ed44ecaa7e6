"""The names of the activations and how to get one from a name or config."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core import registry

catalogue = registry.Catalogue("activation function", "keras.activations")


def activation(*aliases: str) -> Callable[[Callable[..., jax.Array]], Callable[..., jax.Array]]:
    """A decorator that enters an activation into the catalogue and lets it take lists and NumPy arrays too."""

    def enter(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        @functools.wraps(function)
        def converted(x: Any, *args: Any, **kwargs: Any) -> jax.Array:
            return function(jnp.asarray(x), *args, **kwargs)

        return catalogue.add(*aliases)(converted)

    return enter


def get(identifier: Any) -> Any:
    """The activation that `identifier` stands for.

    Args:
        identifier: None (gives `linear`), a name, a config, or a callable or layer (returned as it
            is).

    Raises:
        UnknownNameError: `identifier` stands for no activation.
    """
    return catalogue.get("linear" if identifier is None else identifier)


def serialize(activation: Any) -> Any:
    """The name of a built-in activation, the config of any other function or layer.

    Raises:
        ArgumentTypeError: A lambda or another object that cannot be described.
    """
    return registry.serialize(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The activation that `serialize` described.

    Args:
        config: What `serialize` returned.
        custom_objects: Further functions and classes by name.

    Raises:
        UnknownNameError: The config names something that is not known.
    """
    return catalogue.get("linear" if config is None else config, custom_objects)
