"""Models as estimators of scikit-learn: `keras.wrappers.scikit_learn` and `scikeras.wrappers`.

Both take a function that makes a model, and any parameters besides: those of the function, of
`fit`, `predict` and `evaluate`; scikeras's also those of `compile`, and `model__x`, `fit__x`,
`optimizer__x`, which say whose they are.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator as _SklearnEstimator
from sklearn.base import ClassifierMixin, RegressorMixin

from gazelle import optimizers
from gazelle._core.errors import ArgumentError, StateError
from gazelle.models import Model
from gazelle.utils import to_categorical

__all__ = ["BaseWrapper", "KerasClassifier", "KerasRegressor", "__version__"]

__version__ = "0.13.0"  # of scikeras

_OF_FIT = frozenset(
    {
        "batch_size", "epochs", "nb_epoch", "verbose", "callbacks", "validation_split",
        "validation_data", "shuffle", "class_weight", "sample_weight", "initial_epoch",
        "steps_per_epoch", "validation_steps", "validation_batch_size", "validation_freq",
    }
)  # fmt: skip
_OF_PREDICT = frozenset({"batch_size", "verbose", "steps"})
_OF_COMPILE = frozenset({"optimizer", "loss", "metrics", "loss_weights", "weighted_metrics"})
_OWN = frozenset({"warm_start", "random_state"})


class BaseWrapper(_SklearnEstimator):
    """What the estimators share.

    Args:
        model: A function that returns a model; or a model, which is copied. `build_fn` is its old
            name. A subclass may define `__call__` instead.
        **params: Parameters of the function and of the model's methods.

    Attributes:
        model_: The trained model.
        history_: Dict from name to the values of the epochs.
    """

    def __init__(self, model: Any = None, *, build_fn: Any = None, **params: Any):
        self.model = model
        self.build_fn = build_fn
        self.sk_params = params
        self._check()

    def _check(self) -> None:
        builder = self._builder()
        known = _OF_FIT | _OF_PREDICT | _OF_COMPILE | _OWN
        parameters = inspect.signature(builder).parameters
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        for name in self.sk_params:
            if not takes_any and "__" not in name and name not in known and name not in parameters:
                raise ArgumentError(
                    f"{name} is not a legal parameter",
                    expected=f"a parameter of {getattr(builder, '__name__', 'the model')}, fit,"
                    " predict or compile",
                    received=name,
                )

    def _builder(self) -> Callable[..., Any]:
        given = self.model if self.build_fn is None else self.build_fn
        if given is None:
            if not callable(self):
                raise ArgumentError(
                    "There is no model.", expected="model=function, or a subclass with __call__"
                )
            return self.__call__
        if isinstance(given, Model):
            return lambda: copy.deepcopy(given)
        return given

    # ---- scikit-learn's parameters ----

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All parameters by name."""
        name = "model" if self.build_fn is None else "build_fn"
        return {**self.sk_params, name: getattr(self, name)}

    def set_params(self, **params: Any) -> Any:
        """Set parameters by name."""
        for name, value in params.items():
            if name in ("model", "build_fn"):
                setattr(self, name, value)
            else:
                self.sk_params[name] = value
        self._check()
        return self

    def check_params(self, params: dict[str, Any]) -> None:
        """Raises ArgumentError where a parameter is of no use."""
        kept, self.sk_params = self.sk_params, params
        try:
            self._check()
        finally:
            self.sk_params = kept

    def filter_sk_params(self, fn: Callable[..., Any], override: Any = None) -> dict[str, Any]:
        """The parameters that a function takes, and `override`."""
        taken = inspect.signature(fn).parameters
        return {k: v for k, v in self.sk_params.items() if k in taken} | (override or {})

    def _of(self, call: str, names: frozenset[str], given: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a method of the model."""
        own = {name: value for name, value in self.sk_params.items() if name in names}
        start = f"{call}__"
        routed = {
            name.removeprefix(start): value
            for name, value in self.sk_params.items()
            if name.startswith(start)
        }
        return {**own, **routed, **given}

    # ---- Training ----

    def _made(self, meta: dict[str, Any]) -> Model:
        """A new model, compiled."""
        builder = self._builder()
        parameters = inspect.signature(builder).parameters
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        given = {
            name: value
            for name, value in self.sk_params.items()
            if name in parameters
            or (takes_any and name not in _OF_FIT | _OF_PREDICT | _OF_COMPILE and "__" not in name)
        }
        given |= self._of("model", frozenset(), {})
        if "meta" in parameters:
            given["meta"] = meta
        if "compile_kwargs" in parameters:
            given["compile_kwargs"] = self._compile_arguments()
        model = builder(**given)
        if not model.compiled:
            arguments = self._compile_arguments()
            arguments.setdefault("loss", self._default_loss())
            model.compile(**arguments)
        return model

    def _compile_arguments(self) -> dict[str, Any]:
        arguments = self._of("compile", _OF_COMPILE, {})
        options = self._of("optimizer", frozenset(), {})
        if options:
            chosen = arguments.get("optimizer", "rmsprop")
            kind = chosen if isinstance(chosen, type) else type(optimizers.get(chosen))
            arguments["optimizer"] = kind(**options)
        elif isinstance(arguments.get("optimizer"), type):
            arguments["optimizer"] = arguments["optimizer"]()
        if isinstance(arguments.get("loss"), type):
            arguments["loss"] = arguments["loss"]()
        return arguments

    def _default_loss(self) -> str:
        return "mse"

    def _prepare(self, x: Any, meta: dict[str, Any]) -> Any:
        """Set what is known of the data, and make the model unless it is trained further."""
        x = _array(x)
        if self.sk_params.get("warm_start") and hasattr(self, "model_"):
            return x
        shapes = {"n_features_in_": x.shape[1] if x.ndim > 1 else 1, "X_shape_": x.shape}
        for name, value in (shapes | meta).items():
            setattr(self, name, value)
        self.model_ = self._made(shapes | meta)
        return x

    def _train(self, x: Any, y: Any, given: dict[str, Any]) -> Any:
        self.history_ = self.model_.fit(x, y, **self._of("fit", _OF_FIT, given)).history
        if self.build_fn is not None:  # Keras 2 kept the trained model under this name
            self.model = self.model_
        return self

    @property
    def history(self) -> dict[str, Any]:
        """The values of the epochs: Keras 2's `fit` returned a history, and `fit` returns self."""
        return self.history_

    def _trained(self) -> Any:
        if not hasattr(self, "model_"):
            raise StateError("The model is not trained.", fix="call fit first")
        return self.model_

    def _outputs(self, x: Any, given: dict[str, Any]) -> Any:
        given = self._of("predict", _OF_PREDICT, given)
        given.setdefault("verbose", 0)
        return self._trained().predict(_array(x), **given)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")


class KerasClassifier(ClassifierMixin, BaseWrapper):
    """A model that predicts classes.

    Targets are classes of any type, or one-hot rows. A model whose loss is
    `categorical_crossentropy` is trained on one-hot rows.

    Attributes:
        classes_: The classes, sorted.
    """

    def fit(self, X: Any, y: Any, **given: Any) -> Any:
        """Train a new model.

        Args:
            X: `(samples, features)`.
            y: `(samples,)` classes, or `(samples, classes)` one-hot.
            **given: Arguments of the model's `fit`.
        """
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
            labels = y
        else:
            self.classes_, labels = np.unique(y.ravel(), return_inverse=True)
        meta = {
            "classes_": self.classes_,
            "n_classes_": len(self.classes_),
            "n_outputs_expected_": 1,
            "target_type_": "binary" if len(self.classes_) == 2 else "multiclass",
        }
        x = self._prepare(X, meta)
        if self._is_categorical() and labels.ndim == 1:
            labels = to_categorical(labels, len(self.classes_))
        return self._train(x, labels, given)

    def _is_categorical(self) -> bool:
        loss = self.model_.loss
        names = ("categorical_crossentropy", "CategoricalCrossentropy")
        found = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
        return found in names

    def _default_loss(self) -> str:
        several = len(self.classes_) > 2
        return "sparse_categorical_crossentropy" if several else "binary_crossentropy"

    def predict(self, X: Any, **given: Any) -> Any:
        """The most probable class of each row, `(samples,)`."""
        outputs = self._outputs(X, given)
        if outputs.shape[-1] > 1:
            return self.classes_[outputs.argmax(axis=-1)]
        return self.classes_[(outputs > 0.5).astype("int32").ravel()]

    def predict_proba(self, X: Any, **given: Any) -> Any:
        """The probabilities of the classes, `(samples, classes)`."""
        outputs = self._outputs(X, given)
        return np.hstack([1 - outputs, outputs]) if outputs.shape[-1] == 1 else outputs

    def score(self, X: Any, y: Any, sample_weight: Any = None, **given: Any) -> float:
        """The share of rows whose class is predicted.

        Args:
            X: `(samples, features)`.
            y: `(samples,)` classes, or one-hot rows.
            sample_weight: `(samples,)`.
            **given: Arguments of the model's `predict`.
        """
        y = np.asarray(y)
        y = self.classes_[y.argmax(axis=1)] if y.ndim == 2 and y.shape[1] > 1 else y.ravel()
        return float(np.average(self.predict(X, **given) == y, weights=sample_weight))


class KerasRegressor(RegressorMixin, BaseWrapper):
    """A model that predicts numbers."""

    def fit(self, X: Any, y: Any, **given: Any) -> Any:
        """Train a new model.

        Args:
            X: `(samples, features)`.
            y: `(samples,)` or `(samples, outputs)`.
            **given: Arguments of the model's `fit`.
        """
        y = np.asarray(y)
        meta = {"n_outputs_": 1 if y.ndim == 1 else y.shape[1], "target_type_": "continuous"}
        return self._train(self._prepare(X, meta), y, given)

    def predict(self, X: Any, **given: Any) -> Any:
        """The predictions, `(samples,)` for one output."""
        outputs = self._outputs(X, given)
        return outputs.squeeze(-1) if outputs.ndim > 1 and outputs.shape[-1] == 1 else outputs

    def score(self, X: Any, y: Any, sample_weight: Any = None, **given: Any) -> float:
        """R squared (scikeras), or minus the model's loss where `build_fn` was given (Keras 2)."""
        if self.build_fn is None:
            from sklearn.metrics import r2_score

            return float(r2_score(y, self.predict(X), sample_weight=sample_weight))
        given = self._of("evaluate", _OF_PREDICT, given)
        given.setdefault("verbose", 0)
        loss = self._trained().evaluate(
            _array(X), np.asarray(y), sample_weight=sample_weight, **given
        )
        return -float(loss[0] if isinstance(loss, list) else loss)


def _array(x: Any) -> Any:
    """An array; a sparse matrix as it is."""
    return x if hasattr(x, "toarray") else np.asarray(x)
