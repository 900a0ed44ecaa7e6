"""Adadelta (Zeiler 2012): d = g * sqrt(x + eps) / sqrt(v + eps); w -= lr * d.

v and x are running means of g^2 and d^2.
"""

from __future__ import annotations

import math
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle._core.checks import in_range
from gazelle._core.variable import Variable
from gazelle.optimizers._arguments import Common
from gazelle.optimizers._optimizer import Optimizer, catalogue
from gazelle.optimizers._state import Rate


@catalogue.add()
class Adadelta(Optimizer):
    """Scales gradients to the size of recent steps; the paper uses `learning_rate=1.0`.

    Args:
        learning_rate: A number, schedule or callable.
        rho: Momentum of both running means, from 0 to 1.
        epsilon: Added to both means before taking their roots.
        **common: The arguments of `Optimizer`.

    Raises:
        ArgumentError: An argument is out of range.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **common: Unpack[Common],
    ):
        super().__init__(learning_rate, **common)
        self.rho = in_range("rho", rho, 0, 1, "Adadelta")
        self.epsilon = in_range("epsilon", epsilon, 0, math.inf, "Adadelta")

    def _add_slots(self, variables: list[Variable]) -> None:
        names = ["accumulated_grad", "accumulated_delta_var"]
        self._gradient_squares, self._step_squares = self.add_optimizer_variables(variables, names)

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and its running means."""
        index, rho, epsilon = self._get_variable_index(variable), self.rho, self.epsilon
        v, x = self._gradient_squares[index], self._step_squares[index]
        square = v.assign(rho * v + (1.0 - rho) * gradient**2)
        step = gradient * jnp.sqrt(x + epsilon) / jnp.sqrt(square + epsilon)
        x.assign(rho * x + (1.0 - rho) * step**2)
        variable.assign_sub(learning_rate * step)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}
