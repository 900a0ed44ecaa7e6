"""The record of a fit: what cannot be found out afterwards, such as data, times and rates."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np

from gazelle._core.seeds import last_seed
from gazelle._core.variable import Variable, is_handed_out, plain
from gazelle._data.feeds import ArrayFeed, Feed
from gazelle._data.fit_record import Fit
from gazelle._data.known import label_counts, sample_digests
from gazelle.callbacks import CallbackList, EarlyStopping, History, SwapEMAWeights
from gazelle.callbacks._callback_list import keeps_learning_rate
from gazelle.callbacks._history import (
    add_fit,
    record_rates,
    recorded_epochs,
    recorded_rates,
    remember_weights,
)
from gazelle.optimizers import Optimizer
from gazelle.optimizers._state import learning_rate_source, step_counter
from gazelle.optimizers.schedules import LearningRateSchedule


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
    steps_before: int = 0,
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
        steps_before: The steps that the fit had done when it was interrupted, if it is resumed.

    Yields:
        The record; the caller may set its `ended`.
    """
    history: History = model.history
    history.follow(before)
    fit = _of_data(feed, validation, source)
    fit.started, fit.seed = datetime.now(UTC).isoformat(timespec="seconds"), last_seed()
    fit.initial_epoch, fit.epochs = initial_epoch, epochs
    changed = history.weights_changed()
    fit.continued = None if changed is None else not changed
    rates = _rates(model.optimizer, callbacks, history, fit, steps_before)
    before_this = len(recorded_epochs(history))
    begun = time.perf_counter()
    try:
        yield fit
    except BaseException as error:
        fit.ended = fit.ended or f"{type(error).__name__} ended the training."
        raise
    finally:
        fit.seconds = time.perf_counter() - begun
        own_epochs = recorded_epochs(history)[before_this:]
        fit.done = len(own_epochs)
        fit.ended = fit.ended or _end(model, callbacks, fit)
        record_rates(history, None)
        if rates is None:
            fit.learning_rates = recorded_rates(history)[: fit.done]
        add_fit(history, fit, rates)
        remember_weights(history, weights)
        _note_weights(
            model.optimizer,
            weights,
            callbacks,
            dict(zip(history.epoch, own_epochs, strict=False)),
            fit,
        )


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
    optimizer: Optimizer, callbacks: CallbackList, history: History, fit: Fit, steps_before: int
) -> Callable[[], list[float]] | None:
    """A function that gives the learning rates later.

    None where the history records them epoch by epoch, or where they cannot be known.
    """
    if not isinstance(optimizer, Optimizer):  # the user's own, which only looks like one
        return None
    rate = learning_rate_source(optimizer)
    if isinstance(rate, LearningRateSchedule):
        begin, steps = int(np.asarray(plain(step_counter(optimizer)))) - steps_before, fit.steps
        every = optimizer.gradient_accumulation_steps or 1
        if steps is None:
            return None
        return lambda: [
            float(np.asarray(rate((begin + epoch * steps) // every))) for epoch in range(fit.done)
        ]
    if not isinstance(rate, Variable):
        return None

    def now() -> float:
        # Not `.value`, because of which training would copy it.
        return float(np.asarray(plain(rate)))

    if all(keeps_learning_rate(callback) for callback in callbacks.callbacks):
        constant = now()
        return lambda: [constant] * fit.done
    record_rates(history, now)
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
    optimizer: Optimizer,
    weights: list[Variable],
    callbacks: CallbackList,
    numbers: dict[int, int],
    fit: Fit,
) -> None:
    """Record whose weights the model was left with, where that is certain.

    Args:
        optimizer: The model's optimizer.
        weights: What was trained.
        callbacks: The callbacks of the fit.
        numbers: By epoch, from 0 in this fit, its number over all fits.
        fit: The record.
    """
    listed = callbacks.callbacks
    stoppers = [callback for callback in listed if isinstance(callback, EarlyStopping)]
    restoring = [
        callback
        for callback in stoppers
        if callback.restore_best_weights and callback.best_weights is not None
    ]
    swaps = any(isinstance(callback, SwapEMAWeights) for callback in listed)
    averaging = optimizer.use_ema or swaps
    if not fit.done or (restoring and averaging) or len(restoring) > 1:
        return
    if restoring and restoring[0].best is not None:
        fit.weights, fit.monitor = "epoch", restoring[0].monitor
        fit.weights_epoch = numbers.get(restoring[0].best_epoch)
    elif averaging:
        fit.weights = "average"
    elif not restoring:
        untouched = callbacks.leave_data or not any(map(is_handed_out, weights))
        if untouched:
            fit.weights = "last"
