"""Nadam (Dozat 2016): Adam with Nesterov momentum.

u_t = b1 * (1 - 0.96^t / 2); U_t = u_1 * ... * u_t;
w -= lr * (u_(t+1) * m / (1 - U_(t+1)) + (1 - u_t) * g / (1 - U_t)) / (sqrt(v / (1 - b2^t)) + eps).
"""

from __future__ import annotations

import math
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.checks import in_range
from gazelle._core.variable import Variable
from gazelle.optimizers.arguments import Common
from gazelle.optimizers.optimizer import Optimizer, catalogue
from gazelle.optimizers.state import Rate, scalar_dtype


@catalogue.add()
class Nadam(Optimizer):
    """Adam that looks ahead along the mean of the gradient.

    Args:
        learning_rate: A number, schedule or callable.
        beta_1: Momentum of the mean, from 0 to 1.
        beta_2: Momentum of the mean square, from 0 to 1.
        epsilon: Added to the root of the mean square.
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
        self.beta_1 = in_range("beta_1", beta_1, 0, 1, "Nadam")
        self.beta_2 = in_range("beta_2", beta_2, 0, 1, "Nadam")
        self.epsilon = in_range("epsilon", epsilon, 0, math.inf, "Nadam")

    def _add_slots(self, variables: list[Variable]) -> None:
        self._momentums, self._velocities = self.add_optimizer_variables(
            variables, ["momentum", "velocity"]
        )
        self._u_product = self.add_variable((), "ones", dtype=scalar_dtype(), name="u_product")

    def _begin_update(self) -> Any:
        t = self._next_iteration()
        u = self.beta_1 * (1.0 - 0.5 * jnp.power(0.96, t))
        next_u = self.beta_1 * (1.0 - 0.5 * jnp.power(0.96, t + 1.0))
        product = self._u_product.assign(self._u_product.value * u)
        return (
            next_u / (1.0 - product * next_u),
            (1.0 - u) / (1.0 - product),
            1.0 - jnp.power(self.beta_2, t),
        )

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and its means."""
        index = self._get_variable_index(variable)
        mean_share, gradient_share, correction = self._scalars()
        m, v = self._momentums[index], self._velocities[index]
        # Keras rounds the betas to float32 before it takes them from 1.
        mean = m.assign_add((gradient - m) * (1.0 - np.float32(self.beta_1)))
        square = v.assign_add((gradient**2 - v) * (1.0 - np.float32(self.beta_2)))
        ahead = mean_share * mean + gradient_share * gradient
        variable.assign_sub(learning_rate * ahead / (jnp.sqrt(square / correction) + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal optimizer."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
