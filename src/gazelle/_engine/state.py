"""State: the variables that a model's programs work on, in their one order, lent and returned.

A training program destroys the arrays that it is given (donation) and works in their memory.
Whatever ends a fit (an exception from a signal handler, memory that runs out, a program that
fails), the variables get values back: the program's results, or a copy that was made shortly
before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core import layouts
from gazelle._core.finite import all_finite
from gazelle._core.identity import unique
from gazelle._core.lending import check_process, guard_together
from gazelle._core.variable import Variable, values_of
from gazelle._engine.interrupt import undisturbed

# A copy is made when the last one is at least this old, in seconds, and this many times the time
# that it took.
_COPY_AGE = 0.25
_COPY_SHARE = 200


class State:
    """The variables of one engine. A program carries their values in the order of `variables`.

    Args:
        trainable: What the optimizer changes.
        frozen: All other state of the model and of the metrics within it.
        slots: The optimizer's variables.
        metric_state: The state of the loss's mean and of the compiled metrics.
    """

    def __init__(
        self,
        trainable: Sequence[Variable],
        frozen: Sequence[Variable],
        slots: Sequence[Variable],
        metric_state: Sequence[Variable],
    ):
        self.trainable = list(trainable)
        self.frozen = unique(frozen)
        self.slots = list(slots)
        self.metric_state = unique(metric_state)
        self.guard = guard_together(variable.guard for variable in self.variables)
        laid_out = (variable.distribution for variable in self.variables)
        self.distribution = next((one for one in laid_out if one is not None), None)
        self.mark: Any = None  # where the fit is, for whoever goes back to a copy
        self._kept: list[np.ndarray] = []  # by `keep`
        # For training, and for evaluation, which changes less.
        self._backups: dict[bool, Backup] = {}
        # Results that are not with their owners yet.
        self._returned: tuple[list[Variable], list[Any]] | None = None

    @property
    def variables(self) -> list[Variable]:
        """What a training program changes, in the order of its values."""
        return [*self.trainable, *self.frozen, *self.slots, *self.metric_state]

    @property
    def sizes(self) -> list[int]:
        """The number of variables of each kind."""
        groups = (self.trainable, self.frozen, self.slots, self.metric_state)
        return [len(group) for group in groups]

    @property
    def tested(self) -> list[Variable]:
        """What an evaluation changes."""
        return [*self.frozen, *self.metric_state]

    @property
    def predicted(self) -> list[Variable]:
        """What a prediction reads."""
        return [*self.trainable, *self.frozen]

    def scope(self) -> AbstractContextManager[None]:
        """A block in which the variables are on the devices of the distribution, if there is one.

        It is that of the thread, or else the one that the variables were made for.
        """
        distribution = layouts.current() or self.distribution
        if distribution is None:
            return nullcontext()
        self.distribution = distribution
        for variable in self.variables:  # slots after the weights that they lie like
            variable.lay_out(distribution)
        return layouts.scope(distribution)

    def set_slots(self, slots: Sequence[Variable]) -> None:
        """Take the optimizer's variables, which are made after the engine."""
        self.slots = list(slots)
        self.guard = guard_together(variable.guard for variable in self.variables)
        self._backups = {}

    def add(self, variables: Sequence[Variable]) -> None:
        """Take further variables, which training and evaluation change."""
        self.frozen = [*self.frozen, *variables]
        self.set_slots(self.slots)

    def read(self, variables: Sequence[Variable], program: Callable[[list[Any]], Any]) -> Any:
        """The result of a program that only reads: no value is destroyed before it has started."""
        check_process()
        guard = self.guard.begin_reading()
        try:
            return program([variable.current for variable in variables])
        finally:
            guard.end_reading()

    def put(self, variables: Sequence[Variable], values: Mapping[int, Any]) -> None:
        """Set some of the variables, by their places, to what a program gave."""
        with self.guard.lock:
            for place, value in values.items():
                variables[place].restore(value)

    def run(
        self, program: Callable[[list[Any], list[Any]], tuple[list[Any], Any]], *, training: bool
    ) -> Any:
        """Run a program that changes variables, and hand its values back.

        Args:
            program: Takes the values of `variables` and an empty list or, if this is not training,
                those of `tested` and of `trainable`. It destroys the first and returns new values
                for them, and something else.
            training: Whether it trains.

        Returns:
            That something.
        """
        check_process()
        changed, read = (self.variables, []) if training else (self.tested, self.trainable)
        with self.guard.lock, undisturbed():
            try:
                self._finish()
                self._backup(changed, training).renew_if_due(self.mark)
                copy = self.guard.is_read
                lent = [variable.lend(copy=copy) for variable in changed]
                values, result = program(lent, [variable.current for variable in read])
                self._returned = changed, values
                self._finish()
            except BaseException as error:
                self.recover(error)
                raise
        return result

    def keep(self, *, compare: bool) -> None:
        """Make a copy now, before a fit: what `recover` goes back to.

        Args:
            compare: Whether `is_as_kept` will be asked, for which the copy of the weights outlives
                later ones.
        """
        with self.guard.lock:
            copies = self._backup(self.variables, True).renew(self.mark)
            self._kept = copies[: len(self.trainable)] if compare else []

    def go_back(self) -> Any:
        """The variables get the values of the last copy in which all weights are finite.

        Returns:
            The `mark` when it was made; None if it holds weights that are not finite.
        """
        with self.guard.lock:
            backup = self._backup(self.variables, True)
            backup.put_back()
            return backup.mark if all_finite(values_of(self.trainable)) else None

    @property
    def was_spoiled(self) -> bool:
        """Whether code outside of the programs has set weights that are not finite."""
        return self._backup(self.variables, True).was_spoiled

    def renew_if_finite(self) -> None:
        """Make a copy now, unless a weight is not finite."""
        with self.guard.lock:
            if all_finite(values_of(self.trainable)):
                self._backup(self.variables, True).renew(self.mark)

    def is_as_kept(self) -> bool:
        """Whether no trainable weight has changed since `keep`. Can be asked once."""
        with self.guard.lock:
            kept, self._kept = self._kept, []
            pairs = zip(self.trainable, kept, strict=False)
            return bool(kept) and all(
                np.array_equal(variable.current, array) for variable, array in pairs
            )

    def recover(self, error: BaseException | None = None) -> None:
        """After an exception: what a program destroyed comes back.

        Args:
            error: The exception; it gets a note where a copy had to be taken.
        """
        with self.guard.lock:
            self._finish()
            # What an evaluation has destroyed comes from its own copy; that of the last training
            # may be old.
            for training in (False, True):
                backup = self._backups.get(training)
                if backup is None or are_whole(backup.variables):
                    continue
                age = backup.put_back()
                if error is not None and training:
                    error.add_note(f"The model's weights are those of {age:.1f} seconds before.")

    def _backup(self, changed: list[Variable], training: bool) -> Backup:
        watched = [*self.trainable, *self.slots] if training else []
        return self._backups.setdefault(training, Backup(changed, watched))

    def _finish(self) -> None:
        """Hand results back that are not with their owners yet."""
        if self._returned is not None:
            for variable, value in zip(*self._returned, strict=True):
                variable.restore(value)
            if backup := self._backups.get(True):
                backup.note_restored()
            self._returned = None


