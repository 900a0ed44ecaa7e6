"""The graph of a functional model: which layers are called on what, in which order."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax.dtypes import canonicalize_dtype

from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.identity import is_among
from gazelle._core.masks import carrying_mask, moved
from gazelle._core.registry import is_own_class
from gazelle._core.sparse import dense, is_sparse
from gazelle._core.symbolic import KerasTensor, Node, leaves, map_structure, nodes_between
from gazelle.layers._base import Layer
from gazelle.layers._host import Prepared, host_part
from gazelle.layers._input import Input, InputLayer

_MISMATCH = "The structure of `inputs` doesn't match the expected structure:"


class Graph:
    """Calls that lead from input tensors to output tensors.

    Args:
        inputs: A symbolic tensor, or nested lists, tuples and dicts of them.
        outputs: The same.
        name: The model's name for error texts.

    Raises:
        StateError: An output does not come from the inputs.
        ArgumentError: Something else than symbolic tensors, or two layers of the same name.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str):
        self.name = name
        self.inputs = inputs
        self.outputs = _unlisted(outputs)
        self.flat_inputs: list[KerasTensor] = leaves(self.inputs)
        self.flat_outputs: list[KerasTensor] = leaves(self.outputs)
        for what, tensors in (("inputs", self.flat_inputs), ("outputs", self.flat_outputs)):
            for tensor in tensors:
                if not isinstance(tensor, KerasTensor):
                    raise ArgumentError(
                        f"The {what} of a functional model must be symbolic tensors.",
                        expected="what Input() or calling a layer on one returns",
                        received=repr(tensor)[:80],
                        fix="start from x = Input(shape=...)",
                    )
        self.terms: list[KerasTensor] = []  # of the training loss, computed beside the outputs
        self.nodes = nodes_between(self.flat_inputs, self.flat_outputs)
        if any(not is_input(tensor) for tensor in self.flat_inputs):
            self._start_anew()
        self._find_layers()
        self.host = host_part(self.nodes, self.flat_inputs, self.flat_outputs)
        self.input_names = [_layer_name(tensor) for tensor in self.flat_inputs]
        self.output_names = [_layer_name(tensor) for tensor in self.flat_outputs]

    def _find_layers(self) -> None:
        ends = [*self.flat_outputs, *self.terms]
        self.operations = _operations_by_depth(self.flat_inputs, ends, self.nodes)
        self.layers: list[Layer] = [op for op in self.operations if isinstance(op, Layer)]
        names = [op.name for op in self.operations]
        for repeated in sorted({n for n in names if names.count(n) > 1}):
            raise ArgumentError(
                f'The name "{repeated}" is used {names.count(repeated)} times in the model. '
                "All operation names should be unique.",
                fix="give the layers different names",
            )

    def add_term(self, tensor: KerasTensor) -> None:
        """Compute a tensor of the graph beside the outputs, as a term of the training loss.

        Raises:
            StateError: The tensor does not come from the inputs.
        """
        self.nodes = nodes_between(self.flat_inputs, [*self.flat_outputs, *self.terms, tensor])
        self.terms.append(tensor)
        self._find_layers()
        self.host = host_part(self.nodes, self.flat_inputs, [*self.flat_outputs, *self.terms])

    def _start_anew(self) -> None:
        """Replace each input that is a layer's output by an Input; repeat the calls behind it."""
        new = {
            id(tensor): (
                tensor
                if is_input(tensor)
                else Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
            )
            for tensor in self.flat_inputs
        }
        self.inputs = map_structure(lambda tensor: new[id(tensor)], self.inputs)
        self.outputs = replay(self.nodes, new, self.outputs)
        self.flat_inputs, self.flat_outputs = leaves(self.inputs), leaves(self.outputs)
        self.nodes = nodes_between(self.flat_inputs, self.flat_outputs)

    def run(self, inputs: Any, masks: Any = None) -> tuple[Any, list[Any]]:
        """The outputs for arrays (or tracers, or symbolic tensors) in the structure of the inputs.

        Args:
            inputs: The arrays.
            masks: Their masks in the same structure; None for those that they carry.

        Returns:
            The outputs, and the values of the terms of the training loss.

        Raises:
            ShapeError: An input does not fit.
        """
        values: dict[int, Any] = {}
        if self.host is not None and isinstance(inputs, Prepared):
            for tensor, value in zip(self.host.border, inputs, strict=True):
                inner = isinstance(value, Prepared)
                values[id(tensor)] = value if inner else self._fitted(tensor, tensor.name, value)
            return replay(self.host.rest, values, (self.outputs, self.terms))
        flat = self._flat_values(inputs)
        if any(mask is not None for mask in leaves(masks)):
            flat = list(map(carrying_mask, flat, self._flat_values(masks)))
        for tensor, name, value in zip(self.flat_inputs, self.input_names, flat, strict=True):
            values[id(tensor)] = self._fitted(tensor, name, value)
        return replay(self.nodes, values, (self.outputs, self.terms))

    def check(self, inputs: Any) -> None:
        """Refuse symbolic data that does not match the inputs.

        Raises:
            ShapeError: The number of inputs or a shape does not match.
            ArgumentError: A dict without one of the inputs.
        """
        tensors, values = self.flat_inputs, inputs
        names = self.input_names
        if self.host is not None and isinstance(inputs, Prepared):
            tensors = self.host.border
            names = [tensor.name for tensor in tensors]
        else:
            values = self._flat_values(inputs)
        for tensor, name, value in zip(tensors, names, values, strict=True):
            if isinstance(value, Prepared):
                continue
            described = None if value is None else _with_rank_of(tensor, value)
            self._fitted(tensor, name, described)

    def prepared(self, data: Any) -> Any:
        """Data with the part of the graph done that runs on the host; else as it is.

        Args:
            data: Arrays, lists or table's columns in the structure of the inputs; text in any form.
        """
        if self.host is None or isinstance(data, Prepared):
            return data
        if len(self.flat_inputs) == 1 and not isinstance(data, dict):
            one = isinstance(data, list | tuple) and len(data) == 1 and hasattr(data[0], "shape")
            return self.host.run([data[0] if one else data])
        return self.host.run(self._flat_values(data))

    def _flat_values(self, inputs: Any) -> list[Any]:
        """The given inputs as a list in the order of the model's."""
        if isinstance(inputs, dict):
            return self._from_dict(inputs)
        flat = leaves(inputs)
        if len(flat) != len(self.flat_inputs):
            raise ShapeError(
                f"Model {self.name!r} got the wrong number of inputs.",
                expected=f"{len(self.flat_inputs)}: {self.input_names}",
                received=(
                    f"a list of {len(flat)} arrays"
                    if isinstance(inputs, list | tuple)
                    else len(flat)
                ),
                fix=(
                    "pass a list with one array per input, or a dict by their names; a list of rows"
                    " becomes one array with np.stack(rows)"
                ),
            )
        if isinstance(self.inputs, dict):
            keys = list(self.inputs)
            if keys != sorted(keys):
                raise ArgumentError(
                    f"{_MISMATCH} the inputs of model {self.name!r} are a dict whose keys are not"
                    " sorted, so that a list has no order to be taken in.",
                    expected=f"a dict with the keys {keys}",
                    received=type(inputs).__name__,
                    fix="pass a dict",
                )
            self._warn(inputs, f"a list is taken in the order of the sorted keys {keys}")
        return flat

    def _from_dict(self, given: dict[str, Any]) -> list[Any]:
        """The given inputs, by the keys of the model's or by their names, in the model's order."""
        by_names = dict(zip(self.input_names, self.flat_inputs, strict=True))
        wanted = self.inputs if isinstance(self.inputs, dict) else by_names
        values, extra = self._by_key(wanted, given, "")
        if extra and wanted is self.inputs:
            self._warn(given, f"the model has no inputs {extra}, which are left out")
        return [values[id(tensor)] for tensor in self.flat_inputs]

    def _by_key(
        self, wanted: dict[str, Any], given: dict[str, Any], path: str
    ) -> tuple[dict[int, Any], list[str]]:
        """The values by the ids of the inputs, and the keys that no input has."""
        missing = [f"{path}{key}" for key in wanted if key not in given]
        if missing:
            raise ArgumentError(
                f"The data for model {self.name!r} misses the inputs {missing}.",
                expected=list(wanted),
                received=sorted(given),
            )
        values: dict[int, Any] = {}
        extra = [f"{path}{key}" for key in given if key not in wanted]
        for key, inner in wanted.items():
            if isinstance(inner, dict) and isinstance(given[key], dict):
                more, others = self._by_key(inner, given[key], f"{path}{key}/")
                values |= more
                extra += others
            elif isinstance(inner, KerasTensor):
                values[id(inner)] = given[key]
            else:
                tensors, found = leaves(inner), leaves(given[key])
                if len(tensors) != len(found):
                    raise ShapeError(
                        f"The input {path}{key} of model {self.name!r} has another structure.",
                        expected=f"{len(tensors)} arrays",
                        received=f"{len(found)}",
                        fix="pass the arrays in the structure of the model's inputs",
                    )
                values |= dict(zip(map(id, tensors), found, strict=True))
        return values, extra

    def _warn(self, inputs: Any, problem: str) -> None:
        """Warn of data in another structure than the inputs'; once, not for its description too."""
        if not any(isinstance(leaf, KerasTensor) for leaf in leaves(inputs)):
            warnings.warn(f"{_MISMATCH} model {self.name!r}: {problem}.", UserWarning, stacklevel=2)

    def _fitted(self, tensor: KerasTensor, name: str, value: Any) -> Any:
        """One input with the dtype and rank of its `Input`, refused if its shape does not match."""
        if value is None:
            return self._left_out(tensor, name)
        wanted, shape = tensor.shape, tuple(value.shape)
        is_array = not isinstance(value, KerasTensor)
        stays_sparse = is_array and is_sparse(value) and self._sparse_at(tensor)
        value = value if stays_sparse else dense(value)
        if len(shape) == len(wanted) - 1 and wanted[-1] == 1:
            value = moved(_reshaped(value, (*shape, 1)), value)
        elif len(shape) == len(wanted) + 1 and shape[-1] == 1:
            value = moved(_reshaped(value, shape[:-1]), value)
        found = tuple(value.shape)
        # The batch axis may have any size, also where the Input names one.
        pairs = zip(wanted[1:], found[1:], strict=False)
        fits = len(found) == len(wanted) and all(w in (None, f) or f is None for w, f in pairs)
        if not fits:
            raise ShapeError(
                f'Input {name!r} of model "{self.name}" is incompatible with the data: expected'
                f" shape={wanted}, found shape={shape}.",
                expected=f"shape {wanted} (None means any size)",
                received=f"shape {shape}",
                fix=_shape_fix(wanted, shape),
            )
        if isinstance(value, KerasTensor):
            return value
        if stays_sparse:
            return value.astype(tensor.dtype)
        return moved(jnp.asarray(value, canonicalize_dtype(tensor.dtype)), value)

    def _left_out(self, tensor: KerasTensor, name: str) -> None:
        """Refuse None for an input that is not optional."""
        layer = tensor.node.operation if tensor.node is not None else None
        if not getattr(layer, "optional", False):
            raise ArgumentError(
                f"The input {name!r} of model {self.name!r} is not optional, and None was passed.",
                expected=f"an array of shape {tensor.shape}",
                received="None",
                fix="pass data, or make it Input(..., optional=True)",
            )

    def _sparse_at(self, tensor: KerasTensor) -> bool:
        """Whether a sparse array stays sparse at an input: it says so, or Gazelle's layers can."""
        if tensor.sparse:
            return True
        users = [node.operation for node in self.nodes if is_among(tensor, node.inputs)]
        return all(
            isinstance(user, Layer) and user._takes_sparse and is_own_class(type(user))
            for user in users
        )


