"""A model as an ONNX file: checked, complete in itself, the same bytes for the same model."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from gazelle import __version__
from gazelle._core.console import say
from gazelle._core.dtypes import is_float
from gazelle._core.errors import ArgumentError
from gazelle._core.packages import need
from gazelle._core.symbolic import leaves
from gazelle._export.emitter import Emitter, Step, Value
from gazelle._export.graph import GraphOf, write_graph
from gazelle._files.writing import check_writable, write_atomically
from gazelle.layers import Layer
from gazelle.layers._graph import Graph
from gazelle.layers._parts import flatten_layers

if TYPE_CHECKING:
    import onnx

OPSET = 18
_IR_VERSION = 8  # of the release that has opset 18
_MOST_BYTES = 2**31 - 1  # of a file of Protocol Buffers
_FLOATS = ("float32", "float64")


def export(
    model: Any,
    graph_of: GraphOf,
    filepath: str | os.PathLike[str],
    format: str | None,
    verbose: bool | None,
    input_signature: Any,
    **options: Any,
) -> None:
    """Write a built model to an ONNX file; the arguments are those of `Model.export`.

    Args:
        model: The model.
        graph_of: Returns the graph of a layer that is a model and runs only its graph, else None.
        filepath: The file.
        format: `"onnx"` or None.
        verbose: Whether to print where the file is.
        input_signature: None.
        **options: `opset_version`.

    Raises:
        PackageError: The package onnx is not installed.
        ArgumentError: The model or an argument cannot be used.
    """
    path = os.fspath(filepath)
    _check_arguments(path, format, input_signature, options)
    need("model.export", "onnx")
    check_writable(path, makes_folders=False)
    graph = graph_of(model)
    if graph is None:
        raise ArgumentError(
            f"The model {model.name!r} ({type(model).__name__}) cannot be exported: it is not"
            " described by its layers and how they are called.",
            expected="a Sequential, or a Model(inputs=..., outputs=...)",
            received=f"{type(model).__name__}: a class of your own, or a model without a graph",
            fix="describe the network with Input(...) and Model(inputs=..., outputs=...)",
        )
    _check_types(model, graph)
    _check_size(model, sum(_bytes(weight) for weight in model.weights))
    content = _content(model, graph, graph_of)
    write_atomically(path, content)
    if verbose:
        say(f"Saved artifact at {path!r}.")


def _check_arguments(
    path: str, format: str | None, input_signature: Any, options: dict[str, Any]
) -> None:
    if format != "onnx" and (format is not None or not path.lower().endswith(".onnx")):
        raise ArgumentError(
            "Gazelle exports models to ONNX files only.",
            expected="a path that ends in .onnx, or format='onnx'",
            received=f"{path!r}, format={format!r}",
            fix="write model.export('model.onnx')",
        )
    if input_signature is not None:
        raise ArgumentError(
            "export: an input signature is not supported: the file has the model's own inputs.",
            expected="input_signature=None",
            received=repr(input_signature)[:80],
        )
    if options.pop("opset_version", None) not in (None, OPSET):
        raise ArgumentError(
            f"export: the file always has opset {OPSET}.",
            expected=f"opset_version={OPSET}, or none",
        )
    if options:
        raise ArgumentError(
            "export: unknown arguments.", expected="opset_version", received=", ".join(options)
        )


def _check_types(model: Any, graph: Graph) -> None:
    """Refuse arithmetic in half precision: the file would give other numbers than the model."""
    for part in flatten_layers(model):
        if not {part.compute_dtype, part.variable_dtype} <= {*_FLOATS}:
            raise _half(f"the layer {part.name!r} has the dtype policy {part.dtype_policy.name}")
    for tensor, name in zip(graph.flat_inputs, graph.input_names, strict=True):
        if is_float(tensor.dtype) and tensor.dtype not in _FLOATS:
            raise _half(f"the input {name!r} has the dtype {tensor.dtype}")


def _half(what: str) -> ArgumentError:
    return ArgumentError(
        f"The model cannot be exported: {what}, and a file in float32 would give other numbers.",
        expected="float32 or float64",
        fix=(
            "build the same model with dtype='float32', copy the weights with"
            " new.set_weights(model.get_weights()), and export that one"
        ),
    )


def _bytes(weight: Any) -> int:
    return math.prod(weight.shape) * jnp.dtype(weight.dtype).itemsize


def _check_size(model: Layer, size: int) -> None:
    if size > _MOST_BYTES:
        raise ArgumentError(
            f"The model {model.name!r} is too large for an ONNX file.",
            expected=f"at most {_MOST_BYTES:,} bytes",
            received=f"{size:,} bytes",
            fix="export parts of it: Model(inputs, the output of a layer within)",
        )


def _content(model: Any, graph: Graph, graph_of: GraphOf) -> bytes:
    """The bytes of the file."""
    import onnx

    e = Emitter()
    inputs = [
        Value(e.free_name(name), (None, *tensor.shape[1:]), tensor.dtype)
        for tensor, name in zip(graph.flat_inputs, graph.input_names, strict=True)
    ]
    names = [e.free_name(name) for name in graph.output_names]
    outputs = leaves(write_graph(e, graph, inputs, graph_of))
    for value, name in zip(outputs, names, strict=True):
        e.steps.append(Step("Identity", [value.name], [name], {}))
    described = [Value(n, v.shape, v.dtype) for v, n in zip(outputs, names, strict=True)]
    proto = onnx.helper.make_model(
        onnx.helper.make_graph(
            [_node(step) for step in e.steps],
            model.name,
            [_info(value) for value in inputs],
            [_info(value) for value in described],
            [onnx.numpy_helper.from_array(array, name) for name, array in e.constants.items()],
        ),
        producer_name="gazelle",
        producer_version=__version__,
        ir_version=_IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
    )
    _check_size(model, proto.ByteSize())
    content = proto.SerializeToString(deterministic=True)
    onnx.checker.check_model(content, full_check=True)
    return content


def _node(step: Step) -> onnx.NodeProto:
    import onnx

    attributes = dict(step.attributes)
    if "to" in attributes:
        attributes["to"] = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(attributes["to"]))
    name = step.outputs[0]
    return onnx.helper.make_node(step.kind, step.inputs, step.outputs, name=name, **attributes)


def _info(value: Value) -> onnx.ValueInfoProto:
    import onnx

    element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
    shape = ["batch" if i == 0 and n is None else n for i, n in enumerate(value.shape)]
    return onnx.helper.make_tensor_value_info(value.name, element, shape)
