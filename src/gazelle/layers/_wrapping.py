"""Layers that wrap a function or another layer: Lambda, Wrapper and TimeDistributed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.errors import ArgumentError, ArgumentTypeError, ShapeError
from gazelle._core.registry import builtin, deserialize, is_own_class, serialize
from gazelle._core.symbolic import leaves
from gazelle.layers._arguments import PenalizedArguments
from gazelle.layers._base import Layer
from gazelle.layers._parts import flatten_layers

Shape = tuple[int | None, ...]


@builtin("keras.layers")
class Lambda(Layer):
    """Applies a function of `jax.numpy` to its input.

    A model with this layer has a config only if the function has a name and is registered with
    `gazelle.saving.register_keras_serializable`, because a config holds no code.

    Args:
        function: Called as `function(inputs, **arguments)`; parameters `mask` and `training` get
            what the layer gets.
        output_shape: Shape of one sample of the output, or a function from the input's shape to the
            output's, both with the batch axis; inferred by tracing the function if None.
        mask: The mask of the output, or a function `(inputs, mask of the inputs) -> mask`; None for
            a layer that loses masks.
        arguments: Further keyword arguments.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentTypeError: `function` is not callable.

    Example:
        >>> import gazelle
        >>> gazelle.layers.Lambda(lambda x: x[:, :2])(gazelle.Input((3,))).shape
        (None, 2)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Shape | Callable[[Any], Shape] | None = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Unpack[PenalizedArguments],
    ):
        super().__init__(**kwargs)
        self.function = deserialize(function) if isinstance(function, dict) else function
        if not callable(self.function):
            raise ArgumentTypeError(
                "Lambda takes a function.", expected="a callable", received=repr(function)[:80]
            )
        self._output_shape = _function_or(output_shape, _shape)
        self.mask = _function_or(mask, deserialize)
        self.supports_masking = mask is not None
        self.arguments = arguments or {}
        self._build_at_init()
        parameters = _parameters(self.function)
        self._takes = [name for name in ("mask", "training") if name in parameters]

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """`function(inputs, **arguments)`."""
        given = {"mask": mask, "training": training}
        wanted = {name: given[name] for name in self._takes}
        return self.function(inputs, **self.arguments, **wanted)

    @property
    def _loses_masks(self) -> bool:
        return not self.supports_masking and "mask" not in self._takes

    def compute_mask(  # pyright: ignore[reportIncompatibleMethodOverride] (Keras's signature)
        self, inputs: Any, mask: Any = None
    ) -> Any:
        """The constructor's `mask`, called if it is a function."""
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape that the constructor was given.

        Raises:
            NotImplementedError: It was given none.
        """
        if self._output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self._output_shape):
            return self._output_shape(input_shape)
        batch_size = leaves(input_shape)[0]
        return (batch_size, *self._output_shape)

    @property
    def _knows_output_shape(self) -> bool:
        return self._output_shape is not None

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments.

        Raises:
            ArgumentTypeError: The function has no name.
        """
        function = serialize(self.function)
        if isinstance(function, str):  # one of Gazelle's; Keras writes it like a user's
            function = {
                "module": "builtins",
                "class_name": "function",
                "config": function,
                "registered_name": "function",
            }
        config = {"function": function, "arguments": self.arguments}
        for name, value in (("output_shape", self._output_shape), ("mask", self.mask)):
            if value is not None:
                is_array = hasattr(value, "__array__")
                config[name] = serialize(np.asarray(value) if is_array else value)
        return {**self._base_config(), **config}


