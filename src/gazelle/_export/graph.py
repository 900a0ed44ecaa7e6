"""A graph of layers as ONNX nodes, with the models within it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from gazelle._core.operation import Operation
from gazelle._core.symbolic import leaves
from gazelle._export.emitter import Emitter, Value
from gazelle._export.layers import check_training
from gazelle._export.operators import operator
from gazelle._export.sequences import layer
from gazelle.layers import Layer
from gazelle.layers._graph import Graph, replay

GraphOf = Callable[[Layer], Graph | None]


def write_graph(e: Emitter, graph: Graph, inputs: list[Value], graph_of: GraphOf) -> Any:
    """Add the nodes of a graph of layers.

    Args:
        e: The ONNX graph.
        graph: The graph of layers.
        inputs: The values of its flat inputs.
        graph_of: Returns the graph of a layer that is a model and runs only its graph, else None.

    Returns:
        The values of the outputs, in their structure.

    Raises:
        ArgumentError: A step has no ONNX form.
    """
    values: dict[int, Any] = {
        id(tensor): _fitted(e, tensor, value)
        for tensor, value in zip(graph.flat_inputs, inputs, strict=True)
    }
    operations = {
        id(operation): functools.partial(_call, e, graph_of, operation)
        for operation in graph.operations
    }
    return replay(graph.nodes, values, graph.outputs, operations)


def _call(e: Emitter, graph_of: GraphOf, called: Any, *args: Any, **kwargs: Any) -> Any:
    if isinstance(called, Operation):
        return operator(e, called, *args, **kwargs)
    graph = graph_of(called)
    if graph is None:
        return layer(e, called, *args, **kwargs)
    check_training(called, kwargs.get("training"))
    with e.within(called.name):
        return write_graph(e, graph, _flat(graph, args[0]), graph_of)


def _flat(graph: Graph, inputs: Any) -> list[Value]:
    """The arguments of a call of a model, in the order of its inputs."""
    if not isinstance(inputs, dict):
        return leaves(inputs)
    names = sorted(graph.inputs) if isinstance(graph.inputs, dict) else graph.input_names
    return [inputs[name] for name in names]


def _fitted(e: Emitter, tensor: Any, value: Value) -> Value:
    """A value with the rank and type of an input; their ranks may differ by a last axis of 1."""
    wanted, shape = len(tensor.shape), value.shape
    if len(shape) == wanted - 1:
        value = e.op("Unsqueeze", value, np.array([wanted - 1]), shape=(*shape, 1))
    elif len(shape) == wanted + 1:
        value = e.op("Squeeze", value, np.array([wanted]), shape=shape[:-1])
    return e.cast(value, tensor.dtype)
