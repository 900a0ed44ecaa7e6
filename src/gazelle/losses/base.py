"""What every loss is, and the loss made of a function `f(y_true, y_pred)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.checks import array_from, one_of
from gazelle._core.dtypes import get_policy
from gazelle._core.lending import check_process
from gazelle._core.names import snake_case, unique_name
from gazelle._core.registry import builtin, serialize
from gazelle.losses.catalogue import catalogue
from gazelle.losses.reduction import REDUCTIONS, reduce_weighted
from gazelle.losses.shapes import compute_dtype, same_rank

SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


@builtin("keras.losses")
class Loss:
    """A loss: called on targets and predictions it returns a number to be made small.

    A subclass defines `call(y_true, y_pred)`, which returns one value per sample, and, if its
    constructor takes other arguments, `get_config()`.

    Args:
        name: A name; automatic when None.
        reduction: `"sum_over_batch_size"` or `"mean"` (sum of the weighted values by their number),
            `"mean_with_sample_weight"` (by the sum of the weights), `"sum"`, or `"none"` or None (a
            value per sample).
        dtype: The type that targets and predictions are converted to (floatx when None). Losses are
            computed in float32 where it is shorter.

    Raises:
        ArgumentError: `reduction` or `dtype` is unknown.
    """

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        dtype: Any = None,
    ):
        self.name = name or unique_name(snake_case(type(self).__name__))
        self.reduction = one_of("reduction", reduction, REDUCTIONS, type(self).__name__)
        self._given_dtype = None if dtype is None else get_policy(dtype).compute_dtype
        self._dtype = self._given_dtype or get_policy(None).compute_dtype

    @property
    def dtype(self) -> str:
        """The type that targets and predictions are converted to."""
        return self._dtype

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> jax.Array:
        """The loss of a batch.

        Args:
            y_true: Targets. `(N,)` counts as `(N, 1)` where the predictions are `(N, 1)`, and the
                other way round.
            y_pred: Predictions.
            sample_weight: A number, or an array of the shape of the per-sample losses; None for 1.
            mask: True for the losses that count; None for all, or for the mask that `y_pred`
                carries (`_keras_mask`).

        Returns:
            A scalar, or one value per sample without a reduction.

        Raises:
            ShapeError: Shapes do not match.
        """
        check_process()
        if mask is None:
            mask = getattr(y_pred, "_keras_mask", None)
        dtype = compute_dtype(self._dtype)
        y_true, y_pred = same_rank(
            jnp.asarray(y_true).astype(dtype), jnp.asarray(y_pred).astype(dtype)
        )
        own_mask = self._mask(y_true, y_pred)
        if own_mask is not None:
            mask = own_mask if mask is None else jnp.asarray(mask).astype(bool) & own_mask
        values = jnp.asarray(
            array_from(f"The loss {self.name!r}", self.call, y_true, y_pred)
        ).astype(dtype)
        return reduce_weighted(values, sample_weight, mask, self.reduction)

    def call(self, y_true: jax.Array, y_pred: jax.Array) -> Any:
        """The losses before reduction, one per sample.

        Raises:
            NotImplementedError: The subclass does not define it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define call(y_true, y_pred).")

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal loss (`dtype` among them if it was given)."""
        config: dict[str, Any] = {"name": self.name, "reduction": self.reduction}
        return config if self._given_dtype is None else {**config, "dtype": self._given_dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """A loss from `get_config`."""
        return cls(**config)

    def _mask(self, y_true: jax.Array, y_pred: jax.Array) -> Any:
        """Where losses count at all; None for everywhere."""
        return None


@builtin("keras.losses")
class FunctionLoss(Loss):
    """The loss that a function computes.

    Args:
        function: `f(y_true, y_pred, **kwargs)`, which returns one value per sample (or a scalar).
        reduction: See `Loss`.
        name: A name; the function's own when None.
        dtype: See `Loss`.
        **kwargs: Further arguments of `function`, kept in `arguments`.

    Raises:
        ArgumentError: `reduction` or `dtype` is unknown.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        super().__init__(name or getattr(function, "__name__", None), reduction, dtype)
        self.function = function
        self.arguments = kwargs

    @property
    def from_logits(self) -> bool:
        """Whether `y_pred` holds scores rather than probabilities."""
        return bool(self.arguments.get("from_logits", False))

    def call(self, y_true: jax.Array, y_pred: jax.Array) -> Any:
        """The function's values."""
        return self.function(y_true, y_pred, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal loss."""
        return {"function": serialize(self.function), **super().get_config(), **self.arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FunctionLoss:
        """A loss from `get_config`."""
        return cls(**{**config, "function": catalogue.get(config["function"])})


class BuiltinLoss(FunctionLoss):
    """A loss of this room: its function belongs to its class, its other arguments to its config."""

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal loss."""
        return {**Loss.get_config(self), **self.arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BuiltinLoss:
        """A loss from `get_config`."""
        return cls(**config)
