"""Adamax (Kingma & Ba 2015, section 7).

m += (1-b1)(g - m); u = max(b2*u, |g|); w -= lr / (1 - b1^t) * m / (u + eps)
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
class Adamax(Optimizer):
    """Adam with the largest recent gradient instead of the mean square.

    Args:
        learning_rate: A number, schedule or callable.
        beta_1: Momentum of the mean, from 0 to 1.
        beta_2: Decay of the largest gradient, from 0 to 1.
        epsilon: Added to the largest gradient.
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
        self._momentums, self._norms = self.add_optimizer_variables(variables, ["momentum", "norm"])

    def _begin_update(self) -> Any:
        return 1.0 - jnp.power(self.beta_1, self._next_iteration())

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and its slots."""
        index = self._get_variable_index(variable)
        alpha = learning_rate / self._scalars()
        m, u = self._momentums[index], self._norms[index]
        mean = m.assign_add((gradient - m) * (1.0 - self.beta_1))
        norm = u.assign(jnp.maximum(self.beta_2 * u, jnp.abs(gradient)))
        variable.assign_sub(alpha * mean / (norm + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
