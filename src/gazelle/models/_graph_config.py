"""The config of a functional model: its layers, how they are called, and what goes in and out."""

from __future__ import annotations

import warnings
from typing import Any

from gazelle._core.errors import ArgumentError, CheckWarning, short
from gazelle._core.operation import KnownOperation, find_entry
from gazelle._core.registry import deserialize, serialize
from gazelle._core.symbolic import KerasTensor, Node, leaves, map_structure
from gazelle.layers._graph import Graph
from gazelle.models._trainable import Trainable

# Where Keras says in a config that its operations are.
_OPERATIONS = ("keras.src.ops.", "keras.src.activations.", "gazelle.losses", "gazelle.metrics")
# Options of which a file must not ask for many: results, or repetitions while a call is followed.
_COUNTS = ("indices_or_sections", "n", "num", "unroll")
_MOST_COUNTED = 10_000


def graph_config(graph: Graph) -> dict[str, Any]:
    """A graph as JSON-ready values in Keras's form, which `graph_from_config` reads.

    A tensor is named by the layer that gave it, the number of that call, and its place among the
    outputs.

    Raises:
        ArgumentTypeError: A layer cannot be written into a config.
    """
    if graph.terms:
        warnings.warn(
            f"The config of model {graph.name!r} does not hold what add_loss was given.",
            CheckWarning,
            stacklevel=3,
        )
        graph = Graph(graph.inputs, graph.outputs, graph.name)
    inside = {id(node) for node in graph.nodes}
    numbers: dict[int, int] = {}
    for operation in graph.operations:
        calls = [node for node in operation.inbound_nodes if id(node) in inside or not node.inputs]
        numbers |= {id(node): number for number, node in enumerate(calls)}

    def history(tensor: KerasTensor) -> list[Any]:
        node = tensor.node
        if node is None:
            return [tensor.name, 0, 0]
        return [node.operation.name, numbers[id(node)], tensor.index]

    def encode(leaf: Any) -> Any:
        if not isinstance(leaf, KerasTensor):
            return serialize(leaf)
        config = {"shape": list(leaf.shape), "dtype": leaf.dtype, "keras_history": history(leaf)}
        return {"class_name": "__keras_tensor__", "config": config}

    def encode_call(node: Node) -> dict[str, Any]:
        args, kwargs = map_structure(encode, (node.args, node.kwargs))
        return {"args": list(args), "kwargs": kwargs}

    def output(tensor: KerasTensor) -> list[Any]:
        name, number, index = history(tensor)
        first = 0 if tensor.node is None else _first_output_call(tensor.node.operation)
        return [name, number + first, index]

    outputs = graph.outputs
    if isinstance(outputs, list) and len(outputs) == 1:
        outputs = [outputs]  # a graph takes a list of one for the one
    layers = []
    for operation in graph.operations:
        calls = [encode_call(node) for node in operation.inbound_nodes if id(node) in inside]
        layers.append({**_step_config(operation), "name": operation.name, "inbound_nodes": calls})
    return {
        "layers": layers,
        "input_layers": map_structure(history, graph.inputs),
        "output_layers": map_structure(output, outputs),
    }


def graph_from_config(config: dict[str, Any]) -> tuple[Any, Any]:
    """The inputs and outputs that `graph_config` described; the layers are made and called.

    Raises:
        ArgumentError: The config is damaged: a call waits for a tensor that no layer gives.
    """
    layers: dict[str, Any] = {}
    calls: list[tuple[str, int, dict[str, Any]]] = []
    nodes: dict[tuple[str, int], Node] = {}
    for entry in config["layers"]:
        name, inbound = entry["name"], entry["inbound_nodes"]
        if not isinstance(name, str):
            raise ArgumentError("A layer's name must be text.", received=short(name))
        rest = {key: value for key, value in entry.items() if key not in ("name", "inbound_nodes")}
        layer = layers[name] = _step(rest)
        layer.name = name
        if not inbound and layer.inbound_nodes:  # an input, which has no call
            nodes[name, 0] = layer.inbound_nodes[0]
        calls += [(name, number, call) for number, call in enumerate(inbound)]
    _make_calls(calls, layers, nodes)
    inputs = _find(config["input_layers"], nodes)
    counted = {
        (name, n + _first_output_call(layers[name])): node for (name, n), node in nodes.items()
    }
    return inputs, _find(config["output_layers"], counted)


def _first_output_call(operation: Any) -> int:
    """The number of an operation's first call in `output_layers`.

    Keras counts the calls of functional models from 1 there, and from 0 in `inbound_nodes`.
    """
    return int(isinstance(operation, Trainable) and operation._is_functional)


