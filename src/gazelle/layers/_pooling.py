"""Layers that make one vector of a sequence of vectors: its mean or its maximum."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from gazelle._core.checks import one_of
from gazelle._core.registry import builtin
from gazelle.layers._arguments import PenalizedArguments
from gazelle.layers._base import Layer
from gazelle.layers._spec import InputSpec

_FORMATS = ("channels_last", "channels_first")


class _GlobalPooling(Layer):
    """Combines the steps of each sample."""

    def __init__(
        self,
        data_format: str | None = None,
        keepdims: bool = False,
        **kwargs: Unpack[PenalizedArguments],
    ):
        super().__init__(**kwargs)
        data_format = data_format or _FORMATS[0]
        self.data_format = one_of("data_format", data_format, _FORMATS, type(self).__name__)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=3)
        self._build_at_init()

    @property
    def _axis(self) -> int:
        """The axis of the steps."""
        return 1 if self.data_format == "channels_last" else 2

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input without the axis of the steps, or with 1 there."""
        before, after = input_shape[: self._axis], input_shape[self._axis + 1 :]
        return (*before, 1, *after) if self.keepdims else (*before, *after)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **self._base_config(),
            "data_format": self.data_format,
            "keepdims": self.keepdims,
        }


@builtin("keras.layers")
class GlobalAveragePooling1D(_GlobalPooling):
    """The mean over the steps: `(n, steps, features)` -> `(n, features)`.

    Steps that a mask leaves out do not count; without any step that counts, the mean is 0 (in Keras
    NaN).

    Args:
        data_format: `"channels_last"` (the default), or `"channels_first"` for inputs
            `(n, features, steps)`.
        keepdims: Whether to keep the axis of the steps, with size 1.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentError: The data format is unknown.
    """

    _makes_masks = False

    def __init__(
        self,
        data_format: str | None = None,
        keepdims: bool = False,
        **kwargs: Unpack[PenalizedArguments],
    ):
        super().__init__(data_format, keepdims, **kwargs)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """The means.

        Args:
            inputs: The sequences.
            mask: Bool array `(n, steps)`, True for the steps that count; None for all.
        """
        if mask is None:
            return jnp.mean(inputs, self._axis, keepdims=self.keepdims)
        counts = jnp.expand_dims(jnp.asarray(mask, bool), 3 - self._axis)
        total = jnp.sum(jnp.where(counts, inputs, 0), self._axis, keepdims=self.keepdims)
        number = jnp.sum(counts.astype(inputs.dtype), self._axis, keepdims=self.keepdims)
        return total / jnp.maximum(number, 1)

    def compute_mask(  # pyright: ignore[reportIncompatibleMethodOverride] (Keras's signature)
        self, inputs: Any, mask: Any = None
    ) -> Any:
        """None: there are no steps any more."""
        return None


@builtin("keras.layers")
class GlobalMaxPooling1D(_GlobalPooling):
    """The maximum over the steps: `(n, steps, features)` -> `(n, features)`.

    Args:
        data_format: `"channels_last"` (the default), or `"channels_first"` for inputs
            `(n, features, steps)`.
        keepdims: Whether to keep the axis of the steps, with size 1.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentError: The data format is unknown.
    """

    def __init__(
        self,
        data_format: str | None = None,
        keepdims: bool = False,
        **kwargs: Unpack[PenalizedArguments],
    ):
        super().__init__(data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        """The maxima."""
        return jnp.max(inputs, self._axis, keepdims=self.keepdims)


GlobalAvgPool1D = GlobalAveragePooling1D
GlobalMaxPool1D = GlobalMaxPooling1D
