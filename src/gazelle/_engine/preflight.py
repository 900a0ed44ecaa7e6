"""The checks of fit and evaluate before the first step."""

from __future__ import annotations

from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError, DataError
from gazelle._core.symbolic import leaves
from gazelle._data.checks import (
    check_finite,
    check_output_matches,
    check_sample_weight,
    check_targets,
    class_weights_to_sample_weights,
)
from gazelle._data.feeds import ArrayFeed, Feed, StreamFeed, named_leaves
from gazelle._data.sparse_rows import SparseRows, check_sparse_finite
from gazelle._engine.engine import Engine
from gazelle._engine.epoch_functions import check_epoch_functions
from gazelle.losses import Loss


def check_before_training(
    engine: Engine, feed: Feed, validation: Feed | None, output_layers: list[Any]
) -> None:
    """Refuse data that does not fit the losses, holds NaN, or has labels outside the classes.

    Args:
        engine: The programs; their losses determine what targets are valid.
        feed: The training data.
        validation: The validation data, or None.
        output_layers: The layers that give the outputs, whose activations must match the losses;
            empty if unknown.

    Raises:
        DataError: What is wrong, where, and how to fix it.
        ShapeError: Targets whose shape does not match the outputs.
    """
    for part, label in ((feed, ""), (validation, "validation ")):
        if part is not None:
            batch = (
                (part.x, part.y, part.sample_weight) if isinstance(part, ArrayFeed) else part.first
            )
            check_values(engine, batch, label, columns=getattr(part, "columns", None))
            check_epoch_functions(engine, part, label)
    compiled = engine.steps.loss
    for i, loss, *_ in compiled.parts:
        layer = output_layers[i] if isinstance(i, int) and i < len(output_layers) else None
        activation = getattr(layer, "activation", None)
        if activation is not None:
            check_output_matches(
                _function_name(loss),
                getattr(activation, "__name__", ""),
                _shape(engine, i),
                getattr(loss, "from_logits", False),
            )


def check_values(
    engine: Engine, batch: Any, label: str = "", *, columns: Any = None, place: str = ""
) -> None:
    """Refuse values that cannot be trained on or measured.

    Args:
        engine: The programs; their losses determine what targets are valid.
        batch: `(x, y, sample_weight)`, arrays.
        label: A word before `x` and `y` in error texts: `"validation "`.
        columns: Names of the columns of `x`, or None.
        place: Where the batch is, for error texts: `" in batch 3"`.

    Raises:
        DataError: NaN, labels outside the classes, no targets.
        ShapeError: Targets whose shape does not match the outputs.
    """
    x, y, weight = batch
    _check_targets_are_there(engine, y, label, place)
    for name, array in (named_leaves(f"{label}x", x) | named_leaves(f"{label}y", y)).items():
        named = columns if name == f"{label}x" else None
        if isinstance(array, SparseRows):
            check_sparse_finite(f"{name}{place}", array, named)
        else:
            check_finite(f"{name}{place}", array, named)
    for name, array in named_leaves(f"{label}sample_weight", weight).items():
        check_sample_weight(array, len(array), name=f"{name}{place}")
    _check_targets(engine, y, label, place)


def weigh_classes(engine: Engine, feed: Feed, class_weight: Any) -> None:
    """Turn class weights into the sample weights of the feed.

    Raises:
        ArgumentError: Several outputs, targets that are not classes, or sample weights beside class
            weights.
    """
    classes = max(engine.prediction_shapes[0][-1] or 1, 2)

    def weights_of(y: Any, sample_weight: Any) -> np.ndarray:
        targets = leaves(y)
        if len(targets) != 1 or targets[0] is None:
            raise ArgumentError(
                "`class_weight` is only supported for models with a single output.",
                received=f"{len(targets) if y is not None else 0} targets",
                fix="pass sample_weight, a list with one array per output",
            )
        if sample_weight is not None:
            raise ArgumentError(
                "You cannot pass both `class_weight` and `sample_weight`.",
                fix="multiply the class weights into sample_weight",
            )
        return class_weights_to_sample_weights(class_weight, np.asarray(targets[0]), classes)

    if isinstance(feed, StreamFeed):
        if class_weight == "balanced":
            raise ArgumentError(
                'class_weight="balanced" counts the labels before training, which a stream does not'
                " show.",
                expected="arrays, or a dict {label: weight}",
                received="a generator or dataset",
                fix="count the labels yourself: {0: 1.0, 1: 5.0}",
            )
        feed.weigh(weights_of)
    else:
        feed.sample_weight = weights_of(feed.y, feed.sample_weight)


def _check_targets_are_there(engine: Engine, y: Any, label: str, place: str) -> None:
    compiled, metrics = engine.steps.loss, engine.steps.compiled_metrics
    if engine.steps.compute_loss is not None:  # may do without
        return
    wanted = compiled.measured | {entry.output for entry in metrics.entries}
    truths = compiled.outputs.spread(y, "y") if y is not None else []
    if not wanted or any(i in wanted and truth is not None for i, truth in enumerate(truths)):
        return
    raise DataError(
        f"There are no targets ({label}y{place}), and the compiled loss and metrics compare the"
        " outputs with them.",
        expected=f"{label}x and {label}y",
        received=f"{label}x alone",
        fix=(
            "pass y: an array, or (x, y) from a generator or dataset; "
            "for a model that only uses add_loss, compile without loss and metrics"
        ),
    )


def _check_targets(engine: Engine, y: Any, label: str, place: str) -> None:
    compiled = engine.steps.loss
    truths = compiled.outputs.spread(y, "y")
    outputs = compiled.outputs
    for i, loss, *_ in compiled.parts:
        if not isinstance(i, int):  # the user's own loss of several outputs
            continue
        truth = truths[i]
        if truth is None:
            continue
        name = f"{label}y"
        if not outputs.single:
            name += f"[{(outputs.names[i] if outputs.names else i)!r}]"
        check_targets(
            _function_name(loss),
            truth,
            _shape(engine, i),
            f"{name}{place}",
            from_logits=getattr(loss, "from_logits", False),
            ignore_class=getattr(loss, "arguments", {}).get("ignore_class"),
        )


def _function_name(loss: Loss) -> str:
    function = getattr(loss, "function", None)
    return getattr(function, "__name__", type(loss).__name__)


def _shape(engine: Engine, index: int) -> tuple[int | None, ...]:
    return engine.prediction_shapes[index]