def check_all_used(config: dict[str, Any], graph: Graph) -> None:
    """Refuse a config with layers or calls that are on no way to an output.

    Raises:
        ArgumentError: The first such layer.
    """
    operations = {operation.name: operation for operation in graph.operations}
    inside = {id(node) for node in graph.nodes}
    for entry in config["layers"]:
        operation = operations.get(entry["name"])
        nodes = [] if operation is None else operation.inbound_nodes
        used = sum(id(node) in inside for node in nodes)
        if operation is None or used < len(entry["inbound_nodes"]):
            raise ArgumentError(
                f"The layer {short(entry['name'], 40)} is called for no output of the model.",
                expected="layers on the way from the inputs to the outputs",
                fix="write the config again",
            )


def _make_calls(
    calls: list[tuple[str, int, dict[str, Any]]],
    layers: dict[str, Any],
    nodes: dict[tuple[str, int], Node],
) -> None:
    """Call each layer once its inputs are there, and enter the nodes."""
    while calls:
        waiting = []
        for name, number, call in calls:
            comes_later = number > 0 and (name, number - 1) not in nodes
            if comes_later or not _ready(call, nodes):
                waiting.append((name, number, call))
                continue
            args, kwargs = _decode(call["args"], nodes), _decode(call["kwargs"], nodes)
            layers[name](*args, **kwargs)
            nodes[name, number] = layers[name].inbound_nodes[-1]
        if len(waiting) == len(calls):
            raise ArgumentError(
                "The config of a functional model is damaged: some calls wait for tensors that"
                " nothing gives.",
                received=", ".join(name for name, _, _ in waiting),
            )
        calls = waiting


def _find(place: Any, nodes: dict[tuple[str, int], Node]) -> Any:
    """The tensors that a structure of `[layer, call, output]` names."""
    if isinstance(place, dict):
        return {key: _find(inner, nodes) for key, inner in place.items()}
    if len(place) == 3 and isinstance(place[0], str):
        return leaves(nodes[place[0], place[1]].outputs)[place[2]]
    kind = tuple if isinstance(place, tuple) else list
    return kind(_find(inner, nodes) for inner in place)


def _step_config(operation: Any) -> dict[str, Any]:
    """The config of a layer, or of a known operation as Keras writes it."""
    if not isinstance(operation, KnownOperation):
        return serialize(operation)
    entry = operation.entry
    return {
        "module": entry.module,
        "class_name": entry.class_name,
        "config": {"name": operation.name, **serialize(operation.options)},
        "registered_name": entry.class_name,
    }


def _step(config: dict[str, Any]) -> Any:
    """A layer, or an operation of `gazelle.ops`; the table of these is closed."""
    module, name = str(config.get("module")), config.get("class_name")
    if not module.startswith(_OPERATIONS):
        return deserialize(config)
    entry = find_entry(module, str(name))
    given = config["config"]
    options = {key: deserialize(value) for key, value in given.items() if key != "name"}
    parameters = entry.signature.parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for option, value in options.items():
        is_known = takes_any or (option in parameters and option not in entry.tensors)
        is_many = isinstance(value, int) and value > _MOST_COUNTED and option in _COUNTS
        if not is_known or is_many:
            raise ArgumentError(
                f"The config of the operation {short(name, 40)} is damaged.",
                expected="its options, with moderate numbers",
                received=f"{short(option, 40)}: {short(value, 40)}",
            )
    return KnownOperation(entry.key, options, given.get("name"))


def _check_shape(name: str, tensor: KerasTensor, shape: Any) -> None:
    """Refuse a tensor of another shape than the config says."""
    if shape is None:
        return
    pairs = zip(tensor.shape, shape, strict=False)
    differs = any(None not in pair and pair[0] != pair[1] for pair in pairs)
    if differs or len(shape) != len(tensor.shape):
        raise ArgumentError(
            f"The config gives the output of {short(name, 30)} the shape {short(shape, 40)}.",
            expected=tensor.shape,
            received=short(shape),
        )


def _is_tensor(config: Any) -> bool:
    return isinstance(config, dict) and config.get("class_name") == "__keras_tensor__"


def _ready(config: Any, nodes: dict[tuple[str, int], Node]) -> bool:
    if _is_tensor(config):
        name, node, _ = config["config"]["keras_history"]
        return (name, node) in nodes
    if isinstance(config, dict):
        return all(_ready(inner, nodes) for inner in config.values())
    if isinstance(config, list):
        return all(_ready(inner, nodes) for inner in config)
    return True


def _decode(config: Any, nodes: dict[tuple[str, int], Node]) -> Any:
    if _is_tensor(config):
        name, node, index = config["config"]["keras_history"]
        tensor = leaves(nodes[name, node].outputs)[index]
        _check_shape(name, tensor, config["config"].get("shape"))
        return tensor
    if isinstance(config, dict) and "class_name" not in config:
        return {key: _decode(inner, nodes) for key, inner in config.items()}
    if isinstance(config, list):
        return [_decode(inner, nodes) for inner in config]
    return deserialize(config)
