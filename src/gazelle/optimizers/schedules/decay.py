"""Schedules that decay: lr * rate^(step/n), lr / (1 + rate*step/n), a polynomial, and a staircase of given values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from gazelle._core.errors import ArgumentError
from gazelle.optimizers.schedules.schedule import (
    LearningRateSchedule,
    as_float,
    catalogue,
    check_positive,
)


class _RateDecay(LearningRateSchedule):
    """What exponential and inverse-time decay share."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool,
        name: str,
    ):
        check_positive("decay_steps", decay_steps, self)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def _periods(self, step: Any) -> Any:
        periods = as_float(step) / self.decay_steps
        return jnp.floor(periods) if self.staircase else periods

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal schedule."""
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
        decay_steps: Steps in which the rate falls to `decay_rate` of itself, > 0.
        decay_rate: The factor of one period.
        staircase: Whether the rate falls only at whole periods.
        name: A name.

    Raises:
        ArgumentError: `decay_steps` is not above zero.
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
        """The learning rate of a step."""
        return self.initial_learning_rate * jnp.power(self.decay_rate, self._periods(step))


@catalogue.add()
class InverseTimeDecay(_RateDecay):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: The steps of one period, > 0.
        decay_rate: How much the divisor grows in a period.
        staircase: Whether the rate falls only at whole periods.
        name: A name.

    Raises:
        ArgumentError: `decay_steps` is not above zero.
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
        """The learning rate of a step."""
        return self.initial_learning_rate / (1.0 + self.decay_rate * self._periods(step))


@catalogue.add()
class PolynomialDecay(LearningRateSchedule):
    """`(initial - end) * (1 - step / decay_steps) ** power + end`, and `end` from `decay_steps` on.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Steps until the end, > 0.
        end_learning_rate: The rate at the end.
        power: The polynomial's power; 1 is a straight line.
        cycle: Whether, past the end, the decay starts again over the next multiple of
            `decay_steps`.
        name: A name.

    Raises:
        ArgumentError: `decay_steps` is not above zero.
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
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step."""
        step = as_float(step)
        if self.cycle:
            fraction = step / (
                self.decay_steps * jnp.maximum(jnp.ceil(step / self.decay_steps), 1.0)
            )
        else:
            fraction = jnp.minimum(step, self.decay_steps) / self.decay_steps
        span = self.initial_learning_rate - self.end_learning_rate
        return span * jnp.power(1.0 - fraction, self.power) + self.end_learning_rate

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal schedule."""
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
        boundaries: Step numbers, rising.
        values: Learning rates, one more than boundaries.
        name: A name.

    Raises:
        ArgumentError: The lengths do not fit, or the boundaries do not rise.
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
        if list(boundaries) != sorted(boundaries):
            raise ArgumentError(
                "PiecewiseConstantDecay: the boundaries must rise.",
                expected="step numbers from low to high",
                received=repr(boundaries),
                fix=f"sort them: {sorted(boundaries)} (and the values with them)",
            )
        self.boundaries = list(boundaries)
        self.values = list(values)
        self.name = name

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step."""
        rate = jnp.float32(self.values[0])
        for boundary, value in zip(self.boundaries, self.values[1:], strict=True):
            rate = jnp.where(step > boundary, value, rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal schedule."""
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}
