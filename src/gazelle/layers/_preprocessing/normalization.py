"""Normalization: numbers minus their mean, divided by their standard deviation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np

from gazelle._core.dtypes import epsilon
from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.registry import builtin
from gazelle.layers._arguments import PenalizedArguments
from gazelle.layers._base import Layer
from gazelle.layers._preprocessing.adapting import batches_of

Shape = tuple[int | None, ...]


@builtin("keras.layers")
class Normalization(Layer):
    """`(inputs - mean) / max(sqrt(variance), epsilon)`, with the mean and variance of each feature.

    They are given, or found by `adapt`; before, the layer returns its input.

    Args:
        axis: The axis of the features, or several axes; None for one mean and variance of all
            numbers.
        mean: The mean: a number, or an array of the sizes of these axes.
        variance: The variance, in the same form.
        invert: Whether to undo the normalization: `inputs * sqrt(variance) + mean`.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentError: Only one of `mean` and `variance`, of different shapes, or of more axes than
            `axis` has.

    Example:
        >>> import gazelle, numpy as np
        >>> layer = gazelle.layers.Normalization()
        >>> layer.adapt(np.array([[0.0, 10.0], [2.0, 30.0]]))
        >>> print(layer(np.array([[2.0, 20.0]])))
        [[1. 0.]]
    """

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Unpack[PenalizedArguments],
    ):
        super().__init__(**kwargs)
        if axis is None:
            self.axis: tuple[int, ...] = ()
        else:
            self.axis = (axis,) if isinstance(axis, int) else tuple(axis)
        self.input_mean = _given("mean", mean)
        self.input_variance = _given("variance", variance)
        self.invert = invert
        self.supports_masking = True
        shapes = [None if v is None else np.shape(v) for v in (mean, variance)]
        if shapes[0] != shapes[1]:
            raise ArgumentError(
                "Normalization: `mean` and `variance` must both be set, in the same shape.",
                received=f"shapes {shapes[0]} and {shapes[1]}",
            )
        if shapes[0] is not None and len(shapes[0]) > len(self.axis):
            raise ArgumentError(
                "Normalization: `mean` has more axes than `axis`.",
                expected=f"at most {len(self.axis)}",
                received=f"shape {shapes[0]}, axis={self.axis}",
            )

    def build(self, input_shape: Shape) -> None:
        """Make the weights `mean` and `variance`, unless they were given.

        Raises:
            ShapeError: The input does not have the axes, or one of them has no known size.
        """
        self._ndim = len(input_shape)
        for axis in self.axis:
            in_range = -self._ndim <= axis < self._ndim
            if not in_range or input_shape[axis] is None:
                raise ShapeError(
                    f"Layer {self.name!r}: axis {axis} is not an axis of known size.",
                    expected=f"axis in the range [-{self._ndim}, {self._ndim}), of a known size",
                    received=f"axis={self.axis}, input shape {tuple(input_shape)}",
                )
        self._kept = tuple(sorted(axis % self._ndim for axis in self.axis))
        self._sizes = tuple(input_shape[axis] or 0 for axis in self._kept)
        if self.input_mean is None:
            self.adapt_mean = self._weight("mean", self._sizes, "zeros")
            self.adapt_variance = self._weight("variance", self._sizes, "ones")
            self.count = self._weight("count", (), "zeros", dtype="int32")  # of older files

    def _weight(self, name: str, shape: Any, initializer: str, dtype: Any = None) -> Any:
        return self.add_weight(
            name=name, shape=shape, initializer=initializer, trainable=False, dtype=dtype
        )

    @property
    def mean(self) -> Any:
        """The mean, with axes of size 1 where it is the same for all; None before `build`."""
        return self._spread(self.input_mean, "adapt_mean")

    @property
    def variance(self) -> Any:
        """The variance, in the same form."""
        return self._spread(self.input_variance, "adapt_variance")

    def _spread(self, given: Any, weight: str) -> Any:
        if not self.built:
            return None
        shape = [1] * self._ndim
        for axis, size in zip(self._kept, self._sizes, strict=True):
            shape[axis] = size
        value = jnp.asarray(getattr(self, weight) if given is None else given, self.compute_dtype)
        if given is not None:
            value = jnp.broadcast_to(value, self._sizes)
        return value.reshape(shape)

    def adapt(self, data: Any) -> None:
        """Find mean and variance; what was found before is forgotten.

        Args:
            data: An array, a `PyDataset`, or an iterable of batches.

        Raises:
            ShapeError: The data does not fit the layer.
        """
        mean = variance = 0.0
        count = 0
        for batch in batches_of(data, None, lists_are_data=False):
            array = np.asarray(batch)
            if not self.built:
                self.build(array.shape)
            self._check(array.shape)
            over = tuple(axis for axis in range(array.ndim) if axis not in self._kept)
            exact = array.astype(np.float64)
            more = math.prod(array.shape[axis] for axis in over)
            share = more / (count + more)
            # Chan, Golub and LeVeque (1979): the variance of two groups from those of each.
            change = exact.mean(axis=over) - mean
            variance = variance * (1 - share) + exact.var(axis=over) * share
            variance = variance + change**2 * share * (1 - share)
            mean, count = mean + change * share, count + more
        if self.input_mean is None:
            self.adapt_mean.assign(np.asarray(mean, np.float32))
            self.adapt_variance.assign(np.asarray(variance, np.float32))

    def _check(self, shape: tuple[int, ...]) -> None:
        fits = len(shape) == self._ndim
        if not fits or any(shape[a] != n for a, n in zip(self._kept, self._sizes, strict=True)):
            raise ShapeError(
                f"Layer {self.name!r} was built for data of another shape.",
                expected=f"{self._ndim} axes, of the sizes {self._sizes} at {self._kept}",
                received=f"shape {shape}",
            )

    def finalize_state(self) -> None:
        """Nothing is left to do after `adapt`; Keras's name."""

    def call(self, inputs: Any) -> Any:
        """The normalized inputs."""
        inputs = jnp.asarray(inputs, self.compute_dtype)
        spread = jnp.maximum(jnp.sqrt(self.variance), epsilon())
        return self.mean + inputs * spread if self.invert else (inputs - self.mean) / spread

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **self._base_config(),
            "axis": self.axis or None,
            "invert": self.invert,
            "mean": None if self.input_mean is None else self.input_mean.tolist(),
            "variance": None if self.input_variance is None else self.input_variance.tolist(),
        }


def _given(name: str, value: Any) -> np.ndarray | None:
    if value is None:
        return None
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"Normalization: `{name}` must be numbers.",
            expected="a number or an array",
            received=repr(value)[:80],
        ) from None
