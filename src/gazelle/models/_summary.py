"""The table that `model.summary()` prints."""

from __future__ import annotations

import io
import math
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal

from gazelle._core.console import can_show, fitting, say
from gazelle._core.errors import ArgumentError
from gazelle._core.notebook import html_table
from gazelle._core.operation import KnownOperation
from gazelle._core.symbolic import map_structure
from gazelle._core.variable import Variable, values_of
from gazelle.layers import InputLayer, Layer
from gazelle.layers._parts import first_outputs


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: list[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: list[str] | None = None,
) -> None:
    """Print the table of a model's layers, or pass its lines to `print_fn`; see `Model.summary`."""
    connected = _is_branching(model)
    columns = 3 + connected + show_trainable
    width = int(line_length or _default_width(connected, show_trainable))
    width = max(width, 10 * columns + 1)  # narrower columns hold no word
    titles = ["Layer (type)", "Output Shape", "Param #"]
    shares = [0.45, 0.35, 0.2]
    if connected:
        titles, shares = [*titles, "Connected to"], [0.3, 0.26, 0.18, 0.26]
    if show_trainable:
        titles, shares = [*titles, "Trainable"], [*(share * 0.88 for share in shares), 0.12]
    if positions is not None:
        edges = [0.0, *(p if p <= 1 else p / width for p in positions[: len(titles)])]
        shares = [b - a for a, b in pairwise(edges)]
    rows: list[list[str]] = []
    for layer in _in_range(model.operations, layer_range):
        rows += _rows(layer, model, connected, show_trainable, expand_nested, "")
    title = f'Model: "{fitting(model.name)}"'
    text = "\n".join([title, _table(titles, rows, shares, width), _totals(model)])
    if print_fn is None:
        say(text)
        return
    for line in text.split("\n"):
        print_fn(line)


def summary_html(model: Any) -> str:
    """The layers and totals as a small table for notebooks."""
    rows = [_rows(layer, model, False, False, False, "")[0] for layer in model.operations]
    totals = _totals(model) if model.built else "The weights are made with the first data."
    foot = "; ".join(line.strip() for line in totals.split("\n"))
    return html_table(
        f"{type_name(model)} {model.name}", ["layer", "output shape", "parameters"], rows, foot
    )


def _default_width(connected: bool, show_trainable: bool) -> int:
    """The width of the table in characters: that of the terminal, within limits."""
    wanted = 88
    if connected:
        wanted += 20
    if show_trainable:
        wanted += 12
    terminal = shutil.get_terminal_size((wanted + 4, 24)).columns - 4
    return min(wanted, max(terminal, 40))


def _table(titles: list[str], rows: list[list[str]], shares: list[float], width: int) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    frame = box.HEAVY_HEAD if can_show("┏━┡│└") else box.ASCII2
    table = Table(box=frame, show_lines=True, width=width)
    inner = width - len(titles) - 1
    sides: list[Literal["left", "right"]] = [
        "right" if title == "Param #" else "left" for title in titles
    ]
    for title, share, side in zip(titles, shares, sides, strict=True):
        column = max(8, math.floor(inner * share) - 2)
        table.add_column(title, justify=side, width=column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, justify=side) for cell, side in zip(row, sides, strict=True)))
    buffer = io.StringIO()
    # In a notebook rich would show the table itself, past the buffer.
    plain = Console(
        file=buffer,
        width=width,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        legacy_windows=False,
    )
    plain.print(table)
    return buffer.getvalue().rstrip("\n")


def _rows(
    layer: Any, model: Any, connected: bool, show_trainable: bool, expand_nested: bool, indent: str
) -> list[list[str]]:
    """The row of a layer and, if wanted, those of the layers within it."""
    title = f"{indent}{fitting(layer.name)} ({type_name(layer)})"
    row = [title, _shape_text(layer), _parameters_text(layer)]
    if connected:
        row.append("-" if indent else _connections(layer, model))
    if show_trainable:
        row.append(_trainable_text(layer))
    rows = [row]
    if expand_nested and hasattr(layer, "operations"):
        mark = "└ " if can_show("└") else "- "
        inner_indent = indent.replace(mark, "") + f"   {mark}"
        for inner in layer.operations:
            rows += _rows(inner, layer, connected, show_trainable, expand_nested, inner_indent)
    return rows


