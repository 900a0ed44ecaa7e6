"""ModelCheckpoint: saves the model, or its weights, during training."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection
from typing import Any

import numpy as np

from gazelle._core.console import say, write
from gazelle._core.errors import ArgumentError
from gazelle._core.registry import serialize
from gazelle._files.writing import check_writable
from gazelle.callbacks._base import Logs
from gazelle.callbacks._monitor import MonitorCallback
from gazelle.callbacks._saving import SavingCallback, spoiled


class ModelCheckpoint(SavingCallback, MonitorCallback):
    """Saves the model after every epoch, after every best epoch, or after a number of batches.

    An existing file is never replaced if the loss, the monitored value or a weight is NaN or
    infinite. `fit(resume_from=...)` goes on from a file as if training had not been interrupted.

    Args:
        filepath: Path of the file; ends in `.keras` (or `.h5`, for the old format of Keras), or in
            `.weights.h5` with `save_weights_only`. Names in braces are filled in: `{epoch}`
            (counted from 1), `{batch}` (with an int `save_freq`) and every name of the logs, with
            formats as in `"{epoch:02d}-{val_loss:.2f}.keras"`. Missing folders are created.
        monitor: Name of the value by which epochs are compared.
        verbose: 1 prints what is saved.
        save_best_only: Save only when `monitor` has improved.
        save_weights_only: Save the weights instead of the whole model.
        mode: `"min"`, `"max"` or `"auto"` (from the metric's direction, or else from its name).
        save_freq: `"epoch"`, or a number of batches, which makes training run step by step.
        initial_value_threshold: Save only values that are better than this one.

    Attributes:
        best: The best value so far.

    Raises:
        ArgumentError: `filepath` has the wrong ending, or `save_freq` is invalid.

    Example:
        >>> callback = ModelCheckpoint("best.keras", monitor="val_loss", save_best_only=True)
    """

    _keeps_learning_rate = True
    _runs_no_user_code = True

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self._check_filepath()
        if isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0:
            # Set only here, because a batch hook makes training run step by step.
            self.on_train_batch_end = self._after_batch
        elif save_freq != "epoch":
            raise ArgumentError(
                f"Unrecognized save_freq: {save_freq}. Expected save_freq are 'epoch' or integer"
                " values",
                expected="'epoch' or a number of batches > 0",
                received=repr(save_freq),
            )
        self._epoch = 0
        self._begin_counting()

    def _check_filepath(self) -> None:
        if self.save_weights_only and not self.filepath.endswith(".weights.h5"):
            raise ArgumentError(
                "When using `save_weights_only=True` in `ModelCheckpoint`, the filepath provided"
                " must end in `.weights.h5` (Keras weights format). Received:"
                f" filepath={self.filepath}",
                fix=f"pass {self._weights_path()!r}",
            )
        if not self.save_weights_only and not self.filepath.endswith((".keras", ".h5")):
            raise ArgumentError(
                "The filepath provided must end in `.keras` (Keras model format). Received:"
                f" filepath={self.filepath}",
                fix=f"pass {self.filepath + '.keras'!r}",
            )

    def _weights_path(self) -> str:
        return os.path.splitext(self.filepath)[0] + ".weights.h5"

    def check_run(self, names: Collection[str] | None) -> None:
        """Check before the first step that the file can be written.

        Raises:
            ArgumentError: The path contains names that the logs will not have, or the file or its
                folder cannot be written.
            ArgumentTypeError: Something in the model cannot be written into a config.
        """
        if not self.save_weights_only:
            serialize(self.model)
        if names is None:
            check_writable(self.filepath.partition("{")[0])
            return
        batch = None if self.save_freq == "epoch" else 0
        logs = dict.fromkeys(names, 0.0)
        path = self._path(0, batch, logs)
        if self.save_best_only and self.monitor not in names:
            self._has_scalar(logs)
        check_writable(path)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Reset the count of batches; the best value so far is kept."""
        self._begin_counting()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the epoch."""
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, if `save_freq` is `"epoch"`."""
        if self.save_freq == "epoch":
            self._save(epoch, None, logs or {})

    def _after_batch(self, batch: int, logs: Logs | None = None) -> None:
        """Save if `save_freq` batches were done since the last time."""
        if self._is_due(batch, int(self.save_freq)):
            if self.verbose > 0:
                write("\n")  # end the progress line
            self._save(self._epoch, batch, logs or {})

    def _save(self, epoch: int, batch: int | None, logs: Logs) -> None:
        path = self._path(epoch, batch, logs)
        when = f"Epoch {epoch + 1}:"
        what = f"saving model to {path}"
        if self.save_best_only and self._has_scalar(logs):
            value = self._monitored(logs)
            if value is None or not self._is_improvement(value, self.best):
                if self.verbose > 0:
                    say(f"{when} {self.monitor} did not improve from {_number(self.best)}")
                return
            what = f"{self.monitor} improved from {_number(self.best)} to {_number(value)}, {what}"
            if self._would_spoil(path, logs):
                return
            self.best = value
        elif self._would_spoil(path, logs):
            return
        if self.verbose > 0:
            say(f"{when} {what}")
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path, overwrite=True)
        if self.verbose > 0:
            say(f"{when} finished saving model to {path}")

    def _has_scalar(self, logs: Logs) -> bool:
        """Whether there is a value to compare; if not, warns that the model is saved anyway."""
        value = logs.get(self.monitor)
        if value is None:
            if not self._warned:
                names = ", ".join(logs) or "none"
                warnings.warn(
                    f"Can save best model only with {self.monitor} available. Available metrics"
                    f" are: {names}. The model is saved even if it is not the best.",
                    stacklevel=5,
                )
                self._warned = True
            return False
        if np.size(value) != 1:
            warnings.warn(
                "Can save best model only when `monitor` is a scalar value. "
                f"Received: {value}. Falling back to `save_best_only=False`.",
                stacklevel=5,
            )
            return False
        return True

    def _would_spoil(self, path: str, logs: Logs) -> bool:
        """Whether an existing file would be replaced by weights that are, or may be, not finite."""
        if not os.path.exists(path):
            return False
        found = spoiled(self.model, logs, ("loss", self.monitor))
        if not found:
            return False
        warnings.warn(
            f"ModelCheckpoint does not replace {path}: {', '.join(found)}, so the weights cannot be"
            " trusted.",
            stacklevel=5,
        )
        return True

    def _path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        values = {**logs, "epoch": epoch + 1}
        if batch is not None:
            values["batch"] = batch + 1
        try:
            return self.filepath.format(**values)
        except (KeyError, IndexError, ValueError) as error:
            raise ArgumentError(
                f'Failed to format this callback filepath: "{self.filepath}". Reason: {error}',
                expected=f"names from {sorted(values)}",
                received=str(error),
                fix="use only these names in braces, with formats as in {epoch:02d} and {loss:.2f}",
            ) from None


def _number(value: Any) -> str:
    return "None" if value is None else f"{value:.5f}"
