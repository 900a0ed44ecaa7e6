"""Models from models and from configs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from gazelle._core.errors import ArgumentError, reason
from gazelle._core.registry import deserialize
from gazelle._core.symbolic import leaves, map_structure
from gazelle.layers import InputLayer, Layer
from gazelle.layers.graph import Graph, is_input, replay
from gazelle.layers.parts import own_trainable, set_own_trainable
from gazelle.models.model import Functional
from gazelle.models.sequential import Sequential


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """A model with new weights from `model.to_json()`, Gazelle's or that of Keras 3.

    Args:
        json_string: What `to_json` returned.
        custom_objects: Classes and functions of the user's by name.

    Raises:
        ArgumentError: The text is not the config of a model.
        UnknownNameError: It names a class that is not known.
    """
    try:
        config = json.loads(json_string)
    except (ValueError, TypeError, RecursionError) as error:
        raise ArgumentError(
            "The text is not JSON.",
            expected="what model.to_json() returned",
            received=reason(error),
        ) from None
    if isinstance(config, dict) and "class_name" in config:
        model = deserialize(config, custom_objects)
        if isinstance(model, Layer):
            return model
    raise ArgumentError(
        "The JSON is not a model's config.", expected="what model.to_json() returned"
    )


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
    **kwargs: Any,
) -> Any:
    """A model of the same architecture with new weights, compiled like the model if that is.

    Args:
        model: A `Sequential` or functional model.
        input_tensors: What `Input` gave, in the structure of the model's inputs, to build upon; new
            ones when None.
        clone_function: Gives the layer to take for each layer of the model (but its inputs); by
            default a new one with the same config. What it returns is used as it is, so that a
            layer returned unchanged is shared.
        **kwargs: Keras's further options are not supported.

    Raises:
        ArgumentError: A subclassed model, or an unknown option.
    """
    graph: Graph | None = getattr(model, "_graph", None)
    is_sequential = isinstance(model, Sequential)
    if graph is None and not is_sequential:
        raise ArgumentError(
            "Only Sequential and functional models can be cloned.",
            expected="a model made with Sequential(...) or Model(inputs, outputs)",
            received=type(model).__name__,
            fix="make a second instance of its class",
        )
    if kwargs:
        raise ArgumentError(
            "clone_model got options that it does not know.", received=", ".join(kwargs)
        )
    make = clone_function or _copy
    if graph is None or is_sequential:
        inputs = []
        if input_tensors is not None:
            inputs = leaves(input_tensors)
        elif model._input_layer is not None:
            inputs = [_copy(model._input_layer)]
        layers = [make(layer) for layer in model.layers]
        clone: Any = Sequential([*inputs, *layers], name=model.name)
    else:
        clone = _clone_graph(model, graph, input_tensors, make)
    set_own_trainable(clone, own_trainable(model))
    if (compile_config := model.get_compile_config()) is not None:
        clone.compile_from_config(compile_config)
    return clone


def _clone_graph(
    model: Any, graph: Graph, input_tensors: Any, make: Callable[[Any], Any]
) -> Functional:
    wanted = len(graph.flat_inputs)
    given = [None] * wanted if input_tensors is None else leaves(input_tensors)
    are_inputs = all(tensor is None or is_input(tensor) for tensor in given)
    if len(given) != wanted or not are_inputs:
        raise ArgumentError(
            "clone_model: input_tensors must be what Input() gives, one for each input of the"
            " model.",
            expected=f"{wanted} symbolic tensors",
            received=repr(input_tensors)[:80],
        )
    values = {}
    for old, new in zip(graph.flat_inputs, given, strict=True):
        if new is None and old.node is not None:
            new = _copy(old.node.operation).output
        values.setdefault(id(old), new)
    copies = {}
    for operation in graph.operations:
        if not isinstance(operation, InputLayer):
            copy = make if isinstance(operation, Layer) else _copy
            copies[id(operation)] = copy(operation)
    inputs = map_structure(lambda tensor: values[id(tensor)], graph.inputs)
    return Functional(inputs, replay(graph.nodes, values, graph.outputs, copies), name=model.name)


def _copy(operation: Any) -> Any:
    """A layer or operator with the same config and new weights; models within are cloned."""
    if isinstance(operation, Sequential | Functional):
        return clone_model(operation)
    kind, config = type(operation), operation.get_config()
    return kind.from_config(config) if hasattr(kind, "from_config") else kind(**config)
