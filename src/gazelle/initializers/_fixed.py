"""Initializers that are not random: zeros, ones, a constant, the identity matrix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from gazelle._core.errors import ShapeError
from gazelle._core.registry import deserialize, serialize
from gazelle.initializers._base import Initializer, catalogue, numpy_dtype, shape_of


@catalogue.add("zero")
class Zeros(Initializer):
    """All zeros."""

    def __call__(self, shape: Iterable[int], dtype: Any = None) -> np.ndarray:
        """An array of shape `shape`; its dtype is floatx if `dtype` is None."""
        return np.zeros(shape_of(shape), numpy_dtype(dtype))


@catalogue.add("one")
class Ones(Initializer):
    """All ones."""

    def __call__(self, shape: Iterable[int], dtype: Any = None) -> np.ndarray:
        """An array of shape `shape`; its dtype is floatx if `dtype` is None."""
        return np.ones(shape_of(shape), numpy_dtype(dtype))


@catalogue.add()
class Constant(Initializer):
    """The same number everywhere.

    Args:
        value: A number, or an array (or nested list) that broadcasts to the weight's shape.
    """

    def __init__(self, value: Any = 0.0):
        self.value = value

    def __call__(self, shape: Iterable[int], dtype: Any = None) -> np.ndarray:
        """An array of shape `shape`; its dtype is floatx if `dtype` is None.

        Raises:
            ShapeError: The value does not broadcast to `shape`.
        """
        shape = shape_of(shape)
        value = np.asarray(self.value).astype(numpy_dtype(dtype))
        try:
            return np.array(np.broadcast_to(value, shape))
        except ValueError:
            raise ShapeError(
                "The value of a Constant initializer does not match the shape of the weight.",
                expected=f"a number or an array that broadcasts to {shape}",
                received=f"an array of shape {value.shape}",
            ) from None

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"value": serialize(self.value)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constant:
        """Creates an initializer from its config."""
        return cls(**{name: deserialize(value) for name, value in config.items()})


@catalogue.add("IdentityInitializer")
class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere.

    Args:
        gain: The number on the diagonal.
    """

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def __call__(self, shape: Iterable[int], dtype: Any = None) -> np.ndarray:
        """A matrix of shape `shape`; its dtype is floatx if `dtype` is None.

        Raises:
            ShapeError: `shape` does not have two axes.
        """
        shape = shape_of(shape)
        if len(shape) != 2:
            raise ShapeError(
                "Identity matrix initializer can only be used for 2D matrices.",
                expected="(rows, columns)",
                received=shape,
            )
        return (self.gain * np.eye(*shape)).astype(numpy_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"gain": self.gain}
