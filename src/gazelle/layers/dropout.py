"""Layers that are random in training: Dropout (Srivastava et al. 2014), its relatives, and Gaussian noise.

AlphaDropout (Klambauer et al. 2017): dropped units become `a' = -scale * alpha` of SELU, and `a x +
b` with `a = ((1 - p)(1 + p a'^2))^(-1/2)`, `b = -a a' p` keeps mean 0 and variance 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

import jax.numpy as jnp

from gazelle._core.checks import in_range
from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.registry import builtin
from gazelle.layers.arguments import PenalizedArguments
from gazelle.layers.base import Layer
from gazelle.random import SeedGenerator, threefry

_SELU_SATURATION = -1.6732632423543772 * 1.0507009873554805


class _Random(Layer):
    """Draws random numbers in training and gives its input back otherwise."""

    def __init__(self, seed: int | None, draws: bool, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        self.seed = seed
        if draws:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """The input, changed at random when `training`."""
        return self._randomize(inputs) if training else inputs

    def _randomize(self, inputs: Any) -> Any:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape."""
        return input_shape


class _Dropping(_Random):
    """A random layer with a rate and the shape of its mask."""

    def __init__(
        self,
        rate: float,
        noise_shape: Iterable[int | None] | None,
        seed: int | None,
        **kwargs: Unpack[PenalizedArguments],
    ):
        in_range("rate", rate, 0, 1, type(self).__name__)
        super().__init__(seed, draws=rate > 0, **kwargs)
        self.rate = rate
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def _mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The mask's shape, which goes with the input's."""
        if self.noise_shape is None:
            return shape
        behind = shape[len(shape) - len(self.noise_shape) :]
        sizes = tuple(
            n if mask is None else mask for mask, n in zip(self.noise_shape, behind, strict=False)
        )
        if len(sizes) != len(self.noise_shape) or any(
            mask not in (1, n) for mask, n in zip(sizes, behind, strict=True)
        ):
            raise ShapeError(
                f"Layer {self.name!r}: noise_shape does not match the input.",
                expected=f"1, None or the input's size along each axis of {shape}",
                received=self.noise_shape,
            )
        return sizes

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **self._base_config(),
            "rate": self.rate,
            "noise_shape": self.noise_shape,
            "seed": self.seed,
        }


@builtin("keras.layers")
class Dropout(_Dropping):
    """Sets inputs to zero at random while training and scales the rest by `1 / (1 - rate)`; does nothing otherwise.

    Args:
        rate: Share of inputs to drop, 0 to 1.
        noise_shape: Shape of the mask, 1 (or None for the input's size) along axes: those of size 1
            drop together.
        seed: Int that makes the masks repeatable, or None.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentError: `rate` is no number from 0 to 1.
        ShapeError: `noise_shape` does not go with the input.
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Iterable[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Unpack[PenalizedArguments],
    ):
        super().__init__(rate, noise_shape, seed, **kwargs)

    def _randomize(self, inputs: Any) -> Any:
        if self.rate == 0:
            return inputs
        if self.rate == 1:
            return jnp.zeros_like(inputs)
        keep = 1.0 - self.rate
        mask = threefry.bernoulli(self.seed_generator.next(), keep, self._mask_shape(inputs.shape))
        return jnp.where(mask, inputs / jnp.asarray(keep, self.compute_dtype), 0).astype(
            self.compute_dtype
        )


@builtin("keras.layers")
class AlphaDropout(_Dropping):
    """Dropout for networks with SELU: dropped inputs go to SELU's lower end, and mean and variance are kept.

    Args:
        rate: Share of inputs to drop, 0 to 1.
        noise_shape: Shape of the mask, 1 (or None for the input's size) along axes: those of size 1
            drop together.
        seed: Int that makes the masks repeatable, or None.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentError: `rate` is no number from 0 to 1.
        ShapeError: `noise_shape` does not go with the input.
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Iterable[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Unpack[PenalizedArguments],
    ):
        super().__init__(rate, noise_shape, seed, **kwargs)

    def _randomize(self, inputs: Any) -> Any:
        if self.rate == 0:
            return inputs
        kept = (
            threefry.uniform(self.seed_generator.next(), self._mask_shape(inputs.shape))
            >= self.rate
        )
        if self.rate == 1:
            return jnp.zeros_like(inputs)
        a = ((1 - self.rate) * (1 + self.rate * _SELU_SATURATION**2)) ** -0.5
        b = -a * _SELU_SATURATION * self.rate
        return (a * jnp.where(kept, inputs, _SELU_SATURATION) + b).astype(inputs.dtype)


@builtin("keras.layers")
class GaussianDropout(_Random):
    """Multiplies inputs while training by noise of mean 1 and variance `rate / (1 - rate)`.

    Args:
        rate: As for `Dropout`, from 0 to less than 1.
        seed: Int that makes the noise repeatable, or None.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentError: `rate` is out of range.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Unpack[PenalizedArguments]):
        if in_range("rate", rate, 0, 1, "GaussianDropout") == 1:
            raise ArgumentError(
                "GaussianDropout: the noise of rate 1 is infinite.",
                expected="rate < 1",
                received=rate,
            )
        super().__init__(seed, draws=rate > 0, **kwargs)
        self.rate = rate

    def _randomize(self, inputs: Any) -> Any:
        if self.rate == 0:
            return inputs
        noise = threefry.normal(self.seed_generator.next(), inputs.shape, self.compute_dtype)
        return inputs * (1 + noise * (self.rate / (1 - self.rate)) ** 0.5)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "rate": self.rate, "seed": self.seed}


@builtin("keras.layers")
class GaussianNoise(_Random):
    """Adds noise of mean 0 while training.

    Args:
        stddev: Standard deviation of the noise, >= 0.
        seed: Int that makes the noise repeatable, or None.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentError: `stddev` is negative.
    """

    def __init__(
        self, stddev: float, seed: int | None = None, **kwargs: Unpack[PenalizedArguments]
    ):
        in_range("stddev", stddev, 0, float("inf"), "GaussianNoise")
        super().__init__(seed, draws=stddev > 0, **kwargs)
        self.stddev = stddev

    def _randomize(self, inputs: Any) -> Any:
        if self.stddev == 0:
            return inputs
        return (
            inputs
            + threefry.normal(self.seed_generator.next(), inputs.shape, self.compute_dtype)
            * self.stddev
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "stddev": self.stddev, "seed": self.seed}
