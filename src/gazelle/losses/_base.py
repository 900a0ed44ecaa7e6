"""The base class of losses, and the loss that wraps a function `f(y_true, y_pred)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.checks import array_from, checked_name, one_of
from gazelle._core.dtypes import floatx, get_policy
from gazelle._core.lending import check_process
from gazelle._core.masks import mask_of
from gazelle._core.names import snake_case, unique_name
from gazelle._core.registry import builtin, serialize
from gazelle._core.symbolic import map_structure
from gazelle.losses._catalogue import catalogue
from gazelle.losses._reduction import REDUCTIONS, reduce_weighted
from gazelle.losses._shapes import loss_dtype, same_rank

SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


@builtin("keras.losses")
class Loss:
    """A loss, called as `loss(y_true, y_pred)`; training minimizes it.

    A subclass defines `call(y_true, y_pred)`, which returns one value per sample. If its
    constructor takes other arguments, it also defines `get_config()`.

    Args:
        name: Name of the loss; generated if None.
        reduction: `"sum_over_batch_size"` or `"mean"` (the weighted sum divided by the number of
            values), `"mean_with_sample_weight"` (divided by the sum of the weights), `"sum"`, or
            `"none"` or None (one value per sample).
        dtype: The dtype of the loss; floatx if None. It is computed in float32 if that is wider.

    Raises:
        ArgumentError: `reduction` or `dtype` is unknown.
    """

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        dtype: Any = None,
    ):
        automatic = name or unique_name(snake_case(type(self).__name__))
        self.name = checked_name(automatic, "A loss")
        self.reduction = one_of("reduction", reduction, REDUCTIONS, type(self).__name__)
        self._given_dtype = None if dtype is None else get_policy(dtype).compute_dtype
        self._dtype = self._given_dtype or floatx()

    @property
    def dtype(self) -> str:
        """The dtype of the loss."""
        return self._dtype

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> jax.Array:
        """The loss of a batch.

        Args:
            y_true: Targets. The shapes `(N,)` and `(N, 1)` match each other. A loss of several
                outputs takes lists, tuples or dicts of arrays.
            y_pred: Predictions, in the same structure.
            sample_weight: A number, or an array of the shape of the per-sample losses; None for 1.
            mask: True for the losses that count. None for the mask that `y_pred` carries
                (`_keras_mask`), or else for all.

        Returns:
            A scalar, or one value per sample if there is no reduction.

        Raises:
            ShapeError: Shapes do not match.
        """
        check_process()
        if mask is None:
            mask = mask_of(y_pred)
        dtype = loss_dtype(self._dtype)
        if _holds_arrays(y_pred):
            y_true, y_pred = _same_ranks(y_true, y_pred, dtype)
        else:
            y_true = jnp.asarray(y_true).astype(dtype)
            y_pred = jnp.asarray(y_pred).astype(dtype)
            y_true, y_pred = same_rank(y_true, y_pred)
            mask = _both(mask, self._mask(y_true, y_pred))
        values = array_from(f"The loss {self.name!r}", self.call, y_true, y_pred)
        mask = _both(mask, mask_of(values))
        values = jnp.asarray(values).astype(dtype)
        loss = reduce_weighted(values, sample_weight, mask, self.reduction)
        return loss if self._given_dtype is None else loss.astype(self._given_dtype)

    def call(self, y_true: jax.Array, y_pred: jax.Array) -> Any:
        """Returns the losses before reduction, one per sample.

        Raises:
            NotImplementedError: The subclass does not define it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define call(y_true, y_pred).")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; `dtype` only if it was given."""
        config: dict[str, Any] = {"name": self.name, "reduction": self.reduction}
        if self._given_dtype is not None:
            config["dtype"] = self._given_dtype
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """Creates a loss from its config."""
        return cls(**config)

    def _mask(self, y_true: jax.Array, y_pred: jax.Array) -> jax.Array | None:
        """True for the losses that count; None for all."""
        return None


@builtin("keras.losses")
class FunctionLoss(Loss):
    """A loss computed by a function.

    Args:
        function: `f(y_true, y_pred, **kwargs)`, which returns one value per sample (or a scalar).
        reduction: See `Loss`.
        name: Name of the loss; the function's name if None.
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
        """Whether `y_pred` holds logits rather than probabilities."""
        return bool(self.arguments.get("from_logits", False))

    def call(self, y_true: jax.Array, y_pred: jax.Array) -> Any:
        """Returns the function's values."""
        return self.function(y_true, y_pred, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"function": serialize(self.function), **super().get_config(), **self.arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FunctionLoss:
        """Creates a loss from its config."""
        return cls(**{**config, "function": catalogue.get(config["function"])})


class BuiltinLoss(FunctionLoss):
    """A loss whose class determines its function; its config holds only the other arguments."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**Loss.get_config(self), **self.arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BuiltinLoss:
        """Creates a loss from its config."""
        return cls(**config)


def _holds_arrays(structure: Any) -> bool:
    """Whether it is a structure of arrays, not one array nor a list of numbers."""
    if isinstance(structure, dict):
        return True
    if not isinstance(structure, list | tuple):
        return False
    return any(getattr(item, "shape", ()) != () or _holds_arrays(item) for item in structure)


def _same_ranks(y_true: Any, y_pred: Any, dtype: Any) -> tuple[Any, Any]:
    """Two structures of arrays of one dtype, of which each pair has the same rank."""

    def pair(truth: Any, prediction: Any) -> tuple[jax.Array, jax.Array]:
        return same_rank(jnp.asarray(truth).astype(dtype), jnp.asarray(prediction).astype(dtype))

    return (
        map_structure(lambda t, p: pair(t, p)[0], y_true, y_pred),
        map_structure(lambda t, p: pair(t, p)[1], y_true, y_pred),
    )


def _both(mask: Any, other: Any) -> Any:
    """True where both masks are; None for no mask."""
    if mask is None or other is None:
        return other if mask is None else mask
    return jnp.asarray(mask).astype(bool) & jnp.asarray(other).astype(bool)
