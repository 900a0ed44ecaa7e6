"""What a `train_step` of tf.keras calls: `compiled_loss`, `compiled_metrics`, `minimize`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from gazelle import activations
from gazelle._core.errors import ArgumentError
from gazelle._core.variable import Variable
from gazelle.compat._patches import Patches
from gazelle.compat._tensorflow._gradient_tape import GradientTape
from gazelle.compat._tensorflow._table import ANSWERS
from gazelle.models._trainable import Trainable
from gazelle.optimizers import Optimizer


def install_steps(patches: Patches) -> None:
    """Give models and optimizers what steps of tf.keras call."""
    patches.attribute(Trainable, "compiled_loss", property(CompiledLoss))
    patches.attribute(Trainable, "compiled_metrics", property(CompiledMetrics))
    patches.attribute(Optimizer, "minimize", minimize)
    patches.attribute(Optimizer, "get_gradients", get_gradients)
    patches.attribute(activations, "get", _known_by_function(activations.get))


# Functions of `tf.nn` that are Keras's activations.
_ACTIVATIONS = (
    *("elu", "gelu", "leaky_relu", "log_softmax", "relu", "relu6", "selu", "sigmoid", "silu"),
    *("softmax", "softplus", "softsign", "swish", "tanh"),
)
_PLACES = ("nn.", "math.", "")


def _known_by_function(get: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`activations.get` that knows `tf.nn.relu` as `relu`: a config can hold it, and it is fast."""

    @functools.wraps(get)
    def call(identifier: Any) -> Any:
        for name in _ACTIVATIONS if callable(identifier) else ():
            if any(identifier is ANSWERS.get(place + name) for place in _PLACES):
                return get(name)
        return get(identifier)

    return call


class CompiledLoss:
    """The losses that a model was compiled with, as one function that also counts their mean.

    Args:
        model: The model.
    """

    def __init__(self, model: Any):
        self._model = model

    def __call__(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Any = None,
        regularization_losses: Sequence[Any] | None = None,
    ) -> Any:
        """The loss of a batch, with the terms that are given."""
        loss = Trainable.compute_loss(self._model, None, y_true, y_pred, sample_weight)
        # It has the model's own terms, which are not wanted unless they are given.
        loss = loss - sum(self._model.losses) + sum(regularization_losses or [])
        for metric in self.metrics:
            metric.update_state(loss)
        return loss

    @property
    def metrics(self) -> list[Any]:
        """The mean of the loss."""
        return [metric for metric in self._model.metrics if metric.name == "loss"]


class CompiledMetrics:
    """The metrics that a model was compiled with, as one.

    Args:
        model: The model.
    """

    def __init__(self, model: Any):
        self._model = model

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch."""
        Trainable.compute_metrics(self._model, None, y_true, y_pred, sample_weight)

    @property
    def metrics(self) -> list[Any]:
        """The metrics."""
        return [metric for metric in self._model.metrics if metric.name != "loss"]


def minimize(
    self: Optimizer,
    loss: Any,
    var_list: Any,
    grad_loss: Any = None,
    name: str | None = None,
    tape: GradientTape | None = None,
) -> Any:
    """One step that makes a loss smaller.

    Args:
        self: The optimizer.
        loss: A function without arguments, or a tensor that `tape` has recorded.
        var_list: The variables, or a function without arguments that gives them.
        grad_loss: A factor of the loss, or None.
        name: Has no effect.
        tape: The tape of `loss`.

    Raises:
        ArgumentError: `loss` is a tensor, and there is no tape.
    """
    if callable(loss):
        with GradientTape() as tape:
            loss = loss()
    if tape is None:
        raise ArgumentError(
            "minimize: `tape` is required when a tensor is passed as loss.",
            fix="pass a function without arguments as loss, or tape=",
        )
    variables = _variables(var_list)
    gradients = tape.gradient(loss, variables, grad_loss)
    return self.apply_gradients(zip(gradients, variables, strict=True))


def get_gradients(self: Optimizer, loss: Any, params: Any) -> Any:
    """Refused: gradients of a tensor need a tape.

    Raises:
        ArgumentError: Always.
    """
    raise ArgumentError(
        "get_gradients is for graphs of TensorFlow 1, which Gazelle does not have.",
        fix="compute the loss within `with tf.GradientTape() as tape:`, and call tape.gradient",
    )


def _variables(var_list: Any) -> list[Variable]:
    if callable(var_list):
        var_list = var_list()
    return [var_list] if isinstance(var_list, Variable) else list(var_list)
