"""The meaning of outputs and targets: classes or numbers, probabilities, class numbers."""

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
    """Whether a compiled model predicts classes.

    That is so if its loss is one for classes, or its last layer is a softmax.
    """
    if loss_name(model) in _CLASSES:
        return True
    return _last_activation(model) == "softmax"


def is_multi_label(model: Any, y: Any, outputs: np.ndarray) -> bool:
    """Whether each row may have several labels.

    That is so for a binary loss over several outputs. A softmax, or rows of exactly one label each,
    mean classes instead.
    """
    array = np.asarray(y)
    if loss_name(model) not in _BINARY or _last_activation(model) == "softmax":
        return False
    if outputs.ndim != 2 or outputs.shape[1] < 2 or array.shape != outputs.shape:
        return False
    if array.dtype.kind not in "iufb" or not np.isin(array, (0, 1)).all():
        return False
    return not (array.sum(axis=1) == 1).all()


def loss_name(model: Any) -> str:
    """The full name of a compiled model's loss function, such as `"mean_squared_error"`."""
    loss = losses.get(_only_loss(model))
    function = getattr(loss, "function", loss)
    if function is None:
        return ""
    return str(getattr(function, "__name__", type(function).__name__))


def takes_logits(model: Any) -> bool:
    """Whether the loss takes logits instead of probabilities (`from_logits=True`)."""
    return bool(getattr(_only_loss(model), "from_logits", False))


def as_probabilities(model: Any, outputs: Any) -> np.ndarray:
    """Convert a classifier's outputs to probabilities.

    Logits (`from_logits=True`) go through a sigmoid or softmax, depending on the loss. The outputs
    for a hinge loss, -1 to 1, are scaled to 0 to 1.

    Args:
        model: A compiled classifier.
        outputs: The return value of `predict`, `(rows,)` or `(rows, classes)`.

    Returns:
        float32, of the same shape.
    """
    values = np.asarray(outputs, dtype=np.float32)
    name = loss_name(model)
    if name in _MARGIN:
        return (np.clip(values, -1, 1) + 1) / 2
    if name == "categorical_hinge":
        return _softmax(values)
    if not takes_logits(model):
        return values
    return _sigmoid(values) if name in _BINARY else _softmax(values)


def class_numbers(y: Any) -> np.ndarray:
    """Convert targets to class numbers `(rows,)`, int64.

    Args:
        y: Class numbers `(rows,)` or `(rows, 1)`, or one-hot rows or probabilities `(rows,
            classes)`. The label -1 of hinge losses becomes 0.

    Raises:
        DataError: The targets are not classes, such as several labels in one row.
    """
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] > 1:
        values = array.astype(np.float64)
        if not np.allclose(values.sum(axis=1), 1.0, atol=1e-3):
            sums = values.sum(axis=1)
            raise DataError(
                "A report needs one class per row.",
                expected="class numbers, or one-hot rows, whose sum is 1",
                received=(
                    f"rows of {array.shape[1]} numbers with sums from {sums.min():g} to"
                    f" {sums.max():g}"
                ),
                fix='several labels per row need loss="binary_crossentropy" and targets of 0 and 1',
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
            "The targets are not classes, but the model was compiled with a loss for classes.",
            expected="whole numbers",
            received=f"numbers such as {flat[whole != flat][0]:g}",
            fix='if the model predicts numbers, compile it with a loss for numbers, such as "mse"',
        )
    return np.where(whole == -1, 0, whole)


def _last_activation(model: Any) -> str:
    last = model.layers[-1] if model.layers else None
    if type(last).__name__ == "Softmax":
        return "softmax"
    return getattr(getattr(last, "activation", None), "__name__", "")


def _only_loss(model: Any) -> Any:
    """The loss that was passed to `compile`, taken out of a list or dict with one entry."""
    loss = model.loss
    if isinstance(loss, dict) and len(loss) == 1 and "class_name" not in loss:
        return next(iter(loss.values()))
    if isinstance(loss, list | tuple) and len(loss) == 1:
        return loss[0]
    return loss


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(logits))  # at most 1, so that it cannot overflow
    return np.where(logits >= 0, 1, small) / (1 + small)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
