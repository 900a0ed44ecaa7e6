"""The estimators: a classifier, a regressor and a transformer of a model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from gazelle._core.errors import ArgumentError, StateError
from gazelle.models import Model, clone_model
from gazelle.wrappers._targets import Classes, Numbers


class _Estimator(BaseEstimator):
    """What the three estimators share."""

    _checks = MappingProxyType({"multi_output": True, "y_numeric": True})  # of `validate_data`

    def __init__(
        self,
        model: Model | Callable[..., Model],
        warm_start: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        fit_kwargs: dict[str, Any] | None = None,
    ):
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def __sklearn_clone__(self) -> Any:
        """An unfitted copy with the same parameters: what `sklearn.base.clone` makes."""
        model = self.model if not isinstance(self.model, Model) else copy.deepcopy(self.model)
        given = copy.deepcopy((self.model_kwargs, self.fit_kwargs))
        return type(self)(model, self.warm_start, *given)

    def __sklearn_tags__(self) -> Any:
        tags: Any = super().__sklearn_tags__()
        tags.non_deterministic = True
        tags.input_tags.sparse = True
        return tags

    @property
    def epoch_(self) -> int:
        """The number of epochs of the last `fit`; 0 before."""
        return len(self.history_.epoch) if hasattr(self, "history_") else 0

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Any:  # noqa: N803
        """Fit a new model, or with `warm_start` the one of the last `fit`.

        Args:
            X: `(samples, features)`.
            y: Targets `(samples,)` or `(samples, outputs)`.
            **kwargs: Arguments of `model.fit`, such as `sample_weight`; they replace those of
                `fit_kwargs`.

        Returns:
            The estimator.

        Raises:
            ArgumentError: The targets are not of this estimator's kind.
            StateError: The model is not compiled, or has no loss.
        """
        x, y = _validated(self, X, y, **self._checks)
        self._targets = self._target_kind(y)
        model = self._model_for(x, y)
        targets = self._targets.for_model(y, model)
        self.history_ = model.fit(x, targets, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Targets in the form of those given to `fit`."""
        outputs = self._outputs(X)
        return self._targets.from_model(outputs)

    def _target_kind(self, y: np.ndarray) -> Any:
        """What converts the targets."""
        return Numbers(y)

    def _model_for(self, X: Any, y: np.ndarray) -> Model:  # noqa: N803
        """The model to fit."""
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if isinstance(self.model, Model):
            made = self.model if self.warm_start else clone_model(self.model)
        else:
            made = self.model(X=X, y=self._targets.columns(y), **(self.model_kwargs or {}))
        if not made.compiled or made.loss is None:
            raise StateError(
                f"The model of {type(self).__name__} needs to be compiled, with a loss and an"
                " optimizer.",
                expected="a compiled model",
                received=f"model {made.name!r}, not compiled or without a loss",
                fix='model.compile(optimizer="adam", loss=...) first',
            )
        return made

    def _outputs(self, X: Any) -> np.ndarray:  # noqa: N803
        """What the model predicts."""
        check_is_fitted(self, "model_")
        return self.model_.predict(_validated(self, X, reset=False))


class SKLearnClassifier(ClassifierMixin, _Estimator):
    """A model as a classifier of scikit-learn.

    Labels may be of any type. A function as `model` gets them one-hot, `(samples, classes)`, two
    columns for two classes. The model is trained on what its loss and its outputs need: class
    numbers for a sparse loss, 0 and 1 for one output unit, one-hot rows otherwise.

    Args:
        model: A compiled model, which is cloned, or a function `(X, y, **model_kwargs)` that
            returns one.
        warm_start: Whether another `fit` goes on training the same model.
        model_kwargs: Further arguments of the function.
        fit_kwargs: Arguments of `model.fit`, such as `{"epochs": 5}`.

    Attributes:
        model_: The fitted model.
        history_: The history of its last `fit`.
        classes_: The labels, sorted.
    """

    _checks = MappingProxyType({})

    @property
    def classes_(self) -> np.ndarray:
        """The labels, sorted; there from the first `fit` on."""
        if not hasattr(self, "_targets"):
            raise AttributeError("classes_ is there after fit.")
        return self._targets.labels

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """The probability of each class, `(samples, classes)`.

        Raises:
            StateError: The model gives something else, such as logits.
        """
        outputs = self._outputs(X)
        return self._targets.probabilities(outputs)

    def decision_function(self, X: Any) -> np.ndarray:  # noqa: N803
        """What the model gives for each class, probabilities or logits.

        Returns:
            `(samples, classes)`; `(samples,)` for two classes, greater for the second.
        """
        outputs = self._outputs(X)
        return self._targets.decision(outputs)

    def _target_kind(self, y: np.ndarray) -> Any:
        kind = type_of_target(y)
        if kind not in ("binary", "multiclass"):
            raise ArgumentError(
                "Only binary and multiclass target types are supported. Unknown label type:"
                f" {kind}",
                expected="one label per sample",
                received=f"{kind} targets",
            )
        return Classes(y)


class SKLearnRegressor(RegressorMixin, _Estimator):
    """A model as a regressor of scikit-learn.

    Args:
        model: A compiled model, which is cloned, or a function `(X, y, **model_kwargs)` that
            returns one; its `y` is `(samples, outputs)`.
        warm_start: Whether another `fit` goes on training the same model.
        model_kwargs: Further arguments of the function.
        fit_kwargs: Arguments of `model.fit`, such as `{"epochs": 5}`.

    Attributes:
        model_: The fitted model.
        history_: The history of its last `fit`.
    """

    def __sklearn_tags__(self) -> Any:
        tags: Any = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        tags.target_tags.multi_output = True
        return tags


class SKLearnTransformer(TransformerMixin, _Estimator):
    """A model as a transformer of scikit-learn: its outputs are features.

    Args:
        model: A compiled model, which is cloned, or a function `(X, y, **model_kwargs)` that
            returns one; its `y` is `(samples, outputs)`.
        warm_start: Whether another `fit` goes on training the same model.
        model_kwargs: Further arguments of the function.
        fit_kwargs: Arguments of `model.fit`, such as `{"epochs": 5}`.

    Attributes:
        model_: The fitted model.
        history_: The history of its last `fit`.
    """

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """The model's outputs."""
        return self._outputs(X)

    def __sklearn_tags__(self) -> Any:
        tags: Any = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def _validated(estimator: Any, *data: Any, **options: Any) -> Any:
    """Data as scikit-learn checks it; the estimator gets `n_features_in_`."""
    return validate_data(estimator, *data, accept_sparse="csr", **options)
