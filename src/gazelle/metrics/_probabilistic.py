"""Metrics of predicted probabilities and rates: cross-entropies, divergence, likelihood."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from gazelle import losses
from gazelle._core.checks import in_range
from gazelle.metrics._averages import FunctionMetric
from gazelle.metrics._base import catalogue
from gazelle.metrics._shapes import spread_weight


@catalogue.add("kld", "KLD", "kullback_leibler_divergence")
class KLDivergence(FunctionMetric):
    """Mean over samples of sum y log(y / p).

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    _direction = "down"

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None):
        super().__init__(losses.kl_divergence, name, dtype)


@catalogue.add()
class Poisson(FunctionMetric):
    """Mean of p - y log p: the Poisson negative log-likelihood, up to a constant.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
    """

    _direction = "down"

    def __init__(self, name: str | None = "poisson", dtype: Any = None):
        super().__init__(losses.poisson, name, dtype)


@catalogue.add("bce", "BCE")
class BinaryCrossentropy(FunctionMetric):
    """Mean of -y log p - (1 - y) log(1 - p).

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
        from_logits: Whether predictions are logits instead of probabilities.
        label_smoothing: How far targets are moved towards 0.5, from 0 to 1.

    Raises:
        ArgumentError: `label_smoothing` is outside [0, 1].
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ):
        in_range("label_smoothing", label_smoothing, 0.0, 1.0, type(self).__name__)
        super().__init__(
            losses.binary_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


@catalogue.add()
class CategoricalCrossentropy(FunctionMetric):
    """Mean over samples of -sum y log p, for one-hot or soft targets `(n, C)`.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
        from_logits: Whether predictions are logits instead of probabilities.
        label_smoothing: How far targets are moved towards 1/C, from 0 to 1.
        axis: The axis of the classes.

    Raises:
        ArgumentError: `label_smoothing` is outside [0, 1].
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ):
        in_range("label_smoothing", label_smoothing, 0.0, 1.0, type(self).__name__)
        super().__init__(
            losses.categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@catalogue.add()
class SparseCategoricalCrossentropy(FunctionMetric):
    """Mean over samples of -log p at the target's class, for labels `(n,)` or `(n, 1)`.

    Args:
        name: Name in the logs.
        dtype: Dtype of the state; floatx if None.
        from_logits: Whether predictions are logits instead of probabilities.
        ignore_class: A label whose samples are ignored, or None. As in Keras, without sample
            weights they still count as samples, with a value of 0.
        axis: The axis of the classes.
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        super().__init__(
            losses.sparse_categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )
        self.ignore_class = ignore_class

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch to the state.

        Args:
            y_true: Labels `(n,)` or `(n, 1)`.
            y_pred: Probabilities or logits `(n, C)`.
            sample_weight: Weights of the samples; None for 1.

        Raises:
            ShapeError: The shapes do not match.
        """
        if self.ignore_class is not None and sample_weight is not None:
            shape = np.shape(y_pred)[:-1]
            kept = (jnp.asarray(y_true) != self.ignore_class).reshape(shape).astype(self.dtype)
            sample_weight = kept * spread_weight(sample_weight, shape, self.dtype)
        super().update_state(y_true, y_pred, sample_weight)
