"""Logs and histories in which a metric is found under each of the names that it had."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator
from typing import Any

from gazelle.callbacks import CallbackList, History
from gazelle.compat._forms import METRIC_NAMES
from gazelle.compat._patches import Patches

_HOOKS = [
    "on_epoch_begin",
    "on_epoch_end",
    "on_train_begin",
    "on_train_end",
    "on_test_begin",
    "on_test_end",
    "on_predict_begin",
    "on_predict_end",
    *(
        f"on_{stage}_batch_{moment}"
        for stage in ("train", "test", "predict")
        for moment in ("begin", "end")
    ),
]


def other_names(name: str) -> Iterator[str]:
    """The names that a metric had in other versions: `"val_acc"` for `"val_accuracy"`, and so on.

    Args:
        name: A name in logs, with `val_` or the name of an output in front or without.
    """
    for group in METRIC_NAMES:
        for known in group:
            if name == known or name.endswith(f"_{known}"):
                start = name[: len(name) - len(known)]
                yield from (start + other for other in group if other != known)


class Logs(dict[str, Any]):
    """A dict of metrics that is also asked by their old names."""

    def __missing__(self, name: str) -> Any:
        for other in other_names(name):
            if dict.__contains__(self, other):
                return dict.__getitem__(self, other)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return dict.__contains__(self, name) or any(
            dict.__contains__(self, other) for other in other_names(str(name))
        )

    def get(self, name: str, default: Any = None) -> Any:
        """The value under a name of the metric, or `default`."""
        return self[name] if name in self else default  # noqa: SIM401 (it would call itself)


class _Names(list[str]):
    """Names of metrics, among which their old names are too."""

    def __contains__(self, name: object) -> bool:
        return list.__contains__(self, name) or any(
            list.__contains__(self, other) for other in other_names(str(name))
        )


def install_logs(patches: Patches) -> None:
    """Let logs and histories find metrics by their old names."""
    for hook in _HOOKS:
        patches.attribute(CallbackList, hook, _with_logs(getattr(CallbackList, hook)))
    patches.attribute(CallbackList, "check_run", _with_more_names(CallbackList.check_run))
    patches.attribute(History, "__init__", _with_old_history(History.__init__))


def _with_logs(hook: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(hook)
    def call(self: CallbackList, *args: Any, **kwargs: Any) -> Any:
        args = tuple(Logs(arg) if type(arg) is dict else arg for arg in args)
        kwargs = {key: Logs(arg) if type(arg) is dict else arg for key, arg in kwargs.items()}
        return hook(self, *args, **kwargs)

    return call


def _with_more_names(check: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(check)
    def call(self: CallbackList, names: Collection[str] | None) -> Any:
        return check(self, None if names is None else _Names(names))

    return call


def _with_old_history(init: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(init)
    def call(self: History) -> None:
        init(self)
        self.history = Logs()

    return call
