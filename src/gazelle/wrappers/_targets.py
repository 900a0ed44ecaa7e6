"""The targets of estimators, in scikit-learn's form and in that of a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError, StateError
from gazelle.losses import Loss


class Numbers:
    """Targets of a regression.

    Args:
        y: `(samples,)` or `(samples, outputs)`.
    """

    def __init__(self, y: np.ndarray):
        self._is_flat = y.ndim == 1

    def columns(self, y: np.ndarray) -> np.ndarray:
        """Targets with an axis of outputs."""
        return y.reshape(len(y), -1)

    def for_model(self, y: np.ndarray, model: Any) -> np.ndarray:
        """The targets that the model is trained on."""
        return self.columns(y)

    def from_model(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs in the form of the targets."""
        if self._is_flat and outputs.ndim == 2 and outputs.shape[1] == 1:
            return outputs[:, 0]
        return outputs


class Classes:
    """Labels of a classification.

    Args:
        y: Labels of any type, `(samples,)`.

    Raises:
        ArgumentError: All labels are equal.
    """

    def __init__(self, y: np.ndarray):
        self.labels = np.unique(y)
        if len(self.labels) < 2:
            raise ArgumentError(
                "Classifier can't train when only one class is present.",
                expected="two classes or more",
                received=f"the label {self.labels.tolist()}",
            )

    def columns(self, y: np.ndarray) -> np.ndarray:
        """One-hot rows."""
        return np.eye(len(self.labels), dtype="float32")[self._numbers(y)]

    def for_model(self, y: np.ndarray, model: Any) -> np.ndarray:
        """The targets that the loss and the outputs of the model need.

        Raises:
            ArgumentError: The model has another number of outputs.
        """
        shape = getattr(model, "output_shape", None)  # a subclassed model has none
        units = shape[-1] if isinstance(shape, tuple) else None
        count = len(self.labels)
        if units == 1 and count == 2:
            return self._numbers(y)[:, None].astype("float32")
        if units not in (None, count):
            raise ArgumentError(
                "The model does not have an output unit for each class.",
                expected=f"{count} units" + (", or one" if count == 2 else ""),
                received=f"{units} units",
            )
        return self._numbers(y) if _is_sparse(model.loss) else self.columns(y)

    def from_model(self, outputs: np.ndarray) -> np.ndarray:
        """The label of each row of outputs."""
        if outputs.shape[-1] > 1:
            return self.labels[outputs.argmax(-1)]
        return self.labels[(self._one_unit(outputs) > 0.5).astype(int)]

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs as probabilities `(samples, classes)`.

        Raises:
            StateError: They are none.
        """
        outputs = np.asarray(outputs, "float64")
        if outputs.shape[-1] == 1:
            second = self._one_unit(outputs)
            return np.stack([1 - second, second], axis=1)
        total = outputs.sum(-1, keepdims=True)
        if (outputs < 0).any() or not np.allclose(total, 1, atol=1e-2):
            raise _no_probabilities('"softmax"')
        return outputs / total

    def decision(self, outputs: np.ndarray) -> np.ndarray:
        """What speaks for each class; for two of them one number, for the second."""
        if len(self.labels) > 2:
            return outputs
        if outputs.shape[-1] == 1:
            return outputs[:, 0] - 0.5
        return outputs[:, 1] - outputs[:, 0]

    def _numbers(self, y: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.labels, y)

    def _one_unit(self, outputs: np.ndarray) -> np.ndarray:
        if ((outputs < 0) | (outputs > 1)).any():
            raise _no_probabilities('"sigmoid"')
        return outputs[:, 0]


def _no_probabilities(activation: str) -> StateError:
    return StateError(
        "The outputs of the model are not probabilities.",
        expected="values from 0 to 1, which add up to 1 over the classes",
        received="other values, such as logits",
        fix=f"give the last layer activation={activation}",
    )


def _is_sparse(loss: Any) -> bool:
    """Whether a loss compares class numbers."""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    if isinstance(loss, Loss):
        name = type(loss).__name__
    return str(name).lower().startswith("sparse")
