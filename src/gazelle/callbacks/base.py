"""Callback: the base class, whose hooks do nothing until a subclass overrides them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

Logs = dict[str, Any]

HOOKS = (
    "on_train_begin",
    "on_train_end",
    "on_epoch_begin",
    "on_epoch_end",
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_begin",
    "on_test_end",
    "on_test_batch_begin",
    "on_test_batch_end",
    "on_predict_begin",
    "on_predict_end",
    "on_predict_batch_begin",
    "on_predict_batch_end",
    "on_progress",
)


class Callback:
    """What `fit`, `evaluate` and `predict` call while they work. Subclass it and override the hooks of interest.

    A hook gets `logs`, a dict from name to float (never None). The dict of an epoch's end is
    shared: keys that a callback adds are seen by the callbacks after it, by the history and by the
    progress line.

    Overriding a hook with `batch` in its name makes training run step by step, which costs speed.
    To watch training inside an epoch without that, override `on_progress`.

    Example:
        >>> class Shout(Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print(epoch, logs["loss"])
        >>> Shout().on_epoch_end(0, {"loss": 0.5})
        0 0.5
    """

    _model: Any = None
    _params: Logs | None = None

    @property
    def model(self) -> Any:
        """The model that is trained, evaluated or asked; None before."""
        return self._model

    @model.setter
    def model(self, model: Any) -> None:
        self._model = model

    @property
    def params(self) -> Any:
        """What the run was started with: `{"verbose", "epochs", "steps"}`; None before."""
        return self._params

    @params.setter
    def params(self, params: Any) -> None:
        self._params = params

    def set_params(self, params: Logs | None) -> None:
        """Take the parameters of the run."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Take the model."""
        self.model = model

    def check_run(self, names: Collection[str] | None) -> None:
        """Called before the first step of `fit`: refuse, or warn of, what would fail or come to nothing later.

        Args:
            names: The names that the logs of an epoch will have; None where other callbacks may add
                some.
        """

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called once before the first epoch of `fit`."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called once after the last epoch of `fit`, with the logs of that epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before each epoch; `epoch` counts from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after each epoch and its validation; `logs` holds the results of both (`val_` in front)."""

    def on_progress(self, stage: str, step: int, logs: Logs | None = None) -> None:
        """Called some ten times a second while steps are done; costs next to nothing.

        Args:
            stage: `"train"`, `"test"` or `"predict"`.
            step: Number of steps done in this epoch or pass.
            logs: Running means so far.
        """

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Older name of `on_train_batch_begin`, which calls it."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Older name of `on_train_batch_end`, which calls it."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before each training step; `batch` counts from 0 in each epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after each training step; `logs` holds the running means of the epoch."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called before an evaluation, those for validation inside `fit` included."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called after an evaluation, with its results."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before each step of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after each step of an evaluation, with the running means."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called before a prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called after a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before each step of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after each step of a prediction, with `{"outputs": ...}`."""
