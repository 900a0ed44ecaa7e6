"""Initializers that draw every number from one distribution, and orthogonal matrices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError, ShapeError
from gazelle.initializers._base import RandomInitializer, catalogue, float_dtypes, shape_of


@catalogue.add("normal")
class RandomNormal(RandomInitializer):
    """Normally distributed numbers.

    Args:
        mean: Mean.
        stddev: Standard deviation.
        seed: An int, a seed generator or None for a random seed.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Iterable[int], dtype: Any = None) -> np.ndarray:
        """An array of shape `shape`; its dtype is floatx if `dtype` is None."""
        shape = shape_of(shape)
        drawn, wanted = float_dtypes(dtype, type(self).__name__)
        values = self._generator(shape).standard_normal(shape, drawn)
        return (self.mean + self.stddev * values).astype(wanted)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"mean": self.mean, "stddev": self.stddev, **super().get_config()}


@catalogue.add()
class TruncatedNormal(RandomNormal):
    """Normally distributed numbers within two standard deviations; others are drawn again.

    Args:
        mean: Mean.
        stddev: Standard deviation before truncation, which reduces it to 0.8796 times that.
        seed: An int, a seed generator or None for a random seed.
    """

    def __call__(self, shape: Iterable[int], dtype: Any = None) -> np.ndarray:
        """An array of shape `shape`; its dtype is floatx if `dtype` is None."""
        shape = shape_of(shape)
        drawn, wanted = float_dtypes(dtype, type(self).__name__)
        values = truncated_standard_normal(self._generator(shape), shape, drawn)
        return (self.mean + self.stddev * values).astype(wanted)


@catalogue.add("uniform")
class RandomUniform(RandomInitializer):
    """Uniformly distributed numbers.

    Args:
        minval: Lower bound.
        maxval: Upper bound.
        seed: An int, a seed generator or None for a random seed.

    Raises:
        ArgumentError: `minval` is above `maxval`.
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None):
        super().__init__(seed)
        if minval > maxval:
            raise ArgumentError(
                "RandomUniform: the lower bound is above the upper one.",
                expected="minval <= maxval",
                received=f"minval={minval!r}, maxval={maxval!r}",
            )
        self.minval = minval
        self.maxval = maxval

    def __call__(self, shape: Iterable[int], dtype: Any = None) -> np.ndarray:
        """An array of shape `shape`; its dtype is floatx if `dtype` is None."""
        shape = shape_of(shape)
        drawn, wanted = float_dtypes(dtype, type(self).__name__)
        values = self._generator(shape).random(shape, drawn)
        return (self.minval + (self.maxval - self.minval) * values).astype(wanted)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"minval": self.minval, "maxval": self.maxval, **super().get_config()}


@catalogue.add("OrthogonalInitializer")
class Orthogonal(RandomInitializer):
    """A random matrix with orthogonal columns or rows, whichever are fewer (Saxe et al., 2013).

    With more than two axes, all except the last count as rows.

    Args:
        gain: Norm of each vector.
        seed: An int, a seed generator or None for a random seed.
    """

    def __init__(self, gain: float = 1.0, seed: Any = None):
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Iterable[int], dtype: Any = None) -> np.ndarray:
        """An array of shape `shape`; its dtype is floatx if `dtype` is None.

        Raises:
            ShapeError: `shape` has fewer than two axes.
        """
        shape = shape_of(shape)
        if len(shape) < 2:
            raise ShapeError(
                "The tensor to initialize must be at least two-dimensional.",
                expected="two or more axes",
                received=shape,
                fix="use Orthogonal for kernels, not for biases",
            )
        drawn, wanted = float_dtypes(dtype, type(self).__name__)
        columns = shape[-1]
        rows = int(np.prod(shape[:-1]))
        tall_shape = (max(rows, columns), min(rows, columns))
        normal = self._generator(shape).standard_normal(tall_shape, drawn)
        q, r = np.linalg.qr(normal)
        # With these signs the distribution is uniform over orthogonal matrices.
        q *= np.where(np.diagonal(r) < 0, -1, 1).astype(drawn)
        if rows < columns:
            q = q.T
        return (self.gain * q.reshape(shape)).astype(wanted)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"gain": self.gain, **super().get_config()}


def truncated_standard_normal(
    generator: np.random.Generator, shape: tuple[int, ...], dtype: Any
) -> np.ndarray:
    """Standard normal numbers from -2 to 2; others (one in 22) are drawn again."""
    values = generator.standard_normal(shape, dtype).ravel()
    outside = np.flatnonzero(np.abs(values) > 2)
    while outside.size:
        values[outside] = generator.standard_normal(outside.size, dtype)
        outside = outside[np.abs(values[outside]) > 2]
    return values.reshape(shape)
