"""Metrics that Keras 1 and 2 had as functions of `(y_true, y_pred)`."""

from typing import Any

from gazelle import ops

__all__ = ["matching", "sparse_top_k_categorical_accuracy", "top_k_categorical_accuracy"]


def matching(y_true: Any, y_pred: Any) -> Any:
    """Whether the rounded prediction is the target, for each sample."""
    return ops.mean(ops.cast(ops.equal(y_true, ops.round(y_pred)), "float32"), axis=-1)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """Whether the class of a one-hot target is among the `k` most probable, for each sample.

    Args:
        y_true: `(samples, classes)`, one-hot.
        y_pred: `(samples, classes)`.
        k: How many.
    """
    return sparse_top_k_categorical_accuracy(ops.argmax(y_true, axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """Whether the class is among the `k` most probable, for each sample.

    Args:
        y_true: `(samples,)` or `(samples, 1)`, class numbers.
        y_pred: `(samples, classes)`.
        k: How many.
    """
    labels = ops.cast(ops.reshape(ops.convert_to_tensor(y_true), (-1,)), "int32")
    return ops.cast(ops.in_top_k(labels, y_pred, k), "float32")
