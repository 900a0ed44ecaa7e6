"""Runner: the epochs of one feed, chunk by chunk, for training or evaluation.

The host runs chunks of about a tenth of a second: the progress display stays alive, Ctrl-C is
heard, and nothing in Python happens per batch. A callback with batch hooks gets chunks of one step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gazelle._core.symbolic import map_structure
from gazelle._data.feeds import ArrayFeed, Feed, StreamFeed, to_device, warn_out_of_data
from gazelle._data.windows import Piece, Resident, Window, on_device
from gazelle._engine.engine import Engine, Logs
from gazelle._engine.nonfinite import MOST_IN_A_ROW, BadStep, Mark, go_back
from gazelle._engine.pace import Pace
from gazelle._engine.preflight import check_values
from gazelle.callbacks import CallbackList


@dataclass
class Chunk:
    """Some steps whose program was started.

    Args:
        logs: What the program gives, still on the device.
        steps: The number of steps.
        epoch: The number of its epoch in this fit.
        begun: When it was started, in seconds of `time.perf_counter`.
        done: When it was done, if that was before the call of its program returned.
    """

    logs: Logs
    steps: int
    epoch: int
    begun: float
    done: float | None


class TailPlan(NamedTuple):
    """How the shorter last batch of an epoch is run.

    Args:
        made_for: The size of the last batch that the program was made for; 0 where the kernel
            trains.
        with_tail: Whether that is the size of this one.
        any_tail: Whether the program takes a last batch of any size, as the kernel does.
    """

    made_for: int
    with_tail: bool
    any_tail: bool


class Prepared(NamedTuple):
    """An epoch whose order is drawn and whose data is gathered, but that has not begun.

    Args:
        steps: Its number of steps.
        random_state: The state of NumPy's generator before the order was drawn.
        before: Where the runner was before.
        order: The order of the samples before.
    """

    steps: int
    random_state: Any
    before: Place
    order: np.ndarray | None


class Place(NamedTuple):
    """Where a runner is in arrays.

    Args:
        position: The next batch of the pass.
        random_before: The state of NumPy's generator before the order of the pass was drawn; None
            before the first pass.
    """

    position: int
    random_before: Any


@dataclass
class Runner:
    """Runs epochs of one feed through the engine.

    Args:
        engine: The compiled programs.
        feed: The data.
        stage: `"train"` or `"test"`.
        callbacks: The callback list.
        eager: Whether to run operation by operation (`run_eagerly`).
        steps_per_execution: Steps between batch hooks.
        stopped: Whether the loop is to end (`model.stop_training`, Ctrl-C).
        nonfinite: What to do about a loss that is not finite: one of `nonfinite.CHOICES`.
    """

    engine: Engine
    feed: Feed
    stage: str
    callbacks: CallbackList
    eager: bool = False
    steps_per_execution: int = 1
    stopped: Callable[[], bool] = lambda: False
    nonfinite: str = "continue"
    # The next batch. An epoch of fewer steps than batches goes on where the last one ended.
    position: int = 0
    order: np.ndarray | None = None  # of the samples
    random_before: Any = None  # the state of NumPy's generator before `order` was drawn
    done: int = 0  # steps of this epoch
    logs: dict[str, Any] = field(default_factory=dict)  # after the last of them
    first_epoch: int = 0  # the number of the first one in this fit, from 0
    epochs: int = 0  # that were begun
    bad: list[tuple[int, BadStep]] = field(default_factory=list)  # steps with their epochs
    last_batch: Any = None  # of a step that was run by itself
    diverged: bool = False  # whether the fit has to end because of them
    resumes: bool = False  # whether the next epoch was begun by the fit that is resumed
    source: Resident | Window | None = None  # of the batches, once they are on the device
    prepared: Prepared | None = None
    tail_plan: TailPlan | None = None
    last_done: float = 0.0  # when the last epoch that was a single chunk was done

    # ---- Epochs ----

    def epoch(self) -> dict[str, Any]:
        """Run one epoch and return its logs."""
        if isinstance(self.feed, StreamFeed):
            return self._stream_epoch(self.feed)
        if self.eager:
            return self._eager_epoch(self.feed)
        return self._array_epoch(self.feed)

    def _array_epoch(self, feed: ArrayFeed) -> dict[str, Any]:
        source, pace = self._placed(feed), self._pace
        done, logs, steps = *self._first(), self._begin(feed)
        while done < steps and not (done and self.ends):
            # If training is stopped before the first step, that one is done all the same, as in
            # Keras.
            single = self.hooked or self.stopped()
            self._begin_group(done)
            wanted = self._left_in_group(done) if single else pace.size
            chunk = self._start(source, min(steps - done, wanted), done)
            done += chunk.steps
            if done < steps:
                source.prepare(self.position)  # while the program runs
            logs = self.engine.read_logs(chunk.logs)
            pace.learn(chunk.steps, time.perf_counter() - chunk.begun)
            done, logs = self._checked(done, logs)
            self._report(done, logs, is_last=done >= steps or self.ends)
        return logs

    def _eager_epoch(self, feed: ArrayFeed) -> dict[str, Any]:
        done, logs, steps = *self._first(), self._begin(feed)
        while done < steps and not (done and self.ends):
            batch = map_structure(to_device, feed.batch(self.position, self.order))
            self.position += 1
            logs = self._one_step(batch, done)
            done += 1
            self._report(done, logs, is_last=done >= steps or self.ends)
        return logs

    def _stream_epoch(self, feed: StreamFeed) -> dict[str, Any]:
        self.epochs += 1
        done, logs = self._first()
        if not self._goes_on():
            feed.begin_epoch(from_start=self.stage == "test")
        while (feed.steps is None or done < feed.steps) and not (done and self.ends):
            batch = feed.next_batch()
            if batch is None:
                if feed.steps is not None or not done:
                    warn_out_of_data(done, feed.steps)
                break
            check_values(self.engine, batch, feed.label, place=f" in batch {done + 1}")
            logs = self._one_step(map_structure(to_device, batch), done)
            done += 1
            self._report(done, logs, is_last=done == feed.steps or self.ends)
        if self._left_in_group(done) < self.steps_per_execution and done not in (0, feed.steps):
            self._end_group(done, logs)  # the data has ended within it
        feed.end_epoch()
        if feed.batches is None and feed.steps is None:
            feed.batches = done
        return logs

    # ---- Epochs of one chunk, which may be started ahead ----

    def start_epoch(self, *, may_be_running: bool = False) -> Chunk | None:
        """Start an epoch that is a single chunk, to be ended by `end_epoch`; None where it is more.

        Args:
            may_be_running: Whether the program of the epoch before may still read its data.
        """
        feed = self.feed
        if isinstance(feed, StreamFeed) or self.eager or self.hooked or self.stopped():
            return None
        if self.resumes or self.nonfinite == "skip":
            return None
        if min(feed.batches, feed.steps or feed.batches) > self._pace.size:
            return None
        source = self._placed(feed)
        if not source.whole:
            return None
        steps = self._begin(feed, may_be_running=may_be_running)
        return self._start(source, steps, 0)

    def prepare_epoch(self) -> None:
        """Draw the order of the next epoch and gather its data while a program still runs."""
        if not isinstance(self.feed, ArrayFeed) or self.nonfinite == "skip":
            return
        # `ArrayFeed.order` draws from NumPy's generator.
        random_state = np.random.get_state(legacy=False)  # noqa: NPY002
        before, order = self.place, self.order
        steps = self._begin(self.feed, may_be_running=True)
        self.prepared = Prepared(steps, random_state, before, order)
        if isinstance(self.source, Window):
            self.source.piece(self.position)

    def forget_prepared(self) -> None:
        """Undo `prepare_epoch` where that epoch does not come: NumPy's generator is as before."""
        if self.prepared is None:
            return
        np.random.set_state(self.prepared.random_state)  # noqa: NPY002
        self.position, self.random_before = self.prepared.before
        if self.order is not self.prepared.order:
            self.order = self.prepared.order
            if self.source is not None:
                self.source.begin(self.order)
        self.epochs -= 1
        self.prepared = None

    def end_epoch(self, chunk: Chunk, *, ran_alone: bool = True) -> dict[str, Any]:
        """Wait for an epoch that was started, and return its logs.

        Args:
            chunk: What `start_epoch` returned.
            ran_alone: Whether no other program ran beside it, so that its time tells the pace.
        """
        logs = self.engine.read_logs(chunk.logs)
        done = chunk.done or time.perf_counter()
        # What was done before the results of the last epoch were read has its time to itself;
        # otherwise it waited for the last one.
        begun = chunk.begun if done <= self.last_done else max(chunk.begun, self.last_done)
        self.last_done = max(self.last_done, done)
        if ran_alone:
            self._pace.learn(chunk.steps, time.perf_counter() - chunk.begun)
        else:
            self.callbacks.note_seconds(done - begun)
        if not _is_finite(logs):
            self.epochs = chunk.epoch  # another one that was started ahead does not count
        _, logs = self._checked(chunk.steps, logs)
        self._report(chunk.steps, logs)
        return logs

    # ---- Chunks ----

    def _start(self, source: Resident | Window, steps: int, done: int) -> Chunk:
        """Start a program for up to so many steps, as many as are on the device.

        Args:
            source: The data.
            steps: The number of steps.
            done: The steps of the epoch that are done.
        """
        begun = time.perf_counter()
        fresh = done == 0
        self._mark(done)
        if fresh or self.tail_plan is None:
            self.tail_plan = self._planned(source)
        piece = source.piece(self.position, with_tail=self.tail_plan.with_tail)
        steps = min(steps, piece.batches + piece.tail)
        logs = self._run(source, piece, steps, self.tail_plan, fresh=fresh)
        self.position += steps
        ended = time.perf_counter() if logs.scalars.is_ready() else None
        return Chunk(logs, steps, self.epochs, begun, ended)

    def _planned(self, source: Resident | Window) -> TailPlan:
        """How this epoch's shorter last batch is run: settings may have changed since the last."""
        engine, feed = self.engine, source.feed
        made_for = engine.made_for(self.stage, (source.kind, source.size), feed.tail)
        with_tail = made_for == feed.tail
        any_tail = False
        if self.stage == "train" and (with_tail or isinstance(source, Window)):
            piece = source.piece(self.position, with_tail=with_tail)
            any_tail = engine.kernel_trains(piece, feed.batch_size)
        return TailPlan(0 if any_tail else made_for, with_tail, any_tail)

    def _run(
        self, source: Resident | Window, piece: Piece, steps: int, plan: TailPlan, *, fresh: bool
    ) -> Logs:
        """Start the programs for the first batches of a piece, the shorter last one included."""
        engine, feed, trains = self.engine, source.feed, self.stage == "train"
        whole = min(steps, piece.batches)
        has_last = whole < steps
        last_in_chunk = has_last and (plan.any_tail or plan.with_tail)
        logs = None
        if whole or last_in_chunk:
            run_chunk = engine.train if trains else engine.test
            logs = run_chunk(
                piece,
                whole,
                feed.batch_size,
                feed.tail if last_in_chunk else 0,
                made_for=plan.made_for if piece.holds_tail else 0,
                fresh=fresh,
            )
        if has_last and not last_in_chunk:
            run_batch = engine.train_batch if trains else engine.test_batch
            logs = run_batch(source.last_batch(), fresh=fresh and not whole)
        if logs is None:
            raise RuntimeError("a chunk without steps")
        return logs

    def _one_step(self, batch: Any, done: int) -> dict[str, Any]:
        """One step on one batch, after `done` others in this epoch; returns the logs."""
        self._begin_group(done)
        self._mark(done)
        self.last_batch = batch
        run = self.engine.train_batch if self.stage == "train" else self.engine.test_batch
        logs = self.engine.read_logs(run(batch, fresh=done == 0, eager=self.eager))
        return self._checked(done + 1, logs)[1]

    def _placed(self, feed: ArrayFeed) -> Resident | Window:
        """The data on the device, or on its way there."""
        if self.source is None:
            self.source = on_device(feed)
            if isinstance(self.source, Resident):
                shape = feed.full_batches, feed.tail
                made_for = self.engine.made_for(self.stage, self.source.kind, shape)
                self.source.exact = made_for == shape
        return self.source

    def _begin(self, feed: ArrayFeed, *, may_be_running: bool = False) -> int:
        """Begin an epoch, from the first batch or where the last one ended; returns its steps."""
        if self.prepared is not None:
            steps, self.prepared = self.prepared.steps, None
            return steps
        self.epochs += 1
        if self._goes_on():
            return self._steps_from(self.position - self.done, feed)
        is_first = self.position == 0 and self.order is None
        if self.stage == "test" or self.position >= feed.batches or is_first:
            self._draw_order(feed, may_be_running=may_be_running)
        return self._steps_from(self.position, feed)

    def _draw_order(self, feed: ArrayFeed, *, may_be_running: bool = False) -> None:
        """Begin a pass over the data."""
        if self.stage == "train":
            self.random_before = np.random.get_state(legacy=False)  # noqa: NPY002
        self.position, self.order = 0, feed.order()
        if self.source is not None:
            self.source.begin(self.order, busy=may_be_running)

    @staticmethod
    def _steps_from(position: int, feed: ArrayFeed) -> int:
        """The steps of an epoch that begins with this batch."""
        left = feed.batches - position
        if feed.steps is None:
            return left
        if feed.steps > left:
            warn_out_of_data(left, feed.steps)
        return min(feed.steps, left)

    # ---- Resuming ----

    @property
    def place(self) -> Place:
        """Where the runner is in arrays; an epoch that was only prepared has not begun."""
        if self.prepared is not None:
            return self.prepared.before
        return Place(self.position, self.random_before)

    def take_place(self, place: Place, done: int, logs: dict[str, Any], *, in_epoch: bool) -> None:
        """Go to where the runner of an interrupted fit was.

        NumPy's generator is left in an undefined state.

        Args:
            place: The place in arrays; not used by a stream, which has to be moved on itself.
            done: The steps that it has done in its epoch.
            logs: The logs after these.
            in_epoch: Whether that epoch has not ended.
        """
        feed = self.feed
        if isinstance(feed, ArrayFeed) and place.random_before is not None:
            if not self.eager:
                self._placed(feed)
            np.random.set_state(place.random_before)  # noqa: NPY002
            self._draw_order(feed)
            self.position = place.position
        self.done, self.logs, self.resumes = done, dict(logs), in_epoch

    def _first(self) -> tuple[int, dict[str, Any]]:
        """The steps that are done when an epoch begins, and their logs: none, unless it resumes."""
        if not self.resumes:
            self.done, self.logs = 0, {}
        return self.done, self.logs

    def _goes_on(self) -> bool:
        """Whether the epoch was begun by the fit that is resumed; can be asked once."""
        resumes, self.resumes = self.resumes, False
        return resumes

    # ---- A loss that is not finite ----

    @property
    def ends(self) -> bool:
        """Whether the epoch ends early."""
        return self.diverged or self.stopped()

    def run_to(self, mark: Mark, target: int) -> None:
        """Run the steps of an epoch again, from where a copy was made, until so many are done."""
        self.position, self.done = mark.position, mark.done
        if not isinstance(self.feed, ArrayFeed) or self.eager:
            return
        source = self._placed(self.feed)
        while self.done < target:
            chunk = self._start(source, target - self.done, self.done)
            self.logs = self.engine.read_logs(chunk.logs)
            self.done += chunk.steps

    def _mark(self, done: int) -> None:
        """Tell the state where the fit is, should it make a copy."""
        if self.stage != "train":
            return
        state = self.engine.state
        state.mark = Mark(self.epochs, self.order, self.position, done)
        one_by_one = self.eager or isinstance(self.feed, StreamFeed)
        if self.nonfinite == "skip" and (one_by_one or done == 0):
            state.renew_if_finite()

    def _checked(self, done: int, logs: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The steps done and the logs after a chunk; after a bad step, those to go on with."""
        if self.stage != "train" or self.nonfinite == "continue" or _is_finite(logs):
            return done, logs
        self.done = done
        start = self.position - done
        bad = self._note_bad(logs)
        if self.diverged:
            return done, logs
        self.position = start + bad.step
        self.engine.state.mark = Mark(self.epochs, self.order, self.position, bad.step)
        self.engine.state.renew_if_finite()  # so that the bad step is not run again
        return bad.step, self.engine.current_logs()

    def _note_bad(self, logs: dict[str, Any]) -> BadStep:
        """Go back to before a bad step, and decide whether the fit has to end."""
        bad = go_back(self, logs)
        recent = [one.step for epoch, one in self.bad[-MOST_IN_A_ROW:] if epoch == self.epochs]
        in_a_row = recent == list(range(bad.step - MOST_IN_A_ROW, bad.step))
        self.bad.append((self.epochs, bad))
        self.diverged = self.nonfinite == "stop" or in_a_row or not bad.is_undone
        return bad

    # ---- Callbacks ----

    @property
    def hooked(self) -> bool:
        """Whether a callback wants to be called at every step."""
        return self.callbacks.has_batch_hooks(self.stage)

    @property
    def _pace(self) -> Pace:
        """Steps per chunk with batches of this size."""
        batch_size = getattr(self.feed, "batch_size", None)
        return self.engine.paces.setdefault((self.stage, batch_size), Pace())

    def _left_in_group(self, done: int) -> int:
        """The steps until the batch hooks are called again."""
        return self.steps_per_execution - done % self.steps_per_execution

    def _begin_group(self, done: int) -> None:
        """Call the hooks before a step, if a group of `steps_per_execution` begins with it."""
        if self.hooked and done % self.steps_per_execution == 0:
            getattr(self.callbacks, f"on_{self.stage}_batch_begin")(done, {})

    def _end_group(self, done: int, logs: dict[str, Any]) -> None:
        """Call the hooks after a group; the number of a short one is that of a whole one."""
        if self.hooked:
            whole = -(-done // self.steps_per_execution) * self.steps_per_execution
            getattr(self.callbacks, f"on_{self.stage}_batch_end")(whole - 1, dict(logs))

    def _report(self, done: int, logs: dict[str, Any], *, is_last: bool = True) -> None:
        """Call the callbacks after a chunk; `is_last`: no other one comes in this epoch."""
        self.done, self.logs = done, logs
        if is_last or done % self.steps_per_execution == 0:
            self._end_group(done, logs)
        self.callbacks.on_progress(self.stage, done, logs)


def _is_finite(logs: dict[str, Any]) -> bool:
    loss = logs.get("loss", 0.0)
    return not isinstance(loss, float) or math.isfinite(loss)
