"""LAMB (You et al. 2020): Adam's step u, scaled to the norm of each variable.

w -= lr * |w| / |u| * u
"""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle._core.variable import Variable
from gazelle.optimizers._arguments import Common, adam_arguments
from gazelle.optimizers._optimizer import Optimizer, catalogue
from gazelle.optimizers._state import Rate


@catalogue.add()
class Lamb(Optimizer):
    """Adam with one trust ratio per variable, for large batches.

    Args:
        learning_rate: A number, schedule or callable.
        beta_1: Momentum of the mean, from 0 to 1.
        beta_2: Momentum of the mean square, from 0 to 1.
        epsilon: Added to the root of the corrected mean square.
        **common: The arguments of `Optimizer`.

    Raises:
        ArgumentError: An argument is out of range.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **common: Unpack[Common],
    ):
        super().__init__(learning_rate, **common)
        self.beta_1, self.beta_2, self.epsilon = adam_arguments(self, beta_1, beta_2, epsilon)

    def _add_slots(self, variables: list[Variable]) -> None:
        names = ["momentum", "velocity"]
        self._momentums, self._velocities = self.add_optimizer_variables(variables, names)

    def _begin_update(self) -> Any:
        t = self._next_iteration()
        return 1.0 - jnp.power(self.beta_1, t), 1.0 - jnp.power(self.beta_2, t)

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and its means."""
        index = self._get_variable_index(variable)
        mean_correction, square_correction = self._scalars()
        m, v = self._momentums[index], self._velocities[index]
        mean = m.assign_add((gradient - m) * (1.0 - self.beta_1)) / mean_correction
        square = v.assign_add((gradient**2 - v) * (1.0 - self.beta_2)) / square_correction
        step = mean / (jnp.sqrt(square) + self.epsilon)
        weight_norm, step_norm = _norm(variable.value), _norm(step)
        both_nonzero = (weight_norm > 0.0) & (step_norm > 0.0)
        ratio = weight_norm / jnp.where(both_nonzero, step_norm, 1.0)
        trust_ratio = jnp.where(both_nonzero, ratio, 1.0)
        variable.assign_sub(learning_rate * trust_ratio * step)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


def _norm(x: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.sum(x**2))
