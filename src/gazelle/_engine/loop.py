"""The one loop: epochs of chunks of steps, for training and, with another step, for evaluation.

The host runs chunks of about a tenth of a second: the progress display lives, Ctrl-C is heard, and
nothing that Python does happens per batch. A callback with batch hooks gets chunks of one step.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gazelle._core.symbolic import map_structure
from gazelle._data.feeds import ArrayFeed, Feed, StreamFeed, to_device, warn_out_of_data
from gazelle._data.windows import Piece, Resident, Window, on_device
from gazelle._engine.engine import Engine
from gazelle._engine.pace import Pace
from gazelle._engine.preflight import check_values
from gazelle._engine.watch import Watch


@dataclass
class Chunk:
    """A program that was started: its logs can be read when it is done."""

    result: Any
    steps: int
    begun: float
    done: float | None  # when it was done, if that was before the call of its program returned


class Plan(NamedTuple):
    """How an epoch's shorter last batch is dealt with."""

    made_for: int  # the size of the one that the program was made for; 0 where the kernel trains
    with_tail: bool  # whether that is the size of this one
    any_tail: bool  # whether the program takes one of any size: the kernel does


class Prepared(NamedTuple):
    """An epoch whose order is drawn and whose data is gathered, but that is not begun."""

    steps: int
    random_state: Any  # NumPy's, before the order was drawn


