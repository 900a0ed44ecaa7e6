"""Activations as layers, and ActivityRegularization."""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle import activations, constraints, initializers, regularizers
from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.registry import builtin
from gazelle.layers._arguments import LayerArguments, PenalizedArguments
from gazelle.layers._base import Layer
from gazelle.layers._spec import InputSpec


class _Elementwise(Layer):
    """A layer whose output has the shape of its input."""

    def __init__(self, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        self.supports_masking = True
        self._build_at_init()

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape


@builtin("keras.layers")
class Activation(_Elementwise):
    """Applies a function to the input.

    Args:
        activation: A name or a callable.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        UnknownNameError: `activation` is not a known name.
    """

    def __init__(self, activation: Any, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        """`activation(inputs)`."""
        return self.activation(inputs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "activation": activations.serialize(self.activation)}


@builtin("keras.layers")
class ActivityRegularization(_Elementwise):
    """Returns its input and adds `(l1 sum|x| + l2 sum x^2) / batch size` to the loss.

    Args:
        l1: Factor of the absolute values, >= 0.
        l2: Factor of the squares, >= 0.
        **kwargs: `name`, `dtype`, `input_shape`.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Unpack[LayerArguments]):
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2

    def call(self, inputs: Any) -> Any:
        """The input."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = self._base_config()
        config.pop("activity_regularizer", None)
        return {**config, "l1": self.l1, "l2": self.l2}


@builtin("keras.layers")
class ReLU(_Elementwise):
    """Rectified linear unit: x above `threshold`, `negative_slope (x - threshold)` below.

    Args:
        max_value: Largest output, a float >= 0, or None for no limit.
        negative_slope: Slope below the threshold, a float >= 0.
        threshold: Values up to this one are scaled by the slope, a float >= 0.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentError: An argument is negative.
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Unpack[PenalizedArguments],
    ):
        super().__init__(**kwargs)
        if max_value is not None:
            _check_not_negative("ReLU", "max_value", max_value)
        _check_not_negative("ReLU", "negative_slope", negative_slope)
        _check_not_negative("ReLU", "threshold", threshold)
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    def call(self, inputs: Any) -> Any:
        """The rectified input."""
        return activations.relu(
            inputs,
            negative_slope=self.negative_slope,
            max_value=self.max_value,
            threshold=self.threshold,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **self._base_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


class _LeakyArguments(PenalizedArguments, total=False):
    alpha: float


@builtin("keras.layers")
class LeakyReLU(_Elementwise):
    """x where positive, `negative_slope x` where negative.

    Args:
        negative_slope: Slope for negative inputs, a float >= 0.
        **kwargs: `name`, `dtype`, `input_shape`; `alpha` is Keras 2's name of `negative_slope`.

    Raises:
        ArgumentError: The slope is negative.
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Unpack[_LeakyArguments]):
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        _check_not_negative("LeakyReLU", "negative_slope", negative_slope)
        self.negative_slope = negative_slope

    def call(self, inputs: Any) -> Any:
        """The rectified input."""
        return activations.leaky_relu(inputs, negative_slope=self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "negative_slope": self.negative_slope}


@builtin("keras.layers")
class PReLU(Layer):
    """x where positive, `alpha x` where negative, with a trained alpha per feature.

    Args:
        alpha_initializer: Initializer of alpha.
        alpha_regularizer: Penalty on alpha.
        alpha_constraint: Projection of alpha after each update.
        shared_axes: Axes (from 1) along which alpha is the same.
        **kwargs: `name`, `dtype`, `input_shape`.
    """

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: int | list[int] | None = None,
        **kwargs: Unpack[PenalizedArguments],
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create alpha: one number per feature, of size 1 along shared axes."""
        shared = self.shared_axes or []
        shape = [1 if axis in shared else n for axis, n in enumerate(input_shape)][1:]
        self.alpha = self.add_weight(
            name="alpha",
            shape=shape,
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        axes = {i: n for i, n in enumerate(input_shape) if i > 0 and i not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)

    def call(self, inputs: Any) -> Any:
        """The rectified input."""
        alpha = jnp.asarray(self.alpha, self.compute_dtype)
        return jax.nn.relu(inputs) - alpha[None] * jax.nn.relu(-inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **self._base_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }


@builtin("keras.layers")
class ELU(_Elementwise):
    """Exponential linear unit: x where positive, `alpha (exp(x) - 1)` where negative.

    Args:
        alpha: Scale of the negative part.
        **kwargs: `name`, `dtype`, `input_shape`.
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Any:
        """The activated input."""
        return activations.elu(inputs, alpha=self.alpha)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "alpha": self.alpha}


@builtin("keras.layers")
class Softmax(_Elementwise):
    """Softmax along one or several axes: positive outputs that sum to 1.

    Args:
        axis: The axis, or a list of axes.
        **kwargs: `name`, `dtype`, `input_shape`.
    """

    def __init__(self, axis: int | list[int] = -1, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """The softmax of `inputs`; 0 where `mask` is False.

        Args:
            inputs: Scores.
            mask: Bool array that broadcasts to the shape of `inputs`, True for entries to include
                (of numbers, those above 0.5); None for all.

        Raises:
            ShapeError: The mask does not fit the inputs.
        """
        axis = tuple(self.axis) if isinstance(self.axis, list | tuple) else self.axis
        if mask is None:
            return jax.nn.softmax(inputs, axis=axis)
        mask = jnp.asarray(mask)
        pairs = zip(reversed(mask.shape), reversed(inputs.shape), strict=False)
        if mask.ndim > inputs.ndim or any(n not in (1, size) for n, size in pairs):
            raise ShapeError(
                f"The mask of layer {self.name!r} does not fit its input.",
                expected=f"a shape that is broadcastable to {tuple(inputs.shape)}",
                received=tuple(mask.shape),
            )
        mask = mask if mask.dtype == bool else mask > 0.5
        mask = jnp.expand_dims(mask, tuple(range(inputs.ndim - mask.ndim)))
        # Finite, so that a row without any entry gives zeros instead of NaN.
        low = jnp.asarray(-3e4 if inputs.dtype == jnp.float16 else -1e9, inputs.dtype)
        scores = jnp.where(mask, inputs, low)
        return jnp.where(mask, jax.nn.softmax(scores, axis=axis), 0)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "axis": self.axis}


def _check_not_negative(owner: str, name: str, value: float | None) -> None:
    if value is None or value < 0:
        raise ArgumentError(
            f"{owner}: {name} must not be negative.", expected=">= 0", received=repr(value)
        )
