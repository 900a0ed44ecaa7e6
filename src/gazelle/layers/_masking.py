"""Masking: which steps of a sequence count."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from gazelle._core.registry import builtin, deserialize
from gazelle.layers._arguments import PenalizedArguments
from gazelle.layers._base import Layer


@builtin("keras.layers")
class Masking(Layer):
    """Leaves out the steps `inputs[i, j]` whose numbers are all `mask_value`.

    The output carries a mask, False for those steps, and is 0 there.

    Args:
        mask_value: The number.
        **kwargs: `name`, `dtype`, `input_shape`.
    """

    def __init__(self, mask_value: Any = 0.0, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        self.mask_value = deserialize(mask_value) if isinstance(mask_value, dict) else mask_value
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        """The input, 0 where it is left out."""
        return jnp.where(self.compute_mask(inputs)[..., None], inputs, 0)

    def compute_mask(  # pyright: ignore[reportIncompatibleMethodOverride] (Keras's signature)
        self, inputs: Any, mask: Any = None
    ) -> Any:
        """True for the steps that count."""
        return jnp.any(jnp.not_equal(inputs, self.mask_value), axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "mask_value": self.mask_value}
