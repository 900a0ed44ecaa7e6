"""BackupAndRestore: an interrupted training goes on as if it had never stopped."""

from __future__ import annotations

import math
import os
import shutil
import time
import warnings
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from gazelle._core.errors import ArgumentError
from gazelle._files.writing import atomic_path, check_writable
from gazelle.callbacks._base import Logs
from gazelle.callbacks._saving import SavingCallback, spoiled

_LATEST = "latest.weights.h5"
_PREVIOUS = "previous.weights.h5"


class BackupAndRestore(SavingCallback):
    """Saves a training while it runs, and resumes one that was interrupted.

    One file holds all that decides how training goes on: weights, optimizer, random generators, the
    place in the data, the history and the states of all callbacks (`Callback.get_state`). If the
    program was killed and is run again with the same data and callbacks, `fit` goes on from the
    file. On a CPU its results are then, bit for bit, those of a training that was not interrupted.

    With this callback Ctrl-C and SIGTERM save and end the program (exit status 130 and 143). A
    generator or another iterable is drawn from again up to the place where training was; a
    `PyDataset` is not.

    The file is never replaced if the loss or a weight is NaN or infinite. It is removed when
    training is complete.

    Args:
        backup_dir: Folder of the file, for this training alone. It is created if it is missing.
        save_freq: `"epoch"`; a number of batches, which makes training run step by step; or False
            to save only when a signal ends the program.
        double_checkpoint: Also keep the file before the last one, to resume from it if the last one
            gets damaged.
        delete_checkpoint: Remove the files when training is complete.
        min_interval: Seconds from one save to the next, at least: for epochs that are short.

    Raises:
        ArgumentError: `backup_dir` is empty, or `save_freq` is invalid.

    Example:
        >>> callback = BackupAndRestore("backup")
    """

    advice = "Run the same program again to go on."

    _keeps_learning_rate = True
    _runs_no_user_code = True

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
        *,
        min_interval: float = 0.0,
    ):
        if not backup_dir:
            raise ArgumentError(
                "Empty `backup_dir` argument passed",
                expected="a folder",
                received=repr(backup_dir),
            )
        if save_freq != "epoch" and (not isinstance(save_freq, int) or save_freq < 0):
            raise ArgumentError(
                f"Invalid value for argument `save_freq`. Received: save_freq={save_freq}."
                " Expected either 'epoch' or an integer value.",
                expected="'epoch', a number of batches, or False",
                received=repr(save_freq),
            )
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self.min_interval = min_interval
        if isinstance(save_freq, int) and save_freq > 0:
            # Set only here, because a batch hook makes training run step by step.
            self.on_train_batch_end = self._after_batch
        self._is_kept = False
        self._saved_at = 0.0

    @property
    def path(self) -> str:
        """The file."""
        return os.path.join(self.backup_dir, _LATEST)

    @property
    def previous_path(self) -> str:
        """The file before the last one, if `double_checkpoint`."""
        return os.path.join(self.backup_dir, _PREVIOUS)

    def get_state(self) -> dict[str, Any]:
        """The batches since the last save."""
        return {"_last_batch": self._last_batch, "_batches": self._batches}

    def check_run(self, names: Collection[str] | None) -> None:
        """Check before the first step that the file can be written.

        Raises:
            ArgumentError: It cannot be written.
        """
        check_writable(self.path)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin to count."""
        self._begin_counting()
        self._is_kept = False
        self._saved_at = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, if `save_freq` is `"epoch"`."""
        if self.save_freq == "epoch":
            self._save_if_old(logs)

    def _after_batch(self, batch: int, logs: Logs | None = None) -> None:
        """Save if `save_freq` batches were done since the last time."""
        if self._is_due(batch, int(self.save_freq)):
            self._save_if_old(logs)

    def _save_if_old(self, logs: Logs | None) -> None:
        if time.monotonic() - self._saved_at >= self.min_interval:
            self.save(logs)

    def save(self, logs: Logs | None = None) -> bool:
        """Save the training as it is now; whether it was worth it.

        Args:
            logs: The logs, whose loss must be finite.
        """
        found = spoiled(self.model, logs or {}, ["loss"])
        if found:
            self._is_kept = True
            warnings.warn(
                f"BackupAndRestore does not save: {', '.join(found)}. {self.path} stays as it is.",
                stacklevel=4,
            )
            return False
        os.makedirs(self.backup_dir, exist_ok=True)
        if self.double_checkpoint and os.path.exists(self.path):
            with atomic_path(self.previous_path) as temporary:
                shutil.copyfile(self.path, temporary)
        self.model.save_weights(self.path, overwrite=True)
        self._saved_at = time.monotonic()
        return True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Remove the files: training is complete. After an error this is not called."""
        has_failed = not math.isfinite((logs or {}).get("loss", 0.0))
        if self.delete_checkpoint and not self._is_kept and not has_failed:
            self.delete()

    def delete(self) -> None:
        """Remove the files, so that no training can go on from them."""
        for path in (self.path, self.previous_path):
            with suppress(FileNotFoundError):
                os.unlink(path)
        with suppress(OSError):  # there are other files in it, or it was never made
            os.rmdir(self.backup_dir)
