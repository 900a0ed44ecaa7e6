"""The training loss: compile's `loss` and `loss_weights`, one loss an output, summed."""

from __future__ import annotations

import inspect
from typing import Any

import jax.numpy as jnp

from gazelle import losses
from gazelle._core.errors import ArgumentError, ArgumentTypeError
from gazelle._core.symbolic import leaves
from gazelle._engine.outputs import Outputs


class CompiledLoss:
    """The losses of all outputs and their weights.

    Args:
        loss: A name, function, `Loss` (or class), or a list or dict of them; None for no loss.
        loss_weights: A number, list or dict, or None for ones.
        outputs: The model's outputs.
        shapes: `(y_true shape, y_pred shape)` an output, by which `"crossentropy"` is resolved.

    Raises:
        UnknownNameError: No loss has that name.
        ArgumentError: Losses or weights that do not fit the outputs.
    """

    def __init__(
        self, loss: Any, loss_weights: Any, outputs: Outputs, shapes: list[tuple[Any, Any]]
    ):
        spread = outputs.spread(loss, "loss", repeat=True)
        self.losses = [_as_loss(one, *shape) for one, shape in zip(spread, shapes, strict=True)]
        self.outputs = outputs
        self._order = list(range(outputs.count))
        names = outputs.names
        if (
            outputs.keyed and names is not None and isinstance(loss, dict)
        ):  # logged in the order of that dict
            self._order.sort(key=lambda i: list(loss).index(names[i]))
        if (
            loss_weights is not None
            and not outputs.single
            and not isinstance(loss_weights, list | tuple | dict)
        ):
            raise ArgumentError(
                f"`loss_weights` must match the number of losses: the model has {outputs.count}"
                " outputs.",
                expected="a list or dict of numbers",
                received=repr(loss_weights),
            )
        self.weights = outputs.spread(loss_weights, "loss_weights", partial=True)
        for weight in self.weights:
            if weight is not None and not isinstance(weight, int | float):
                raise ArgumentTypeError("`loss_weights` must be numbers.", received=repr(weight))

    @property
    def tracked(self) -> list[int]:
        """The outputs whose losses are logged by name: all that have one, when there are several."""
        used = [i for i in self._order if self.losses[i] is not None]
        return used if len(used) > 1 else []

    def log_name(self, index: int) -> str:
        """The log name of one output's loss: `<output>_loss`."""
        loss = self.losses[index]
        return (
            f"{self.outputs.prefix(index) or f'{loss.name}_'}loss" if loss is not None else "loss"
        )

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> tuple[Any, dict[int, Any]]:
        """The weighted sum of the losses, and the loss of each output by its index."""
        truths = self.outputs.spread(y_true, "y")
        weights = self.outputs.spread(sample_weight, "sample_weight", repeat=True, partial=True)
        total: Any = None
        parts: dict[int, Any] = {}
        for i, (loss, prediction) in enumerate(zip(self.losses, leaves(y_pred), strict=True)):
            if loss is None or truths[i] is None:
                continue
            parts[i] = value = loss(truths[i], prediction, weights[i])
            if self.weights[i] is not None:
                value = value * self.weights[i]
            total = value if total is None else total + value
        return (jnp.zeros(()) if total is None else total), parts


def _as_loss(loss: Any, true_shape: Any, pred_shape: Any) -> Any:
    """A `Loss` from what a user may write."""
    if loss is None:
        return None
    if isinstance(loss, str) and loss.lower() in ("crossentropy", "ce"):
        loss = _crossentropy_for(true_shape, pred_shape)
    found = (
        loss if not isinstance(loss, str | dict) and not inspect.isclass(loss) else losses.get(loss)
    )
    if isinstance(found, losses.Loss):
        return found
    if not callable(found):
        raise ArgumentTypeError(
            "A loss must be a name, a function of (y_true, y_pred) or a Loss.",
            received=repr(loss),
            fix="see gazelle.losses",
        )
    return losses.FunctionLoss(found, name=getattr(found, "__name__", "loss"))


def _crossentropy_for(true_shape: Any, pred_shape: Any) -> str:
    if pred_shape[-1] == 1:
        return "binary_crossentropy"
    sparse = len(true_shape) < len(pred_shape) or (true_shape[-1] == 1 and pred_shape[-1] != 1)
    return "sparse_categorical_crossentropy" if sparse else "categorical_crossentropy"
