"""Where Keras 3 keeps a layer's weights in a file: a path of attribute names and numbered class names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from gazelle._core.names import snake_case
from gazelle._core.variable import Variable

Sublayers = Callable[[Any], "Sequence[Any] | Mapping[str, Any] | None"]


def keras_layers(model: Any, sublayers: Sublayers) -> dict[str, Any]:
    """The path of a model and of every layer within it.

    The layers of a list are named by class and numbered in order (`layers/dense`,
    `layers/dense_1`), whatever their own names; a layer met twice keeps its first path and still
    counts where it is met again.

    Args:
        model: The model, whose own path is `""`.
        sublayers: Tells what a layer holds: a list of layers (found below `layers`), a mapping of
            attribute names to layers or to lists, tuples and dicts of them, or None.

    Returns:
        Path -> layer, parents first.
    """
    return dict(_walk(model, "", sublayers, set()))


def keras_paths(
    model: Any, own_variables: Callable[[Any], Sequence[Variable]], sublayers: Sublayers
) -> dict[str, list[Variable]]:
    """The path of a model and of every layer within it, with the variables that are its own.

    Args:
        model: The model.
        own_variables: A layer's own variables without those of layers within it, trainable ones
            first.
        sublayers: As for `keras_layers`.

    Returns:
        Path -> variables; layers without variables have an empty list.
    """
    return {
        path: list(own_variables(layer)) for path, layer in keras_layers(model, sublayers).items()
    }


def attribute_sublayers(
    layer: Any, is_layer: Callable[[Any], bool], skip: Collection[str] = ()
) -> dict[str, Any]:
    """What the attributes of a user's own layer or model hold, in Keras's order.

    Public names come first, in alphabetical order, `layers` (where the class has it) among them;
    then private ones.

    Args:
        layer: The layer or model.
        is_layer: Whether a value is a layer.
        skip: Attributes that are no parts of it.

    Returns:
        Attribute name -> layer, or list, tuple or dict in which layers are.
    """
    names = set(vars(layer)) | ({"layers"} if hasattr(type(layer), "layers") else set())
    found = {}
    for name in sorted(names - set(skip), key=lambda name: (name.startswith("_"), name)):
        value = getattr(layer, name)
        if is_layer(value) or _holds_layers(value, is_layer):
            found[name] = value
    return found


def _holds_layers(value: Any, is_layer: Callable[[Any], bool]) -> bool:
    items = (
        value.values()
        if isinstance(value, dict)
        else value
        if isinstance(value, list | tuple)
        else ()
    )
    return any(is_layer(item) or _holds_layers(item, is_layer) for item in items)


def _walk(layer: Any, path: str, sublayers: Sublayers, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if id(layer) in seen:
        return
    seen.add(id(layer))
    yield path, layer
    parts = sublayers(layer)
    if parts is None:
        return
    attributes = parts if isinstance(parts, Mapping) else {"layers": parts}
    for name, value in attributes.items():
        below = f"{path}/{name}" if path else name
        if isinstance(value, list | tuple | dict):
            yield from _walk_container(value, below, sublayers, seen)
        else:
            yield from _walk(value, below, sublayers, seen)


def _walk_container(
    container: Any, path: str, sublayers: Sublayers, seen: set[int]
) -> Iterator[tuple[str, Any]]:
    counts: Counter[str] = Counter()
    for item in container.values() if isinstance(container, dict) else container:
        inner = isinstance(item, list | tuple | dict)
        name = "container" if inner else snake_case(type(item).__name__)
        counts[name] += 1
        below = f"{path}/{name}" if counts[name] == 1 else f"{path}/{name}_{counts[name] - 1}"
        yield from (_walk_container if inner else _walk)(item, below, sublayers, seen)
