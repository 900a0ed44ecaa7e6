"""Initializers whose variance depends on the number of inputs and outputs of a layer.

The variance is `scale / n` with `n` the fan-in, the fan-out or their mean.

References: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
networks", 2010; He et al., "Delving deep into rectifiers", 2015; LeCun et al., "Efficient
BackProp", 1998.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gazelle._core.checks import one_of
from gazelle._core.errors import ArgumentError
from gazelle.initializers._base import RandomInitializer, catalogue, float_dtypes, shape_of
from gazelle.initializers._drawn import truncated_standard_normal

# Standard deviation of the standard normal distribution truncated to -2 to 2.
_TRUNCATED_STDDEV = 0.87962566103423978

Axes = int | Sequence[int] | None


@catalogue.add()
class VarianceScaling(RandomInitializer):
    """Numbers with mean 0 and variance `scale / n`.

    Args:
        scale: Positive factor.
        mode: Which number `n` is: `"fan_in"`, `"fan_out"` or `"fan_avg"` (their mean).
        distribution: `"truncated_normal"` (or `"normal"`), `"untruncated_normal"` or `"uniform"`.
        seed: An int, a seed generator or None for a random seed.
        input_axes: The axes whose product of sizes is the fan-in, for weights of more than two
            axes; needs `output_axes`.
        output_axes: The axes whose product of sizes is the fan-out; needs `input_axes`.

    Raises:
        ArgumentError: `scale` is not positive, or `mode`, `distribution` or `seed` is unknown.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
    ):
        super().__init__(seed)
        owner = type(self).__name__
        if not isinstance(scale, numbers.Real) or not scale > 0:
            raise ArgumentError(
                f"{owner}: scale must be positive.", expected="a number > 0", received=repr(scale)
            )
        self.scale = scale
        self.mode = one_of("mode", mode, ("fan_in", "fan_out", "fan_avg"), owner)
        name = str(distribution).lower()
        self.distribution = one_of(
            "distribution",
            "truncated_normal" if name == "normal" else name,
            ("truncated_normal", "untruncated_normal", "uniform"),
            owner,
        )
        self.input_axes = _axes(input_axes)
        self.output_axes = _axes(output_axes)

    def __call__(self, shape: Iterable[int], dtype: Any = None) -> np.ndarray:
        """An array of shape `shape`; its dtype is floatx if `dtype` is None.

        Raises:
            ArgumentError: `input_axes` or `output_axes` has an axis that `shape` does not have.
        """
        shape = shape_of(shape)
        drawn, wanted = float_dtypes(dtype, type(self).__name__)
        fan_in, fan_out = fans(shape, self.input_axes, self.output_axes)
        sizes = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        variance = self.scale / max(sizes[self.mode], 1.0)
        generator = self._generator(shape)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            values = -limit + 2 * limit * generator.random(shape, drawn)
        elif self.distribution == "untruncated_normal":
            values = math.sqrt(variance) * generator.standard_normal(shape, drawn)
        else:
            stddev = math.sqrt(variance) / _TRUNCATED_STDDEV
            values = stddev * truncated_standard_normal(generator, shape, drawn)
        return values.astype(wanted)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            **super().get_config(),
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _Named(VarianceScaling):
    """A case of `VarianceScaling` that has its own name."""

    _case: tuple[float, str, str]  # scale, mode, distribution

    def __init__(self, seed: Any = None, input_axes: Axes = None, output_axes: Axes = None):
        scale, mode, distribution = self._case
        super().__init__(scale, mode, distribution, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "seed": self._given_seed,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


@catalogue.add()
class GlorotUniform(_Named):
    """Uniform within `sqrt(6 / (fan_in + fan_out))` of 0: the default of `Dense` kernels.

    Args:
        seed: An int, a seed generator or None for a random seed.
        input_axes: See `VarianceScaling`.
        output_axes: See `VarianceScaling`.
    """

    _case = (1.0, "fan_avg", "uniform")


@catalogue.add()
class GlorotNormal(_Named):
    """Truncated normal with standard deviation `sqrt(2 / (fan_in + fan_out))`.

    Args:
        seed: An int, a seed generator or None for a random seed.
        input_axes: See `VarianceScaling`.
        output_axes: See `VarianceScaling`.
    """

    _case = (1.0, "fan_avg", "truncated_normal")


@catalogue.add()
class HeUniform(_Named):
    """Uniform within `sqrt(6 / fan_in)` of 0, for ReLU layers.

    Args:
        seed: An int, a seed generator or None for a random seed.
        input_axes: See `VarianceScaling`.
        output_axes: See `VarianceScaling`.
    """

    _case = (2.0, "fan_in", "uniform")


@catalogue.add()
class HeNormal(_Named):
    """Truncated normal with standard deviation `sqrt(2 / fan_in)`, for ReLU layers.

    Args:
        seed: An int, a seed generator or None for a random seed.
        input_axes: See `VarianceScaling`.
        output_axes: See `VarianceScaling`.
    """

    _case = (2.0, "fan_in", "truncated_normal")


@catalogue.add()
class LecunUniform(_Named):
    """Uniform within `sqrt(3 / fan_in)` of 0.

    Args:
        seed: An int, a seed generator or None for a random seed.
        input_axes: See `VarianceScaling`.
        output_axes: See `VarianceScaling`.
    """

    _case = (1.0, "fan_in", "uniform")


@catalogue.add()
class LecunNormal(_Named):
    """Truncated normal with standard deviation `sqrt(1 / fan_in)`, for SELU layers.

    Args:
        seed: An int, a seed generator or None for a random seed.
        input_axes: See `VarianceScaling`.
        output_axes: See `VarianceScaling`.
    """

    _case = (1.0, "fan_in", "truncated_normal")


def fans(
    shape: tuple[int, ...],
    input_axes: Sequence[int] | None = None,
    output_axes: Sequence[int] | None = None,
) -> tuple[int, int]:
    """Fan-in and fan-out of a weight.

    Args:
        shape: Its shape, `(inputs, outputs)`. The size of a vector is both its fan-in and fan-out;
            axes before the last two multiply both.
        input_axes: The axes of the fan-in, if both are given.
        output_axes: The axes of the fan-out, if both are given.

    Raises:
        ArgumentError: `shape` does not have one of the axes.
    """
    if input_axes is not None and output_axes is not None:
        for axis in (*input_axes, *output_axes):
            if not -len(shape) <= axis < len(shape):
                raise ArgumentError(
                    "input_axes and output_axes must be axes of the weight.",
                    expected=f"axes of a weight of shape {shape}",
                    received=axis,
                )
        fan_in = math.prod(shape[axis] for axis in input_axes)
        fan_out = math.prod(shape[axis] for axis in output_axes)
        return fan_in, fan_out
    if len(shape) == 0:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def _axes(axes: Axes) -> tuple[int, ...] | None:
    if axes is None:
        return None
    if isinstance(axes, int):
        return (axes,)
    return tuple(int(axis) for axis in axes)
