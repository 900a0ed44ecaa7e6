"""The training loss: compile's `loss` and `loss_weights`, one loss per output, summed."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gazelle import losses
from gazelle._core.errors import ArgumentError, ArgumentTypeError
from gazelle._core.symbolic import leaves, map_structure
from gazelle._core.types import LossLike, ShapeLike, Structure
from gazelle._engine.outputs import Outputs
from gazelle._engine.placing import Placed
from gazelle.losses import Loss


class Part(NamedTuple):
    """A loss of the sum.

    Attributes:
        places: The number of the output that it measures, or a structure of them.
        loss: The loss.
        weight: Its factor; None for 1.
        name: Its log name.
    """

    places: Structure
    loss: Loss
    weight: float | None
    name: str


class CompiledLoss:
    """The losses of all outputs and their weights.

    Args:
        placed: Which loss measures which outputs.
        outputs: The model's outputs.
        shapes: `(y_true shape, y_pred shape)` per output, by which `"crossentropy"` is resolved.

    Attributes:
        parts: The losses, in the user's order.

    Raises:
        UnknownNameError: A loss's name is unknown.
    """

    def __init__(self, placed: Sequence[Placed], outputs: Outputs, shapes: list[tuple[Any, Any]]):
        self.outputs = outputs
        self.parts: list[Part] = []
        owners: dict[str, Structure] = {}  # outputs by the log names of their losses
        for places, given, weight, name in placed:
            loss = _as_loss(given, *shapes[leaves(places)[0]])
            name, number = name or loss.name, 0
            free = name
            while owners.setdefault(free, places) != places:
                number += 1
                free = f"{name}_{number}"
            self.parts.append(Part(places, loss, weight, f"{free}_loss"))
        if len(owners) == 1:  # its name is not logged, and programs must not depend on it
            self.parts = [part._replace(name="loss") for part in self.parts]

    @property
    def log_names(self) -> list[str]:
        """The log names of the outputs' losses if there are several.

        Several losses of one output have one name, and their sum is logged.
        """
        names = list(dict.fromkeys(part.name for part in self.parts))
        return names if len(names) > 1 else []

    @property
    def measured(self) -> set[int]:
        """The numbers of the outputs that have a loss."""
        return {number for part in self.parts for number in leaves(part.places)}

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The weighted sum of the losses, and each output's losses by their log name."""
        truths = self.outputs.spread(y_true, "y")
        weights = self.outputs.spread(sample_weight, "sample_weight", repeat=True, partial=True)
        predictions = leaves(y_pred)
        total: Any = None
        by_name: dict[str, jax.Array] = {}
        for places, loss, weight, name in self.parts:
            numbers = leaves(places)
            if all(truths[number] is None for number in numbers):
                continue
            truth = map_structure(truths.__getitem__, places)
            prediction = map_structure(predictions.__getitem__, places)
            value = loss(truth, prediction, _only(weights, numbers))
            by_name[name] = by_name[name] + value if name in by_name else value
            if weight is not None:
                value = value * weight
            total = value if total is None else total + value
        return (jnp.zeros(()) if total is None else total), by_name


def _only(weights: list[Any], numbers: list[int]) -> Any:
    """The sample weights of outputs that one loss measures together.

    Raises:
        ArgumentError: They have different ones.
    """
    first = weights[numbers[0]]
    if any(weights[number] is not first for number in numbers):
        raise ArgumentError(
            "Outputs that one loss measures together need the same sample weights.",
            expected="one array of sample weights for all outputs",
            received=f"several for {len(numbers)} outputs",
            fix="pass one array as sample_weight, or give each output a loss of its own",
        )
    return first


def _as_loss(loss: LossLike, true_shape: ShapeLike, pred_shape: ShapeLike) -> Loss:
    """A `Loss` from what a user may write."""
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
