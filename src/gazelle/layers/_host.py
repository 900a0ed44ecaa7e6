"""Where a model's graph is cut: text and what JAX cannot compute runs on the host, once.

A call of a `HostLayer` runs on the host, and so does every call whose result one needs. All other
calls are the compiled program. What passes from the first to the second, and the inputs that the
second takes itself, are the *border*. `fit`, `evaluate` and `predict` run the first part on the
whole data (of a stream on each batch) and give the program the border's arrays as `Prepared`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from gazelle._core.dtypes import TEXT
from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.symbolic import KerasTensor, Node, leaves, map_structure
from gazelle.layers._base import Layer
from gazelle.layers._preprocessing.host import HostLayer, as_values


class Prepared(list[Any]):
    """The arrays of the border, in its order."""


jax.tree_util.register_pytree_node(
    Prepared, lambda values: (tuple(values), None), lambda _, values: Prepared(values)
)


class HostPart:
    """The calls of a graph that run on the host.

    Args:
        nodes: All calls of the graph, in order.
        inputs: Its inputs.
        outputs: Its outputs.

    Attributes:
        nodes: The calls on the host. A model that has such a part of its own is called in two
            steps, of which the first is here.
        rest: The other calls.
        border: The tensors that the rest takes.

    Raises:
        ArgumentError: A layer with trained weights would run on the host.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        inputs: Sequence[KerasTensor],
        outputs: Sequence[KerasTensor],
    ):
        needed: set[int] = set()
        self.nodes: list[Any] = []
        self.rest: list[Any] = []
        for node in reversed(nodes):
            is_needed = any(id(tensor) in needed for tensor in leaves(node.outputs))
            if is_needed or isinstance(node.operation, HostLayer):
                _check(node.operation)
                self.nodes.insert(0, node)
            elif _inner_graph(node) is not None:
                first, second = _divided(node)
                self.nodes.insert(0, first)
                self.rest.insert(0, second)
            else:
                self.rest.insert(0, node)
                continue
            needed.update(id(tensor) for tensor in node.inputs)
        made = [*inputs, *(tensor for node in self.nodes for tensor in leaves(node.outputs))]
        used = {id(tensor) for node in self.rest for tensor in node.inputs}
        used.update(map(id, outputs))
        self.border = [tensor for tensor in made if id(tensor) in used]
        self.inputs = list(inputs)
        self._on_host = needed

    def run(self, arrays: Iterable[Any]) -> Prepared:
        """The arrays of the border for those of the inputs.

        Args:
            arrays: An array, list or table's column per input; text in any form.

        Raises:
            DataError: What a layer refuses.
            ShapeError: Text that does not have the shape of its input.
        """
        values: dict[int, Any] = {}
        for tensor, array in zip(self.inputs, arrays, strict=True):
            goes_on = id(tensor) in self._on_host
            values[id(tensor)] = _fitted(tensor, array) if goes_on else array

        def value_of(leaf: Any) -> Any:
            return values[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

        for node in self.nodes:
            args, kwargs = map_structure(value_of, (node.args, node.kwargs))
            operation = node.operation
            if isinstance(node, _Call):
                values[id(node.outputs)] = operation(*args)
                continue
            if isinstance(operation, HostLayer):
                results: Any = operation.on_host(*args)
            else:
                results = _outside(operation, args, kwargs)
            for tensor, result in zip(leaves(node.outputs), leaves(results), strict=True):
                values[id(tensor)] = result
        return Prepared(values[id(tensor)] for tensor in self.border)


def host_part(
    nodes: Sequence[Node], inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]
) -> HostPart | None:
    """The part of a graph that runs on the host; None if no layer needs it."""
    for node in nodes:
        if isinstance(node.operation, HostLayer) or _inner_graph(node) is not None:
            return HostPart(nodes, inputs, outputs)
    return None


@dataclass
class _Call:
    """One step of the call of a model that has a part on the host."""

    operation: Any
    args: Any
    kwargs: dict[str, Any]
    outputs: Any
    inputs: list[KerasTensor]


def _inner_graph(node: Node) -> Any:
    """The graph of a model that is called and has a part on the host; else None."""
    return getattr(node.operation, "graph_on_host", None)


def _divided(node: Node) -> tuple[_Call, _Call]:
    """The call of such a model in two steps; what passes between them stands for a tensor."""
    between = KerasTensor((None,), TEXT)
    first = _Call(_inner_graph(node).prepared, node.args[:1], {}, between, node.inputs)
    args = (between, *node.args[1:])
    return first, _Call(node.operation, args, node.kwargs, node.outputs, [between])


def _check(operation: Any) -> None:
    """Refuse what cannot run before the compiled program.

    Raises:
        ArgumentError: A layer with weights that are trained.
    """
    if isinstance(operation, Layer) and operation.trainable_variables:
        raise ArgumentError(
            f"The layer {operation.name!r} is trained, and a layer behind it computes on the host.",
            expected="layers of text and categories before the trained ones",
            received=f"{type(operation).__name__} in front of such a layer",
        )


def _outside(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The results of an operation on arrays; one that gets text moves it.

    Such an operation is run on the places of the text, and each text is taken from its place.
    """
    texts: list[np.ndarray] = []

    def as_places(leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray) or leaf.dtype != object:
            return leaf
        first = sum(text.size for text in texts)
        texts.append(leaf)
        return np.arange(first, first + leaf.size, dtype=np.int32).reshape(leaf.shape)

    args, kwargs = map_structure(as_places, (args, kwargs))
    results = map_structure(np.asarray, operation(*args, **kwargs))
    if not texts:
        return results
    words = np.concatenate([text.ravel() for text in texts])
    return map_structure(lambda places: words[places], results)


def _fitted(tensor: KerasTensor, array: Any) -> np.ndarray:
    """Data for an input, with an axis of size 1 at the end where the input has one.

    Raises:
        ShapeError: It has another shape.
    """
    values, wanted = as_values(array, f"input {tensor.name!r}"), tensor.shape
    if values.ndim == len(wanted) - 1 and wanted[-1] == 1:
        values = values[..., None]
    elif values.ndim == len(wanted) + 1 and values.shape[-1] == 1:
        values = values[..., 0]
    pairs = zip(wanted[1:], values.shape[1:], strict=False)
    if values.ndim != len(wanted) or any(w not in (None, n) for w, n in pairs):
        raise ShapeError(
            f"The data for input {tensor.name!r} has another shape.",
            expected=f"shape {wanted} (None means any size)",
            received=f"shape {values.shape}",
        )
    return values
