"""The drawing of a network: what to draw, read off a model; `_plots.network` draws it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from gazelle._core.errors import StateError
from gazelle._core.notebook import ShownFile
from gazelle._core.packages import need
from gazelle._core.symbolic import KerasTensor, leaves
from gazelle._files.writing import atomic_path
from gazelle.layers import InputLayer, Layer
from gazelle.layers._parts import first_outputs
from gazelle.models._summary import type_name
from gazelle.models._weights import require_built


def describe(model: Any) -> dict[str, Any]:
    """Name, layers (with shapes, parameters and what feeds them) and totals, as plain data.

    A layer that is called several times has an entry for each call.

    Raises:
        StateError: The model is not built.
    """
    require_built(model, "The drawing of a network")
    trained = sum(variable.size for variable in model.trainable_variables)
    total = {"parameters": model.count_params(), "trainable_parameters": trained}
    graph = model._graph
    if graph is None:
        chain = [_entry(layer, layer.name, _seen(layer), []) for layer in model.layers]
        for before, after in pairwise(chain):
            after["inbound"] = [before["name"]]
        return {"name": model.name, "layers": chain, **total}
    made_by: dict[int, str] = {}
    entries = []
    for tensor, name in zip(graph.flat_inputs, graph.input_names, strict=True):
        entries.append(_entry(tensor.node.operation, name, [tensor], []))
        made_by[id(tensor)] = name
    calls: dict[int, int] = {}
    for node in graph.nodes:
        number = calls[id(node.operation)] = calls.get(id(node.operation), 0) + 1
        name = node.operation.name if number == 1 else f"{node.operation.name} (call {number})"
        sources = list(dict.fromkeys(made_by[id(source)] for source in node.inputs))
        entries.append(_entry(node.operation, name, leaves(node.outputs), sources))
        made_by |= {id(tensor): name for tensor in leaves(node.outputs)}
    return {"name": model.name, "layers": entries, **total}


def _seen(layer: Layer) -> list[KerasTensor]:
    outputs = first_outputs(layer)
    return [] if outputs is None else leaves(outputs)


def _entry(
    operation: Any, name: str, outputs: list[KerasTensor], inbound: list[str]
) -> dict[str, Any]:
    is_layer = isinstance(operation, Layer)
    activation = getattr(getattr(operation, "activation", None), "__name__", None)
    kind = "Input" if isinstance(operation, InputLayer) else type_name(operation)
    return {
        "name": name,
        "type": kind,
        "output_shapes": [list(tensor.shape) for tensor in outputs],
        "parameters": operation.count_params() if is_layer and operation.built else 0,
        "units": getattr(operation, "units", None),
        "activation": None if activation == "linear" else activation,
        "trainable": operation.trainable if is_layer else True,
        "inbound": inbound,
    }


def plot_model(model: Any, to_file: str | Path = "model.png", **kwargs: Any) -> Path:
    """Write a drawing of the network: layers with units, shapes and parameters. Needs no graphviz.

    Args:
        model: A built model.
        to_file: Path that ends in `.svg` or `.png`.
        **kwargs: `dpi` (dots per inch of a PNG); Keras's other options (`show_shapes`, `rankdir`,
            ...) are accepted and change nothing: the drawing always shows names, shapes and
            activations, top to bottom.

    Returns:
        The path of the file; a notebook shows the drawing.

    Raises:
        PackageError: matplotlib is not installed.
        StateError: The model is not built.
        ArgumentError: Another ending.
    """
    from gazelle._plots.network import network_file

    need("plot_model", "matplotlib")
    description = describe(model)
    if not description["layers"]:
        raise StateError(f"The model {model.name!r} has no layers to draw.", fix="add layers first")
    dpi = kwargs.get("dpi")
    content = network_file(description, to_file, **({"dpi": dpi} if dpi else {}))
    with atomic_path(to_file) as temporary:
        temporary.write_bytes(content)
    return ShownFile(to_file)