def _parameters_text(layer: Any) -> str:
    if not isinstance(layer, Layer):
        return "0"
    return f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"


def _trainable_text(layer: Any) -> str:
    has_weights = isinstance(layer, Layer) and layer.built and bool(layer.weights)
    if not has_weights:
        return "-"
    return "Y" if layer.trainable else "N"


def _shape_text(layer: Any) -> str:
    if isinstance(layer, InputLayer):
        return str(layer.batch_shape)
    outputs = symbolic_outputs(layer)
    return "?" if outputs is None else str(map_structure(lambda tensor: tensor.shape, outputs))


def symbolic_outputs(operation: Any) -> Any:
    """The symbolic outputs of a layer or operator, in their structure; None if unknown."""
    if getattr(operation, "_graph", None) is not None:
        return operation._graph.outputs
    if operation.inbound_nodes:
        return operation.inbound_nodes[0].outputs
    if isinstance(operation, Layer):  # in the call of another layer
        return first_outputs(operation)
    return None


def type_name(operation: Any) -> str:
    """The class of a layer; of an operator the name that Keras gives its class."""
    if isinstance(operation, KnownOperation):
        return operation.entry.class_name
    return type(operation).__name__


def _connections(layer: Any, model: Any) -> str:
    inside = {id(node) for node in model._graph.nodes}
    names = []
    for node in layer.inbound_nodes:
        if id(node) not in inside:
            continue
        for tensor in node.inputs:
            if tensor.node is not None:
                source = tensor.node.operation
                number = source.inbound_nodes.index(tensor.node)
                names.append(f"{source.name}[{number}][{tensor.index}]")
    return ", ".join(names) or "-"


def _is_branching(model: Any) -> bool:
    graph = getattr(model, "_graph", None)
    if graph is None or not graph.nodes:
        return False
    feeds: dict[int, int] = {}
    if len({id(node.operation) for node in graph.nodes}) < len(graph.nodes):
        return True  # a layer is called more than once
    for node in graph.nodes:
        if len(node.inputs) > 1:
            return True
        for tensor in node.inputs:
            feeds[id(tensor)] = feeds.get(id(tensor), 0) + 1
    return (
        any(count > 1 for count in feeds.values())
        or len(graph.flat_outputs) > 1
        or len(graph.flat_inputs) > 1
    )


def _in_range(layers: list[Any], layer_range: list[str] | None) -> list[Any]:
    if layer_range is None:
        return layers
    if len(layer_range) != 2:
        raise ArgumentError(
            "layer_range must hold the names of the first and the last layer.", received=layer_range
        )
    first = [i for i, layer in enumerate(layers) if re.fullmatch(layer_range[0], layer.name)]
    last = [i for i, layer in enumerate(layers) if re.fullmatch(layer_range[1], layer.name)]
    if not first or not last:
        raise ArgumentError(
            "layer_range names no layer of the model.",
            expected=[layer.name for layer in layers],
            received=layer_range,
        )
    low, high = min(first[0], last[-1]), max(first[0], last[-1])
    return layers[low : high + 1]


def _totals(model: Any) -> str:
    trained = {id(v) for v in model.trainable_variables}
    weights = model.weights
    trainable = [v for v in weights if id(v) in trained]
    frozen = [v for v in weights if id(v) not in trained]
    optimizer = getattr(model, "optimizer", None)
    slots = list(optimizer.variables) if optimizer is not None and optimizer.built else []
    lines = [
        f" Total params: {_count(weights + slots)}",
        f" Trainable params: {_count(trainable)}",
        f" Non-trainable params: {_count(frozen)}",
    ]
    if slots:
        lines.append(f" Optimizer params: {_count(slots)}")
    return "\n".join(lines)


def _count(variables: list[Variable]) -> str:
    number = sum(variable.size for variable in variables)
    size = float(sum(value.nbytes for value in values_of(variables)))
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            return f"{number:,} ({size:.2f} {unit})"
        size /= 1024
    return f"{number:,}"
