"""The base class of callbacks, whose hooks do nothing until a subclass overrides them."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import Any

from gazelle._formats.plain import is_plain

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
    """Base class of callbacks: override the hooks of interest.

    `fit`, `evaluate` and `predict` call the hooks. A hook gets `logs`, a dict from name to float
    (never None). The dict passed to `on_epoch_end` is shared: keys that a callback adds are seen by
    the callbacks after it, by the history and by the progress line.

    Overriding a hook with `batch` in its name makes training run step by step, which is slower. To
    observe training within an epoch at full speed, override `on_progress`.

    Example:
        >>> class Shout(Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print(epoch, logs["loss"])
        >>> Shout().on_epoch_end(0, {"loss": 0.5})
        0 0.5
    """

    # Promises of Gazelle's own classes to the training loop. callback_list.py reads them, but not
    # those of users' subclasses, which may override anything.
    _only_reads_logs: bool = False  # so it may be called for an epoch while the next one runs
    _keeps_learning_rate: bool = False  # never sets the learning rate
    _runs_no_user_code: bool = False  # so the data and the random state do not change

    _model: Any = None
    _params: Logs | None = None

    @property
    def model(self) -> Any:
        """The model that is trained, evaluated or used for prediction; None before."""
        return self._model

    @model.setter
    def model(self, model: Any) -> None:
        self._model = model

    @property
    def params(self) -> Any:
        """The parameters of the run, `{"verbose", "epochs", "steps"}`; None before."""
        return self._params

    @params.setter
    def params(self, params: Any) -> None:
        self._params = params

    def set_params(self, params: Logs | None) -> None:
        """Set the parameters of the run."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Set the model."""
        self.model = model

    def check_run(self, names: Collection[str] | None) -> None:
        """Called before the first step of `fit`, to raise or warn of errors that would come later.

        Args:
            names: The names that the logs of an epoch will have; None if other callbacks may add
                some.
        """

    def get_state(self) -> dict[str, Any]:
        """What the callback has to know when an interrupted fit is resumed.

        By default all attributes that are numbers, texts, arrays, or lists, tuples and dicts of
        these, except those named like an argument of the constructor.

        Returns:
            Plain data by name, which is saved in the file.
        """
        return plain_attributes(self)

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` has returned. Called after `on_train_begin`."""
        for name, value in state.items():
            setattr(self, name, value)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called once before the first epoch of `fit`."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called once after the last epoch of `fit`, with the logs of that epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before each epoch; `epoch` is counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after each epoch and its validation; `logs` holds the results of both."""

    def on_progress(self, stage: str, step: int, logs: Logs | None = None) -> None:
        """Called about ten times per second while steps are done, at almost no cost.

        Args:
            stage: `"train"`, `"test"` or `"predict"`.
            step: Number of steps done in this epoch or pass.
            logs: Running means so far.
        """

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Old name of `on_train_batch_begin`, which calls it."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Old name of `on_train_batch_end`, which calls it."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before each training step; `batch` is counted from 0 in each epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after each training step; `logs` holds the running means of the epoch."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called before an evaluation, including validation inside `fit`."""

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


def plain_attributes(callback: Any) -> dict[str, Any]:
    """The attributes of a callback that change in training and can be saved; see `get_state`."""
    options = {"_model", "_params", "model", "params"}
    for kind in type(callback).__mro__:
        constructor = vars(kind).get("__init__")
        if inspect.isfunction(constructor):
            options |= set(inspect.signature(constructor).parameters)
    return {
        name: value
        for name, value in vars(callback).items()
        if name not in options and is_plain(value)
    }
