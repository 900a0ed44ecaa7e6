"""Functional: a model described by calling layers on symbolic tensors; its config is the graph."""

from __future__ import annotations

from typing import Any

from gazelle._core.errors import ArgumentError, UnknownNameError, short
from gazelle._core.registry import builtin, deserialize, is_own_class, reading_config, serialize
from gazelle._core.symbolic import KerasTensor, Node, Operation, leaves, map_structure
from gazelle.layers import Layer
from gazelle.models.model import Model

# What Keras calls the operators between symbolic tensors in a config.
_KERAS_OPERATORS = {
    "add": "Add",
    "subtract": "Subtract",
    "multiply": "Multiply",
    "divide": "TrueDivide",
    "power": "Power",
    "matmul": "Matmul",
    "negative": "Negative",
    "absolute": "Absolute",
    "get_item": "GetItem",
}
_KERAS_MODULE = "keras.src.ops.numpy"


@builtin("keras.src.models.functional")
class Functional(Model):
    """What `Model(inputs=..., outputs=...)` makes.

    Args:
        inputs: A symbolic tensor, or a list or dict of them.
        outputs: The same.
        name: A name; automatic when None.
        **kwargs: `trainable`.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any):
        super().__init__(inputs, outputs, name=name, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The layers, how they are called, and which tensors are inputs and outputs.

        Raises:
            ArgumentError: A step of the graph is no layer.
        """
        if type(self) is not Functional:
            return Layer.get_config(self)
        graph = self._known_graph("input")
        inside = {id(node) for node in graph.nodes}
        numbers = {
            id(node): i
            for op in graph.operations
            for i, node in enumerate(n for n in op.inbound_nodes if id(n) in inside or not n.inputs)
        }

        def history(tensor: KerasTensor) -> list[Any]:
            node = tensor.node
            return (
                [node.operation.name, numbers[id(node)], tensor.index]
                if node is not None
                else [tensor.name, 0, 0]
            )

        def encode(leaf: Any) -> Any:
            if isinstance(leaf, KerasTensor):
                config = {
                    "shape": list(leaf.shape),
                    "dtype": leaf.dtype,
                    "keras_history": history(leaf),
                }
                return {"class_name": "__keras_tensor__", "config": config}
            return serialize(leaf)

        layers = []
        for op in graph.operations:
            nodes = [node for node in op.inbound_nodes if id(node) in inside]
            inbound = [
                {
                    "args": list(map_structure(encode, node.args)),
                    "kwargs": map_structure(encode, node.kwargs),
                }
                for node in nodes
            ]
            layers.append({**_step_config(op), "name": op.name, "inbound_nodes": inbound})
        return {
            "name": self.name,
            "trainable": self._trainable,
            "layers": layers,
            "input_layers": map_structure(history, graph.inputs),
            "output_layers": map_structure(history, graph.outputs),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A model with new weights from `get_config`.

        Raises:
            ArgumentError: The config is damaged: a call waits for a tensor that no layer gives.
        """
        if "layers" not in config or "input_layers" not in config:
            return super().from_config(config)
        with reading_config(cls.__name__, own=is_own_class(cls)):
            return cls._from_graph_config(config)

    @classmethod
    def _from_graph_config(cls, config: dict[str, Any]) -> Any:
        made: dict[str, Any] = {}
        waiting: list[tuple[str, int, dict[str, Any]]] = []
        tensors: dict[tuple[str, int], Any] = {}
        for entry in config["layers"]:
            layer = _step(
                {key: value for key, value in entry.items() if key not in ("name", "inbound_nodes")}
            )
            if not isinstance(entry["name"], str):
                raise ArgumentError("A layer's name must be text.", received=short(entry["name"]))
            layer.name = entry["name"]
            made[entry["name"]] = layer
            if not entry["inbound_nodes"] and layer.inbound_nodes:
                tensors[entry["name"], 0] = layer.inbound_nodes[0]
            waiting += [(entry["name"], i, call) for i, call in enumerate(entry["inbound_nodes"])]
        while waiting:
            later = []
            for name, i, call in waiting:
                blocked = (name, i - 1) not in tensors and i > 0
                if blocked or not _ready(call, tensors):
                    later.append((name, i, call))
                    continue
                args, kwargs = _decode(call["args"], tensors), _decode(call["kwargs"], tensors)
                made[name](*args, **kwargs)
                tensors[name, i] = made[name].inbound_nodes[-1]
            if len(later) == len(waiting):
                raise ArgumentError(
                    "The config of a functional model is damaged: some calls wait for tensors that"
                    " nothing gives.",
                    received=", ".join(name for name, _, _ in later),
                )
            waiting = later

        def find(place: Any) -> Any:
            if isinstance(place, dict):
                return {key: find(inner) for key, inner in place.items()}
            if len(place) == 3 and isinstance(place[0], str):
                return _outputs(tensors[place[0], place[1]])[place[2]]
            return [find(inner) for inner in place]

        model = cls(
            find(config["input_layers"]), find(config["output_layers"]), name=config.get("name")
        )
        model._trainable = config.get("trainable", True)
        return model


def _step_config(operation: Any) -> dict[str, Any]:
    """The config of a layer, or of an operator as Keras writes it."""
    if not isinstance(operation, Operation):
        return serialize(operation)
    name = _KERAS_OPERATORS[operation.operation]
    return {
        "module": _KERAS_MODULE,
        "class_name": name,
        "config": {"name": operation.name},
        "registered_name": name,
    }


def _step(config: dict[str, Any]) -> Any:
    if not str(config.get("module")).startswith("keras.src.ops"):
        return deserialize(config)
    known = {"Divide": "divide", **{theirs: ours for ours, theirs in _KERAS_OPERATORS.items()}}
    if config["class_name"] not in known:
        raise UnknownNameError("operator of keras.ops", config["class_name"], known)
    return Operation(known[config["class_name"]], name=config["config"].get("name"))


def _outputs(node: Node) -> list[KerasTensor]:
    return leaves(node.outputs)


def _is_tensor(config: Any) -> bool:
    return isinstance(config, dict) and config.get("class_name") == "__keras_tensor__"


def _ready(config: Any, tensors: dict[tuple[str, int], Any]) -> bool:
    if _is_tensor(config):
        name, node, _ = config["config"]["keras_history"]
        return (name, node) in tensors
    if isinstance(config, dict):
        return all(_ready(inner, tensors) for inner in config.values())
    if isinstance(config, list):
        return all(_ready(inner, tensors) for inner in config)
    return True


def _decode(config: Any, tensors: dict[tuple[str, int], Any]) -> Any:
    if _is_tensor(config):
        name, node, index = config["config"]["keras_history"]
        return _outputs(tensors[name, node])[index]
    if isinstance(config, dict) and "class_name" not in config:
        return {key: _decode(inner, tensors) for key, inner in config.items()}
    if isinstance(config, list):
        return [_decode(inner, tensors) for inner in config]
    return deserialize(config)
