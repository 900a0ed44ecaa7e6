"""Function: a graph of operations as one operation."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from gazelle._core.errors import ArgumentError, StateError
from gazelle._core.operation import Operation
from gazelle._core.symbolic import KerasTensor, leaves, map_structure, nodes_between
from gazelle.layers._graph import replay


class Function(Operation):
    """The computation that leads from symbolic tensors to others, as one function of arrays.

    Args:
        inputs: A symbolic tensor, or a list or dict of them; not only what `Input` returns.
        outputs: The same, computed from `inputs`.
        name: Name in a model; automatic when None.

    Attributes:
        operations: The operations between inputs and outputs, in the order of their calls.

    Raises:
        ArgumentError: There are no inputs or outputs, or these are no symbolic tensors.
        ArgumentError: An output does not come from the inputs.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None):
        super().__init__(name=name)
        for what, structure in (("inputs", inputs), ("outputs", outputs)):
            tensors = leaves(structure)
            if not tensors or not all(isinstance(t, KerasTensor) for t in tensors):
                problem = "must hold symbolic tensors alone" if tensors else "cannot be empty"
                raise ArgumentError(f"`{what}` argument {problem}.", received=repr(structure)[:80])
        self._inputs, self._outputs = inputs, outputs
        self.inputs: list[KerasTensor] = leaves(inputs)
        self.outputs: list[KerasTensor] = leaves(outputs)
        try:
            self._nodes = nodes_between(self.inputs, self.outputs)
        except StateError as error:
            raise ArgumentError(
                f"Output of the function {self.name!r} is not connected to `inputs`.",
                received=str(error).splitlines()[0],
            ) from None
        self.operations: list[Any] = list(
            {id(node.operation): node.operation for node in self._nodes}.values()
        )

    @property
    def input(self) -> Any:
        """The symbolic inputs in their structure."""
        return self._inputs

    @property
    def output(self) -> Any:
        """The symbolic outputs in their structure."""
        return self._outputs

    def call(self, inputs: Any) -> Any:
        """The outputs for arrays in the structure of the inputs.

        Raises:
            ArgumentError: They have another structure or other shapes.
        """
        self._check(inputs)
        pairs = zip(self.inputs, leaves(inputs), strict=True)
        values = {
            id(tensor): value if isinstance(value, KerasTensor) else jnp.asarray(value)
            for tensor, value in pairs
        }
        return replay(self._nodes, values, self._outputs)

    def compute_output_spec(self, inputs: Any) -> Any:
        """The symbolic outputs for symbolic inputs."""
        found = self.call(inputs)
        return map_structure(lambda t: KerasTensor(t.shape, t.dtype), found)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for those of the inputs, in their structures."""
        shapes = iter(_shapes(input_shape))
        inputs = map_structure(lambda t: KerasTensor(next(shapes), t.dtype), self._inputs)
        return map_structure(lambda t: t.shape, self.compute_output_spec(inputs))

    def _check(self, inputs: Any) -> None:
        shapes = [tensor.shape for tensor in self.inputs]
        given = leaves(inputs)
        same_kind = isinstance(inputs, dict | list | tuple) == isinstance(
            self._inputs, dict | list | tuple
        )
        if not same_kind or len(given) != len(shapes):
            raise ArgumentError(
                f"The function {self.name!r} was called with an invalid input structure.",
                expected=map_structure(lambda t: t.shape, self._inputs),
                received=map_structure(lambda x: getattr(x, "shape", x), inputs),
            )
        for shape, value in zip(shapes, given, strict=True):
            found = tuple(jnp.shape(value)) if not hasattr(value, "shape") else tuple(value.shape)
            fits = len(found) == len(shape) and all(
                None in pair or pair[0] == pair[1] for pair in zip(shape, found, strict=True)
            )
            if not fits:
                raise ArgumentError(
                    f"The function {self.name!r} was called with incompatible inputs.",
                    expected=f"shape {shape}",
                    received=f"shape {found}",
                )


def _shapes(structure: Any) -> list[Any]:
    """The shapes in a structure of them."""
    if isinstance(structure, dict):
        return [shape for key in sorted(structure) for shape in _shapes(structure[key])]
    if all(size is None or isinstance(size, int) for size in structure):
        return [tuple(structure)]
    return [shape for inner in structure for shape in _shapes(inner)]
