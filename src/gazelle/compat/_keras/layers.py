"""Layers that Keras 1, Keras 2 and tf.keras had."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gazelle import activations, constraints, initializers, layers, ops, regularizers
from gazelle._core.errors import ArgumentError
from gazelle._core.registry import register_keras_serializable
from gazelle._formats.old_names import MERGE_MODES
from gazelle.compat._arguments import modern_arguments
from gazelle.compat._forms import CALLS
from gazelle.compat._telling import tell
from gazelle.layers import Layer
from gazelle.models import Model, Sequential

__all__ = [
    "Highway",
    "Input",
    "MaxoutDense",
    "Merge",
    "ThresholdedReLU",
    "merge",
]


def Input(shape: Any = None, *args: Any, tensor: Any = None, **kwargs: Any) -> Any:
    """`Input` that also takes a number of features, and the argument names of old.

    Args:
        shape: The shape of a sample; an integer n means `(n,)`.
        *args: As today.
        tensor: The old name of `input_tensor`.
        **kwargs: As today.
    """
    kwargs = modern_arguments("Input", CALLS["Input"], kwargs)
    if isinstance(shape, int | np.integer):
        tell("Input(n)", "Input((n,))")
        shape = (int(shape),)
    if tensor is not None:
        return tensor
    return layers.Input(shape, *args, **kwargs)


class _OldDense(Layer):
    """What Highway and MaxoutDense share: weights as Keras 1 named their options."""

    def __init__(
        self,
        init: Any = "glorot_uniform",
        weights: Any = None,
        W_regularizer: Any = None,
        b_regularizer: Any = None,
        activity_regularizer: Any = None,
        W_constraint: Any = None,
        b_constraint: Any = None,
        bias: bool = True,
        input_dim: int | None = None,
        **kwargs: Any,
    ):
        if input_dim is not None:
            kwargs["input_shape"] = (input_dim,)
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.init = initializers.get(init)
        self.initial_weights = weights
        self.W_regularizer = regularizers.get(W_regularizer)
        self.b_regularizer = regularizers.get(b_regularizer)
        self.W_constraint = constraints.get(W_constraint)
        self.b_constraint = constraints.get(b_constraint)
        self.bias = bias

    def _add(self, name: str, shape: Sequence[int], initializer: Any) -> Any:
        is_bias = name.startswith("b")
        return self.add_weight(
            shape=tuple(shape),
            initializer=initializer,
            regularizer=self.b_regularizer if is_bias else self.W_regularizer,
            constraint=self.b_constraint if is_bias else self.W_constraint,
            name=name,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "init": initializers.serialize(self.init),
            "W_regularizer": regularizers.serialize(self.W_regularizer),
            "b_regularizer": regularizers.serialize(self.b_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "W_constraint": constraints.serialize(self.W_constraint),
            "b_constraint": constraints.serialize(self.b_constraint),
            "bias": self.bias,
        }


@register_keras_serializable("Keras 1")
class MaxoutDense(_OldDense):
    """The largest of several Dense layers: `max_k(x W_k + b_k)` (Goodfellow et al. 2013).

    Args:
        output_dim: Size of the output.
        nb_feature: How many Dense layers.
        **kwargs: The options of Keras 1's Dense.
    """

    def __init__(self, output_dim: int, nb_feature: int = 4, **kwargs: Any):
        super().__init__(**kwargs)
        self.output_dim, self.nb_feature = output_dim, nb_feature

    def build(self, input_shape: Any) -> None:
        """Makes the weights for inputs of this shape."""
        shape = (self.nb_feature, input_shape[-1], self.output_dim)
        self.W = self._add("W", shape, self.init)
        if self.bias:
            self.b = self._add("b", (self.nb_feature, self.output_dim), "zeros")
        if self.initial_weights is not None:
            self.set_weights(self.initial_weights)

    def call(self, inputs: Any) -> Any:
        """The outputs `(samples, output_dim)` for inputs `(samples, features)`."""
        outputs = ops.einsum("ni,kio->nko", inputs, self.W)
        if self.bias:
            outputs = outputs + self.b
        return ops.max(outputs, axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """`(samples, output_dim)`."""
        return (input_shape[0], self.output_dim)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"output_dim": self.output_dim, "nb_feature": self.nb_feature}
        return {**super().get_config(), **own}


@register_keras_serializable("Keras 1")
class Highway(_OldDense):
    """A Dense layer beside a gate that lets the input pass (Srivastava et al. 2015).

    The output is `t h + (1 - t) x` with `h = activation(x W + b)` and
    `t = sigmoid(x W_carry + b_carry)`.

    Args:
        activation: The activation of h.
        transform_bias: What `b_carry` begins with; Keras 1 took this number and not another sign.
        **kwargs: The options of Keras 1's Dense.
    """

    def __init__(self, activation: Any = None, transform_bias: float = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)
        self.transform_bias = transform_bias

    def build(self, input_shape: Any) -> None:
        """Makes the weights for inputs of this shape."""
        size = input_shape[-1]
        self.W = self._add("W", (size, size), self.init)
        self.W_carry = self._add("W_carry", (size, size), self.init)
        if self.bias:
            self.b = self._add("b", (size,), "zeros")
            start = initializers.Constant(self.transform_bias)
            self.b_carry = self._add("b_carry", (size,), start)
        if self.initial_weights is not None:
            self.set_weights(self.initial_weights)

    def call(self, inputs: Any) -> Any:
        """The outputs, of the shape of the inputs `(samples, features)`."""
        transform = ops.matmul(inputs, self.W_carry)
        hidden = ops.matmul(inputs, self.W)
        if self.bias:
            transform, hidden = transform + self.b_carry, hidden + self.b
        transform = ops.sigmoid(transform)
        hidden = self.activation(hidden)
        return transform * hidden + (1 - transform) * inputs

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """The shape of the inputs."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {
            "activation": activations.serialize(self.activation),
            "transform_bias": self.transform_bias,
        }
        return {**super().get_config(), **own}


