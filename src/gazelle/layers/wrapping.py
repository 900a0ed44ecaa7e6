"""Lambda: a user's function as a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

from gazelle._core.errors import ArgumentTypeError
from gazelle._core.registry import builtin, deserialize, serialize
from gazelle.layers.arguments import PenalizedArguments
from gazelle.layers.base import Layer


@builtin("keras.layers")
class Lambda(Layer):
    """Applies a function of `jax.numpy` to its input.

    A model with this layer has a config only if the function has a name and is registered with
    `gazelle.saving.register_keras_serializable`, because a config holds no code.

    Args:
        function: Called as `function(inputs, **arguments)`.
        output_shape: Shape of one sample of the output; inferred by tracing the function if None.
        mask: For compatibility with Keras's signature.
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
        output_shape: tuple[int | None, ...] | None = None,
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
        self._output_shape = None if output_shape is None else tuple(output_shape)
        self.mask = mask
        self.arguments = arguments or {}
        self.built = True

    def call(self, inputs: Any) -> Any:
        """`function(inputs, **arguments)`."""
        return self.function(inputs, **self.arguments)

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
        config = {
            "function": function,
            "output_shape": self._output_shape,
            "arguments": self.arguments,
        }
        return {**self._base_config(), **config}
