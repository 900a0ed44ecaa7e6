"""The ONNX graph while it is written: its nodes, its constants, and names that are free."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from gazelle._core.types import Shape

_SHARED_SIZE = 16  # the largest constant, in elements, that equal ones share


@dataclass(frozen=True)
class Value:
    """A tensor of the graph.

    Args:
        name: Its name in the graph.
        shape: Its shape; None where the size is not known (the batch axis).
        dtype: Its type.
    """

    name: str
    shape: Shape
    dtype: str


@dataclass(frozen=True)
class Step:
    """A node of the graph.

    Args:
        kind: The ONNX operator.
        inputs: Names of tensors.
        outputs: Names of tensors; the first is the node's name too.
        attributes: The operator's attributes; types are names such as `"float32"`.
    """

    kind: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


class Emitter:
    """Collects the steps and constants of a graph. Names start with the layer that is written."""

    def __init__(self):
        self.steps: list[Step] = []
        self.constants: dict[str, np.ndarray] = {}
        self._names: set[str] = set()
        self._scope: list[str] = []
        self._shared: dict[Any, str] = {}
        self._masks: dict[str, Value] = {}  # by the names of the tensors that have them

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        """Within the block, names start with `name/`."""
        self._scope.append(name)
        try:
            yield
        finally:
            self._scope.pop()

    def free_name(self, name: str) -> str:
        """`name`, or `name_1`, `name_2`, ... if it is taken; it is taken from now on."""
        free, number = name, 0
        while free in self._names:
            number += 1
            free = f"{name}_{number}"
        self._names.add(free)
        return free

    def op(
        self,
        kind: str,
        *operands: Any,
        shape: Shape | None = None,
        dtype: str | None = None,
        **attributes: Any,
    ) -> Value:
        """Add a node with one output.

        Args:
            kind: The ONNX operator.
            *operands: Values, arrays, or numbers, which get the type of the first Value that is
                not bool.
            shape: The output's shape; that of the first such Value when None.
            dtype: The output's type; that of the first such Value when None.
            **attributes: The operator's attributes.
        """
        return self.ops(kind, 1, operands, shape=shape, dtype=dtype, **attributes)[0]

    def ops(
        self,
        kind: str,
        count: int,
        operands: Sequence[Any],
        *,
        shape: Shape | None = None,
        dtype: str | None = None,
        **attributes: Any,
    ) -> list[Value]:
        """Add a node with `count` outputs; the other arguments are those of `op`."""
        values = [operand for operand in operands if isinstance(operand, Value)]
        like = next((value for value in values if value.dtype != "bool"), values[0])
        names = [self._name_of(operand, like) for operand in operands]
        outputs = [self.free_name("/".join([*self._scope, kind])) for _ in range(count)]
        self.steps.append(Step(kind, names, outputs, attributes))
        shape = like.shape if shape is None else shape
        return [Value(output, shape, dtype or like.dtype) for output in outputs]

    def cast(self, value: Value, dtype: str) -> Value:
        """`value` in another type."""
        if value.dtype == dtype:
            return value
        cast = self.op("Cast", value, shape=value.shape, dtype=dtype, to=dtype)
        self.set_mask(cast, self.mask_of(value))
        return cast

    def mask_of(self, value: Any) -> Value | None:
        """The mask of a tensor; None for none."""
        return self._masks.get(value.name) if isinstance(value, Value) else None

    def set_mask(self, value: Value, mask: Value | None) -> None:
        """Let a tensor have a mask."""
        if mask is not None:
            self._masks[value.name] = mask

    def weight(self, layer: Any, name: str, array: Any, dtype: str) -> Value:
        """A constant of a layer; the calls of a shared layer share it.

        Args:
            layer: The layer.
            name: The constant's name within the layer.
            array: Its values.
            dtype: Their type in the graph.
        """
        array = np.asarray(array, dtype)
        return self._constant((id(layer), name, dtype), name, array)

    def constant(self, array: np.ndarray) -> Value:
        """A constant; small ones with equal values are one."""
        is_small = array.size <= _SHARED_SIZE
        key = (str(array.dtype), array.shape, array.tobytes()) if is_small else None
        return self._constant(key, "constant", array)

    def _constant(self, key: Any, name: str, array: np.ndarray) -> Value:
        found = None if key is None else self._shared.get(key)
        if found is None:
            found = self.free_name("/".join([*self._scope, name]))
            self.constants[found] = array
            if key is not None:
                self._shared[key] = found
        return Value(found, array.shape, str(array.dtype))

    def _name_of(self, operand: Any, like: Value) -> str:
        if isinstance(operand, Value):
            return operand.name
        if not isinstance(operand, np.ndarray):
            operand = np.asarray(operand, like.dtype)
        return self.constant(operand).name
