"""The base class of learning-rate schedules: functions of the step number that have a config."""

from __future__ import annotations

import numbers
from typing import Any

import jax.numpy as jnp

from gazelle._core import registry
from gazelle._core.errors import ArgumentError, ArgumentTypeError, short
from gazelle._core.registry import Catalogue

catalogue = Catalogue("learning rate schedule", "keras.optimizers.schedules")


class LearningRateSchedule:
    """A learning rate that depends on the step. Subclasses define `__call__` and `get_config`.

    `__call__` runs inside compiled programs: it uses `jax.numpy` and does not branch on the step.

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
        """The learning rate at a step.

        Args:
            step: The number of steps done so far, an int or an integer array of shape `()`.

        Returns:
            A number or an array of shape `()`.

        Raises:
            NotImplementedError: The subclass does not define it.
        """
        raise NotImplementedError(
            f"The schedule {type(self).__name__} must define __call__(self, step)."
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments.

        Raises:
            NotImplementedError: The subclass does not define it.
        """
        raise NotImplementedError(
            f"The schedule {type(self).__name__} must define get_config(self) to be saved."
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        """Creates a schedule from its config."""
        return cls(**config)


def serialize(learning_rate_schedule: LearningRateSchedule) -> Any:
    """The JSON-ready config of a schedule."""
    return registry.serialize(learning_rate_schedule)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Creates the schedule described by a config.

    Raises:
        UnknownNameError: The config names an unknown schedule.
    """
    return registry.deserialize(config, custom_objects, catalogue=catalogue)


def as_float(step: Any) -> Any:
    """A step number as a float32 array of shape `()`."""
    return jnp.asarray(step, dtype=jnp.float32)


def check_numbers(owner: object, **values: Any) -> None:
    """Check the arguments of a schedule that are numbers.

    Raises:
        ArgumentTypeError: A value is something else.
    """
    for name, value in values.items():
        is_number = isinstance(value, numbers.Real) or getattr(value, "shape", None) == ()
        if isinstance(value, bool) or not is_number:
            raise ArgumentTypeError(
                f"{type(owner).__name__}: Argument `{name}` must be a number.",
                expected="a number",
                received=short(value),
            )


def check_positive(name: str, value: Any, owner: object) -> None:
    """Check that a number of steps is > 0.

    Raises:
        ArgumentTypeError: `value` is not a number.
        ArgumentError: `value` is not > 0.
    """
    check_numbers(owner, **{name: value})
    if not value > 0:
        raise ArgumentError(
            f"{type(owner).__name__}: Argument `{name}` must be > 0.",
            expected="a number > 0",
            received=repr(value),
        )
