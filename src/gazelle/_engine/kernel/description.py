"""The description of a training step for the kernel."""

from __future__ import annotations

from dataclasses import dataclass

from gazelle._core.variable import Variable
from gazelle.layers._graph import Graph
from gazelle.losses import Loss
from gazelle.optimizers import Optimizer


@dataclass(frozen=True)
class StepDescription:
    """A training step that is one graph, one loss and one optimizer; the engine fills it.

    Args:
        graph: The model's graph.
        loss: The loss.
        optimizer: The optimizer.
        loss_state: Sum and count of the loss's mean.
        metric_state: The variables of the metrics, which may count many batches at once.
        trainable: What the optimizer changes.
        variables: Everything that the step changes, in the order of the program's values.
        wants_predictions: Whether metrics need the predictions.
    """

    graph: Graph
    loss: Loss
    optimizer: Optimizer
    loss_state: tuple[Variable, Variable]
    metric_state: tuple[Variable, ...]
    trainable: tuple[Variable, ...]
    variables: tuple[Variable, ...]
    wants_predictions: bool
