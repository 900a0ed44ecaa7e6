"""The one loop: epochs of training, each followed by a validation where one is due."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from gazelle._data.feeds import ArrayFeed, Feed, StreamFeed
from gazelle._engine.epoch_functions import measured
from gazelle._engine.nonfinite import told_at_stop, told_of_skipped
from gazelle._engine.progress import Progress
from gazelle._engine.runner import Chunk, Runner
from gazelle._engine.watch import Watch
from gazelle.callbacks import BackupAndRestore, CallbackList


def steps_of(feed: Feed) -> int | None:
    """Steps per epoch; None where they are not known beforehand."""
    if feed.steps is None:
        return feed.batches
    if feed.batches is None or isinstance(feed, StreamFeed):
        return feed.steps
    return min(feed.steps, feed.batches)


def fit(
    progress: Progress,
    *,
    epochs: int,
    validation: Runner | None,
    validates: Callable[[int], bool],
    stopped: Callable[[], bool],
    resume: Callable[[], bool] | None = None,
    end_if_interrupted: Callable[[], None],
) -> None:
    """Train up to `epochs`.

    After an exception, Ctrl-C too, every callback's `on_train_end` is called before the exception
    goes on to the caller.

    Args:
        progress: The fit; its callbacks get every hook in Keras's order.
        epochs: Number after the last epoch.
        validation: The runner of the validation; None for none.
        validates: Whether the epoch of a number (from 0) is followed by a validation.
        stopped: Whether to end; asked after each chunk and epoch.
        resume: Goes on from an interrupted fit, and returns whether that fit had to end.
        end_if_interrupted: Called after the steps of an epoch, and after its end; may raise.
    """
    engine, runner, callbacks = progress.engine, progress.runner, progress.callbacks
    watch = Watch(engine)
    logs: dict[str, Any] = {}
    progress.epoch = progress.initial_epoch
    try:
        callbacks.on_train_begin({})
        if resume is not None and resume():
            epochs = progress.epoch
        runner.first_epoch = progress.epoch
        ahead = _Ahead(runner, callbacks, validation)
        for epoch in range(progress.epoch, epochs):
            progress.epoch = epoch
            if not runner.resumes:
                callbacks.on_epoch_begin(epoch, {})
            results = ahead.epoch(is_last=epoch + 1 == epochs)
            if not results:  # the data has come to its end
                break
            end_if_interrupted()
            if runner.diverged:
                watch.warn(told_at_stop(runner))
            else:
                watch.look(epoch, results)
            results |= measured(engine, runner.feed, whole=True, eager=runner.eager)
            if validation is not None and validates(epoch):
                results |= {f"val_{name}": value for name, value in evaluate(validation).items()}
            logs = dict(sorted(results.items()))
            callbacks.on_epoch_end(epoch, logs)
            progress.epoch_ended = True
            end_if_interrupted()
            progress.epoch_ended = False
            if runner.diverged or (stopped() and not ahead.is_running):
                break
    except BaseException as error:
        engine.state.recover(error)
        _end_all(callbacks, logs)
        raise
    finally:
        runner.forget_prepared()
    if told := told_of_skipped(runner):
        watch.warn(told)
    if epochs > progress.initial_epoch and engine.steps.optimizer is not None:
        engine.steps.optimizer.finalize_variable_values(engine.state.trainable)
    callbacks.on_train_end(logs)


class _Ahead:
    """Hides the host's work between two epochs behind the computation, where that changes nothing.

    Where no callback acts between two epochs, the next one is started before the results of the
    last are read. Where one acts, but neither touches the data nor draws random numbers, the next
    epoch's data is prepared meanwhile. Both are for epochs of a single chunk.

    Args:
        runner: The runner of the training.
        callbacks: The callback list.
        validation: The runner of the validation; None for none.
    """

    def __init__(self, runner: Runner, callbacks: CallbackList, validation: Runner | None):
        arrays_only = validation is None or isinstance(validation.feed, ArrayFeed)
        self._runner = runner
        # Functions of whole arrays need the weights at the end of an epoch.
        is_measured = bool(runner.engine.steps.compiled_metrics.at_epoch_end)
        self._can_start = validation is None and callbacks.only_watch and not is_measured
        self._can_prepare = callbacks.leave_data and arrays_only
        self._running: Chunk | None = None  # the next epoch, started ahead

    @property
    def is_running(self) -> bool:
        """Whether the next epoch was started already."""
        return self._running is not None

    def epoch(self, *, is_last: bool) -> dict[str, Any]:
        """Run the next epoch and return its logs; start or prepare the one after it."""
        was_ahead = self.is_running
        chunk = self._running or self._runner.start_epoch()
        self._running = None
        if chunk is None:
            return self._runner.epoch()
        if not is_last and self._can_start:
            self._running = self._runner.start_epoch(may_be_running=True)
        elif not is_last and self._can_prepare:
            self._runner.prepare_epoch()
        ran_alone = not was_ahead and not self.is_running
        return self._runner.end_epoch(chunk, ran_alone=ran_alone)


def evaluate(runner: Runner) -> dict[str, Any]:
    """One pass over the runner's data; returns the logs."""
    callbacks = runner.callbacks
    callbacks.model.stop_evaluating = False
    callbacks.on_test_begin({})
    logs = runner.epoch()
    logs |= measured(runner.engine, runner.feed, whole=False, eager=runner.eager)
    callbacks.on_test_end(dict(logs))
    return logs


def _end_all(callbacks: CallbackList, logs: dict[str, Any]) -> None:
    """After an exception: every callback closes what it has open. Errors there do not hide it.

    A backup stays, for the next try.
    """
    for callback in callbacks.callbacks:
        if not isinstance(callback, BackupAndRestore):
            with contextlib.suppress(Exception):
                callback.on_train_end(logs)