@dataclass
class Runner:
    """Runs epochs of one feed through the engine.

    Args:
        engine: The compiled programs.
        feed: The data.
        stage: `"train"` or `"test"`.
        callbacks: The callback list.
        eager: Whether to run operation by operation (`run_eagerly`).
        group: Steps between batch hooks (`steps_per_execution`).
        stopped: Says whether the loop is to end (`model.stop_training`, Ctrl-C).
    """

    engine: Engine
    feed: Feed
    stage: str
    callbacks: Any
    eager: bool = False
    group: int = 1
    stopped: Callable[[], bool] = lambda: False
    # the next batch of the pass; an epoch of fewer steps than batches goes on where the last ended
    position: int = 0
    order: Any = None
    source: Resident | Window | None = None  # of the batches, once they are on the device
    prepared: Prepared | None = None
    plan: Plan | None = None
    ended: float = 0.0  # when the last epoch that was started by itself was done

    def epoch(self) -> dict[str, Any]:
        """Run one epoch and give its logs."""
        if isinstance(self.feed, StreamFeed):
            return self._stream_epoch(self.feed)
        if self.eager:
            return self._eager_epoch(self.feed)
        return self._array_epoch(self.feed)

    def start_epoch(self, *, busy: bool = False) -> Chunk | None:
        """Start a whole epoch that is a single chunk, to be ended by `end_epoch`; None where it takes more.

        Args:
            busy: Whether the chunk before may still be running.
        """
        feed = self.feed
        if isinstance(feed, StreamFeed) or self.eager or self.hooked or self.stopped():
            return None
        if min(feed.batches, feed.steps or feed.batches) > self._pace.size:
            return None
        source = self._placed(feed)
        if not source.whole:
            return None
        return self._start(source, self._begin(feed, busy=busy), fresh=True)

    def prepare_epoch(self) -> None:
        """Draw the order of the next epoch and gather its data while the program of one chunk still runs."""
        random_state = np.random.get_state(legacy=False)  # noqa: NPY002 (what `ArrayFeed.order` draws from)
        feed: Any = self.feed
        self.prepared = Prepared(self._begin(feed, busy=True), random_state)
        if isinstance(self.source, Window):
            self.source.piece(self.position)

    def forget_prepared(self) -> None:
        """An epoch that was prepared does not come: NumPy's generator is as if it had never been thought of."""
        if self.prepared is not None:
            np.random.set_state(self.prepared.random_state)  # noqa: NPY002
            self.prepared = None

    def end_epoch(self, chunk: Chunk, *, alone: bool = True) -> dict[str, Any]:
        """Wait for an epoch that was started, and give its logs; `alone`: nothing ran beside it, so its time counts."""
        logs = self.engine.read_logs(chunk.result)
        done = chunk.done or time.perf_counter()
        # A chunk that was done before the results of the last were read has its time to itself.
        seconds = done - (chunk.begun if done <= self.ended else max(chunk.begun, self.ended))
        self.ended = max(self.ended, done)
        if alone:
            self._pace.learn(chunk.steps, time.perf_counter() - chunk.begun)
        else:
            self.callbacks.note_seconds(seconds)
        self._tell(chunk.steps, logs)
        return logs

    @property
    def hooked(self) -> bool:
        """Whether a callback wants to be called at every step."""
        return self.callbacks.has_batch_hooks(self.stage)

    @property
    def _pace(self) -> Pace:
        """Steps a chunk with batches of this size."""
        return self.engine.paces.setdefault(
            (self.stage, getattr(self.feed, "batch_size", None)), Pace()
        )

    def _array_epoch(self, feed: ArrayFeed) -> dict[str, Any]:
        source = self._placed(feed)
        steps, pace = self._begin(feed), self._pace
        done, logs = 0, {}
        while done < steps and not (done and self.stopped()):
            single = (
                self.hooked or self.stopped()
            )  # stopped before the first step: that one is done, as in Keras
            if self.hooked:
                self._batch_begin(done)
            chunk = self._start(
                source, min(steps - done, self.group if single else pace.size), fresh=done == 0
            )
            done += chunk.steps
            if done < steps:
                source.prepare(self.position)  # while the program runs
            logs = self.engine.read_logs(chunk.result)
            pace.learn(chunk.steps, time.perf_counter() - chunk.begun)
            self._tell(done, logs)
        return logs

    def _start(self, source: Resident | Window, steps: int, *, fresh: bool) -> Chunk:
        """Start a program for up to so many steps, as many as are on the device."""
        begun = time.perf_counter()
        if fresh or self.plan is None:
            self.plan = self._planned(source)
        plan = self.plan
        piece = source.piece(self.position, with_tail=plan.with_tail)
        steps = min(steps, piece.batches + piece.tail)
        whole = min(steps, piece.batches)
        result = self._run(source, piece, whole, plan, last=whole < steps, fresh=fresh)
        self.position += steps
        done = time.perf_counter() if result is not None and result.scalars.is_ready() else None
        return Chunk(result, steps, begun, done)

    def _planned(self, source: Resident | Window) -> Plan:
        """How this epoch's shorter last batch is dealt with: settings may have changed since the last epoch."""
        engine, feed = self.engine, source.feed
        made_for = engine.made_for(self.stage, (source.kind, source.size), feed.tail)
        with_tail = made_for == feed.tail
        any_tail = False
        if self.stage == "train" and (with_tail or isinstance(source, Window)):
            any_tail = engine.kernel_trains(
                source.piece(self.position, with_tail=with_tail), feed.batch_size
            )
        return Plan(0 if any_tail else made_for, with_tail, any_tail)

    def _run(
        self,
        source: Resident | Window,
        piece: Piece,
        whole: int,
        plan: Plan,
        *,
        last: bool,
        fresh: bool,
    ) -> Any:
        """Start the programs for some whole batches and, if `last`, for the shorter batch behind them."""
        engine, feed, training = self.engine, source.feed, self.stage == "train"
        along = last and (plan.any_tail or plan.with_tail)
        result = None
        if whole or along:
            run = engine.train if training else engine.test
            made_for = plan.made_for if piece.holds_tail else 0
            result = run(
                piece,
                whole,
                feed.batch_size,
                feed.tail if along else 0,
                made_for=made_for,
                fresh=fresh,
            )
        if last and not along:
            run = engine.train_batch if training else engine.test_batch
            result = run(source.last_batch(), fresh=fresh and not whole)
        return result

    def _placed(self, feed: ArrayFeed) -> Resident | Window:
        """The data on the device, or on its way there."""
        if self.source is None:
            self.source = on_device(feed)
            if isinstance(self.source, Resident):
                shape = feed.full_batches, feed.tail
                self.source.exact = (
                    self.engine.made_for(self.stage, self.source.kind, shape) == shape
                )
        return self.source

    def _eager_epoch(self, feed: ArrayFeed) -> dict[str, Any]:
        steps = self._begin(feed)
        done, logs = 0, {}
        while done < steps and not (done and self.stopped()):
            batch = map_structure(to_device, feed.batch(self.position, self.order))
            logs = self._one(batch, done)
            done += 1
            self.position += 1
        return logs

    def _stream_epoch(self, feed: StreamFeed) -> dict[str, Any]:
        feed.begin_epoch(anew=self.stage == "test")
        done, logs = 0, {}
        while (feed.steps is None or done < feed.steps) and not (done and self.stopped()):
            batch = feed.next_batch()
            if batch is None:
                if feed.steps is not None or not done:
                    warn_out_of_data(done, feed.steps)
                break
            check_values(self.engine, batch, feed.label, place=f" in batch {done + 1}")
            logs = self._one(map_structure(to_device, batch), done)
            done += 1
        feed.end_epoch()
        if feed.batches is None and feed.steps is None:
            feed.batches = done
        return logs

    def _one(self, batch: Any, done: int) -> dict[str, Any]:
        """One step on one batch."""
        if self.hooked:
            self._batch_begin(done)
        step = self.engine.train_batch if self.stage == "train" else self.engine.test_batch
        logs = self.engine.read_logs(step(batch, fresh=done == 0, eager=self.eager))
        self._tell(done + 1, logs)
        return logs

    def _begin(self, feed: ArrayFeed, *, busy: bool = False) -> int:
        """Start or go on with a pass over the data; gives the number of steps of this epoch."""
        if self.prepared is not None:
            steps, self.prepared = self.prepared.steps, None
            return steps
        if (
            self.stage == "test"
            or self.position >= feed.batches
            or (self.position == 0 and self.order is None)
        ):
            self.position, self.order = 0, feed.order()
            if self.source is not None:
                self.source.begin(self.order, busy=busy)
        left = feed.batches - self.position
        if feed.steps is None:
            return left
        if feed.steps > left:
            warn_out_of_data(left, feed.steps)
        return min(feed.steps, left)

    def _batch_begin(self, step: int) -> None:
        getattr(self.callbacks, f"on_{self.stage}_batch_begin")(step, {})

    def _tell(self, done: int, logs: dict[str, Any]) -> None:
        if self.hooked:
            getattr(self.callbacks, f"on_{self.stage}_batch_end")(done - 1, dict(logs))
        self.callbacks.on_progress(self.stage, done, logs)


