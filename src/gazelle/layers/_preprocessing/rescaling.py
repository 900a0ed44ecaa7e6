"""Rescaling: numbers times a scale, plus an offset."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from gazelle._core.dtypes import is_float
from gazelle._core.registry import builtin, deserialize
from gazelle.layers._arguments import PenalizedArguments
from gazelle.layers._base import Layer


@builtin("keras.layers")
class Rescaling(Layer):
    """`inputs * scale + offset` as floats: `Rescaling(1 / 255)` scales pixels to [0, 1].

    Args:
        scale: A number, or a list with one number per channel.
        offset: A number, or a list.
        **kwargs: `name`, `dtype`, `input_shape`.
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        self.scale = _numbers(scale)
        self.offset = _numbers(offset)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        """The scaled input, in the compute dtype."""
        dtype = self.compute_dtype if is_float(self.compute_dtype) else "float32"
        scaled = jnp.asarray(inputs, dtype) * jnp.asarray(self.scale, dtype)
        if isinstance(self.offset, int | float) and self.offset == 0:
            return scaled
        return scaled + jnp.asarray(self.offset, dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "scale": self.scale, "offset": self.offset}


def _numbers(value: Any) -> Any:
    """A number or a list; arrays, also in the form of Keras's configs, become lists."""
    if isinstance(value, dict):
        value = deserialize(value)
    return value.tolist() if hasattr(value, "tolist") else value
