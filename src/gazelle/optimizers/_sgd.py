"""Gradient descent with momentum.

m = mu*m - lr*g; w += m (Polyak 1964), or w += mu*m - lr*g (Nesterov 1983).
"""

from __future__ import annotations

from typing import Any, Unpack

import jax

from gazelle._core.checks import in_range
from gazelle._core.variable import Variable
from gazelle.optimizers._arguments import Common
from gazelle.optimizers._optimizer import Optimizer, catalogue
from gazelle.optimizers._state import Rate


@catalogue.add()
class SGD(Optimizer):
    """Stochastic gradient descent.

    Args:
        learning_rate: A number, schedule or callable.
        momentum: Share of the last step that is kept in the next one, from 0 to 1.
        nesterov: Whether to look ahead along the momentum.
        **common: The arguments of `Optimizer`.

    Raises:
        ArgumentError: An argument is out of range.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **common: Unpack[Common],
    ):
        super().__init__(learning_rate, **common)
        self.momentum = in_range("momentum", momentum, 0, 1, "SGD")
        self.nesterov = bool(nesterov)

    def _add_slots(self, variables: list[Variable]) -> None:
        self._momentums: list[Any] = []
        if self.momentum:
            self._momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and its momentum."""
        step = learning_rate * gradient
        if not self.momentum:
            variable.assign_sub(step)
            return
        slot = self._momentums[self._get_variable_index(variable)]
        momentum = slot.assign(self.momentum * slot - step)
        variable.assign_add(self.momentum * momentum - step if self.nesterov else momentum)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
