"""Batch normalization (Ioffe and Szegedy 2015), and batch renormalization (Ioffe 2017)."""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle import constraints, initializers, regularizers
from gazelle._core.checks import in_range
from gazelle._core.errors import ArgumentError, ArgumentTypeError, ShapeError
from gazelle._core.registry import builtin
from gazelle.layers._arguments import PenalizedArguments
from gazelle.layers._base import Layer
from gazelle.layers._spec import InputSpec


class ScaledNormalization(Layer):
    """Base class of normalizations with a trained scale gamma and shift beta."""

    def __init__(
        self,
        axis: Any,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
        **kwargs: Unpack[PenalizedArguments],
    ):
        super().__init__(**kwargs)
        self.axis = axis
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True
        self.gamma = None
        self.beta = None

    def _add_scale_and_shift(self, shape: tuple[int, ...], *, scale: bool, center: bool) -> None:
        """Create gamma if there is a `scale`, and beta if the layer centers."""
        if scale:
            self.gamma = self.add_weight(
                name="gamma",
                shape=shape,
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                autocast=False,
            )
        if center:
            self.beta = self.add_weight(
                name="beta",
                shape=shape,
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                autocast=False,
            )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **self._base_config(),
            "axis": list(self.axis) if isinstance(self.axis, tuple) else self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
        }


