"""Layers that are random in training: Dropout (Srivastava et al. 2014), its variants, and noise.

AlphaDropout (Klambauer et al. 2017) sets dropped units to `a' = -scale * alpha` of SELU. Then
`a x + b` with `a = ((1 - p)(1 + p a'^2))^(-1/2)` and `b = -a a' p` keeps mean 0 and variance 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

import jax.numpy as jnp

from gazelle._core.checks import in_range
from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.registry import builtin
from gazelle.layers._arguments import PenalizedArguments
from gazelle.layers._base import Layer
from gazelle.layers._spec import InputSpec
from gazelle.random import SeedGenerator
from gazelle.random import _threefry as threefry

_SELU_SATURATION = -1.6732632423543772 * 1.0507009873554805


class _Random(Layer):
    """Changes its input at random in training, and returns it unchanged otherwise."""

    def __init__(self, seed: int | None, draws: bool, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        self.seed = seed
        if draws:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """The input, changed at random if `training`."""
        return self._randomize(inputs) if training else inputs

    def _randomize(self, inputs: Any) -> Any:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape


class _Dropping(_Random):
    """A random layer that drops inputs, with a rate and a mask shape."""

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
        self.noise_shape = _checked_noise_shape(noise_shape, type(self).__name__)

    def _mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask, which broadcasts to the input's."""
        if self.noise_shape is None:
            return shape
        # Without None, a shorter shape is that of the last axes.
        last_axes = shape[max(len(shape) - len(self.noise_shape), 0) :]
        pairs = list(zip(self.noise_shape, last_axes, strict=False))
        sizes = tuple(n if given is None else given for given, n in pairs)
        broadcasts = all(given in (1, n, None) for given, n in pairs)
        is_short = len(self.noise_shape) < len(shape)
        is_long = len(self.noise_shape) > len(shape)
        if is_long or (is_short and None in self.noise_shape) or not broadcasts:
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


def _checked_noise_shape(noise_shape: Any, owner: str) -> tuple[int | None, ...] | None:
    """A noise shape as a tuple.

    Raises:
        ArgumentError: It is not a tuple or list of ints > 0 and None.
    """
    if noise_shape is None:
        return None
    is_list = isinstance(noise_shape, Iterable) and not isinstance(noise_shape, str)
    sizes: tuple[Any, ...] = tuple(noise_shape) if is_list else (0,)
    if any(n is not None and (not hasattr(n, "__index__") or n < 1) for n in sizes):
        raise ArgumentError(
            f"{owner}: invalid value for argument `noise_shape`.",
            expected="a tuple of ints > 0 and None, one for each axis of the input",
            received=repr(noise_shape),
        )
    return tuple(None if n is None else int(n) for n in sizes)


@builtin("keras.layers")
class Dropout(_Dropping):
    """Sets inputs to 0 at random in training, and scales the others by `1 / (1 - rate)`.

    Args:
        rate: Fraction of the inputs to drop, from 0 to 1.
        noise_shape: Shape of the mask: along axes of size 1, inputs are dropped together; None
            stands for the size of the input.
        seed: An int for reproducible masks, or None.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentError: `rate` is not a number from 0 to 1, or `noise_shape` has other sizes.
        ShapeError: `noise_shape` does not match the input.
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
        scaled = inputs / jnp.asarray(keep, self.compute_dtype)
        return jnp.where(mask, scaled, 0).astype(self.compute_dtype)


@builtin("keras.layers")
class AlphaDropout(_Dropping):
    """Dropout for SELU networks, which keeps mean and variance.

    Dropped inputs are set to the lower limit of SELU.

    Args:
        rate: Fraction of the inputs to drop, from 0 to 1.
        noise_shape: Shape of the mask: along axes of size 1, inputs are dropped together; None
            stands for the size of the input.
        seed: An int for reproducible masks, or None.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentError: `rate` is not a number from 0 to 1, or `noise_shape` has other sizes.
        ShapeError: `noise_shape` does not match the input.
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
        drawn = threefry.uniform(self.seed_generator.next(), self._mask_shape(inputs.shape))
        kept = drawn >= self.rate
        if self.rate == 1:
            return jnp.zeros_like(inputs)
        a = ((1 - self.rate) * (1 + self.rate * _SELU_SATURATION**2)) ** -0.5
        b = -a * _SELU_SATURATION * self.rate
        return (a * jnp.where(kept, inputs, _SELU_SATURATION) + b).astype(inputs.dtype)


@builtin("keras.layers")
class GaussianDropout(_Random):
    """Multiplies inputs in training by noise of mean 1 and variance `rate / (1 - rate)`.

    Args:
        rate: As for `Dropout`, from 0 to less than 1.
        seed: An int for reproducible noise, or None.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentError: `rate` is out of range.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Unpack[PenalizedArguments]):
        if in_range("rate", rate, 0, 1, "GaussianDropout") == 1:
            raise ArgumentError(
                "GaussianDropout: the noise is infinite for a rate of 1.",
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
    """Adds noise of mean 0 in training.

    Args:
        stddev: Standard deviation of the noise, >= 0.
        seed: An int for reproducible noise, or None.
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
        noise = threefry.normal(self.seed_generator.next(), inputs.shape, self.compute_dtype)
        return inputs + noise * self.stddev

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "stddev": self.stddev, "seed": self.seed}


@builtin("keras.layers")
class SpatialDropout1D(Dropout):
    """Dropout of whole features of a sequence: a feature is dropped at all steps or at none.

    Args:
        rate: Fraction of the features to drop, from 0 to 1.
        seed: An int for reproducible masks, or None.
        name: A name; automatic when None.
        dtype: As for every layer.

    Raises:
        ArgumentError: `rate` is not a number from 0 to 1.
    """

    def __init__(
        self, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None
    ):
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.input_spec = InputSpec(ndim=3)

    def _mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (shape[0], 1, shape[2])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        base = self._base_config()
        return {
            "rate": self.rate,
            "seed": self.seed,
            "name": self.name,
            "dtype": base["dtype"],
        }
