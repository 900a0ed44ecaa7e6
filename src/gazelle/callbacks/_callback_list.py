"""CallbackList: all callbacks of a run as one object."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from gazelle._core.errors import ArgumentTypeError
from gazelle._core.registry import is_own_class
from gazelle.callbacks._base import HOOKS, Callback, Logs
from gazelle.callbacks._history import History
from gazelle.callbacks._progress import ProgbarLogger
from gazelle.callbacks._states import SAVED_IN, Call

_BATCH_HOOKS = {
    "train": ("on_train_batch_begin", "on_train_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}

# The base class calls the hooks of these old names.
_OLD_NAMES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


def only_reads_logs(callback: Any) -> bool:
    """Whether a callback reads the logs and nothing else."""
    return is_own_class(type(callback)) and callback._only_reads_logs


def keeps_learning_rate(callback: Any) -> bool:
    """Whether a callback never sets the learning rate."""
    return is_own_class(type(callback)) and callback._keeps_learning_rate


def runs_no_user_code(callback: Any) -> bool:
    """Whether a callback runs no code of the user, so that it cannot change the data."""
    return is_own_class(type(callback)) and callback._runs_no_user_code


class CallbackList:
    """The callbacks of one run of `fit`, `evaluate` or `predict`.

    A hook is forwarded only to the callbacks that override it.

    Args:
        callbacks: A callback, or a list of callbacks, lists and `CallbackList`s.
        add_history: Append a `History` unless there is one; it becomes `model.history`.
        add_progbar: Append a `ProgbarLogger` unless there is one.
        model: The model.
        **params: Parameters of the run: `verbose`, `epochs`, `steps`.

    Raises:
        ArgumentTypeError: An item of `callbacks` is not a callback.
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
        self.call: Call | None = None  # the call of a hook that is going on, of those in `_send_on`
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
        """Whether a callback overrides a hook that is called at every step.

        Args:
            stage: `"train"`, `"test"` or `"predict"`.
        """
        return any(self._listeners[name] for name in _BATCH_HOOKS[stage])

    @property
    def only_watch(self) -> bool:
        """Whether no callback reads or changes the model between two epochs."""
        return all(only_reads_logs(callback) for callback in self.callbacks)

    @property
    def leave_data(self) -> bool:
        """Whether no callback can change the data or draw random numbers."""
        return all(runs_no_user_code(callback) for callback in self.callbacks)

    def check_run(self, names: Collection[str] | None) -> None:
        """Let every callback check its requirements before a fit.

        Args:
            names: The names that the logs of an epoch will have, except those that callbacks add;
                None if unknown.
        """
        known = names if self.leave_data else None
        for callback in self.callbacks:
            check = getattr(callback, "check_run", None)  # Keras's callbacks do not have it
            if check is not None:
                check(known)

    def note_seconds(self, seconds: float | None) -> None:
        """Pass the duration of the epoch to the progress line, if its own clock is wrong."""
        if self._progbar is not None:
            self._progbar.seconds = seconds

    def on_progress(self, stage: str, step: int, logs: Logs | None = None) -> None:
        """Report the progress of the epoch or pass; see `Callback.on_progress`."""
        for hook in self._listeners["on_progress"]:
            hook(stage, step, {} if logs is None else logs)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        self._collect()
        self._send("on_train_begin", logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        self._send("on_train_end", logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        self._send("on_test_begin", logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        self._send("on_test_end", logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        self._send("on_predict_begin", logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        self._send("on_predict_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        self._send_at("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        if self._progbar is not None and self._may_print:
            self._progbar.clear()  # so that callbacks print on a clean line
        self._send_on("on_epoch_end", epoch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        self._send_at("on_batch_begin", batch, logs)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        self._send_at("on_batch_end", batch, logs)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        self._send_at("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        self._send_on("on_train_batch_end", batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        self._send_at("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        self._send_at("on_test_batch_end", batch, logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
        self._send_at("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Forward the hook to every callback."""
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

    def _send_on(self, name: str, index: int, logs: Logs | None) -> None:
        """As `_send_at`, and note how far the call has come: a callback may save the fit."""
        logs = {} if logs is None else logs
        for position, hook in self._positioned[name]:
            self.call = Call(name, index, logs, position)
            hook(index, logs)
        self.call = None

    def resume_call(self, call: Call, unseen: Collection[Any]) -> None:
        """Send a call to the callbacks that had not seen it when the fit was saved."""
        for position, hook in self._positioned[call.hook]:
            if any(self.callbacks[position] is callback for callback in unseen):
                self.call = Call(call.hook, call.index, call.logs, position)
                hook(call.index, call.logs)
        self.call = None

    def resume_epoch(self, epoch: int) -> None:
        """Show an epoch that the callbacks have begun already."""
        if self._progbar is not None:
            self._progbar.on_epoch_begin(epoch, {})

    def _collect(self) -> None:
        """Find the callbacks that override each hook, in their class or on the object itself."""
        self._listeners: dict[str, list[Callable[..., None]]] = {}
        self._positioned: dict[str, list[tuple[int, Callable[..., None]]]] = {}
        for name in HOOKS:
            hooks = [_hook(callback, name) for callback in self.callbacks]
            self._listeners[name] = [hook for hook in hooks if hook is not None]
            if name in SAVED_IN:
                found = enumerate(hooks)
                self._positioned[name] = [(at, hook) for at, hook in found if hook is not None]
        silent = (self._history, self._progbar)
        self._may_print = any(
            _override(c, "on_epoch_end") for c in self.callbacks if c not in silent
        )


def _hook(callback: Any, name: str) -> Callable[..., None] | None:
    """What a callback has for a hook, also under its old name."""
    return _override(callback, name) or _override(callback, _OLD_NAMES.get(name, name))


def _override(callback: Any, name: str) -> Callable[..., None] | None:
    """The callback's own hook, or None if it is that of the base class, which does nothing."""
    hook = getattr(callback, name, None)
    if getattr(hook, "__func__", None) is getattr(Callback, name):
        return None
    return hook


def _flatten(callbacks: Any) -> Iterator[Any]:
    if callbacks is None:
        return
    if isinstance(callbacks, CallbackList):
        yield from callbacks.callbacks
    elif isinstance(callbacks, list | tuple):
        for item in callbacks:
            yield from _flatten(item)
    elif _is_callback(callbacks):
        yield callbacks
    else:
        fix = "subclass gazelle.callbacks.Callback"
        if isinstance(callbacks, type):
            fix = f"pass an instance: {callbacks.__name__}(...)"
        raise ArgumentTypeError(
            "`callbacks` holds something that is not a callback.",
            expected="instances of gazelle.callbacks.Callback",
            received=repr(callbacks),
            fix=fix,
        )


def _is_callback(item: Any) -> bool:
    if isinstance(item, type):
        return False
    return hasattr(item, "set_model") and hasattr(item, "set_params")
