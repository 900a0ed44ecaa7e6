"""Names of `keras.callbacks`."""

from __future__ import annotations

import os
from typing import Any

from gazelle import callbacks
from gazelle.compat._logs import other_names
from gazelle.compat._telling import tell

__all__ = ["BaseLogger", "ModelCheckpoint"]


class BaseLogger(callbacks.Callback):
    """Keras 2's averages over an epoch, which every run has today; it does nothing."""

    def __init__(self, stateful_metrics: Any = None):
        super().__init__()


class ModelCheckpoint(callbacks.ModelCheckpoint):
    """`ModelCheckpoint` that takes `period=` and paths of every ending.

    Args:
        filepath: As today, with any ending: what `save` and `save_weights` take in old scripts.
        *args: As today.
        period: Epochs between two files.
        **kwargs: As today.
    """

    def __init__(self, filepath: Any, *args: Any, period: int | None = None, **kwargs: Any):
        self._period, self._ended = period or 1, 0
        if period is not None:
            tell("ModelCheckpoint(period=)", "ModelCheckpoint(save_freq=), which counts batches")
        super().__init__(os.fspath(filepath), *args, **kwargs)

    def _check_filepath(self) -> None:
        """Every path will do: `save` and `save_weights` of an old script take any."""

    def _path(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> str:
        """The path with the metrics under all names that they had."""
        others = {other: logs[name] for name in logs for other in other_names(name)}
        return super()._path(epoch, batch, {**others, **logs})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save after every `period`-th epoch."""
        self._ended += 1
        if self._ended % self._period == 0:
            super().on_epoch_end(epoch, logs)
