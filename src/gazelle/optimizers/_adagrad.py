"""Adagrad (Duchi, Hazan & Singer 2011): a += g^2; w -= lr * g / sqrt(a + eps)."""

from __future__ import annotations

import math
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle import initializers
from gazelle._core.checks import in_range
from gazelle._core.variable import Variable
from gazelle.optimizers._arguments import Common
from gazelle.optimizers._optimizer import Optimizer, catalogue
from gazelle.optimizers._state import Rate


@catalogue.add()
class Adagrad(Optimizer):
    """Divides each gradient by the root of the sum of its squares so far.

    Args:
        learning_rate: A number, schedule or callable.
        initial_accumulator_value: Initial value of the sums, >= 0.
        epsilon: Added to the sums before taking the root.
        **common: The arguments of `Optimizer`.

    Raises:
        ArgumentError: An argument is out of range.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **common: Unpack[Common],
    ):
        super().__init__(learning_rate, **common)
        self.initial_accumulator_value = in_range(
            "initial_accumulator_value", initial_accumulator_value, 0, math.inf, "Adagrad"
        )
        self.epsilon = in_range("epsilon", epsilon, 0, math.inf, "Adagrad")

    def _add_slots(self, variables: list[Variable]) -> None:
        start = initializers.Constant(self.initial_accumulator_value)
        self._accumulators = self.add_optimizer_variables(variables, "accumulator", start)

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and its sum."""
        total = self._accumulators[self._get_variable_index(variable)].assign_add(gradient**2)
        variable.assign_sub(learning_rate * gradient / jnp.sqrt(total + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }
