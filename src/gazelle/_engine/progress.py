"""Progress: where a fit is, as plain data, and how an interrupted fit goes on from there.

The state of a fit is all that decides what it does next, besides the variables that a weights file
holds: the epoch and step, the place in the data, the random generators, the callbacks and the
metrics. A program that goes on from it computes the same bits as one that was never interrupted,
because no result depends on how an epoch is divided into chunks.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gazelle._core.errors import DataError, ModelFileError
from gazelle._core.seeds import set_shared_state, shared_state
from gazelle._core.variable import Variable
from gazelle._data.feeds import ArrayFeed, Feed
from gazelle._data.known import sample_digests
from gazelle._engine.engine import Engine
from gazelle._engine.runner import Place, Runner
from gazelle.callbacks import CallbackList
from gazelle.callbacks._states import Call, set_states, states_of

_VERSION = 1


@dataclass
class Progress:
    """A fit that is running.

    Args:
        engine: The programs.
        runner: The runner of the training.
        callbacks: The callback list.
        initial_epoch: As given to `fit`.
        stop: Whether a callback has asked the fit to end.
    """

    engine: Engine
    runner: Runner
    callbacks: CallbackList
    initial_epoch: int
    stop: Callable[[], bool]
    epoch: int = 0
    between_calls: bool = False  # whether the loop itself saves, and no callback
    epoch_ended: bool = False  # then: whether after an epoch
    thread: int = field(default_factory=threading.get_ident)

    def state(self, saved: Collection[Variable]) -> dict[str, Any] | None:
        """The state of the fit; None where a fit cannot be resumed from.

        Args:
            saved: The variables that the file holds anyway.
        """
        call = self.callbacks.call
        if threading.get_ident() != self.thread or (call is None and not self.between_calls):
            return None
        in_epoch = not self.epoch_ended if call is None else call.hook != "on_epoch_end"
        runner, feed = self.runner, self.runner.feed
        return {
            "version": _VERSION,
            "initial_epoch": self.initial_epoch,
            "epoch": self.epoch,
            "in_epoch": in_epoch,
            "steps": runner.done,
            "logs": runner.logs,
            "stop": self.stop(),
            "call": None if call is None else [call.hook, call.index, call.logs],
            "callbacks": states_of(self.callbacks.callbacks, call),
            "data": _described(feed),
            "place": tuple(runner.place) if isinstance(feed, ArrayFeed) else feed.place,
            "random": _random_state(runner),
            "variables": [variable.numpy() for variable in self._others(saved)],
        }

    def resume(self, state: dict[str, Any], saved: Collection[Variable], label: str) -> bool:
        """Go to the state of an interrupted fit, after `on_train_begin`.

        Args:
            state: The state.
            saved: The variables that the file has brought back already.
            label: The file, for messages.

        Returns:
            Whether the fit is to end, since a callback had asked for it.

        Raises:
            DataError: The data differs.
            ModelFileError: The state does not match the model.
        """
        _check_data(self.runner.feed, state, label)
        self._set_others(state["variables"], saved, label)
        self.epoch = state["epoch"]
        feed, steps, in_epoch = self.runner.feed, state["steps"], state["in_epoch"]
        place = Place(0, None)
        if isinstance(feed, ArrayFeed):
            place = Place(*state["place"])
        else:
            ended = state["epoch"] - state["initial_epoch"] + (not in_epoch)
            feed.move_on(state["place"], ended, steps if in_epoch else 0)
        self.runner.take_place(place, steps, state["logs"], in_epoch=in_epoch)
        unseen = set_states(self.callbacks.callbacks, state["callbacks"])
        _set_random_state(state["random"])
        if state["call"] is not None:
            hook, index, logs = state["call"]
            self.callbacks.resume_call(Call(hook, index, logs, 0), unseen)
        if in_epoch:
            self.callbacks.resume_epoch(self.epoch)
        else:
            self.epoch += 1
        if state["stop"]:
            self.callbacks.model.stop_training = True
        return self.stop()

    def _others(self, saved: Collection[Variable]) -> list[Variable]:
        """The variables of the programs that a weights file does not hold: those of metrics."""
        known = {id(variable) for variable in saved}
        return [variable for variable in self.engine.state.variables if id(variable) not in known]

    def _set_others(
        self, arrays: list[np.ndarray], saved: Collection[Variable], label: str
    ) -> None:
        variables = self._others(saved)
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
            raise ModelFileError(
                "training-mismatch",
                file=label,
                where="the state of the metrics",
                found=f"{len(arrays)} arrays that do not match",
                expected=f"those of this model's metrics ({len(variables)})",
                fix="compile with the same metrics, or train without this file",
            )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def steps_before(state: dict[str, Any] | None, feed: Feed) -> int:
    """The steps that an interrupted fit has done, all epochs together; 0 for None."""
    if state is None:
        return 0
    epochs = state["epoch"] - state["initial_epoch"]
    return epochs * (feed.steps or feed.batches or 0) + state["steps"]


def _described(feed: Feed) -> dict[str, Any]:
    """What tells data apart."""
    if not isinstance(feed, ArrayFeed):
        return {"kind": "stream", "steps per epoch": feed.steps}
    return {
        "kind": "arrays",
        "samples": feed.samples,
        "batch size": feed.batch_size,
        "steps per epoch": feed.steps,
        "shuffle": str(feed.shuffle),
        "values": sample_digests(feed.x),
        "targets": [] if feed.y is None else sample_digests(feed.y),
    }


def _check_data(feed: Feed, state: dict[str, Any], label: str) -> None:
    now, then = _described(feed), state["data"]
    differing = [name for name in {**then, **now} if now.get(name) != then.get(name)]
    if not differing:
        return
    name = differing[0]
    digests = name in ("values", "targets")
    raise DataError(
        f"fit cannot be resumed from {label}: the data differs ({', '.join(differing)}).",
        expected="the data that was used before" if digests else f"{name} {then.get(name)}",
        received="other values" if digests else f"{name} {now.get(name)}",
        fix="pass the same data, or begin a new training without this file",
    )


def _random_state(runner: Runner) -> dict[str, Any]:
    """The generators that fit, initializers and layers draw from."""
    prepared = runner.prepared
    numpy_state = prepared.random_state if prepared else np.random.get_state(legacy=False)  # noqa: NPY002
    version, words, gauss = random.getstate()
    return {
        "numpy": numpy_state,
        "python": (version, np.array(words, np.uint64), gauss),
        "gazelle": shared_state(),
    }


def _set_random_state(state: dict[str, Any]) -> None:
    np.random.set_state(state["numpy"])  # noqa: NPY002
    version, words, gauss = state["python"]
    random.setstate((version, tuple(int(word) for word in words), gauss))
    set_shared_state(state["gazelle"])


def check_state(state: Any, label: str) -> dict[str, Any]:
    """The state of a fit that was read from a file.

    Raises:
        ModelFileError: It is none, or one of a newer version.
    """
    is_state = isinstance(state, dict) and isinstance(state.get("version"), int)
    if is_state and state["version"] == _VERSION:
        return state
    raise ModelFileError(
        "training-version",
        file=label,
        where="the state of the fit",
        found=f"version {state['version']}" if is_state else "something else",
        expected=f"version {_VERSION}",
        fix="use the version of Gazelle that wrote it",
    )
