"""Progbar, a line that shows the progress of a task, and ProgbarLogger, which uses it in `fit`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from gazelle._core.console import fitting
from gazelle._core.errors import ArgumentError
from gazelle.callbacks._base import Callback, Logs
from gazelle.callbacks._screen import Screen, open_screen

_FACT_WIDTHS = (0, 5, 5 + len("/step"))  # the step count has the same width in every epoch
_SHORTEST_BAR = 5  # columns
_GREEN, _GREY, _BOLD, _RESET = "\033[32m", "\033[90m", "\033[1m", "\033[0m"


class Progbar:
    """Shows the progress of a task: `━━━━━━━━━━━━━━ 7/25 3s left 170ms/step - loss: 0.4821`.

    In a terminal the line is rewritten in place and never wraps; in a notebook one output is
    updated; elsewhere (a file, a pipe) one plain line is written when the target is reached.

    Args:
        target: Total number of steps, or None if unknown.
        width: Columns of the bar.
        verbose: 0 silent, 1 live, 2 one plain line at the end.
        interval: Minimum time between two redraws, in seconds.
        stateful_metrics: Names of values to show as they are. The others are averaged over the
            steps.
        stateless_metrics: Names of values to average; all others are then shown as they are.
        unit_name: Name of a step.

    Example:
        >>> bar = Progbar(3, verbose=0)
        >>> for step in range(3):
        ...     bar.update(step + 1, [("loss", 0.5)])
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
        *,
        head: str = "",
        screen: Screen | None = None,
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ArgumentError(
                "Progbar takes `stateful_metrics` or `stateless_metrics`.",
                expected="one of them",
                received="both",
            )
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.stateful_metrics = set(stateful_metrics or ())
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self.unit_name = unit_name
        self._head = head
        self._screen = screen or open_screen(verbose)
        self._sums: dict[str, tuple[float, float]] = {}  # name -> (sum, weight)
        self._seen = 0
        self._start = time.perf_counter()
        self._stepped = self._start  # time of the last step
        self._finished = False
        self.seconds: float | None = None  # duration of the task, if the caller has measured it

    def update(
        self,
        current: int,
        values: Iterable[tuple[str, Any]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Show the number of steps done.

        Args:
            current: Number of steps done.
            values: Pairs of name and value of the steps since the last call. With `finalize` they
                are final values, which are shown as they are.
            finalize: Whether this is the last call; by default, whether the target is reached.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            value = float(np.mean(value))
            if finalize or self._shows_as_it_is(name):
                self._sums[name] = (value, 1.0)
            else:
                steps = max(current - self._seen, 1)
                total, weight = self._sums.get(name, (0.0, 0.0))
                self._sums[name] = (total + value * steps, weight + steps)
        means = {name: total / weight for name, (total, weight) in self._sums.items()}
        self.show(current, means, finalize)

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Show that `n` more steps are done; `values` as in `update`."""
        self.update(self._seen + n, values)

    def show(self, current: int, values: Logs, final: bool = False) -> None:
        """Show `values` as they are, unless the last redraw of a live line was just before."""
        now = time.perf_counter()
        if current != self._seen:
            self._stepped = now
        self._seen = current
        if not self.verbose or self._finished:
            return
        screen = self._screen
        if final:
            self._finished = True
            screen.finish(self._final_line(now, values))
        elif screen.live and now - screen.drawn_at >= self.interval:
            facts = self._facts(now, final=False)
            metrics = [_metric(name, value) for name, value in values.items()]
            text, length = self._live_line(facts, metrics, screen.width() or 80)
            screen.draw(text, length)

    def _facts(self, now: float, final: bool) -> list[str]:
        """The step count, the time (remaining or, at the end, total) and the time per step."""
        target = self._seen if final and self.target is None else self.target
        elapsed = now - self._start if self.seconds is None else self.seconds
        per_step = self._stepping(elapsed) / max(self._seen, 1)
        facts = [f"{self._seen}/{'?' if target is None else target}"]
        if not self._seen:
            return facts
        if final or target is None or self._seen >= target:
            facts.append(_duration(elapsed))
        else:
            left = per_step * (target - self._seen)
            facts.append(f"{_duration(left) if left >= 1 else '<1s'} left")
        facts.append(f"{_duration(per_step)}/{self.unit_name}")
        if final and self._screen.aligned:
            facts = [fact.rjust(width) for fact, width in zip(facts, _FACT_WIDTHS, strict=True)]
        return facts

    def _shows_as_it_is(self, name: str) -> bool:
        if self.stateless_metrics is not None:
            return name not in self.stateless_metrics
        return name in self.stateful_metrics

    def _stepping(self, elapsed: float) -> float:
        """Seconds taken by the steps."""
        if self.seconds is None and self._stepped > self._start:
            return self._stepped - self._start
        return elapsed

    def _live_line(self, facts: list[str], metrics: list[str], room: int) -> tuple[str, int]:
        """A line of at most `room` characters, and its length.

        If there is not enough room, the bar is omitted first, then metrics from the end.
        """
        tail = " - ".join([" ".join(facts), *metrics])
        bar, columns = self._bar(room - len(tail) - len(self._head) - 2)
        if bar:
            before = f"{self._head} " if self._head else ""
            length = len(before) + columns + 1 + len(tail)
            return f"{self._painted_head(before)}{bar} {tail}", length
        words = [word for word in (self._head, " ".join(facts)) if word]
        while metrics and len(" - ".join([*words, *metrics])) > room:
            metrics = metrics[:-1]
        line = " - ".join([*words, *metrics])[:room]
        return line, len(line)

    def _final_line(self, now: float, values: Logs) -> str:
        """The complete line; in a terminal it is broken between metrics if it is too long."""
        facts = self._facts(now, final=True)
        metrics = [_metric(name, value) for name, value in values.items()]
        room = self._screen.width()
        if room is None:
            return " - ".join([word for word in (self._head, *facts, *metrics) if word])
        words = [word for word in (self._head, " ".join(facts)) if word]
        if len(" - ".join([*words, *metrics])) <= room:
            return self._live_line(facts, metrics, room)[0]
        training = [metric for metric in metrics if not metric.startswith("val_")]
        validation = [metric for metric in metrics if metric.startswith("val_")]
        lines = [" - ".join(words)]
        for group in (training, validation):
            whole = " - ".join(group)
            for piece in [whole] if len(whole) + 2 <= room else group:
                if piece and len(lines[-1]) + 3 + len(piece) <= room:
                    lines[-1] += f" - {piece}"
                elif piece:
                    lines.append(f"  {piece}")
        return "\n".join(line[:room] for line in lines)

    def _bar(self, room: int) -> tuple[str, int]:
        """The bar and its columns, at most `room`; empty without enough room or a target."""
        columns = min(self.width, room)
        shortest = max(min(_SHORTEST_BAR, self.width), 1)
        if self.target is None or columns < shortest:
            return "", 0
        fraction = min(self._seen / self.target, 1.0) if self.target else 1.0
        done = int(columns * fraction)
        rest = columns - done
        if not self._screen.unicode:
            return "=" * done + "." * rest, columns
        if self._screen.color:
            return f"{_GREEN}{'━' * done}{_GREY}{'━' * rest}{_RESET}", columns
        return "━" * done + "─" * rest, columns

    def _painted_head(self, head: str) -> str:
        return f"{_BOLD}{head}{_RESET}" if head and self._screen.color else head


class ProgbarLogger(Callback):
    """Shows the progress of `fit`, `evaluate` and `predict`, which add one unless `verbose=0`.

    `verbose` 1 (or "auto") shows a live line per epoch in a terminal, one updating output in a
    notebook, and one plain line per epoch elsewhere; 2 always shows one plain line per epoch.
    """

    _only_reads_logs = True
    _keeps_learning_rate = True
    _runs_no_user_code = True

    interval = 0.1  # seconds between two redraws

    def __init__(self) -> None:
        self.verbose = 1
        self.epochs: int | None = 1
        self.target: int | None = None
        # Duration of the epoch, if the loop measured it because epochs overlapped.
        self.seconds: float | None = None
        self._in_fit = False
        self._steps = 0  # done in this epoch or pass
        self._screen: Screen | None = None
        self._bar: Progbar | None = None

    def get_state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def set_params(self, params: Logs | None) -> None:
        """Set the verbosity, the number of epochs and the number of steps."""
        super().set_params(params)
        params = params or {}
        verbose = params.get("verbose", 1)
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs = params.get("epochs", 1)
        self.target = params.get("steps")

    def clear(self) -> None:
        """Remove the live line until the next redraw, so that others can print."""
        if self._screen is not None:
            self._screen.clear()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the screen."""
        self._in_fit = True
        self._screen = open_screen(self.verbose) if self.verbose else None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Begin the epoch's line."""
        if self._screen is None:
            return
        head = ""
        if (self.epochs or 1) > 1:
            width = len(str(self.epochs)) if self._screen.aligned else 0
            head = f"Epoch {epoch + 1:>{width}}/{self.epochs}"
        self._begin(head)

    def on_progress(self, stage: str, step: int, logs: Logs | None = None) -> None:
        """Redraw the line."""
        if self._bar is not None and (stage == "train") == self._in_fit:
            self._steps = step
            self._bar.show(step, _shown(stage, logs))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """End the epoch's line."""
        self._end(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the screen."""
        self._close()
        self._in_fit = False

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Begin the line of an evaluation, unless it is a validation inside `fit`."""
        self._begin_pass()

    def on_test_end(self, logs: Logs | None = None) -> None:
        """End the line of an evaluation."""
        self._end_pass(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Begin the line of a prediction."""
        self._begin_pass()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """End the line of a prediction."""
        self._end_pass(None)

    def _begin_pass(self) -> None:
        if not self._in_fit and self.verbose:
            self._screen = open_screen(self.verbose)
            self._begin("")

    def _end_pass(self, logs: Logs | None) -> None:
        if not self._in_fit:
            self._end(logs)
            self._close()

    def _begin(self, head: str) -> None:
        self._bar = Progbar(
            self.target,
            verbose=self.verbose,
            interval=self.interval,
            head=head,
            screen=self._screen,
        )
        self._steps = 0
        self._bar.show(0, {})

    def _end(self, logs: Logs | None) -> None:
        bar, self._bar = self._bar, None
        if bar is None:
            return
        steps = self._steps or self.target or 0
        if self.target is None:
            self.target = steps  # for the bars of the next epochs
        bar.seconds, self.seconds = self.seconds, None
        bar.show(steps, _shown("", logs), final=True)

    def _close(self) -> None:
        if self._screen is not None:
            self._screen.clear()
            self._screen.close()
        self._screen = self._bar = None


def _shown(stage: str, logs: Logs | None) -> Logs:
    """The logs to show: those of `predict` hold whole predictions, which are not shown."""
    if stage == "predict":
        return {}
    return logs or {}


def _metric(name: str, value: Any) -> str:
    number = value if isinstance(value, float | int) else float(np.mean(value))
    size = abs(number)
    notation = "f" if size == 0 or 1e-3 < size < 1e7 else "e"
    return f"{fitting(name)}: {number:.4{notation}}"


def _duration(seconds: float) -> str:
    """`312us`, `48ms`, `3.1s`, `42s`, `2:05` or `1:02:05`."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f}us"
    if seconds < 1:
        return f"{seconds * 1e3:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 60:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
