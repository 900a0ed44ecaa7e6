"""RMSprop (Hinton 2012): v = rho*v + (1-rho)*g^2; w -= lr * g / sqrt(v + eps)."""

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


@catalogue.add("rmsprop")
class RMSprop(Optimizer):
    """Divides the gradient by the root of the running mean of its square.

    Args:
        learning_rate: A number, schedule or callable.
        rho: Momentum of the mean square, from 0 to 1.
        momentum: Share of the last step that is kept in the next one, from 0 to 1.
        epsilon: Added to the mean square before taking the root.
        centered: Whether to divide by the standard deviation, by subtracting the square of the
            running mean.
        **common: The arguments of `Optimizer`.

    Raises:
        ArgumentError: An argument is out of range.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **common: Unpack[Common],
    ):
        super().__init__(learning_rate, **common)
        self.rho = in_range("rho", rho, 0, 1, "RMSprop")
        self.momentum = in_range("momentum", momentum, 0, 1, "RMSprop")
        self.epsilon = in_range("epsilon", epsilon, 0, math.inf, "RMSprop")
        self.centered = bool(centered)

    def _add_slots(self, variables: list[Variable]) -> None:
        self._velocities = self.add_optimizer_variables(variables, "velocity")
        self._momentums: list[Any] = []
        self._means: list[Any] = []
        if self.momentum:
            self._momentums = self.add_optimizer_variables(variables, "momentum")
        if self.centered:
            self._means = self.add_optimizer_variables(variables, "average_gradient")

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and its slots."""
        index, rho = self._get_variable_index(variable), self.rho
        v = self._velocities[index]
        square = v.assign(rho * v + (1.0 - rho) * gradient**2) + self.epsilon
        if self.centered:
            a = self._means[index]
            mean = a.assign(rho * a + (1.0 - rho) * gradient)
            square = square - mean**2
        step = learning_rate * gradient / jnp.sqrt(square)
        if self.momentum:
            m = self._momentums[index]
            step = m.assign(self.momentum * m + step)
        variable.assign_sub(step)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }
