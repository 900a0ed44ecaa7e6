"""What callbacks that watch one value share: finding it in the logs, and which way it should go."""

from __future__ import annotations

import math
import operator
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError, nearest
from gazelle.callbacks.base import Callback, Logs

# What the parts of a name (between underscores) tell about its direction.
_FALLING = re.compile(
    "loss|error|r?mse|mae|mape|msle|crossentropy|ce|divergence|kld?|hinge|logcosh|poisson|nll|brier"
)
_RISING = re.compile(
    ".*acc.*|.*auc.*|(precision|recall|f1|fbeta|fmeasure|r2|top|iou|sensitivity|specificity).*"
)


class MonitorCallback(Callback):
    """A callback that watches one value of the logs.

    Args:
        monitor: Name of the value.
        mode: `"min"`, `"max"`, or `"auto"`: the direction of the metric of that name; where there
            is none, a guess by the name.
        min_delta: By how much a value must be better than the best one to count as an improvement.
    """

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0.0):
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{type(self).__name__} mode {mode!r} is unknown, fallback to auto mode. Use 'min',"
                " 'max' or 'auto'.",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best: float | None = None
        self.monitor_op: Callable[[float, float], bool] | None = {
            "min": operator.lt,
            "max": operator.gt,
        }.get(mode)
        self._warned = False

    purpose = "The callback watches"  # how a warning of a missing value begins

    def check_run(self, names: Collection[str] | None) -> None:
        """Warn before the first step where the watched value will not be there."""
        self._warned = False
        if names is not None and self.monitor not in names:
            warnings.warn(_missing(self.monitor, names, self.purpose), stacklevel=4)
            self._warned = True

    def _monitored(self, logs: Logs | None) -> float | None:
        """The watched value, or None, with a warning once a run, where the logs do not have it.

        Raises:
            ArgumentError: The value is an array.
        """
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is None:
            if not self._warned:
                warnings.warn(_missing(self.monitor, logs, self.purpose), stacklevel=4)
                self._warned = True
            return None
        self._warned = True  # seen once: an epoch without validation is no reason to warn
        if np.size(value) != 1:
            raise ArgumentError(
                f"{type(self).__name__}: the monitored value {self.monitor!r} is not a single"
                " number.",
                expected="a scalar",
                received=f"an array of shape {np.shape(value)}",
                fix="monitor a metric that gives one number (for per-class scores pass an average)",
            )
        return float(np.asarray(value).item())

    def _is_improvement(self, value: float, reference: float | None) -> bool:
        """Whether `value` is better than `reference` by more than `min_delta`; NaN never is."""
        if math.isnan(value):
            return False
        if reference is None:
            return True
        if self.monitor_op is None:
            rising = (
                direction(
                    self.monitor, getattr(self.model, "metrics", None) or (), type(self).__name__
                )
                == "max"
            )
            self.monitor_op = operator.gt if rising else operator.lt
        margin = self.min_delta if self.monitor_op is operator.gt else -self.min_delta
        return self.monitor_op(value, reference + margin)


def direction(
    monitor: str, metrics: Iterable[Any] = (), owner: str = "Monitor", *, warn: bool = True
) -> str:
    """`"min"` or `"max"`: which way the value called `monitor` should go.

    Args:
        monitor: A name of the logs, with or without `val_` and an output's name in front.
        metrics: The model's metrics; those with a `_direction` (`"up"`, `"down"`) are believed.
        owner: The callback's name for the warning when only a guess is left.
        warn: Whether to warn then.
    """
    name = monitor.removeprefix("val_")
    if name == "loss" or name.endswith("_loss"):
        return "min"
    known = {
        m.name: m._direction
        for m in _leaves(metrics)
        if getattr(m, "_direction", None) in ("up", "down")
    }
    ends = [metric for metric in known if name == metric or name.endswith(f"_{metric}")]
    if ends:
        return "max" if known[max(ends, key=len)] == "up" else "min"
    parts = [part for part in re.split(r"[\W_]+", name.lower()) if part]
    if any(_FALLING.fullmatch(part) for part in parts):
        return "min"
    if any(_RISING.fullmatch(part) for part in parts):
        return "max"
    if not warn:
        return "min"
    warnings.warn(
        f"{owner} cannot tell whether {monitor!r} should rise or fall and takes the lowest value as"
        " the best. Pass mode='max' or mode='min'.",
        stacklevel=6,
    )
    return "min"


def _leaves(metrics: Iterable[Any]) -> Iterator[Any]:
    """The metrics themselves, where some are containers of others (with `metrics`)."""
    for metric in metrics:
        yield from _leaves(getattr(metric, "metrics", ()))
        if isinstance(getattr(metric, "name", None), str):
            yield metric


def _missing(monitor: str, logs: Collection[str], purpose: str) -> str:
    near = nearest(monitor, logs)
    available = near + [name for name in logs if name not in near]
    if monitor.startswith("val_") and not any(name.startswith("val_") for name in logs):
        bare = monitor.removeprefix("val_")
        fix = "pass validation_data or validation_split to fit" + (
            f", or monitor={bare!r}" if bare in logs else ""
        )
    else:
        fix = "pass one of these names as monitor"
    return (
        f"{purpose} metric `{monitor}` which is not available. Available metrics are:"
        f" {','.join(available)}; {fix}."
    )
