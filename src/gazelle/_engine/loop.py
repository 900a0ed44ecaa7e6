"""The one loop: epochs of training, each followed by a validation where one is due."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from gazelle._data.feeds import ArrayFeed, Feed, StreamFeed
from gazelle._engine.engine import Engine
from gazelle._engine.runner import Chunk, Runner
from gazelle._engine.watch import Watch
from gazelle.callbacks import CallbackList


def steps_of(feed: Feed) -> int | None:
    """Steps per epoch; None where they are not known beforehand."""
    if feed.steps is None:
        return feed.batches
    if feed.batches is None or isinstance(feed, StreamFeed):
        return feed.steps
    return min(feed.steps, feed.batches)


def fit(
    engine: Engine,
    feed: Feed,
    callbacks: CallbackList,
    *,
    initial_epoch: int,
    epochs: int,
    validation: Runner | None,
    validates: Callable[[int], bool],
    stopped: Callable[[], bool],
    eager: bool = False,
    steps_per_execution: int = 1,
) -> None:
    """Train from `initial_epoch` up to `epochs`.

    After an exception, Ctrl-C too, every callback's `on_train_end` is called before the exception
    goes on to the caller.

    Args:
        engine: The compiled programs.
        feed: The training data.
        callbacks: The callback list; it gets every hook in Keras's order.
        initial_epoch: Number of the first epoch, from 0.
        epochs: Number after the last epoch.
        validation: The runner of the validation; None for none.
        validates: Whether the epoch of a number (from 0) is followed by a validation.
        stopped: Whether to end; asked after each chunk and epoch.
        eager: Whether to run operation by operation.
        steps_per_execution: Steps between batch hooks.
    """
    runner = Runner(
        engine,
        feed,
        "train",
        callbacks,
        eager=eager,
        steps_per_execution=steps_per_execution,
        stopped=stopped,
    )
    watch = Watch(engine)
    logs: dict[str, Any] = {}
    try:
        callbacks.on_train_begin({})
        ahead = _Ahead(runner, callbacks, validation)
        for epoch in range(initial_epoch, epochs):
            callbacks.on_epoch_begin(epoch, {})
            results = ahead.epoch(is_last=epoch + 1 == epochs)
            if not results:  # the data has come to its end
                break
            watch.look(epoch, results)
            if validation is not None and validates(epoch):
                results |= {f"val_{name}": value for name, value in evaluate(validation).items()}
            logs = dict(sorted(results.items()))
            callbacks.on_epoch_end(epoch, logs)
            if stopped() and not ahead.is_running:
                break
    except BaseException as error:
        engine.state.recover(error)
        _end_all(callbacks, logs)
        raise
    finally:
        runner.forget_prepared()
    if epochs > initial_epoch and engine.steps.optimizer is not None:
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
        self._can_start = validation is None and callbacks.only_watch
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
    runner.callbacks.on_test_begin({})
    logs = runner.epoch()
    runner.callbacks.on_test_end(dict(logs))
    return logs


def _end_all(callbacks: CallbackList, logs: dict[str, Any]) -> None:
    """After an exception: every callback closes what it has open. Errors there do not hide it."""
    for callback in callbacks.callbacks:
        with contextlib.suppress(Exception):
            callback.on_train_end(logs)
