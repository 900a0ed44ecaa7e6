"""Metrics that are functions of whole arrays: one more pass at the end of an epoch."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError
from gazelle._core.symbolic import leaves
from gazelle._data.feeds import ArrayFeed, Feed
from gazelle._engine.compiled_metrics import Entry
from gazelle._engine.engine import Engine
from gazelle._engine.predicting import predict
from gazelle.callbacks import CallbackList
from gazelle.metrics import EpochFunction


def check_epoch_functions(engine: Engine, feed: Feed, label: str = "") -> None:
    """Refuse data that the functions cannot measure, by trying them with predictions of 1/units.

    Args:
        engine: The programs.
        feed: The data.
        label: A word before `x` in error texts: `"validation "`.

    Raises:
        ArgumentError: The data is a stream, or a function fails.
    """
    for entry, metric in _measures(engine):
        if not isinstance(feed, ArrayFeed):
            raise ArgumentError(
                f"The metric {entry.name!r} is computed from whole arrays.",
                expected=f"{label}x and {label}y as arrays",
                received=type(feed.source).__name__,
                fix="pass arrays, or compile without this metric",
            )
        truth, weight = _given(engine, feed, entry)
        if truth is None:
            continue
        units = [size or 1 for size in engine.prediction_shapes[entry.output][1:]]
        guess = np.full((len(truth), *units), 1 / units[-1] if units else 1.0, "float32")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of classes that are never predicted
                metric.measured(truth, guess, weight)
        except Exception as error:
            raise ArgumentError(
                f"The metric {entry.name!r} cannot measure {label}y: {error}",
                expected="a function of targets and predictions as documented in EpochFunction",
                received=f"targets {truth.shape}, predictions {guess.shape}",
                fix="wrap it: metrics.EpochFunction(fn, labels=True, ...) with its arguments",
            ) from error


def measured(engine: Engine, feed: Feed, *, whole: bool, eager: bool) -> dict[str, float]:
    """The values of the functions by log name.

    Args:
        engine: The programs.
        feed: The data.
        whole: Whether all of it counts, also where an epoch has fewer steps.
        eager: Whether to run operation by operation.
    """
    measures = _measures(engine)
    if not measures or not isinstance(feed, ArrayFeed):
        return {}
    if whole and feed.steps is not None:
        feed = copy.copy(feed)
        feed.steps = None
    predictions = leaves(predict(engine, feed, CallbackList(), eager=eager))
    found: dict[str, float] = {}
    for entry, metric in measures:
        truth, weight = _given(engine, feed, entry)
        if truth is None:
            continue
        y_pred = np.asarray(predictions[entry.output])
        rows = slice(len(y_pred))
        weight = None if weight is None else weight[rows]
        found[entry.name] = metric.measured(truth[rows], y_pred, weight)
    return found


def _measures(engine: Engine) -> list[tuple[Entry, EpochFunction]]:
    entries = engine.steps.compiled_metrics.at_epoch_end
    return [(one, one.metric) for one in entries if isinstance(one.metric, EpochFunction)]


def _given(engine: Engine, feed: ArrayFeed, entry: Entry) -> tuple[Any, Any]:
    """The targets and the weights of the output that an entry measures; None for none."""
    outputs = engine.steps.loss.outputs
    truth = outputs.spread(feed.y, "y")[entry.output]
    weights = outputs.spread(feed.sample_weight, "sample_weight", repeat=True, partial=True)
    weight = weights[entry.output] if entry.weighted else None
    return (
        None if truth is None else np.asarray(truth),
        None if weight is None else np.asarray(weight),
    )
