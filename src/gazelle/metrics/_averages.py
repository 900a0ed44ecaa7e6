"""Weighted means and sums over the samples of all batches: mean = sum(w * v) / sum(w)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from gazelle import losses
from gazelle._core.checks import array_from
from gazelle._core.errors import ArgumentTypeError
from gazelle._core.masks import mask_of
from gazelle.losses._reduction import masked_weight
from gazelle.losses._shapes import same_rank
from gazelle.metrics._base import Metric, catalogue, divide_no_nan, function_from_config
from gazelle.metrics._shapes import spread_weight


@catalogue.add()
class Mean(Metric):
    """The weighted mean of all values; 0 if there are none.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values.

        Args:
            values: A number (one sample), `(n,)`, or `(n, ...)`, where the value of a sample is the
                mean over the other axes.
            sample_weight: Weights along the first axes of `values`: a number, `(n,)`, `(n, 1)` or
                more axes.

        Raises:
            ShapeError: The shapes of the weights and the values do not match.
        """
        total, count = _total_and_count(jnp.asarray(values, self.dtype), sample_weight)
        self.total.assign_add(total)
        self.count.assign_add(count)

    def result(self) -> jax.Array:
        """The mean so far."""
        return divide_no_nan(self.total.value, self.count.value)


@catalogue.add()
class Sum(Metric):
    """The weighted sum of all values.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), "zeros", name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values of any shape, weighted as in `Mean`.

        Raises:
            ShapeError: The shapes of the weights and the values do not match.
        """
        values = jnp.asarray(values, self.dtype)
        if sample_weight is not None:
            values = values * spread_weight(sample_weight, values.shape, values.dtype)
        self.total.assign_add(jnp.sum(values))

    def result(self) -> jax.Array:
        """The sum so far."""
        return self.total.value


@catalogue.add()
class MeanMetricWrapper(Mean):
    """The mean over all samples of a function of targets and predictions.

    If the function returns one value per sample, the mean is over samples. If it returns a single
    number, that number counts once per batch, whatever the batch size, as in Keras.

    The function gets the shapes of the data, as in Keras, with one exception: targets `(n,)` and
    predictions `(n, 1)`, or vice versa, get the same rank if the function would otherwise pair
    every target with every prediction, as `y_true - y_pred` does.

    Args:
        fn: The function `(y_true, y_pred, **kwargs) -> array`.
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
        **kwargs: Further arguments of `fn`.

    Raises:
        ArgumentTypeError: `fn` is not callable.
    """

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any
    ):
        if not callable(fn):
            raise ArgumentTypeError(
                f"{type(self).__name__}: fn must be a function.",
                expected="fn(y_true, y_pred)",
                received=repr(fn),
            )
        super().__init__(name=name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        if self._direction is None and getattr(losses, getattr(fn, "__name__", ""), None) is fn:
            self._direction = "down"

    def update_state(  # pyright: ignore[reportIncompatibleMethodOverride] (Keras's signature)
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Add a batch to the state. Masked predictions count with a weight of 0.

        Args:
            y_true: Targets.
            y_pred: Predictions.
            sample_weight: Weights of the samples; None for 1.

        Raises:
            ShapeError: The shapes do not match.
        """
        if (mask := mask_of(y_pred)) is not None:
            weight = jnp.asarray(mask, self.dtype)
            if sample_weight is not None:
                weight = masked_weight(jnp.asarray(sample_weight, self.dtype), weight)
            sample_weight = weight
        y_true, y_pred = self._given(jnp.asarray(y_true), jnp.asarray(y_pred))
        what = f"The metric function {self.name!r}"
        values = array_from(what, self._fn, y_true, y_pred, **self._fn_kwargs)
        super().update_state(values, sample_weight)

    def _given(self, y_true: jax.Array, y_pred: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Targets and predictions as the function gets them."""
        matched = same_rank(y_true, y_pred)
        if (matched[0].shape, matched[1].shape) == (y_true.shape, y_pred.shape):
            return y_true, y_pred
        pairs = self._pairs_all(y_true, y_pred)
        if pairs is None or (pairs and self._pairs_all(*matched) is False):
            return matched
        return y_true, y_pred

    def _pairs_all(self, y_true: jax.Array, y_pred: jax.Array) -> bool | None:
        """Whether the function computes something for every target with every prediction.

        None where it cannot be traced: it fails, or it is one of NumPy in an eager step.
        """
        count = len(y_true)
        if count < 2:
            return False
        try:
            steps = jax.make_jaxpr(partial(self._fn, **self._fn_kwargs))(y_true, y_pred)
        except Exception:  # what is wrong with the function is reported when it is called
            return None
        return re.search(rf"\[(\d+,)*{count},{count}(,\d+)*\]", str(steps)) is not None

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "fn": self._fn, **self._fn_kwargs}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates a metric from its config, whose `fn` may be a function or its config."""
        if "fn" in config:
            config = {**config, "fn": function_from_config(config["fn"])}
        return cls(**config)


class FunctionMetric(MeanMetricWrapper):
    """The mean of one of Gazelle's functions, which is fixed by the class and not in the config."""

    _counts_samples = True

    def __init__(self, fn: Callable[..., Any], name: str | None, dtype: Any, **kwargs: Any):
        super().__init__(fn, name, dtype, **kwargs)
        # Along another axis than the last the function does not return one value per sample.
        self._counts_samples = kwargs.get("axis", -1) == -1

    def _given(self, y_true: jax.Array, y_pred: jax.Array) -> tuple[jax.Array, jax.Array]:
        return same_rank(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**Metric.get_config(self), **self._fn_kwargs}


def _total_and_count(values: jax.Array, sample_weight: Any) -> tuple[jax.Array, Any]:
    """Sum of the weighted values of the samples, and sum of their weights."""
    samples = values.shape[0] if values.ndim else 1
    per_sample = math.prod(values.shape[1:])
    if sample_weight is None:
        return jnp.sum(values) / per_sample, samples
    if values.ndim == 0:  # one number for the whole batch gets the mean weight of the batch
        weight = jnp.mean(jnp.asarray(sample_weight, values.dtype))
    else:
        weight = spread_weight(sample_weight, values.shape, values.dtype)
    # A weight of size 1 applies to all samples.
    count = jnp.sum(weight) * (samples / max(weight.size, 1))
    return jnp.sum(values * weight) / per_sample, count
