"""Adam (Kingma & Ba 2015), AMSGrad (Reddi et al. 2018) and AdamW (Loshchilov & Hutter 2019).

m += (1-b1)(g - m); v += (1-b2)(g^2 - v); w -= lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) +
eps): epsilon is added to the root of the uncorrected v, the paper's "epsilon hat".
"""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle._core.errors import ArgumentError
from gazelle._core.variable import Variable
from gazelle.optimizers._arguments import Common, WithoutDecay, adam_arguments
from gazelle.optimizers._optimizer import Optimizer, catalogue
from gazelle.optimizers._state import Rate


@catalogue.add()
class Adam(Optimizer):
    """Divides the running mean of the gradient by the root of the running mean of its square.

    Args:
        learning_rate: A number, schedule or callable.
        beta_1: Momentum of the mean, from 0 to 1.
        beta_2: Momentum of the mean square, from 0 to 1.
        epsilon: Added to the root of the mean square.
        amsgrad: Whether to divide by the largest mean square so far.
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
        amsgrad: bool = False,
        **common: Unpack[Common],
    ):
        super().__init__(learning_rate, **common)
        self.beta_1, self.beta_2, self.epsilon = adam_arguments(self, beta_1, beta_2, epsilon)
        self.amsgrad = bool(amsgrad)

    def _add_slots(self, variables: list[Variable]) -> None:
        names = ["momentum", "velocity"]
        self._momentums, self._velocities = self.add_optimizer_variables(variables, names)
        self._largest: list[Variable] = []
        if self.amsgrad:
            self._largest = self.add_optimizer_variables(variables, "velocity_hat")

    def _begin_update(self) -> Any:
        t = self._next_iteration()
        return jnp.sqrt(1.0 - jnp.power(self.beta_2, t)) / (1.0 - jnp.power(self.beta_1, t))

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and its means."""
        index = self._get_variable_index(variable)
        alpha = learning_rate * self._scalars()
        m, v = self._momentums[index], self._velocities[index]
        mean = m.assign_add((gradient - m) * (1.0 - self.beta_1))
        square = v.assign_add((gradient**2 - v) * (1.0 - self.beta_2))
        if self.amsgrad:
            largest = self._largest[index]
            square = largest.assign(jnp.maximum(largest.value, square))
        variable.assign_sub(alpha * mean / (jnp.sqrt(square) + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }


@catalogue.add("adamw")
class AdamW(Adam):
    """Adam with weight decay.

    Args:
        learning_rate: A number, schedule or callable.
        weight_decay: Each update first subtracts `weight_decay * learning_rate` times the weight
            from every weight, >= 0.
        beta_1: Momentum of the mean, from 0 to 1.
        beta_2: Momentum of the mean square, from 0 to 1.
        epsilon: Added to the root of the mean square.
        amsgrad: Whether to divide by the largest mean square so far.
        **common: The arguments of `Optimizer`.

    Raises:
        ArgumentError: An argument is out of range.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **common: Unpack[WithoutDecay],
    ):
        if weight_decay is None:
            raise ArgumentError(
                "AdamW: Argument `weight_decay` must be a float.", received=None, fix="or use Adam"
            )
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **common
        )


def moments_of(optimizer: Adam, variable: Variable) -> tuple[Variable, Variable]:
    """The mean and the mean square of a variable's gradients, as a built Adam keeps them."""
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index], optimizer._velocities[index]