def _parameters(function: Callable[..., Any]) -> Collection[str]:
    """The names of a function's parameters; none where they are not known."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ()


def _function_or(value: Any, otherwise: Callable[[Any], Any]) -> Any:
    """A function, also from its config; `otherwise(value)` for other values but None."""
    if isinstance(value, dict) and value.get("class_name") == "function":
        return deserialize(value)
    return value if value is None or callable(value) else otherwise(value)


def _shape(value: Any) -> Shape:
    return (value,) if isinstance(value, int) else tuple(value)


@builtin("keras.layers")
class Wrapper(Layer):
    """Base class of layers that have another layer as `layer`.

    A subclass defines `call`.

    Args:
        layer: The layer.
        **kwargs: `name`, `dtype`, `trainable`, `input_shape`.

    Raises:
        ArgumentError: `layer` is not a layer.
    """

    def __init__(self, layer: Layer, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise ArgumentError(
                f"{type(self).__name__} takes a layer.",
                expected="a layer such as Dense(10)",
                received=f"{layer!r} of type {type(layer).__name__}"[:80],
            )
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        """Build the layer within."""
        if not self.layer.built:
            self.layer.build(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        layer = serialize(self.layer)
        layer.pop("build_config", None)  # this layer's `build` builds it
        return {**self._base_config(), "layer": layer}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """A layer (without weights) from `get_config`."""
        layer = deserialize(config["layer"], custom_objects)
        return super().from_config({**config, "layer": layer}, custom_objects)


@builtin("keras.layers")
class TimeDistributed(Wrapper):
    """Applies a layer to each step of a sequence: to `inputs[:, i]` for each i.

    Args:
        layer: The layer.
        **kwargs: `name`, `dtype`, `trainable`, `input_shape`.

    Raises:
        ArgumentError: `layer` is not a layer.
        ShapeError: The input has no axis of steps, or the mask does not fit it.

    Example:
        >>> import gazelle
        >>> layer = gazelle.layers.TimeDistributed(gazelle.layers.Dense(2))
        >>> layer(gazelle.Input((5, 3))).shape
        (None, 5, 2)
    """

    _makes_masks = False

    def __init__(self, layer: Layer, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def _step_shape(self, input_shape: Any) -> Shape:
        """The shape of one step."""
        sizes = list(input_shape) if isinstance(input_shape, list | tuple) else []
        if len(sizes) < 3 or isinstance(sizes[0], list | tuple):
            raise ShapeError(
                f"Layer {self.name!r} (TimeDistributed) needs an axis of steps.",
                expected="an input of at least 3 axes: (samples, steps, ...)",
                received=input_shape,
            )
        return (sizes[0], *sizes[2:])

    def build(self, input_shape: Any = None) -> None:
        """Build the layer for one step."""
        super().build(self._step_shape(input_shape))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The layer's outputs for all steps.

        Args:
            inputs: Sequences, `(samples, steps, ...)`.
            training: Passed to the layer.
            mask: Bool array `(samples, steps)`; each step's is passed to the layer.
        """
        self._check_mask(inputs, mask)
        wanted = self.layer._call_parameters
        options = {"training": training} if "training" in wanted else {}

        def step(x: Any, mask: Any) -> Any:
            masks = {"mask": mask} if mask is not None and "mask" in wanted else {}
            return self.layer.call(x, **options, **masks)

        if self._steps_are_independent():
            masked = None if mask is None else 1
            return jax.vmap(step, in_axes=(1, masked), out_axes=1)(inputs, mask)
        steps = [
            step(inputs[:, i], None if mask is None else mask[:, i]) for i in range(inputs.shape[1])
        ]
        return jax.tree.map(lambda *outputs: jnp.stack(outputs, axis=1), *steps)

    def _steps_are_independent(self) -> bool:
        """Whether no step changes state or adds a loss, so that all may be computed at once."""
        inner = list(flatten_layers(self.layer))
        are_pure = all(
            is_own_class(type(layer)) and not layer.activity_regularizer for layer in inner
        )
        return are_pure and not self.layer.non_trainable_variables

    def _check_mask(self, inputs: Any, mask: Any) -> None:
        if mask is not None and tuple(mask.shape[:2]) != tuple(inputs.shape[:2]):
            raise ShapeError(
                f"The mask of layer {self.name!r} (TimeDistributed) does not fit its input.",
                expected=f"shape {tuple(inputs.shape[:2])}",
                received=tuple(mask.shape),
            )

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The layer's output shape for one step, with the axis of steps."""
        batch_size, *rest = self.layer.compute_output_shape(self._step_shape(input_shape))
        return (batch_size, input_shape[1], *rest)

    @property
    def _knows_output_shape(self) -> bool:
        return self.layer._knows_output_shape

    def _output_dtype(self, input_dtype: str) -> str:
        return self.layer._output_dtype(input_dtype)
