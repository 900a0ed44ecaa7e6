"""The training loss: compile's `loss` and `loss_weights`, one loss per output, summed."""

from __future__ import annotations

import inspect
from typing import Any

import jax
import jax.numpy as jnp

from gazelle import losses
from gazelle._core.errors import ArgumentError, ArgumentTypeError
from gazelle._core.symbolic import leaves
from gazelle._core.types import LossLike, ShapeLike
from gazelle._engine.outputs import Outputs
from gazelle.losses import Loss


class CompiledLoss:
    """The losses of all outputs and their weights.

    Args:
        loss: A name, function, `Loss` (or class), or a list or dict of them; None for no loss.
        loss_weights: A number, list or dict; None for ones.
        outputs: The model's outputs.
        shapes: `(y_true shape, y_pred shape)` per output, by which `"crossentropy"` is resolved.

    Raises:
        UnknownNameError: A loss's name is unknown.
        ArgumentError: Losses or weights that do not match the outputs.
    """

    def __init__(
        self, loss: Any, loss_weights: Any, outputs: Outputs, shapes: list[tuple[Any, Any]]
    ):
        given = outputs.spread(loss, "loss", repeat=True)
        self.losses = [_as_loss(one, *shape) for one, shape in zip(given, shapes, strict=True)]
        self.outputs = outputs
        self.weights = _checked_weights(loss_weights, outputs)
        self._order = list(range(outputs.count))  # of the log names
        names = outputs.names
        if outputs.keyed and names is not None and isinstance(loss, dict):
            wanted = list(loss)
            self._order.sort(key=lambda index: wanted.index(names[index]))

    @property
    def tracked(self) -> list[int]:
        """The outputs whose losses are logged by name: all that have one, if there are several."""
        used = [index for index in self._order if self.losses[index] is not None]
        return used if len(used) > 1 else []

    def log_name(self, index: int) -> str:
        """The log name of one output's loss: `<output>_loss`."""
        loss = self.losses[index]
        if loss is None:
            return "loss"
        return (self.outputs.prefix(index) or f"{loss.name}_") + "loss"

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> tuple[jax.Array, dict[int, jax.Array]]:
        """The weighted sum of the losses, and the loss of each output by its index."""
        truths = self.outputs.spread(y_true, "y")
        weights = self.outputs.spread(sample_weight, "sample_weight", repeat=True, partial=True)
        total: Any = None
        parts: dict[int, jax.Array] = {}
        for index, (loss, prediction) in enumerate(zip(self.losses, leaves(y_pred), strict=True)):
            if loss is None or truths[index] is None:
                continue
            value = parts[index] = loss(truths[index], prediction, weights[index])
            weight = self.weights[index]
            if weight is not None:
                value = value * weight
            total = value if total is None else total + value
        return (jnp.zeros(()) if total is None else total), parts


def _checked_weights(loss_weights: Any, outputs: Outputs) -> list[float | None]:
    """The weight of each output's loss; None where there is none."""
    is_single = not isinstance(loss_weights, list | tuple | dict)
    if loss_weights is not None and not outputs.single and is_single:
        raise ArgumentError(
            f"`loss_weights` must match the number of losses: the model has {outputs.count}"
            " outputs.",
            expected="a list or dict of numbers",
            received=repr(loss_weights),
        )
    weights = outputs.spread(loss_weights, "loss_weights", partial=True)
    for weight in weights:
        if weight is not None and not isinstance(weight, int | float):
            raise ArgumentTypeError("`loss_weights` must be numbers.", received=repr(weight))
    return weights


def _as_loss(loss: LossLike | None, true_shape: ShapeLike, pred_shape: ShapeLike) -> Loss | None:
    """A `Loss` from what a user may write."""
    if loss is None:
        return None
    if isinstance(loss, str) and loss.lower() in ("crossentropy", "ce"):
        loss = _crossentropy_for(true_shape, pred_shape)
    found: Any = loss
    if isinstance(loss, str | dict) or inspect.isclass(loss):
        found = losses.get(loss)
    if isinstance(found, Loss):
        return found
    if not callable(found):
        raise ArgumentTypeError(
            "A loss must be a name, a function of (y_true, y_pred) or a Loss.",
            received=repr(loss),
            fix="see gazelle.losses",
        )
    return losses.FunctionLoss(found, name=getattr(found, "__name__", "loss"))


def _crossentropy_for(true_shape: ShapeLike, pred_shape: ShapeLike) -> str:
    """The crossentropy that fits an output: binary, of class numbers, or of one-hot rows."""
    if pred_shape[-1] == 1:
        return "binary_crossentropy"
    if len(true_shape) < len(pred_shape) or true_shape[-1] == 1:
        return "sparse_categorical_crossentropy"
    return "categorical_crossentropy"
