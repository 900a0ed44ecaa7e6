"""What the callbacks that save during training share: when to save, and what is not worth it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from gazelle._core.finite import all_finite
from gazelle._core.variable import values_of
from gazelle.callbacks._base import Callback, Logs


class SavingCallback(Callback):
    """A callback that can save after a number of batches, counted across epochs too."""

    _last_batch = 0
    _batches = 0  # since the last save

    def _begin_counting(self) -> None:
        self._last_batch = 0
        self._batches = 0

    def _is_due(self, batch: int, every: int) -> bool:
        """Count up to this batch of the epoch; whether `every` were done since the last save.

        Several may have been done since the last call (`steps_per_execution`).
        """
        is_first = batch <= self._last_batch
        self._batches += batch + 1 if is_first else batch - self._last_batch
        self._last_batch = batch
        if self._batches < every:
            return False
        self._batches = 0
        return True


def spoiled(model: Any, logs: Logs, names: Iterable[str]) -> list[str]:
    """Why a model is not worth saving: which of these logs, or that a weight, is not finite."""
    found = [
        f"{name} is {logs[name]}"
        for name in dict.fromkeys(names)
        if np.size(logs.get(name, ())) == 1 and not math.isfinite(logs[name])
    ]
    if found:
        return found
    return [] if all_finite(values_of(model.weights)) else ["a weight is NaN or infinite"]
