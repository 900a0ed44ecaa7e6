"""Lion (Chen et al. 2023): w -= lr * sign(b1*m + (1-b1)*g); m = b2*m + (1-b2)*g."""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle._core.checks import in_range
from gazelle._core.errors import ArgumentError
from gazelle._core.variable import Variable
from gazelle.optimizers._arguments import Common
from gazelle.optimizers._optimizer import Optimizer, catalogue
from gazelle.optimizers._state import Rate


@catalogue.add()
class Lion(Optimizer):
    """Steps of equal size in every weight, with the sign of a running mean of the gradient.

    Args:
        learning_rate: A number, schedule or callable; 3 to 10 times smaller than for Adam.
        beta_1: Share of the mean in the direction of the step, > 0 and <= 1.
        beta_2: Momentum of the mean, from 0 to 1.
        **common: The arguments of `Optimizer`.

    Raises:
        ArgumentError: An argument is out of range.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        **common: Unpack[Common],
    ):
        super().__init__(learning_rate, **common)
        self.beta_1 = in_range("beta_1", beta_1, 0, 1, "Lion")
        self.beta_2 = in_range("beta_2", beta_2, 0, 1, "Lion")
        if self.beta_1 == 0:
            raise ArgumentError(
                "Lion: with beta_1=0 the step would be the sign of the plain gradient.",
                expected="0 < beta_1 <= 1",
                received=beta_1,
            )

    def _add_slots(self, variables: list[Variable]) -> None:
        self._momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and its mean."""
        m = self._momentums[self._get_variable_index(variable)]
        direction = jnp.sign(self.beta_1 * m + (1.0 - self.beta_1) * gradient)
        variable.assign_sub(learning_rate * direction)
        m.assign(self.beta_2 * m + (1.0 - self.beta_2) * gradient)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}
