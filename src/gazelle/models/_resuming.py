"""Resuming an interrupted fit from a file."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any

from gazelle._core.console import say, shown
from gazelle._core.errors import CheckWarning, ModelFileError
from gazelle._core.variable import Variable
from gazelle._engine.interrupt import Interrupt
from gazelle._engine.progress import Progress, check_state
from gazelle._formats.h5 import WeightsFile
from gazelle._formats.plain import decode
from gazelle.callbacks import BackupAndRestore, CallbackList
from gazelle.models._legacy import is_legacy
from gazelle.models._loading import load_from
from gazelle.models._weights import open_by_name, saved_state


@dataclass(frozen=True)
class FitState:
    """The state of an interrupted fit, whose weights the model has already.

    Args:
        label: The file, for messages.
        state: What `Progress.state` has returned.
        saved: The variables that were in the file.
    """

    label: str
    state: dict[str, Any]
    saved: list[Variable]

    @property
    def words(self) -> str:
        """Where training goes on, for people."""
        epoch, steps = self.state["epoch"] + 1, self.state["steps"]
        where = f"after step {steps} of epoch {epoch}"
        if not self.state["in_epoch"]:
            where = f"after epoch {epoch}"
        return f"Resuming {where}, from {self.label}."

    def resume(self, progress: Progress) -> bool:
        """Go on from there; see `Progress.resume`."""
        return progress.resume(self.state, self.saved, self.label)


def find_state(model: Any, listed: CallbackList, resume_from: str | None) -> FitState | None:
    """The state of an interrupted fit, if there is one; loads its weights.

    Args:
        model: The model.
        listed: The callbacks, of which a `BackupAndRestore` may have a file.
        resume_from: As given to `fit`.

    Raises:
        ModelFileError: The file is damaged, holds no state of a fit, or does not match the model.
    """
    if resume_from is not None:
        return _read(model, resume_from)
    for callback in listed.callbacks:
        if not isinstance(callback, BackupAndRestore):
            continue
        latest, previous = callback.path, callback.previous_path
        if not os.path.exists(latest):
            continue
        try:
            return _read(model, latest)
        except ModelFileError as error:
            if not os.path.exists(previous):
                raise
            warnings.warn(
                f"BackupAndRestore: {error} The file before it is used: {previous!r}.",
                CheckWarning,
                stacklevel=4,
            )
            return _read(model, previous)
    return None


def _read(model: Any, path: str) -> FitState:
    if os.path.exists(path) and is_legacy(path):
        raise _no_state(repr(path))
    with open_by_name(path) as file:
        arrays = file.read_training_state() if isinstance(file, WeightsFile) else []
        if not arrays:
            raise _no_state(file.label)
        text, *others = arrays
        state = check_state(decode(text.tobytes(), others, file.label, "training"), file.label)
        saved = saved_state(model)
        load_from(file, saved.variables, saved.loaders, optional=())
    return FitState(file.label, state, saved.flat)


def _no_state(label: str) -> ModelFileError:
    return ModelFileError(
        "training-missing",
        file=label,
        where="the file",
        found="no state of a fit",
        expected="a .keras or .weights.h5 file that a callback has saved during a fit",
        fix="load it instead: load_model or load_weights",
    )


def save_if_interrupted(progress: Progress, interrupt: Interrupt) -> None:
    """If a signal asks the fit to end and there is a `BackupAndRestore`: save, end the program.

    Raises:
        KeyboardInterrupt: After Ctrl-C.
        SystemExit: After SIGTERM.
    """
    if not interrupt.asked:
        return
    listed = progress.callbacks.callbacks
    backups = [callback for callback in listed if isinstance(callback, BackupAndRestore)]
    if not backups:
        return
    progress.between_calls = True
    try:
        saved = [backup for backup in backups if backup.save(progress.runner.logs)]
    finally:
        progress.between_calls = False
    if saved and (progress.callbacks.params or {}).get("verbose") != 0:
        say(
            f"Interrupted in epoch {progress.epoch + 1}: the training is saved in"
            f" {shown(saved[0].path)}. {saved[0].advice}"
        )
    raise Interrupt.error(interrupt.signal)
