"""Nadam (Dozat 2016): Adam with Nesterov momentum.

u_t = b1 * (1 - 0.96^t / 2); U_t = u_1 * ... * u_t;
w -= lr * (u_(t+1) * m / (1 - U_(t+1)) + (1 - u_t) * g / (1 - U_t)) / (sqrt(v / (1 - b2^t)) + eps).
"""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.variable import Variable
from gazelle.optimizers._arguments import Common, adam_arguments
from gazelle.optimizers._optimizer import Optimizer, catalogue
from gazelle.optimizers._state import Rate, scalar_dtype


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
        self.beta_1, self.beta_2, self.epsilon = adam_arguments(self, beta_1, beta_2, epsilon)

    def _add_slots(self, variables: list[Variable]) -> None:
        names = ["momentum", "velocity"]
        self._momentums, self._velocities = self.add_optimizer_variables(variables, names)
        self._u_product = self.add_variable((), "ones", dtype=scalar_dtype(), name="u_product")

    def _begin_update(self) -> Any:
        t = self._next_iteration()
        u = self.beta_1 * (1.0 - 0.5 * jnp.power(0.96, t))
        next_u = self.beta_1 * (1.0 - 0.5 * jnp.power(0.96, t + 1.0))
        product = self._u_product.assign(self._u_product.value * u)
        mean_share = next_u / (1.0 - product * next_u)
        gradient_share = (1.0 - u) / (1.0 - product)
        correction = 1.0 - jnp.power(self.beta_2, t)
        return mean_share, gradient_share, correction

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and its means."""
        index = self._get_variable_index(variable)
        mean_share, gradient_share, correction = self._scalars()
        m, v = self._momentums[index], self._velocities[index]
        # Keras rounds the betas to float32 before subtracting them from 1.
        mean = m.assign_add((gradient - m) * (1.0 - np.float32(self.beta_1)))
        square = v.assign_add((gradient**2 - v) * (1.0 - np.float32(self.beta_2)))
        ahead = mean_share * mean + gradient_share * gradient
        variable.assign_sub(learning_rate * ahead / (jnp.sqrt(square / correction) + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
