"""The states of callbacks, from which an interrupted fit is resumed."""

from __future__ import annotations

import reprlib
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gazelle._core.errors import CheckWarning
from gazelle._formats.plain import is_plain
from gazelle.callbacks._base import Logs, plain_attributes

# The hooks in which a fit can be saved such that it can be resumed.
SAVED_IN = ("on_epoch_end", "on_train_batch_end")


@dataclass(frozen=True)
class Call:
    """A call of a hook that goes from callback to callback, of those in `SAVED_IN`.

    Args:
        hook: The name of the hook.
        index: The epoch or batch.
        logs: The logs.
        reached: The position of the callback that is being called.
    """

    hook: str
    index: int
    logs: Logs
    reached: int


def states_of(callbacks: Sequence[Any], call: Call | None) -> list[dict[str, Any]]:
    """The class and the state of each callback, and whether it has seen the call."""
    return [
        {
            "class": _name(callback),
            "seen": call is None or position <= call.reached,
            "state": _state(callback),
        }
        for position, callback in enumerate(callbacks)
    ]


def set_states(callbacks: Sequence[Any], records: Sequence[dict[str, Any]]) -> list[Any]:
    """Give callbacks the states of an interrupted fit.

    The n-th callback of a class gets the n-th state of that class. A warning names callbacks that
    found no state, and states that found no callback.

    Returns:
        The callbacks that have not seen the call in which the states were taken.
    """
    waiting: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        waiting[record["class"]].append(record)
    unseen, fresh = [], []
    for callback in callbacks:
        found = waiting[_name(callback)]
        if not found:
            fresh.append(callback)
            continue
        record = found.pop(0)
        if not record["seen"]:
            unseen.append(callback)
        if hasattr(callback, "set_state"):
            callback.set_state(record["state"])
        else:
            vars(callback).update(record["state"])
    new = [_name(callback) for callback in fresh if _state(callback)]
    missing = [record["class"] for found in waiting.values() for record in found if record["state"]]
    if new or missing:
        warnings.warn(
            "fit: the callbacks differ from those of the interrupted fit, so training may go on"
            f" differently. New: {', '.join(new) or 'none'}."
            f" Missing: {', '.join(missing) or 'none'}.",
            CheckWarning,
            stacklevel=6,
        )
    return unseen


def _name(callback: Any) -> str:
    return type(callback).__qualname__


def _state(callback: Any) -> dict[str, Any]:
    """The state of a callback; empty, with a warning, if it cannot be saved.

    An error would end a training that goes well.
    """
    if not hasattr(callback, "get_state"):  # a callback of Keras
        return plain_attributes(callback)
    try:
        state = callback.get_state()
        found = reprlib.repr(state)
    except Exception as error:
        state, found = None, f"{type(error).__name__}: {error}"
    if isinstance(state, dict) and is_plain(state):
        return state
    warnings.warn(
        f"The state of the callback {_name(callback)} cannot be saved, so a resumed fit will begin"
        " it again. Expected: get_state() that returns a dict of numbers, texts, arrays, lists and"
        f" dicts. Received: {found}.",
        CheckWarning,
        stacklevel=2,
    )
    return {}
