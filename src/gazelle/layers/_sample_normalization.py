"""Normalization of each sample: layer, group, RMS and unit normalization.

Layer normalization: Ba et al. 2016; group normalization: Wu and He 2018; RMS normalization: Zhang
and Sennrich 2019.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle._core.errors import ArgumentError, ArgumentTypeError, ShapeError
from gazelle._core.registry import builtin
from gazelle.layers._arguments import PenalizedArguments
from gazelle.layers._base import Layer
from gazelle.layers._normalization import ScaledNormalization
from gazelle.layers._spec import InputSpec

Axis = int | Sequence[int]


class _LayerNormalizationArguments(PenalizedArguments, total=False):
    rms_scaling: bool


@builtin("keras.layers")
class LayerNormalization(ScaledNormalization):
    """`gamma (x - mean) / sqrt(variance + epsilon) + beta`, normalizing each sample along `axis`.

    Args:
        axis: The axis, or list of axes, to normalize over.
        epsilon: Added to the variance.
        center: Whether to add beta.
        scale: Whether to multiply by gamma.
        beta_initializer: Initializer of beta.
        gamma_initializer: Initializer of gamma.
        beta_regularizer: Penalty on beta.
        gamma_regularizer: Penalty on gamma.
        beta_constraint: Projection of beta after each update.
        gamma_constraint: Projection of gamma after each update.
        **kwargs: `name`, `dtype`, `trainable`, `input_shape`; `rms_scaling=True`, which Keras
            advises against, only divides by the standard deviation and multiplies by gamma.

    Raises:
        ArgumentTypeError: `axis` is neither an int nor a list of ints.
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Unpack[_LayerNormalizationArguments],
    ):
        rms_scaling = kwargs.pop("rms_scaling", False)
        if rms_scaling:
            warnings.warn(
                "LayerNormalization(rms_scaling=True) divides by the standard deviation and not by"
                " the root mean square, as in Keras; RMSNormalization does what the name says.",
                UserWarning,
                stacklevel=2,
            )
        super().__init__(
            _checked_axis(axis, "LayerNormalization"),
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        self.rms_scaling = rms_scaling

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create gamma and beta, with the sizes of the normalized axes."""
        self._add_scale_and_shift(
            _sizes(self.axis, input_shape, self.name),
            scale=self.scale or self.rms_scaling,
            center=self.center and not self.rms_scaling,
        )

    def call(self, inputs: Any) -> Any:
        """The normalized input."""
        x = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
        axes = _counted(self.axis, x.ndim)
        shape = [n if i in axes else 1 for i, n in enumerate(x.shape)]
        variance = jnp.var(x, axes, keepdims=True)
        factor = jax.lax.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor = factor * jnp.reshape(self.gamma.value, shape)
        if self.rms_scaling:
            return (x * factor).astype(self.compute_dtype)
        outputs = (x - jnp.mean(x, axes, keepdims=True)) * factor
        if self.beta is not None:
            outputs = outputs + jnp.reshape(self.beta.value, shape)
        return outputs.astype(self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return _with_axes(input_shape, self.axis, self.name)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "rms_scaling": self.rms_scaling}


@builtin("keras.layers")
class GroupNormalization(ScaledNormalization):
    """Normalizes each sample within groups of features, then `gamma x + beta`.

    Mean and variance are over a group of features and all other axes of the sample.

    Args:
        groups: Number of groups, by which the number of features can be divided; -1 for one group
            per feature (instance normalization).
        axis: The axis of the features, an int.
        epsilon: Added to the variance.
        center: Whether to add beta.
        scale: Whether to multiply by gamma.
        beta_initializer: Initializer of beta.
        gamma_initializer: Initializer of gamma.
        beta_regularizer: Penalty on beta.
        gamma_regularizer: Penalty on gamma.
        beta_constraint: Projection of beta after each update.
        gamma_constraint: Projection of gamma after each update.
        **kwargs: `name`, `dtype`, `trainable`, `input_shape`.

    Raises:
        ArgumentError: `groups` is neither an int > 0 nor -1.
        ArgumentTypeError: `axis` is not an int.
        ShapeError: The features cannot be divided into that many groups.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Unpack[PenalizedArguments],
    ):
        if not isinstance(groups, int) or isinstance(groups, bool) or (groups < 1 and groups != -1):
            raise ArgumentError(
                "GroupNormalization: groups must be a positive integer, or -1.",
                expected="an int > 0, or -1 for one group per feature",
                received=repr(groups),
            )
        if not isinstance(axis, int):
            raise ArgumentTypeError("GroupNormalization: axis must be an int.", received=repr(axis))
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        self.groups = groups
        self.autocast = False  # large inputs would be infinite in float16

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create gamma and beta, each `(features,)`."""
        (size,) = _sizes(self.axis, input_shape, self.name)
        if size % self._number(size):
            raise ShapeError(
                f"Layer {self.name!r} cannot divide {size} features into {self.groups} groups.",
                expected="a number of groups that is a divisor of the number of features",
                received=f"groups={self.groups}, input shape {tuple(input_shape)}",
            )
        self._add_scale_and_shift((size,), scale=self.scale, center=self.center)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def _number(self, size: int) -> int:
        return size if self.groups == -1 else self.groups

    def call(self, inputs: Any) -> Any:
        """The normalized input."""
        x = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
        axis = self.axis % x.ndim
        size = x.shape[axis]
        split = (self._number(size), size // self._number(size))
        grouped = jnp.reshape(x, (*x.shape[:axis], *split, *x.shape[axis + 1 :]))
        axes = tuple(i for i in range(1, grouped.ndim) if i != axis)
        shape = [1] * axis + [*split] + [1] * (x.ndim - axis - 1)
        mean, variance = (
            jnp.mean(grouped, axes, keepdims=True),
            jnp.var(grouped, axes, keepdims=True),
        )
        factor = jax.lax.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor = factor * jnp.reshape(self.gamma.value, shape)
        outputs = (grouped - mean) * factor
        if self.beta is not None:
            outputs = outputs + jnp.reshape(self.beta.value, shape)
        return jnp.reshape(outputs, x.shape).astype(self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return _with_axes(input_shape, self.axis, self.name)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "groups": self.groups}


@builtin("keras.layers")
class RMSNormalization(Layer):
    """`scale x / sqrt(mean(x^2) + epsilon)`, with the mean of each sample along `axis`.

    Args:
        axis: The axis, or list of axes.
        epsilon: Added to the mean.
        **kwargs: `name`, `dtype`, `trainable`, `input_shape`.

    Raises:
        ArgumentTypeError: `axis` is neither an int nor a list of ints.
    """

    def __init__(
        self, axis: Axis = -1, epsilon: float = 1e-06, **kwargs: Unpack[PenalizedArguments]
    ):
        super().__init__(**kwargs)
        self.axis = _checked_axis(axis, "RMSNormalization")
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the scale, with the sizes of the normalized axes."""
        shape = _sizes(self.axis, input_shape, self.name)
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones")

    def call(self, inputs: Any) -> Any:
        """The normalized input."""
        x = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
        axes = _counted(self.axis, x.ndim)
        shape = [n if i in axes else 1 for i, n in enumerate(x.shape)]
        factor = jax.lax.rsqrt(jnp.mean(jnp.square(x), axes, keepdims=True) + self.epsilon)
        scale = jnp.reshape(self.scale.value.astype(x.dtype), shape)
        return (x * factor * scale).astype(self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return _with_axes(input_shape, self.axis, self.name)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        axis = list(self.axis) if isinstance(self.axis, tuple) else self.axis
        return {**self._base_config(), "axis": axis, "epsilon": self.epsilon}


@builtin("keras.layers")
class UnitNormalization(Layer):
    """Scales each sample to Euclidean length 1 along `axis`.

    Args:
        axis: The axis, or list of axes.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentTypeError: `axis` is neither an int nor a list of ints.
    """

    def __init__(self, axis: Axis = -1, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        self.axis = _checked_axis(axis, "UnitNormalization")
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        """The scaled input."""
        square = jnp.sum(jnp.square(inputs), self.axis, keepdims=True)
        return inputs * jax.lax.rsqrt(jnp.maximum(square, 1e-12))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return _with_axes(input_shape, self.axis, self.name)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        axis = list(self.axis) if isinstance(self.axis, tuple) else self.axis
        return {**self._base_config(), "axis": axis}


def _checked_axis(axis: Any, owner: str) -> int | tuple[int, ...]:
    """An axis, or several.

    Raises:
        ArgumentTypeError: It is neither an int nor a list of ints.
    """
    axes = [axis] if isinstance(axis, int) else axis
    if not isinstance(axes, list | tuple) or not all(isinstance(one, int) for one in axes):
        raise ArgumentTypeError(
            f"{owner}: axis must be an int or a list of ints.", received=repr(axis)
        )
    return axis if isinstance(axis, int) else tuple(axes)


def _counted(axis: int | tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """The axes, counted from 0."""
    return tuple(sorted(one % ndim for one in ((axis,) if isinstance(axis, int) else axis)))


def _with_axes(
    input_shape: tuple[int | None, ...], axis: int | tuple[int, ...], name: str
) -> tuple[int | None, ...]:
    """The shape of an input.

    Raises:
        ShapeError: It does not have the axes.
    """
    ndim = len(input_shape)
    for one in (axis,) if isinstance(axis, int) else axis:
        if not -ndim <= one < ndim:
            raise ShapeError(
                f"Layer {name!r}: axis {one} is out of bounds for input shape {input_shape}.",
                expected=f"an axis from {-ndim} to {ndim - 1}",
                received=one,
            )
    return input_shape


def _sizes(
    axis: int | tuple[int, ...], input_shape: tuple[int | None, ...], name: str
) -> tuple[int, ...]:
    """The sizes of the normalized axes, in the order of the axes.

    Raises:
        ShapeError: The input does not have them, or a size is unknown.
    """
    axes = _counted(axis, len(_with_axes(input_shape, axis, name)))
    sizes = tuple(n for one in axes if (n := input_shape[one]) is not None)
    if len(sizes) < len(axes):
        raise ShapeError(
            f"Layer {name!r} cannot be built: the size of a normalized axis is unknown.",
            expected="known sizes",
            received=tuple(input_shape),
            fix="give the sizes in Input(shape=...)",
        )
    return sizes
