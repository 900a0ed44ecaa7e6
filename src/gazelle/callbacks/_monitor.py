"""The base of callbacks that monitor one value of the logs, and the direction of a value."""

from __future__ import annotations

import math
import operator
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError, nearest
from gazelle.callbacks._base import Callback, Logs
from gazelle.metrics._base import direction_of

# Parts of a name (between underscores) that tell its direction.
_FALLING = re.compile(
    "loss|error|r?mse|mae|mape|msle|crossentropy|ce|divergence|kld?|hinge|logcosh|poisson|nll|brier"
)
_RISING = re.compile(
    ".*acc.*|.*auc.*|(precision|recall|f1|fbeta|fmeasure|r2|top|iou|sensitivity|specificity).*"
)


class MonitorCallback(Callback):
    """A callback that monitors one value of the logs.

    Args:
        monitor: Name of the value.
        mode: `"min"`, `"max"`, or `"auto"`: the direction of the metric of that name, or else a
            guess from the name.
        min_delta: Minimum change that counts as an improvement.
    """

    purpose = "The callback watches"  # beginning of the warning of a missing value

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
        operators = {"min": operator.lt, "max": operator.gt}
        # None in auto mode, until the first comparison.
        self.monitor_op: Callable[[float, float], bool] | None = operators.get(mode)
        self._warned = False

    def check_run(self, names: Collection[str] | None) -> None:
        """Warn before the first step if the logs will not have the monitored value."""
        self._warned = False
        if names is not None and self.monitor not in names:
            warnings.warn(_missing(self.monitor, names, self.purpose), stacklevel=4)
            self._warned = True

    def _monitored(self, logs: Logs | None) -> float | None:
        """The monitored value, or None if the logs do not have it; warns once per run.

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
        self._warned = True  # it exists, though epochs without validation do not have it
        if np.size(value) != 1:
            raise ArgumentError(
                f"{type(self).__name__}: the monitored value {self.monitor!r} is not a single"
                " number.",
                expected="a scalar",
                received=f"an array of shape {np.shape(value)}",
                fix="monitor a metric with a single value (pass average= for per-class scores)",
            )
        return float(np.asarray(value).item())

    def _is_improvement(self, value: float, reference: float | None) -> bool:
        """Whether `value` is better than `reference` by more than `min_delta`; NaN never is."""
        if math.isnan(value):
            return False
        if reference is None:
            return True
        if self.monitor_op is None:
            metrics = getattr(self.model, "metrics", None) or ()
            found = direction(self.monitor, metrics, type(self).__name__)
            self.monitor_op = operator.gt if found == "max" else operator.lt
        margin = self.min_delta if self.monitor_op is operator.gt else -self.min_delta
        return self.monitor_op(value, reference + margin)


def direction(
    monitor: str, metrics: Iterable[Any] = (), owner: str = "Monitor", *, warn: bool = True
) -> str:
    """Whether lower (`"min"`) or higher (`"max"`) values of `monitor` are better.

    Args:
        monitor: A name of the logs, with or without the prefixes `val_` and an output's name.
        metrics: The model's metrics, whose directions are used where they are known.
        owner: Name of the callback, for the warning if the direction is unknown.
        warn: Whether to warn then.
    """
    name = monitor.removeprefix("val_")
    if name == "loss" or name.endswith("_loss"):
        return "min"
    directions = {metric.name: direction_of(metric) for metric in _leaves(metrics)}
    matching = [
        metric
        for metric, found in directions.items()
        if found and (name == metric or name.endswith(f"_{metric}"))
    ]
    if matching:
        longest = max(matching, key=len)
        return "max" if directions[longest] == "up" else "min"
    parts = [part for part in re.split(r"[\W_]+", name.lower()) if part]
    if any(_FALLING.fullmatch(part) for part in parts):
        return "min"
    if any(_RISING.fullmatch(part) for part in parts):
        return "max"
    if not warn:
        return "min"
    warnings.warn(
        f"{owner} cannot tell whether {monitor!r} should rise or fall, and takes the lowest value"
        " as the best. Pass mode='max' or mode='min'.",
        stacklevel=6,
    )
    return "min"


def _leaves(metrics: Iterable[Any]) -> Iterator[Any]:
    """All metrics, including those that are held by others (in their `metrics`)."""
    for metric in metrics:
        yield from _leaves(getattr(metric, "metrics", ()))
        if isinstance(getattr(metric, "name", None), str):
            yield metric


def _missing(monitor: str, logs: Collection[str], purpose: str) -> str:
    near = nearest(monitor, logs)
    available = near + [name for name in logs if name not in near]
    if monitor.startswith("val_") and not any(name.startswith("val_") for name in logs):
        fix = "pass validation_data or validation_split to fit"
        training_name = monitor.removeprefix("val_")
        if training_name in logs:
            fix += f", or monitor={training_name!r}"
    else:
        fix = "pass one of these names as monitor"
    return (
        f"{purpose} metric `{monitor}` which is not available. Available metrics are:"
        f" {','.join(available)}; {fix}."
    )