def steps_of(feed: Feed) -> int | None:
    """Steps of an epoch, None where they are not known beforehand."""
    if feed.steps is None:
        return feed.batches
    return (
        feed.steps
        if feed.batches is None or isinstance(feed, StreamFeed)
        else min(feed.steps, feed.batches)
    )


def fit(
    engine: Engine,
    feed: Feed,
    callbacks: Any,
    *,
    initial_epoch: int,
    epochs: int,
    validation: Runner | None,
    validates: Callable[[int], bool],
    stopped: Callable[[], bool],
    eager: bool = False,
    group: int = 1,
) -> None:
    """Train from `initial_epoch` up to `epochs`.

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
        group: Steps between batch hooks.

    After an exception, Ctrl-C too, every callback's `on_train_end` is called before it goes on to
    the caller.
    """
    runner = Runner(engine, feed, "train", callbacks, eager=eager, group=group, stopped=stopped)
    watch = Watch(engine)
    logs: dict[str, Any] = {}
    try:
        callbacks.on_train_begin({})
        # Where nobody acts between two epochs, the next one is started before the results of the
        # last are looked at. Where somebody does, but neither touches the data nor draws random
        # numbers, its data is made ready meanwhile.
        ahead = validation is None and callbacks.only_watch
        apart = callbacks.leave_data and (
            validation is None or isinstance(validation.feed, ArrayFeed)
        )
        started: Chunk | None = None
        for epoch in range(initial_epoch, epochs):
            callbacks.on_epoch_begin(epoch, {})
            alone = started is None
            started = started or runner.start_epoch()
            if started is None:
                results = runner.epoch()
            else:
                following = None
                if epoch + 1 < epochs and ahead:
                    following = runner.start_epoch(busy=True)
                elif epoch + 1 < epochs and apart:
                    runner.prepare_epoch()
                results = runner.end_epoch(started, alone=alone and following is None)
                started = following
            if not results:  # the data has come to its end
                break
            watch.look(epoch, results)
            if validation is not None and validates(epoch):
                results |= {f"val_{name}": value for name, value in evaluate(validation).items()}
            logs = dict(sorted(results.items()))
            callbacks.on_epoch_end(epoch, logs)
            if stopped() and started is None:
                break
    except BaseException as error:
        engine.state.recover(error)
        _end_all(callbacks, logs)
        raise
    finally:
        runner.forget_prepared()
    if epochs > initial_epoch and engine.optimizer is not None:
        engine.optimizer.finalize_variable_values(engine.state.trainable)
    callbacks.on_train_end(logs)


def evaluate(runner: Runner) -> dict[str, Any]:
    """One pass over the runner's data; gives the logs."""
    runner.callbacks.on_test_begin({})
    logs = runner.epoch()
    runner.callbacks.on_test_end(dict(logs))
    return logs


def _end_all(callbacks: Any, logs: dict[str, Any]) -> None:
    """After an exception: every callback closes what it has open; errors there do not hide that exception."""
    for callback in callbacks.callbacks:
        with contextlib.suppress(Exception):
            callback.on_train_end(logs)
