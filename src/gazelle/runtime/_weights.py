"""The weights of one layer of a config, checked against the shapes that its config implies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gazelle._core.errors import DataError

Expected = tuple[int | None, ...] | None  # None where a size, or the whole shape, is not known


@dataclass
class Weights:
    """The arrays of a layer, and what its function must know of its input.

    Attributes:
        label: Class, name and group path of the layer, for messages.
        arrays: All arrays of the file, by group path.
        group: The layer's group path.
        dtype: The dtype of its arithmetic.
        input_shape: The shape of its input with 0 rows; None where it depends on the data.
        used: The groups whose arrays were taken, of all layers.
    """

    label: str
    arrays: dict[str, list[np.ndarray]]
    group: str
    dtype: np.dtype
    input_shape: tuple[int, ...] | None
    used: set[str] = field(default_factory=set)

    def size(self, axis: int) -> int | None:
        """The size of an axis of the input; None if it is not known.

        Raises:
            DataError: The input has no such axis.
        """
        if self.input_shape is None:
            return None
        if not -len(self.input_shape) <= axis < len(self.input_shape):
            raise DataError(
                f"{self.label}: the input has no axis {axis}.",
                expected="more axes",
                received=f"shape {_batch(self.input_shape)}",
                fix="correct the config",
            )
        return self.input_shape[axis]

    def sizes(self, axes: Sequence[int]) -> tuple[int | None, ...]:
        """The sizes of some axes of the input, in the order of the axes.

        Raises:
            DataError: The input has not all of these axes.
        """
        if self.input_shape is None:
            return (None,) * len(axes)
        sizes = {axis % len(self.input_shape): self.size(axis) for axis in axes}
        return tuple(sizes[axis] for axis in sorted(sizes))

    def count(self) -> int:
        """The number of arrays in the file."""
        return len(self.arrays.get(self.group, ()))

    def take(self, **expected: Expected) -> list[np.ndarray]:
        """The arrays in the layer's dtype.

        Args:
            **expected: The shape of each array, by its name, in the order of the file.

        Raises:
            DataError: There is another number of arrays, or one has another shape.
        """
        found = self.arrays.get(self.group, [])
        fits = len(found) == len(expected) and all(
            _matches(array.shape, shape)
            for array, shape in zip(found, expected.values(), strict=True)
        )
        if not fits:
            shapes = ", ".join(str(array.shape) for array in found)
            raise DataError(
                f"{self.label}: the weights in the file do not match the config.",
                expected=", ".join(f"{name} {_text(shape)}" for name, shape in expected.items())
                or "no arrays",
                received=f"arrays of shape {shapes}" if found else "no arrays",
                fix="load the weights that were saved with this config",
            )
        self.used.add(self.group)
        return [_converted(array, self.dtype) for array in found]

    def within(self, attribute: str, input_shape: tuple[int, ...] | None) -> Weights:
        """The weights of a layer that is an attribute of this one."""
        return Weights(
            f"{self.label}, {attribute}",
            self.arrays,
            f"{self.group}/{attribute}",
            self.dtype,
            input_shape,
            self.used,
        )


def _matches(shape: tuple[int, ...], expected: Expected) -> bool:
    if expected is None:
        return True
    return len(shape) == len(expected) and all(
        size in (None, found) for found, size in zip(shape, expected, strict=True)
    )


def _text(expected: Expected) -> str:
    if expected is None:
        return "of any shape"
    return str(tuple(expected)).replace("None", "any")


def _batch(shape: Sequence[int]) -> str:
    return str((None, *shape[1:]))


def _converted(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """An array in a float dtype; bfloat16 is the upper half of float32."""
    if array.dtype.kind == "V":
        array = (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return array.astype(dtype, copy=False)
