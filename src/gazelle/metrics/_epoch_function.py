"""Functions on whole arrays as metrics: they run on the host, once an epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gazelle._core.checks import one_of
from gazelle._core.errors import ArgumentError, ArgumentTypeError
from gazelle._core.names import snake_case
from gazelle.metrics._base import Metric, catalogue, function_from_config

# The functions of scikit-learn that compare labels; the others take what the model predicts.
_OF_LABELS = {
    "accuracy_score",
    "balanced_accuracy_score",
    "cohen_kappa_score",
    "f1_score",
    "fbeta_score",
    "hamming_loss",
    "jaccard_score",
    "matthews_corrcoef",
    "precision_score",
    "recall_score",
    "zero_one_loss",
}


@catalogue.add()
class EpochFunction(Metric):
    """A function of whole arrays, such as one of scikit-learn, as a metric.

    It runs on the host, once at the end of an epoch, on all targets and on what the model predicts
    then for all rows; of training data this is one more pass over it. So unlike other metrics it
    measures the weights at the end of the epoch. `fit` and `evaluate` need arrays for it.
    `compile(metrics=[f1_score])` makes one by itself of every function of `sklearn.metrics`.

    Targets and predictions `(n, 1)` become `(n,)`. Where `labels` is true, predictions become class
    labels: those of one unit by the threshold, those of several units by the largest. If the
    targets have a column per unit and rows that are not one-hot, every column is a label of its
    own, by the threshold.

    Args:
        fn: `fn(y_true, y_pred, **kwargs) -> number`. As one of `weighted_metrics` it also gets
            `sample_weight`.
        name: Name in the logs; the function's if None.
        labels: True, or `"argmax"` or `"threshold"` to choose how; False for the predictions as
            they are. None is True for the functions of scikit-learn that compare labels
            (`accuracy_score`, `f1_score`, `matthews_corrcoef`, ...) and False for all others.
        threshold: A prediction above it is label 1: 0.5 is for probabilities, 0 for logits.
        dtype: Without effect.
        **kwargs: Further arguments of `fn`: `average="macro"`.

    Raises:
        ArgumentTypeError: `fn` is not callable.
        ArgumentError: `labels` has another value.

    Example:
        >>> metric = EpochFunction(lambda y, p: (y == p).mean(), name="share", labels=True)
        >>> metric.update_state(np.array([0, 1]), np.array([[0.75], [0.875]]))
        >>> metric.result()
        0.5
    """

    outside_programs = True  # no program depends on it

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        labels: bool | str | None = None,
        threshold: float = 0.5,
        dtype: Any = None,
        **kwargs: Any,
    ):
        if not callable(fn):
            raise ArgumentTypeError(
                "EpochFunction: fn must be a function.",
                expected="fn(y_true, y_pred)",
                received=repr(fn),
            )
        super().__init__(name=name or snake_case(_name_of(fn)), dtype=dtype)
        one_of("labels", labels, (None, True, False, "argmax", "threshold"), "EpochFunction")
        self.fn = fn
        self.labels = labels
        self.threshold = threshold
        self.kwargs = kwargs
        self._batches: list[tuple[Any, Any, Any]] = []

    def update_state(  # pyright: ignore[reportIncompatibleMethodOverride] (Keras's signature)
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Keep a batch, as NumPy arrays."""
        weight = None if sample_weight is None else np.asarray(sample_weight)
        self._batches.append((np.asarray(y_true), np.asarray(y_pred), weight))

    def result(self) -> float:
        """The function of all batches so far; 0 without any."""
        if not self._batches:
            return 0.0
        truths, predictions, weights = zip(*self._batches, strict=True)
        weight = None if weights[0] is None else np.concatenate(weights)
        return self.measured(np.concatenate(truths), np.concatenate(predictions), weight)

    def reset_state(self) -> None:
        """Forget all batches."""
        self._batches = []

    def measured(self, y_true: np.ndarray, y_pred: np.ndarray, sample_weight: Any = None) -> float:
        """The function of whole arrays.

        Args:
            y_true: Targets `(n, ...)`.
            y_pred: Predictions `(n, ...)`.
            sample_weight: Weights `(n,)`; None for none.

        Returns:
            The value; NaN where a prediction is not finite.

        Raises:
            ArgumentError: The function does not return one number.
        """
        if y_pred.dtype.kind == "f" and not np.isfinite(y_pred).all():
            return float("nan")
        weights = {} if sample_weight is None else {"sample_weight": np.ravel(sample_weight)}
        value = self.fn(*self._arguments(y_true, y_pred), **self.kwargs, **weights)
        if np.size(value) != 1 or np.asarray(value).dtype.kind not in "biuf":
            raise ArgumentError(
                f"The metric {self.name!r} does not return one number.",
                received=f"a {type(value).__name__} of shape {np.shape(value)}",
                fix='pass what makes it one: EpochFunction(fn, average="macro")',
            )
        return float(np.asarray(value).item())

    def _arguments(self, y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Targets and predictions as the function takes them."""
        how = self.labels
        if how is None:
            how = is_of_sklearn(self.fn) and _name_of(self.fn) in _OF_LABELS
        y_true, y_pred = _squeezed(y_true), _squeezed(y_pred)
        if not how:
            return y_true, y_pred
        has_columns = y_true.shape == y_pred.shape and y_pred.ndim > 1
        if how is True:
            by_largest = y_pred.ndim > 1 and (not has_columns or _is_one_hot(y_true))
        else:
            by_largest = how == "argmax"
        if not by_largest:
            return y_true, (y_pred > self.threshold).astype(int)
        return y_true.argmax(-1) if has_columns else y_true, y_pred.argmax(-1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"fn": self.fn, "labels": self.labels, "threshold": self.threshold}
        return {**super().get_config(), **own, **self.kwargs}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates a metric from its config, whose `fn` may be a function or its config."""
        return cls(**{**config, "fn": function_from_config(config["fn"])})


def is_of_sklearn(function: Any) -> bool:
    """Whether a function is one of `sklearn.metrics`, also with arguments bound."""
    module = getattr(_inner(function), "__module__", None) or ""
    return module.startswith("sklearn.metrics")


def _name_of(function: Any) -> str:
    inner = _inner(function)
    return getattr(inner, "__name__", None) or type(inner).__name__


def _inner(function: Any) -> Any:
    """The function in a `functools.partial`."""
    return getattr(function, "func", function)


def _squeezed(array: np.ndarray) -> np.ndarray:
    """`(n, 1)` as `(n,)`."""
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _is_one_hot(rows: np.ndarray) -> bool:
    return bool(((rows == 0) | (rows == 1)).all() and (rows.sum(-1) == 1).all())