@builtin("keras.layers")
class BatchNormalization(ScaledNormalization):
    """`gamma (x - mean) / sqrt(variance + epsilon) + beta` over the samples of a batch.

    In training the mean and variance are those of the batch, otherwise moving averages of them:
    `moving = momentum * moving + (1 - momentum) * batch`, with the population variance. A layer
    with `trainable = False` also uses the moving averages in training.

    Args:
        axis: The axis of the features, an int.
        momentum: Weight of the old value in each update of the moving averages, from 0 to 1.
        epsilon: Added to the variance.
        center: Whether to add beta.
        scale: Whether to multiply by gamma.
        beta_initializer: Initializer of beta.
        gamma_initializer: Initializer of gamma.
        moving_mean_initializer: Initializer of the moving mean.
        moving_variance_initializer: Initializer of the moving variance.
        beta_regularizer: Penalty on beta.
        gamma_regularizer: Penalty on gamma.
        beta_constraint: Projection of beta after each update.
        gamma_constraint: Projection of gamma after each update.
        renorm: Whether to use batch renormalization.
        renorm_clipping: Bounds of its corrections: a dict with any of `rmax`, `rmin`, `dmax`.
        renorm_momentum: Momentum of its moving averages.
        synchronized: Without effect: Gazelle's programs always see the whole batch.
        **kwargs: `name`, `dtype`, `trainable`, `input_shape`.

    Raises:
        ArgumentTypeError: `axis` is not an int.
        ArgumentError: `momentum` is out of range, or `renorm_clipping` has an unknown key or
            bounds that exclude each other.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: dict[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Unpack[PenalizedArguments],
    ):
        if not hasattr(axis, "__index__"):
            raise ArgumentTypeError(
                "BatchNormalization: axis must be an int.", received=repr(axis), fix="pass axis=-1"
            )
        super().__init__(
            int(axis),
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
        self.momentum = in_range("momentum", momentum, 0, 1, "BatchNormalization")
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        unknown = set(renorm_clipping or {}) - {"rmax", "rmin", "dmax"}
        if unknown:
            raise ArgumentError(
                "BatchNormalization: unknown keys in renorm_clipping.",
                expected="rmax, rmin, dmax",
                received=", ".join(sorted(unknown)),
            )
        _check_bounds(**(renorm_clipping or {}))
        self.renorm = renorm
        self.renorm_clipping = renorm_clipping
        self.renorm_momentum = renorm_momentum
        self.synchronized = synchronized

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create gamma, beta and the moving averages, each `(features,)`."""
        if not -len(input_shape) <= self.axis < len(input_shape):
            raise ShapeError(
                f"Layer {self.name!r}: the input has no axis {self.axis}.",
                expected="more axes",
                received=tuple(input_shape),
            )
        size = input_shape[self.axis]
        if size is None:
            raise ShapeError(
                f"Layer {self.name!r} cannot be built: the size of axis {self.axis} is unknown.",
                expected="a known number of features",
                received=tuple(input_shape),
                fix="give the size in Input(shape=...)",
            )
        self._add_scale_and_shift((size,), scale=self.scale, center=self.center)

        def moving(name: str, initializer: Any) -> Any:
            return self.add_weight(
                name=name, shape=(size,), initializer=initializer, trainable=False, autocast=False
            )

        self.moving_mean = moving("moving_mean", self.moving_mean_initializer)
        self.moving_variance = moving("moving_variance", self.moving_variance_initializer)
        if self.renorm:
            self.moving_stddev = moving("moving_stddev", "ones")
            self.moving_stddev.assign(jnp.sqrt(self.moving_variance.value))
            self.renorm_mean = moving("renorm_mean", self.moving_mean_initializer)
            self.renorm_stddev = moving("renorm_stddev", "ones")
            self.renorm_stddev.assign(self.moving_stddev.value)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The normalized input.

        Args:
            inputs: Array with the features on `axis`.
            training: Whether to use the mean and variance of the batch, and update the averages.
            mask: Bool array over all axes except `axis`; False for entries that are excluded from
                the mean and variance.
        """
        x = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
        axes = tuple(i for i in range(x.ndim) if i != self.axis % x.ndim)
        shape = [1] * x.ndim  # with the number of features on `axis`
        shape[self.axis] = x.shape[self.axis]
        gamma: Any = 1.0 if self.gamma is None else self.gamma
        beta: Any = 0.0 if self.beta is None else self.beta
        if training and self.trainable:
            mean, variance = _moments(x, axes, mask)
            if self.renorm:
                gamma, beta = self._renormed(mean, variance, gamma, beta)
            else:
                self.moving_variance.assign(_moving(self.moving_variance, variance, self.momentum))
            self.moving_mean.assign(_moving(self.moving_mean, mean, self.momentum))
        else:
            mean, variance = self.moving_mean.value, self.moving_variance.value
        # In this form there is only one pass over x.
        factor = gamma * jax.lax.rsqrt(variance + self.epsilon)
        offset = beta - mean * factor
        outputs = x * jnp.reshape(factor, shape) + jnp.reshape(offset, shape)
        return outputs.astype(self.compute_dtype)

    def _renormed(self, mean: Any, variance: Any, gamma: Any, beta: Any) -> tuple[Any, Any]:
        """Gamma and beta, corrected for the difference between the batch and the averages."""
        stddev = jnp.sqrt(variance + self.epsilon)
        floor = jnp.maximum(self.renorm_stddev.value, self.epsilon**0.5)
        r = stddev / floor
        d = (mean - self.renorm_mean) / floor
        clipping = self.renorm_clipping or {}
        r = jnp.clip(r, clipping.get("rmin"), clipping.get("rmax"))
        if "dmax" in clipping:
            d = jnp.clip(d, -clipping["dmax"], clipping["dmax"])
        r, d = jax.lax.stop_gradient(r), jax.lax.stop_gradient(d)
        self.renorm_mean.assign(_moving(self.renorm_mean, mean, self.renorm_momentum))
        self.renorm_stddev.assign(_moving(self.renorm_stddev, stddev, self.renorm_momentum))
        self.moving_stddev.assign(_moving(self.moving_stddev, stddev, self.momentum))
        moving_variance = self.moving_stddev * self.moving_stddev - self.epsilon
        self.moving_variance.assign(jax.nn.relu(moving_variance))
        return gamma * r, gamma * d + beta

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "renorm": self.renorm,
            "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
            "synchronized": self.synchronized,
        }


def _moving(variable: Any, value: Any, momentum: float) -> Any:
    return variable * momentum + value * (1.0 - momentum)


def _moments(x: Any, axes: tuple[int, ...], mask: Any) -> tuple[Any, Any]:
    """Mean and population variance over `axes` of the entries where `mask` is True."""
    if mask is None:
        return jnp.mean(x, axes), jnp.var(x, axes)
    counts = jnp.broadcast_to(jnp.expand_dims(jnp.asarray(mask, bool), -1), x.shape)
    number = jnp.sum(counts.astype(x.dtype), axes) + 1e-7
    mean = jnp.sum(jnp.where(counts, x, 0), axes) / number
    centred = jnp.where(counts, x - jnp.expand_dims(mean, axes), 0)
    return mean, jnp.sum(jnp.square(centred), axes) / number


def _check_bounds(
    rmax: float | None = None, rmin: float | None = None, dmax: float | None = None
) -> None:
    """Refuse bounds of a batch renormalization between which nothing is.

    Raises:
        ArgumentError: `rmax` is below `rmin`, or `dmax` below 0.
    """
    wrong = None
    if rmax is not None and rmin is not None and rmax < rmin:
        wrong = "rmax should be greater than rmin", f"rmax={rmax}, rmin={rmin}"
    elif dmax is not None and dmax < 0:
        wrong = "dmax should be non-negative", f"dmax={dmax}"
    if wrong:
        raise ArgumentError(f"BatchNormalization, renorm_clipping: {wrong[0]}.", received=wrong[1])
