"""Decaying schedules: exponential, inverse-time, polynomial and piecewise constant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from gazelle._core.checks import checked_name
from gazelle._core.errors import ArgumentError
from gazelle.optimizers.schedules._schedule import (
    LearningRateSchedule,
    as_float,
    catalogue,
    check_numbers,
    check_positive,
)


class _RateDecay(LearningRateSchedule):
    """Base class of exponential and inverse-time decay."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool,
        name: str,
    ):
        check_positive("decay_steps", decay_steps, self)
        check_numbers(self, initial_learning_rate=initial_learning_rate, decay_rate=decay_rate)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = checked_name(name, "A schedule")

    def _periods(self, step: Any) -> Any:
        """The number of periods done: a whole number if `staircase`."""
        periods = as_float(step) / self.decay_steps
        return jnp.floor(periods) if self.staircase else periods

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


@catalogue.add()
class ExponentialDecay(_RateDecay):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Number of steps of one period, > 0.
        decay_rate: Factor by which the rate changes in one period.
        staircase: Whether the rate changes only at the end of a period.
        name: Name of the schedule.

    Raises:
        ArgumentError: `decay_steps` is not > 0.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ):
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        return self.initial_learning_rate * jnp.power(self.decay_rate, self._periods(step))


@catalogue.add()
class InverseTimeDecay(_RateDecay):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Number of steps of one period, > 0.
        decay_rate: How much the divisor grows in one period.
        staircase: Whether the rate changes only at the end of a period.
        name: Name of the schedule.

    Raises:
        ArgumentError: `decay_steps` is not > 0.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ):
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        return self.initial_learning_rate / (1.0 + self.decay_rate * self._periods(step))


@catalogue.add()
class PolynomialDecay(LearningRateSchedule):
    """`(initial - end) * (1 - step / decay_steps) ** power + end`, and `end` from `decay_steps` on.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Number of steps of the decay, > 0.
        end_learning_rate: The rate at the end.
        power: Power of the polynomial; 1 is a straight line.
        cycle: Whether, past the end, the decay is stretched to the next multiple of `decay_steps`.
        name: Name of the schedule.

    Raises:
        ArgumentError: `decay_steps` is not > 0.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ):
        check_positive("decay_steps", decay_steps, self)
        check_numbers(
            self,
            initial_learning_rate=initial_learning_rate,
            end_learning_rate=end_learning_rate,
            power=power,
        )
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = checked_name(name, "A schedule")

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        step = as_float(step)
        if self.cycle:
            cycles = jnp.maximum(jnp.ceil(step / self.decay_steps), 1.0)
            fraction = step / (self.decay_steps * cycles)
        else:
            fraction = jnp.minimum(step, self.decay_steps) / self.decay_steps
        span = self.initial_learning_rate - self.end_learning_rate
        return span * jnp.power(1.0 - fraction, self.power) + self.end_learning_rate

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }


@catalogue.add()
class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[i]` while `step <= boundaries[i]`, the last value after the last boundary.

    Args:
        boundaries: Step numbers in ascending order.
        values: Learning rates, one more than boundaries.
        name: Name of the schedule.

    Raises:
        ArgumentError: The lengths do not match, or the boundaries are not in ascending order.
    """

    def __init__(
        self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"
    ):
        if len(boundaries) != len(values) - 1:
            raise ArgumentError(
                "The length of boundaries should be 1 less than the length of values.",
                expected=f"{len(boundaries) + 1} values for {len(boundaries)} boundaries",
                received=f"boundaries={boundaries}, values={values}",
            )
        check_numbers(self, **{f"boundaries[{i}]": step for i, step in enumerate(boundaries)})
        check_numbers(self, **{f"values[{i}]": rate for i, rate in enumerate(values)})
        if list(boundaries) != sorted(boundaries):
            raise ArgumentError(
                "PiecewiseConstantDecay: the boundaries must be in ascending order.",
                expected="step numbers from low to high",
                received=repr(boundaries),
                fix=f"sort them: {sorted(boundaries)} (and the values with them)",
            )
        self.boundaries = list(boundaries)
        self.values = list(values)
        self.name = checked_name(name, "A schedule")

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        rate = jnp.float32(self.values[0])
        for boundary, value in zip(self.boundaries, self.values[1:], strict=True):
            rate = jnp.where(step > boundary, value, rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}
