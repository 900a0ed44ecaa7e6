"""What is within a layer: weights, metrics and other layers, found among its attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gazelle._core.identity import unique
from gazelle._core.variable import Variable
from gazelle.metrics import Metric

if TYPE_CHECKING:
    from gazelle.layers._base import Layer
    from gazelle.layers._weighted import Weighted


def search(value: Any, kinds: tuple[type, ...], within: tuple[int, ...] = ()) -> Iterator[Any]:
    """The objects of some classes in a value, also in nested lists, tuples and dicts.

    Args:
        value: The value.
        kinds: The classes.
        within: The ids of the containers that the value is in: one may contain itself.
    """
    if isinstance(value, kinds):
        yield value
    elif isinstance(value, list | tuple | dict) and id(value) not in within:
        for item in value.values() if isinstance(value, dict) else value:
            yield from search(item, kinds, (*within, id(value)))


def flatten_layers(layer: Weighted, *, frozen: bool = True) -> Iterator[Any]:
    """A layer and all layers within it, each once, depth first.

    Args:
        layer: The layer.
        frozen: Whether to include frozen layers and what is within them.
    """
    seen: set[int] = set()
    stack: list[Any] = [layer]
    while stack:
        found = stack.pop()
        if id(found) in seen or not (frozen or found._layer_state.trainable):
            continue
        seen.add(id(found))
        yield found
        stack.extend(reversed(list(found._sublayers())))


def own_weights(layer: Weighted) -> list[Variable]:
    """A layer's own weights, less those of layers within it; trainable ones first."""
    return [v for v in layer._own_variables() if not is_generator_state(v)]


def is_generator_state(variable: Variable) -> bool:
    """Whether a variable is the state of a random generator, which is not a weight."""
    return variable.name == "seed_generator_state"


def held_metrics(layer: Layer) -> list[Metric]:
    """The metrics that a layer and the layers within it hold as attributes."""
    parts = (part for inner in flatten_layers(layer) for part in inner._parts())
    return unique(part for part in parts if isinstance(part, Metric))


def first_outputs(layer: Layer) -> Any:
    """The outputs of a layer's first call on arrays as symbolic tensors; None before it."""
    return layer._layer_state.record.first_outputs


def given_input_shape(layer: Layer) -> tuple[int | None, ...] | None:
    """The input's shape, without the batch axis, that the layer's constructor was given."""
    return layer._layer_state.input_shape


def set_own_trainable(layer: Weighted, value: bool) -> None:
    """Set the flag of a layer alone; `layer.trainable = ...` sets it for the layers within too."""
    layer._layer_state.trainable = bool(value)
    for variable in layer._own_variables():
        variable.frozen = not value


def own_trainable(layer: Layer) -> bool:
    """The flag of a layer alone."""
    return layer._layer_state.trainable
