"""The record of a fit: what cannot be found out afterwards, such as data, times and rates."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np

from gazelle._core.seeds import last_seed
from gazelle._core.variable import Variable
from gazelle._data.feeds import ArrayFeed, Feed
from gazelle._data.fit_record import Fit
from gazelle._data.known import label_counts, sample_digests
from gazelle.callbacks import (
    CallbackList,
    EarlyStopping,
    History,
    ModelCheckpoint,
    SwapEMAWeights,
    TerminateOnNaN,
)
from gazelle.callbacks.callback_list import OWN, WATCHERS
from gazelle.optimizers.schedules import LearningRateSchedule

# Callbacks that leave the learning rate alone.
_LEAVE_RATE = (*WATCHERS, EarlyStopping, ModelCheckpoint, SwapEMAWeights, TerminateOnNaN)


@contextmanager
def recorded(
    model: Any,
    weights: list[Variable],
    callbacks: CallbackList,
    before: History | None,
    feed: Feed,
    validation: Feed | None,
    source: str,
    initial_epoch: int,
    epochs: int,
) -> Iterator[Fit]:
    """Within the block the model is trained; the record goes to `history.fits`, also on error.

    Args:
        model: The model, whose history is the one of this fit.
        weights: What is trained.
        callbacks: The callbacks of this fit.
        before: The model's history before.
        feed: The training data.
        validation: The validation data.
        source: Where it came from: `"validation_split"` or `"validation_data"`.
        initial_epoch: As given to `fit`.
        epochs: As given to `fit`.

    Yields:
        The record, whose `ended` the caller may say better than it can be seen from here.
    """
    history: History = model.history
    history.follow(before)
    fit = _of_data(feed, validation, source)
    fit.started, fit.seed = datetime.now(UTC).isoformat(timespec="seconds"), last_seed()
    fit.initial_epoch, fit.epochs = initial_epoch, epochs
    fit.continued = None if not history._left else not history.weights_changed()
    rates = _rates(model.optimizer, callbacks, history, fit)
    first, begun = len(history._rows), time.perf_counter()
    try:
        yield fit
    except BaseException as error:
        fit.ended = fit.ended or f"{type(error).__name__} ended the training."
        raise
    finally:
        fit.seconds = time.perf_counter() - begun
        fit.done = len(history._rows) - first
        fit.ended = fit.ended or _end(model, callbacks, fit)
        history._read_rate = None
        if rates is None:
            fit.learning_rates = history._rates[: fit.done]
        history._fits.append((fit, rates))
        _note_weights(model, weights, callbacks, history, fit, first)


def _of_data(feed: Feed, validation: Feed | None, source: str) -> Fit:
    fit = Fit(steps=feed.steps or feed.batches)
    if isinstance(feed, ArrayFeed):
        fit.rows, fit.batch_size, fit.shuffle = feed.samples, feed.batch_size, bool(feed.shuffle)
        fit.label_counts, fit.sample = label_counts(feed.y), sample_digests(feed.x)
    if validation is not None:
        fit.validation = source
    if isinstance(validation, ArrayFeed):
        fit.validation_rows = validation.samples
        fit.validation_label_counts, fit.validation_sample = (
            label_counts(validation.y),
            sample_digests(validation.x),
        )
    return fit


def _rates(
    optimizer: Any, callbacks: CallbackList, history: History, fit: Fit
) -> Callable[[], list[float]] | None:
    """A function that gives the learning rates later; None where the history notes them."""
    rate = getattr(optimizer, "_learning_rate", None)
    if isinstance(rate, LearningRateSchedule):
        begin, steps = int(np.asarray(optimizer._iterations._value)), fit.steps
        every = optimizer.gradient_accumulation_steps or 1
        if steps is None:
            return None
        return lambda: [
            float(np.asarray(rate((begin + epoch * steps) // every))) for epoch in range(fit.done)
        ]
    if not isinstance(rate, Variable):
        return None

    def now() -> float:
        return float(np.asarray(rate._value))  # not `.value`, which would make training copy it

    if all(type(callback) in _LEAVE_RATE for callback in callbacks.callbacks):
        constant = now()
        return lambda: [constant] * fit.done
    history._read_rate = now
    return None


def _end(model: Any, callbacks: CallbackList, fit: Fit) -> str:
    if fit.done >= fit.epochs - fit.initial_epoch:
        return "All epochs were run."
    for callback in callbacks.callbacks:
        if isinstance(callback, EarlyStopping) and callback.stopped_epoch:
            return (
                f"EarlyStopping: {callback.monitor} had not improved for {callback.patience}"
                " epochs."
            )
    if model.stop_training:
        return "A callback ended the training."
    return "The data came to its end."


def _note_weights(
    model: Any,
    weights: list[Variable],
    callbacks: CallbackList,
    history: History,
    fit: Fit,
    first: int,
) -> None:
    """Record whose weights the model was left with, so that a later change can be seen."""
    history._left = [(weakref.ref(weight), weakref.ref(weight.current)) for weight in weights]
    restoring = [
        c for c in callbacks.callbacks if isinstance(c, EarlyStopping) and c.restore_best_weights
    ]
    averaging = model.optimizer.use_ema or any(
        isinstance(c, SwapEMAWeights) for c in callbacks.callbacks
    )
    restoring = [callback for callback in restoring if callback.best_weights is not None]
    if not fit.done or (restoring and averaging) or len(restoring) > 1:
        return
    if restoring and restoring[0].best is not None:
        numbers = dict(
            zip(history.epoch, (number for number, _ in history._rows[first:]), strict=False)
        )
        fit.weights, fit.monitor = "epoch", restoring[0].monitor
        fit.weights_epoch = numbers.get(restoring[0].best_epoch)
    elif averaging:
        fit.weights = "average"
    elif not restoring and (
        all(type(callback) in OWN for callback in callbacks.callbacks)
        or not any(weight._lent for weight in weights)
    ):
        fit.weights = "last"