class Backup:
    """A copy of variables' values on the host, at most about a quarter of a second old.

    Args:
        variables: The variables.
        watched: Those of them that only a training program changes, and other code now and then.
    """

    def __init__(self, variables: list[Variable], watched: list[Variable]):
        self.variables = variables
        self._watched = watched
        self._is_current = False  # whether no program has run since
        self.mark: Any = None  # where the fit was
        self.was_spoiled = False  # whether other code has set values that are not finite since
        self._arrays: list[np.ndarray] = []
        self._made_at = 0.0
        self._seconds = 0.0  # that it took
        self._seen: list[Any] = []

    def renew(self, mark: Any) -> list[np.ndarray]:
        """Copy the values as they are; returns the copies."""
        begun = time.perf_counter()
        self._arrays, self.mark = [np.array(variable.current) for variable in self.variables], mark
        self._made_at = time.perf_counter()
        self._seconds = self._made_at - begun
        self.note_restored()
        self._is_current, self.was_spoiled = True, False
        return self._arrays

    def renew_if_due(self, mark: Any) -> None:
        """Copy the values if the copy is old, or if other code than a program has set one since.

        A copy stays if the weights are no longer finite.
        """
        was_set = bool(self._arrays) and self._was_set()
        if self._is_current and not was_set:
            self.mark = mark
            return
        age = time.perf_counter() - self._made_at
        is_old = age > max(_COPY_AGE, _COPY_SHARE * self._seconds)
        if self._arrays and not was_set and not is_old:
            return
        if self._arrays and not all_finite(values_of(self._watched)):
            self._made_at = time.perf_counter()  # not to look again at each step
            self.was_spoiled = self.was_spoiled or was_set
            self.note_restored()
            return
        self.renew(mark)

    def put_back(self) -> float:
        """Give the variables the values of the copy; returns its age in seconds."""
        for variable, array in zip(self.variables, self._arrays, strict=True):
            variable.restore(jnp.asarray(np.array(array)))
        self.note_restored()
        self._is_current = True
        return time.perf_counter() - self._made_at

    def note_restored(self) -> None:
        """The values are a program's now."""
        self._is_current = False
        self._seen = [variable.current for variable in self._watched]

    def _was_set(self) -> bool:
        now = [variable.current for variable in self._watched]
        return any(a is not b for a, b in zip(self._seen, now, strict=True))


def are_whole(variables: Sequence[Variable]) -> bool:
    """Whether every array is there and was computed."""
    arrays = [variable.current for variable in variables]
    if any(array.is_deleted() for array in arrays):
        return False
    try:
        jax.block_until_ready(arrays)
    except Exception:  # the program that was to give them has failed
        return False
    return True
