"""The paths of layers in Keras 3's weights files, made of attribute names and class names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from gazelle._core.names import snake_case

Sublayers = Callable[[Any], "Sequence[Any] | Mapping[str, Any] | None"]


def keras_layers(model: Any, sublayers: Sublayers, skip: Collection[Any] = ()) -> dict[str, Any]:
    """The paths of a model and of all layers in it.

    The layers of a list are named by class and numbered in order (`layers/dense`,
    `layers/dense_1`), whatever their own names. A layer that occurs again keeps its first path, but
    is also counted where it occurs again.

    Args:
        model: The model, whose own path is `""`.
        sublayers: Returns the contents of a layer: a list of layers (whose paths begin with
            `layers`), a mapping of attribute names to layers or to lists, tuples and dicts of
            layers, or None.
        skip: Layers to leave out, with what is only within them.

    Returns:
        Path -> layer, parents first.
    """
    return dict(_walk(model, "", sublayers, {id(layer) for layer in skip}))


def attribute_sublayers(
    layer: Any, is_layer: Callable[[Any], bool], skip: Collection[str] = ()
) -> dict[str, Any]:
    """The attributes of a user's layer or model that hold layers, in Keras's order.

    Public names come first, in alphabetical order, including `layers` if the class has it; then
    private ones.

    Args:
        layer: The layer or model.
        is_layer: Whether a value is a layer.
        skip: Attributes to ignore.

    Returns:
        Attribute name -> layer, or list, tuple or dict that contains layers.
    """
    names = set(vars(layer)) - set(skip)
    if hasattr(type(layer), "layers") and "layers" not in skip:
        names.add("layers")
    found = {}
    for name in sorted(names, key=lambda name: (name.startswith("_"), name)):
        value = getattr(layer, name)
        if is_layer(value) or _holds_layers(value, is_layer):
            found[name] = value
    return found


def _holds_layers(
    value: Any, is_layer: Callable[[Any], bool], within: tuple[int, ...] = ()
) -> bool:
    if not isinstance(value, list | tuple | dict) or id(value) in within:
        return False
    within = (*within, id(value))  # a container may contain itself
    items = value.values() if isinstance(value, dict) else value
    return any(is_layer(item) or _holds_layers(item, is_layer, within) for item in items)


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
    container: Any, path: str, sublayers: Sublayers, seen: set[int], within: tuple[int, ...] = ()
) -> Iterator[tuple[str, Any]]:
    if id(container) in within:  # it contains itself
        return
    within = (*within, id(container))
    counts: Counter[str] = Counter()
    items = container.values() if isinstance(container, dict) else container
    for item in items:
        is_container = isinstance(item, list | tuple | dict)
        name = "container" if is_container else snake_case(type(item).__name__)
        below = f"{path}/{name}"
        if counts[name]:
            below += f"_{counts[name]}"
        counts[name] += 1
        if is_container:
            yield from _walk_container(item, below, sublayers, seen, within)
        else:
            yield from _walk(item, below, sublayers, seen)