def _with_rank_of(tensor: KerasTensor, value: KerasTensor) -> KerasTensor:
    """A symbolic value with the rank of an input, where they differ by a last axis of size 1."""
    shape, wanted = tuple(value.shape), tensor.shape
    if len(shape) == len(wanted) - 1 and wanted[-1] == 1:
        shape = (*shape, 1)
    elif len(shape) == len(wanted) + 1 and shape[-1] == 1:
        shape = shape[:-1]
    return KerasTensor(shape, tensor.dtype)


def _shape_fix(wanted: Sequence[int | None], found: Sequence[int | None]) -> str:
    if len(found) == len(wanted) - 1:
        return (
            "pass a batch of samples; a single sample x becomes one with x[np.newaxis], of shape"
            f" {(1, *wanted[1:])}"
        )
    known = [n for n in wanted[1:] if n is not None]
    product = 1
    for n in found[1:]:
        product *= n or 1
    total = 1
    for n in known:
        total *= n
    if len(known) == len(wanted) - 1 and product == total:
        wanted_text = str(("n", *wanted[1:])).replace("'n'", "n")
        return f"reshape the data to {wanted_text}, or put a Flatten/Reshape layer first"
    return (
        f"pass data with {tuple(wanted[1:])} per sample, or build the model for {tuple(found[1:])}"
    )


