"""FTRL-proximal (McMahan et al. 2013): weights in closed form from two sums over all gradients.

n' = n + g^2; z += g - (n'^-p - n^-p) / lr * w;
w = (clip(z, -l1, l1) - z) / ((beta + n'^-p) / lr + 2*l2);
p is the power of the learning rate, usually -1/2. Shrinkage adds 2 * l2_shrinkage * w to the
gradient in the update of z only.
"""

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
class Ftrl(Optimizer):
    """Follow the regularized leader; with an L1 penalty, weights become exactly zero.

    Args:
        learning_rate: A number, schedule or callable.
        learning_rate_power: The power `p`, <= 0; 0 keeps the rate fixed.
        initial_accumulator_value: Initial value of the sums of squares, >= 0.
        l1_regularization_strength: L1 penalty, >= 0.
        l2_regularization_strength: L2 penalty, >= 0.
        l2_shrinkage_regularization_strength: L2 penalty that is added to the gradient, >= 0.
        beta: Added to the root of the sum of squares, >= 0.
        **common: The arguments of `Optimizer`.

    Raises:
        ArgumentError: An argument is out of range.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **common: Unpack[Common],
    ):
        super().__init__(learning_rate, **common)

        def non_negative(name: str, value: float) -> float:
            return in_range(name, value, 0, math.inf, "Ftrl")

        self.learning_rate_power = in_range(
            "learning_rate_power", learning_rate_power, -math.inf, 0, "Ftrl"
        )
        self.initial_accumulator_value = non_negative(
            "initial_accumulator_value", initial_accumulator_value
        )
        self.l1_regularization_strength = non_negative(
            "l1_regularization_strength", l1_regularization_strength
        )
        self.l2_regularization_strength = non_negative(
            "l2_regularization_strength", l2_regularization_strength
        )
        self.l2_shrinkage_regularization_strength = non_negative(
            "l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength
        )
        self.beta = non_negative("beta", beta)

    def _add_slots(self, variables: list[Variable]) -> None:
        start = [initializers.Constant(self.initial_accumulator_value), "zeros"]
        self._squares, self._linears = self.add_optimizer_variables(
            variables, ["accumulator", "linear"], start
        )

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and its sums."""
        index, power = self._get_variable_index(variable), -self.learning_rate_power
        n, z = self._squares[index], self._linears[index]
        before = jnp.power(n.value, power)
        after = jnp.power(n.assign_add(gradient**2), power)
        if self.l2_shrinkage_regularization_strength:
            gradient = gradient + 2.0 * self.l2_shrinkage_regularization_strength * variable.value
        linear = z.assign_add(gradient - (after - before) / learning_rate * variable.value)
        quadratic = (after + self.beta) / learning_rate + 2.0 * self.l2_regularization_strength
        l1 = self.l1_regularization_strength
        variable.assign((jnp.clip(linear, -l1, l1) - linear) / quadratic)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "l2_shrinkage_regularization_strength": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }
