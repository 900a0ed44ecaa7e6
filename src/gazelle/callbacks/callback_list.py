"""CallbackList: all callbacks of a run as one; a hook is sent only to the callbacks that override it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from gazelle._core.errors import ArgumentTypeError
from gazelle.callbacks.base import HOOKS, Callback, Logs
from gazelle.callbacks.csv_logger import CSVLogger
from gazelle.callbacks.early_stopping import EarlyStopping
from gazelle.callbacks.history import History
from gazelle.callbacks.model_checkpoint import ModelCheckpoint
from gazelle.callbacks.progress import ProgbarLogger
from gazelle.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from gazelle.callbacks.swap_ema_weights import SwapEMAWeights
from gazelle.callbacks.terminate_on_nan import TerminateOnNaN

_BATCH_HOOKS = {
    "train": ("on_train_batch_begin", "on_train_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}

# Callbacks that look at the logs and at nothing else: they may be told of an epoch while the next
# one runs.
WATCHERS = (History, ProgbarLogger, CSVLogger)

# Callbacks that may change the model or end the training, but run no code of the user's.
OWN = (*WATCHERS, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau, SwapEMAWeights, TerminateOnNaN)

# The base class passes these hooks on to older names.
_OLDER_NAMES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class CallbackList:
    """The callbacks of one run of `fit`, `evaluate` or `predict`.

    Args:
        callbacks: A callback, or a list of callbacks, lists and `CallbackList`s.
        add_history: Append a `History` unless there is one; it becomes `model.history`.
        add_progbar: Append a `ProgbarLogger` unless there is one.
        model: The model.
        **params: What the run was started with: `verbose`, `epochs`, `steps`.

    Raises:
        ArgumentTypeError: Something in `callbacks` is no callback.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ):
        self.callbacks: list[Any] = list(_flatten(callbacks))
        self.params: Logs | None = None
        self._model: Any = None
        self._history = next((c for c in self.callbacks if isinstance(c, History)), None)
        self._progbar = next((c for c in self.callbacks if isinstance(c, ProgbarLogger)), None)
        if self._history is None and add_history:
            self._history = History()
            self.callbacks.append(self._history)
        if self._progbar is None and add_progbar:
            self._progbar = ProgbarLogger()
            self.callbacks.append(self._progbar)
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)
        self._collect()

    @property
    def model(self) -> Any:
        """The model."""
        return self._model

    def set_params(self, params: Logs) -> None:
        """Pass the parameters of the run to every callback."""
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Pass the model to every callback."""
        self._model = model
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)
        self._collect()

    def has_batch_hooks(self, stage: str) -> bool:
        """Whether a callback wants to be called at every step.

        Args:
            stage: `"train"`, `"test"` or `"predict"`.
        """
        return any(self._listeners[name] for name in _BATCH_HOOKS[stage])

    @property
    def only_watch(self) -> bool:
        """Whether no callback can change anything between two epochs, nor sees the model there."""
        return all(type(callback) in WATCHERS for callback in self.callbacks)

    @property
    def leave_data(self) -> bool:
        """Whether no callback can change the data or draw random numbers."""
        return all(type(callback) in OWN for callback in self.callbacks)

    def check_run(self, names: Collection[str] | None) -> None:
        """Let every callback check what it will need in a fit.

        Args:
            names: The names that the logs of an epoch will have, but for what callbacks add; None
                if not known.
        """
        known = names if self.leave_data else None
        for callback in self.callbacks:
            check = getattr(callback, "check_run", None)  # callbacks of Keras's own do not have it
            if check is not None:
                check(known)

    def note_seconds(self, seconds: float | None) -> None:
        """Tell the progress line how long the epoch took, where its own clock cannot tell."""
        if self._progbar is not None:
            self._progbar.seconds = seconds

    def on_progress(self, stage: str, step: int, logs: Logs | None = None) -> None:
        """Tell how far the epoch or pass is; see `Callback.on_progress`."""
        for hook in self._listeners["on_progress"]:
            hook(stage, step, {} if logs is None else logs)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._collect()
        self._send("on_train_begin", logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._send("on_train_end", logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._send("on_test_begin", logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._send("on_test_end", logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._send("on_predict_begin", logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._send("on_predict_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._send_at("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        if self._progbar is not None and self._may_print:
            self._progbar.clear()  # what callbacks print now starts on a clean line
        self._send_at("on_epoch_end", epoch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._send_at("on_batch_begin", batch, logs)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._send_at("on_batch_end", batch, logs)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._send_at("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._send_at("on_train_batch_end", batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._send_at("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._send_at("on_test_batch_end", batch, logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._send_at("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call this hook of every callback."""
        self._send_at("on_predict_batch_end", batch, logs)

    def _send(self, name: str, logs: Logs | None) -> None:
        logs = {} if logs is None else logs
        for hook in self._listeners[name]:
            hook(logs)

    def _send_at(self, name: str, index: int, logs: Logs | None) -> None:
        hooks = self._listeners[name]
        if hooks:
            logs = {} if logs is None else logs
            for hook in hooks:
                hook(index, logs)

    def _collect(self) -> None:
        """Note which callbacks override which hook, on their class or on the object itself."""
        self._listeners: dict[str, list[Callable[..., None]]] = {}
        for name in HOOKS:
            found = []
            for callback in self.callbacks:
                hook = _override(callback, name) or _override(callback, _OLDER_NAMES.get(name))
                if hook is not None:
                    found.append(hook)
            self._listeners[name] = found
        silent = (self._history, self._progbar)
        self._may_print = any(
            _override(c, "on_epoch_end") for c in self.callbacks if c not in silent
        )


def _override(callback: Any, name: str | None) -> Callable[..., None] | None:
    """The callback's own hook, or None where it is the base class's, which does nothing."""
    hook = getattr(callback, name, None) if name else None
    return (
        None
        if hook is None or getattr(hook, "__func__", None) is getattr(Callback, str(name))
        else hook
    )


def _flatten(callbacks: Any) -> Iterator[Any]:
    if callbacks is None:
        return
    if isinstance(callbacks, CallbackList):
        yield from callbacks.callbacks
    elif isinstance(callbacks, list | tuple):
        for item in callbacks:
            yield from _flatten(item)
    elif isinstance(callbacks, type) or not (
        hasattr(callbacks, "set_model") and hasattr(callbacks, "set_params")
    ):
        name = callbacks.__name__ if isinstance(callbacks, type) else None
        raise ArgumentTypeError(
            "`callbacks` holds something that is not a callback.",
            expected="instances of gazelle.callbacks.Callback",
            received=repr(callbacks),
            fix=f"make an instance: {name}(...)" if name else "subclass gazelle.callbacks.Callback",
        )
    else:
        yield callbacks
