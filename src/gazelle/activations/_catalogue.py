"""The catalogue of activations: lookup by name or config."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core import registry
from gazelle._core.symbolic import KerasTensor, operator

catalogue = registry.Catalogue("activation function", "keras.activations", also=("keras.layers",))


# Where the operation on symbolic tensors has another name than the activation.
_OPERATIONS = {"relu": "activations.relu", "exponential": "exp"}


def activation(*aliases: str) -> Callable[[Callable[..., jax.Array]], Callable[..., jax.Array]]:
    """A decorator that adds a function to the catalogue and converts its input to a JAX array.

    On a symbolic tensor the function is a step of a functional model.
    """

    def enter(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def converted(x: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(x, KerasTensor):
                if function.__name__ == "linear":
                    return x
                bound = signature.bind(x, *args, **kwargs)
                bound.apply_defaults()
                step = operator(_OPERATIONS.get(function.__name__, function.__name__))
                return step(*bound.args, **bound.kwargs)
            return function(jnp.asarray(x), *args, **kwargs)

        return catalogue.add(*aliases)(converted)

    return enter


def get(identifier: Any) -> Any:
    """Returns an activation by name or config.

    Args:
        identifier: None for `linear`, a name, a config, or a callable or layer, which is returned
            as it is.

    Raises:
        UnknownNameError: No activation is known by that name.
    """
    return catalogue.get("linear" if identifier is None else identifier)


def serialize(activation: Any) -> Any:
    """The name of a built-in activation, or the config of any other function or layer.

    Raises:
        ArgumentTypeError: `activation` is a lambda, or another object that has no config.
    """
    return registry.serialize(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Creates the activation described by a config.

    Args:
        config: A return value of `serialize`; None for `linear`.
        custom_objects: Further functions and classes by name.

    Raises:
        UnknownNameError: The config names an unknown function or class.
    """
    return catalogue.deserialize("linear" if config is None else config, custom_objects)
