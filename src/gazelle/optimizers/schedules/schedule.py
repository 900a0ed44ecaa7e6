"""The base of learning-rate schedules: functions of the step number that can be written into a config."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from gazelle._core import registry
from gazelle._core.errors import ArgumentError
from gazelle._core.registry import Catalogue

catalogue = Catalogue("learning rate schedule", "keras.optimizers.schedules")


class LearningRateSchedule:
    """A learning rate that depends on the number of steps done. Subclasses define `__call__` and `get_config`.

    `__call__` runs inside compiled programs: write it with `jax.numpy` and without `if` on the
    step.

    Example:
        >>> class Halving(LearningRateSchedule):
        ...     def __call__(self, step):
        ...         return 0.1 * 0.5**step
        ...
        ...     def get_config(self):
        ...         return {}
        >>> Halving()(2)
        0.025
    """

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step.

        Args:
            step: The number of steps done before, an int or an integer array of shape `()`.

        Returns:
            A number or an array of shape `()`.

        Raises:
            NotImplementedError: A subclass does not define it.
        """
        raise NotImplementedError(
            f"The schedule {type(self).__name__} must define __call__(self, step)."
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal schedule.

        Raises:
            NotImplementedError: A subclass does not define it.
        """
        raise NotImplementedError(
            f"The schedule {type(self).__name__} must define get_config(self) to be saved."
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        """A schedule from `get_config`."""
        return cls(**config)


def serialize(schedule: LearningRateSchedule) -> Any:
    """The config of a schedule, JSON-ready."""
    return registry.serialize(schedule)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A schedule from `serialize`.

    Raises:
        UnknownNameError: The config names no known schedule.
    """
    return registry.deserialize(config, custom_objects, catalogue=catalogue)


def as_float(step: Any) -> Any:
    """A step number as a float32 array of shape `()`."""
    return jnp.asarray(step, dtype=jnp.float32)


def check_positive(name: str, value: Any, owner: object) -> None:
    """Refuse a number of steps that is not above zero.

    Raises:
        ArgumentError: `value` is zero or less.
    """
    if not value > 0:
        raise ArgumentError(
            f"{type(owner).__name__}: Argument `{name}` must be > 0.",
            expected="a number > 0",
            received=repr(value),
        )
