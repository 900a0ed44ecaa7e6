"""The checks that fit and evaluate make before the first step: wrong data is refused while nothing is lost."""

from __future__ import annotations

from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError
from gazelle._core.symbolic import leaves
from gazelle.data.checks import (
    check_finite,
    check_output_matches,
    check_sample_weight,
    check_targets,
    class_weights_to_sample_weights,
)
from gazelle.data.feeds import ArrayFeed, Feed, StreamFeed, named_leaves
from gazelle.training.engine import Engine


def check_before_training(engine: Engine, feed: Feed, validation: Feed | None, output_layers: list[Any]) -> None:
    """Refuse data that does not fit the losses, holds NaN, or has labels outside the classes.

    Args:
        engine: The programs; their losses say what targets must be like.
        feed: The training data.
        validation: The validation data, or None.
        output_layers: The layers that give the outputs, whose activations are to go with the losses; empty if unknown.

    Raises:
        DataError: What is wrong, where, and how to mend it.
        ShapeError: Targets whose shape does not go with the outputs.
    """
    for part, label in ((feed, ""), (validation, "validation ")):
        if part is None:
            continue
        x, y, weight = (part.x, part.y, part.sample_weight) if isinstance(part, ArrayFeed) else part.first
        for name, array in (named_leaves(f"{label}x", x) | named_leaves(f"{label}y", y)).items():
            check_finite(name, array, getattr(part, "columns", None) if name == f"{label}x" else None)
        for name, array in named_leaves(f"{label}sample_weight", weight).items():
            check_sample_weight(array, len(array), name=name)
        _check_targets(engine, y, label)
    objective = engine.objective
    for i, loss in enumerate(objective.losses):
        layer = output_layers[i] if i < len(output_layers) else None
        activation = getattr(layer, "activation", None)
        if loss is not None and activation is not None:
            check_output_matches(
                _function_name(loss),
                getattr(activation, "__name__", ""),
                _shape(engine, i),
                getattr(loss, "from_logits", False),
            )


def weigh_classes(engine: Engine, feed: Feed, class_weight: Any) -> None:
    """Turn class weights into the sample weights of the feed.

    Raises:
        ArgumentError: Several outputs, a stream, or sample weights beside class weights.
    """
    if isinstance(feed, StreamFeed):
        raise ArgumentError(
            "class_weight needs arrays.", received="a generator or dataset", fix="give (x, y, sample_weight) from it"
        )
    targets = leaves(feed.y)
    if len(targets) != 1:
        raise ArgumentError(
            "`class_weight` is only supported for models with a single output.",
            received=f"{len(targets)} targets",
            fix="pass sample_weight, a list with an array an output",
        )
    if feed.sample_weight is not None:
        raise ArgumentError(
            "You cannot pass both `class_weight` and `sample_weight`.",
            fix="multiply the class weights into sample_weight",
        )
    width = engine.prediction_shapes[0][-1] or 1
    feed.sample_weight = class_weights_to_sample_weights(class_weight, np.asarray(targets[0]), max(width, 2))


def _check_targets(engine: Engine, y: Any, label: str) -> None:
    objective = engine.objective
    truths = objective.outputs.spread(y, "y")
    for i, (loss, truth) in enumerate(zip(objective.losses, truths, strict=True)):
        if loss is None or truth is None:
            continue
        name = (
            f"{label}y"
            if objective.outputs.single
            else f"{label}y[{(objective.outputs.names or list(range(99)))[i]!r}]"
        )
        check_targets(
            _function_name(loss),
            truth,
            _shape(engine, i),
            name,
            from_logits=getattr(loss, "from_logits", False),
            ignore_class=getattr(loss, "arguments", {}).get("ignore_class"),
        )


def _function_name(loss: Any) -> str:
    function = getattr(loss, "function", None)
    return getattr(function, "__name__", type(loss).__name__)


def _shape(engine: Engine, index: int) -> tuple[int | None, ...]:
    return engine.prediction_shapes[index]
