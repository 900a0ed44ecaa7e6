"""Cosine schedules (Loshchilov & Hutter 2017, SGDR).

lr * ((1 - alpha) * (1 + cos(pi * step/n)) / 2 + alpha)
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from gazelle._core.checks import checked_name
from gazelle.optimizers.schedules._schedule import (
    LearningRateSchedule,
    as_float,
    catalogue,
    check_numbers,
    check_positive,
)


@catalogue.add()
class CosineDecay(LearningRateSchedule):
    """Half a cosine wave from the initial rate down to `alpha` times it.

    A linear warm-up may come first.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Number of steps of the decay, without the warm-up, > 0.
        alpha: The lowest rate as a fraction of the highest.
        name: Name of the schedule.
        warmup_target: The rate at the end of the warm-up, from which the decay starts; None for no
            warm-up.
        warmup_steps: Number of steps of the warm-up.

    Raises:
        ArgumentError: `decay_steps` is not > 0.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ):
        check_positive("decay_steps", decay_steps, self)
        check_numbers(
            self,
            initial_learning_rate=initial_learning_rate,
            alpha=alpha,
            warmup_target=0 if warmup_target is None else warmup_target,
            warmup_steps=warmup_steps,
        )
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = checked_name(name, "A schedule")
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        step = as_float(step)
        if self.warmup_target is None:
            return self.initial_learning_rate * self._decay(step)
        decayed = self.warmup_target * self._decay(step - self.warmup_steps)
        if not self.warmup_steps:
            return decayed
        rise = self.warmup_target - self.initial_learning_rate
        warming = self.initial_learning_rate + rise * step / self.warmup_steps
        return jnp.where(step < self.warmup_steps, warming, decayed)

    def _decay(self, step: Any) -> Any:
        fraction = jnp.minimum(step, self.decay_steps) / self.decay_steps
        return (1.0 - self.alpha) * 0.5 * (1.0 + jnp.cos(math.pi * fraction)) + self.alpha

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


@catalogue.add()
class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decay with restarts.

    Each period is `t_mul` times as long and `m_mul` times as high as the previous one.

    Args:
        initial_learning_rate: The rate at step 0.
        first_decay_steps: Number of steps of the first period, > 0.
        t_mul: Factor by which each period is longer than the previous one.
        m_mul: Factor by which the initial rate of each period is higher than the previous one.
        alpha: The lowest rate as a fraction of the initial one.
        name: Name of the schedule.

    Raises:
        ArgumentError: `first_decay_steps` is not > 0.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        check_positive("first_decay_steps", first_decay_steps, self)
        check_positive("t_mul", t_mul, self)
        check_numbers(
            self,
            initial_learning_rate=initial_learning_rate,
            t_mul=t_mul,
            m_mul=m_mul,
            alpha=alpha,
        )
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = checked_name(name, "A schedule")

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        periods = as_float(step) / self.first_decay_steps  # in lengths of the first period
        if self.t_mul == 1.0:
            restarts = jnp.floor(periods)
            fraction = periods - restarts
        else:
            # Restart k is after 1 + t + ... + t^(k-1) = (1 - t^k) / (1 - t) times the first period.
            power = 1.0 - periods * (1.0 - self.t_mul)
            restarts = jnp.floor(jnp.log(power) / math.log(self.t_mul))
            length = jnp.power(self.t_mul, restarts)
            fraction = (periods - (1.0 - length) / (1.0 - self.t_mul)) / length
        height = 0.5 * jnp.power(self.m_mul, restarts) * (1.0 + jnp.cos(math.pi * fraction))
        return self.initial_learning_rate * ((1.0 - self.alpha) * height + self.alpha)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self.t_mul,
            "m_mul": self.m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }
