"""Models from models and from configs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from gazelle._core.errors import ArgumentError, reason
from gazelle._core.registry import deserialize, serialize
from gazelle._core.symbolic import KerasTensor, leaves, map_structure
from gazelle.layers import InputLayer, Layer
from gazelle.layers._graph import Graph, replay
from gazelle.layers._parts import own_trainable, set_own_trainable
from gazelle.models._model import Functional
from gazelle.models._sequential import Sequential


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
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Any:
    """A model of the same architecture with new weights, compiled like the model if that is.

    Args:
        model: A `Sequential` or functional model, or one whose class has `get_config`.
        input_tensors: What `Input` gave, in the structure of the model's inputs, to build upon; new
            ones when None.
        clone_function: Gives the layer to take for each layer of the model (but its inputs); by
            default a new one with the same config. What it returns is used as it is, so that a
            layer returned unchanged is shared.
        call_function: `f(layer, *args, **kwargs)`, which calls each layer of a functional model and
            may add layers before or after it; a plain call when None.
        recursive: Whether models within the model are cloned by these functions too, and not as one
            layer. `call_function` is left out for `Sequential` models within.
        **kwargs: `cache`, a dict of clones by the ids of layers, for several calls that share
            layers.

    Raises:
        ArgumentError: An option that does not suit the model, or an unknown one.
    """
    cache = kwargs.pop("cache", None)
    if kwargs:
        raise ArgumentError(
            "clone_model got options that it does not know.", received=", ".join(kwargs)
        )
    is_sequential = isinstance(model, Sequential)
    if not is_sequential and not isinstance(model, Functional):
        return _clone_by_config(model, clone_function or input_tensors or call_function)
    if is_sequential and call_function is not None:
        raise ArgumentError(
            "`call_function` is for functional models: a Sequential model only lists its layers.",
            expected="a model made with Model(inputs, outputs)",
            received=f"the Sequential model {model.name!r}",
            fix="pass clone_function, or build the model with the functional API",
        )
    copies = _Copies(clone_function, call_function, recursive, {} if cache is None else cache)
    clone: Any
    if isinstance(model, Sequential):
        clone = _clone_chain(model, input_tensors, copies)
    else:
        clone = _clone_graph(model, input_tensors, copies)
    set_own_trainable(clone, own_trainable(model))
    if (compile_config := model.get_compile_config()) is not None:
        clone.compile_from_config(compile_config)
    return clone


class _Copies:
    """Makes the copies of layers, one for each.

    Args:
        clone_function, call_function, recursive: As for `clone_model`.
        cache: The copies by the ids of the layers.
    """

    def __init__(
        self,
        clone_function: Callable[[Any], Any] | None,
        call_function: Callable[..., Any] | None,
        recursive: bool,
        cache: dict[int, Any],
    ):
        self.clone_function = clone_function
        self.call_function = call_function
        self.recursive = recursive
        self.cache = cache

    def of(self, operation: Any) -> Any:
        """The copy of a layer or operation."""
        if id(operation) not in self.cache:
            self.cache[id(operation)] = self._new(operation)
        return self.cache[id(operation)]

    def _new(self, operation: Any) -> Any:
        is_sequential = isinstance(operation, Sequential)
        if self.recursive and (is_sequential or isinstance(operation, Functional)):
            return clone_model(
                operation,
                clone_function=self.clone_function,
                call_function=None if is_sequential else self.call_function,
                recursive=True,
                cache=self.cache,
            )
        if self.clone_function is None or not isinstance(operation, Layer):
            return _copy(operation)
        return self.clone_function(operation)


def _clone_by_config(model: Any, option: Any) -> Any:
    """A clone of a model that runs code of its own, from its config."""
    if option is not None:
        raise ArgumentError(
            "clone_function, call_function and input_tensors are for Sequential and functional"
            " models: this one is a class of its own.",
            received=type(model).__name__,
            fix="clone it without them, or make a second instance of its class",
        )
    return deserialize(serialize(model), {type(model).__name__: type(model)})


def _clone_chain(model: Sequential, input_tensors: Any, copies: _Copies) -> Sequential:
    inputs = []
    if input_tensors is not None:
        inputs = leaves(input_tensors)
        if len(inputs) != 1 or not isinstance(inputs[0], KerasTensor):
            raise ArgumentError(
                "`input_tensors` of a Sequential model must be one symbolic tensor.",
                expected="what Input() returns",
                received=repr(input_tensors)[:80],
            )
    elif model._input_layer is not None:
        inputs = [_copy(model._input_layer)]
    return Sequential([*inputs, *map(copies.of, model.layers)], name=model.name)


def _clone_graph(model: Functional, input_tensors: Any, copies: _Copies) -> Any:
    graph: Graph = model._known_graph("inputs")
    if input_tensors is None:
        values = {
            id(old): _copy(old.node.operation).output for old in graph.flat_inputs if old.node
        }
    else:
        new = _inputs_like(graph, input_tensors)
        values = {id(old): tensor for old, tensor in zip(graph.flat_inputs, new, strict=True)}
    inputs = map_structure(lambda tensor: values[id(tensor)], graph.inputs)
    operations = {
        id(operation): copies.of(operation)
        for operation in graph.operations
        if not isinstance(operation, InputLayer)
    }
    outputs = replay(graph.nodes, values, graph.outputs, operations, copies.call_function)
    kind = type(model) if model._was_made_of_tensors() else Functional
    return kind(inputs, outputs, name=model.name)


def _inputs_like(graph: Graph, given: Any) -> list[Any]:
    """The given input tensors in the order of the model's."""
    flat = leaves(given)
    if not all(isinstance(tensor, KerasTensor) for tensor in flat):
        raise ArgumentError(
            "`input_tensors` must be symbolic tensors.",
            expected="what Input() returns",
            received=repr(given)[:80],
        )
    as_dict = isinstance(graph.inputs, dict)
    same_keys = as_dict is isinstance(given, dict) and (
        not as_dict or set(given) == set(graph.inputs)
    )
    if not same_keys or len(flat) != len(graph.flat_inputs):
        raise ArgumentError(
            "`input_tensors` must have the same structure as model.input.",
            expected=str(map_structure(lambda tensor: tensor.name, graph.inputs)),
            received=str(map_structure(lambda tensor: tensor.name, given)),
        )
    return flat


def _copy(operation: Any) -> Any:
    """A layer or operation with the same config and new weights; models within are cloned."""
    if isinstance(operation, Sequential | Functional):
        return clone_model(operation)
    kind, config = type(operation), operation.get_config()
    return kind.from_config(config) if hasattr(kind, "from_config") else kind(**config)
