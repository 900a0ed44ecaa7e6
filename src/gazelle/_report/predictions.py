"""What a model's outputs and targets mean: classes or numbers, probabilities, class numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from gazelle import losses
from gazelle._core.errors import DataError

_BINARY = ("binary_crossentropy", "binary_focal_crossentropy")
_MARGIN = ("hinge", "squared_hinge")
_CLASSES = (
    *_BINARY,
    *_MARGIN,
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "sparse_categorical_crossentropy",
)


def is_classifier(model: Any) -> bool:
    """Whether a compiled model names classes: its loss is one for classes, or its last layer is a softmax."""
    if loss_name(model) in _CLASSES:
        return True
    return _last_activation(model) == "softmax"


def is_multi_label(model: Any, y: Any, outputs: np.ndarray) -> bool:
    """Whether each row may have several labels: a loss of yes and no for each of several outputs.

    Rows of exactly one label each, and a softmax, mean classes.
    """
    array = np.asarray(y)
    if (
        loss_name(model) not in _BINARY
        or outputs.ndim != 2
        or outputs.shape[1] < 2
        or array.shape != outputs.shape
    ):
        return False
    if _last_activation(model) == "softmax" or array.dtype.kind not in "iufb":
        return False
    return bool(np.isin(array, (0, 1)).all()) and not (array.sum(axis=1) == 1).all()


def loss_name(model: Any) -> str:
    """The name of a compiled model's loss function: `"mean_squared_error"`, also where it was given as `"mse"`."""
    loss = losses.get(_only_loss(model))
    found = getattr(loss, "function", loss)
    return str(getattr(found, "__name__", type(found).__name__)) if found is not None else ""


def wants_scores(model: Any) -> bool:
    """Whether the loss takes scores, not probabilities: `from_logits=True`."""
    return bool(getattr(_only_loss(model), "from_logits", False))


def as_probabilities(model: Any, outputs: Any) -> np.ndarray:
    """A classifier's outputs as probabilities.

    Scores (`from_logits=True`) go through sigmoid or softmax, by the loss; the answers of a hinge
    loss, -1 to 1, are brought to 0 to 1.

    Args:
        model: A compiled classifier.
        outputs: What `predict` gave, `(rows,)` or `(rows, classes)`.

    Returns:
        float32, of the same shape.
    """
    values = np.asarray(outputs, dtype=np.float32)
    name = loss_name(model)
    if name in _MARGIN:
        return (np.clip(values, -1, 1) + 1) / 2
    if name == "categorical_hinge":
        return _softmax(values)
    if not wants_scores(model):
        return values
    return _sigmoid(values) if name in _BINARY else _softmax(values)


def class_numbers(y: Any) -> np.ndarray:
    """Targets as class numbers `(rows,)`, int64.

    Args:
        y: Numbers `(rows,)` or `(rows, 1)`, or a row of shares of the classes for each (one-hot)
            `(rows, classes)`. -1, as hinge losses take it, counts as 0.

    Raises:
        DataError: Targets that are no class numbers, such as several labels in one row.
    """
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] > 1:
        values = array.astype(np.float64)
        if not np.allclose(values.sum(axis=1), 1.0, atol=1e-3):
            raise DataError(
                "A report needs one class for each row.",
                expected="class numbers, or one-hot rows, whose sum is 1",
                received=(
                    f"rows of {array.shape[1]} numbers with sums from {values.sum(1).min():g} to "
                    f"{values.sum(1).max():g}"
                ),
                fix='several labels a row need loss="binary_crossentropy" and targets of 0 and 1',
            )
        return values.argmax(axis=1)
    if array.ndim not in (1, 2) or array.dtype.kind not in "iufb":
        raise DataError(
            "The targets are not classes.",
            expected="class numbers (rows,) or (rows, 1), or one-hot rows (rows, classes)",
            received=f"shape {array.shape}, type {array.dtype}",
        )
    flat = array.reshape(-1).astype(np.float64)
    whole = np.nan_to_num(flat).astype(np.int64)
    if not np.array_equal(whole, flat):
        raise DataError(
            "The targets are not classes: a loss for classes was compiled.",
            expected="whole numbers",
            received=f"numbers such as {flat[whole != flat][0]:g}",
            fix=(
                'compile with a loss for numbers, such as "mse", if the model is to predict numbers'
            ),
        )
    return np.where(whole == -1, 0, whole)


def _last_activation(model: Any) -> str:
    last = model.layers[-1] if model.layers else None
    if type(last).__name__ == "Softmax":
        return "softmax"
    return getattr(getattr(last, "activation", None), "__name__", "")


def _only_loss(model: Any) -> Any:
    """The loss as compiled, out of its list or dict if it stands in one."""
    loss = model.loss
    if isinstance(loss, dict) and len(loss) == 1 and "class_name" not in loss:
        return next(iter(loss.values()))
    return loss[0] if isinstance(loss, list | tuple) and len(loss) == 1 else loss


def _sigmoid(scores: np.ndarray) -> np.ndarray:
    shrunk = np.exp(-np.abs(scores))  # never above 1, so that nothing overflows
    return np.where(scores >= 0, 1, shrunk) / (1 + shrunk)


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
