"""Schedule-free AdamW (Defazio et al. 2024, arXiv:2405.15682).

z is the sequence that takes the steps, x its mean, and the weights y = (1-b1) z + b1 x:
v += (1-b2)(g^2 - v); z -= lr g / (sqrt(v / (1 - b2^t)) + eps); x += (z - x) / t.
"""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle._core.errors import ArgumentError
from gazelle._core.variable import Variable
from gazelle.optimizers._arguments import Common, adam_arguments
from gazelle.optimizers._optimizer import Optimizer, catalogue
from gazelle.optimizers._state import Rate


@catalogue.add()
class ScheduleFreeAdamW(Optimizer):
    """AdamW whose weights are means of the steps, so that no schedule has to end in time.

    Args:
        learning_rate: A number, schedule or callable.
        beta_1: Share of the mean in the weights, above 0, up to 1.
        beta_2: Momentum of the mean square, from 0 to 1.
        epsilon: Added to the root of the mean square.
        warmup_steps: Steps in which the learning rate grows from 0 to its value.
        **common: The arguments of `Optimizer`.

    Raises:
        ArgumentError: An argument is out of range.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **common: Unpack[Common],
    ):
        super().__init__(learning_rate, **common)
        self.beta_1, self.beta_2, self.epsilon = adam_arguments(self, beta_1, beta_2, epsilon)
        if self.beta_1 == 0:
            raise ArgumentError(
                "ScheduleFreeAdamW: beta_1 must be above zero.",
                received=beta_1,
                fix="use AdamW for steps without a mean",
            )
        self.warmup_steps = warmup_steps

    def _add_slots(self, variables: list[Variable]) -> None:
        self._momentums, self._velocities = [], []
        for variable in variables:
            start = variable.numpy()
            self._momentums.append(self.add_variable_from_reference(variable, "momentum", start))
            self._velocities.append(self.add_variable_from_reference(variable, "velocity"))

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """Update one variable, its mean square and the sequence of the steps."""
        index = self._get_variable_index(variable)
        z, v = self._momentums[index], self._velocities[index]
        t = self._next_iteration()
        if self.warmup_steps > 0:
            learning_rate = learning_rate * jnp.minimum(t / self.warmup_steps, 1.0)
        share = 1.0 - self.beta_1
        mean = (variable.value - share * z.value) / self.beta_1
        square = v.assign_add((gradient**2 - v) * (1.0 - self.beta_2))
        root = jnp.sqrt(square / (1.0 - jnp.power(self.beta_2, t))) + self.epsilon
        new = z.assign_sub(learning_rate * gradient / root)
        mean = (1.0 - 1.0 / t) * mean + new / t
        variable.assign(share * new + self.beta_1 * mean)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "warmup_steps": self.warmup_steps,
        }