def replay(
    nodes: Sequence[Node],
    values: dict[int, Any],
    outputs: Any,
    operations: dict[int, Any] | None = None,
    call: Callable[..., Any] | None = None,
) -> Any:
    """Make the calls once more, on other values.

    Args:
        nodes: The calls, in order.
        values: The values of the first tensors, by their ids: arrays or symbolic tensors; filled
            up on the way.
        outputs: The structure of tensors that is wanted.
        operations: What is called instead of an operation, by its id; the operations themselves
            when None.
        call: `f(operation, *args, **kwargs)`, which makes each call; None for a plain call.

    Returns:
        The results of the calls, in the structure of `outputs`.
    """

    def value_of(leaf: Any) -> Any:
        return values[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

    for node in nodes:
        args, kwargs = map_structure(value_of, (node.args, node.kwargs))
        operation = node.operation if operations is None else operations[id(node.operation)]
        results = call(operation, *args, **kwargs) if call else operation(*args, **kwargs)
        for tensor, result in zip(leaves(node.outputs), leaves(results), strict=True):
            values[id(tensor)] = result
    return map_structure(value_of, outputs)


def is_input(tensor: KerasTensor) -> bool:
    """Whether a symbolic tensor is what `Input` gave."""
    return tensor.node is not None and isinstance(tensor.node.operation, InputLayer)


def _unlisted(structure: Any) -> Any:
    """A list or tuple of one as the one."""
    is_one = isinstance(structure, list | tuple) and len(structure) == 1
    return structure[0] if is_one else structure


def _layer_name(tensor: KerasTensor) -> str:
    return tensor.node.operation.name if tensor.node is not None else tensor.name


def _reshaped(value: Any, shape: tuple[Any, ...]) -> Any:
    if isinstance(value, KerasTensor):
        raise ShapeError(
            "A symbolic input has the wrong number of axes.", expected=shape, received=value.shape
        )
    return jnp.reshape(value, shape)


def _operations_by_depth(
    inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor], nodes: Sequence[Node]
) -> list[Any]:
    """Operations, those farthest from the outputs first.

    At one depth they are in the order in which a walk from the outputs meets them: the order of
    `layers`, and so of `weights`, in Keras.
    """
    met: dict[int, int] = {}
    by_id: dict[int, Any] = {}
    inside = {id(node) for node in nodes} | {id(t.node) for t in inputs if t.node is not None}
    starts = {id(tensor) for tensor in inputs}
    visited: set[int] = set()
    stack = list(reversed(outputs))
    while stack:  # depth first, each operation numbered when it is first met
        tensor = stack.pop()
        node = tensor.node
        if node is None or id(node) not in inside:
            continue
        by_id.setdefault(id(node.operation), node.operation)
        met.setdefault(id(node.operation), len(met))
        if id(node) in visited:
            continue
        visited.add(id(node))
        if id(tensor) not in starts:
            stack.extend(reversed(node.inputs))

    node_depth: dict[int, int] = {}
    depth: dict[int, int] = {}
    entry = {id(t): t.node for t in inputs if t.node is not None}
    for node in reversed([*entry.values(), *nodes]):
        own = max(node_depth.setdefault(id(node), 0), depth.get(id(node.operation), 0))
        node_depth[id(node)] = depth[id(node.operation)] = own
        if id(node) in {id(n) for n in entry.values()}:
            continue
        for source in node.inputs:
            if source.node is not None:
                node_depth[id(source.node)] = max(own + 1, node_depth.get(id(source.node), 0))
    for tensor in inputs:  # an input that nothing uses is an input all the same
        if tensor.node is not None and id(tensor.node.operation) not in by_id:
            by_id[id(tensor.node.operation)] = tensor.node.operation
            met[id(tensor.node.operation)] = -1
    ordered = sorted(by_id, key=lambda key: (-depth.get(key, 0), met[key]))
    return [by_id[key] for key in ordered]
