"""What a layer keeps for itself, and how the parts within it are found.

A layer has one such object, so that every other attribute of a layer is either an option of it or
a part: a weight, a metric, a random generator or a layer within it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import jax

from gazelle._core.symbolic import Node
from gazelle._core.variable import Variable


@dataclass
class LayerRecord:
    """What happened to a layer. No program depends on it.

    Args:
        arguments: The constructor's arguments by name; None where they do not match its signature.
        build_shape: The shape (or structure of shapes) of the input that the layer was built for;
            None before, or if it was built for several arguments.
        inbound_nodes: The calls on symbolic tensors.
        first_outputs: The outputs of the first call on arrays as symbolic tensors, in their
            structure; None before it.
        losses: What `add_loss` has collected outside `fit` in the last call.
    """

    arguments: dict[str, Any] | None = None
    build_shape: Any = None
    inbound_nodes: list[Node] = field(default_factory=list)
    first_outputs: Any = None
    losses: list[jax.Array] = field(default_factory=list)

    outside_programs = True


@dataclass
class LayerState:
    """What a layer keeps for itself.

    Args:
        record: What happened to the layer.
        is_set_up: Whether `Layer.__init__` was called.
        trainable: Whether the layer's weights are trained, as `layer.trainable` was set last.
        trainable_weights: The weights that `add_weight` made as trainable ones.
        other_weights: The weights that `add_weight` made with `trainable=False`.
        input_shape: The input's shape without the batch axis, where the constructor was given one.
    """

    record: LayerRecord
    is_set_up: bool = False
    trainable: bool = True
    trainable_weights: list[Variable] = field(default_factory=list)
    other_weights: list[Variable] = field(default_factory=list)
    input_shape: tuple[int | None, ...] | None = None

    def copied(self) -> LayerState:
        """A state of its own for a copy of the layer, which shares the weights."""
        return replace(
            self,
            record=replace(self.record, inbound_nodes=list(self.record.inbound_nodes)),
            trainable_weights=list(self.trainable_weights),
            other_weights=list(self.other_weights),
        )

    @property
    def weights(self) -> list[Variable]:
        """All weights that `add_weight` made, the trainable ones first."""
        return [*self.trainable_weights, *self.other_weights]