def ThresholdedReLU(theta: float = 1.0, **kwargs: Any) -> Layer:
    """`x` where `x > theta`, else 0: today `ReLU(threshold=theta)`."""
    tell("ThresholdedReLU(theta)", "ReLU(threshold=theta)")
    return layers.ReLU(threshold=theta, **kwargs)


def merge(
    inputs: Sequence[Any],
    mode: Any = "sum",
    concat_axis: int = -1,
    dot_axes: Any = -1,
    output_shape: Any = None,
    output_mask: Any = None,
    arguments: dict[str, Any] | None = None,
    name: str | None = None,
) -> Any:
    """One tensor of several, as Keras 1 merged them.

    Args:
        inputs: The tensors.
        mode: `"sum"`, `"mul"`, `"ave"`, `"max"`, `"concat"`, `"dot"`, `"cos"`, or a function of the
            list of tensors.
        concat_axis: The axis of `"concat"`.
        dot_axes: The axes of `"dot"` and `"cos"`.
        output_shape: Not needed.
        output_mask: Not needed.
        arguments: Further arguments of the function.
        name: The layer's name.

    Raises:
        ArgumentError: Another mode.
    """
    tell(f"merge(mode={mode!r})", "the layer of this name: Add, Concatenate, Multiply, Dot, ...")
    return _merging(mode, concat_axis, dot_axes, arguments, name)(list(inputs))


def _merging(
    mode: Any, concat_axis: int, dot_axes: Any, arguments: Any, name: str | None
) -> Callable[..., Any]:
    if callable(mode):
        return layers.Lambda(mode, arguments=arguments, name=name)
    if mode in ("dot", "cos"):
        return layers.Dot(axes=dot_axes, normalize=mode == "cos", name=name)
    if mode not in MERGE_MODES:
        raise ArgumentError(
            "Invalid merge mode.",
            expected=", ".join([*MERGE_MODES, "dot", "cos or a function"]),
            received=repr(mode),
        )
    options = {"axis": concat_axis} if mode == "concat" else {}
    return getattr(layers, MERGE_MODES[mode].name)(name=name, **options)


def Merge(layers: Sequence[Any] | None = None, mode: Any = "sum", **options: Any) -> Any:
    """Keras 1's Merge of models: a model whose inputs are theirs, to begin a Sequential with.

    Args:
        layers: The models or layers that begin with an input; None for a layer that is called on a
            list of tensors.
        mode: As of `merge`.
        **options: `concat_axis`, `dot_axes`, `arguments` and `name`, as of `merge`.
    """
    if layers is None:
        return lambda tensors: merge(tensors, mode, **options)
    parts = [_started(part) for part in layers]
    inputs = [tensor for part in parts for tensor in _as_list(part.inputs)]
    return Model(inputs, merge([part.outputs[0] for part in parts], mode, **options))


def _started(part: Any) -> Any:
    """A model; a layer with an input shape becomes one."""
    return part if isinstance(part, Model) else Sequential([part])


def _as_list(tensors: Any) -> list[Any]:
    return list(tensors) if isinstance(tensors, list | tuple) else [tensors]
