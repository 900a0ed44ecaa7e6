"""Adafactor (Shazeer & Stern 2018), which stores row and column means of a matrix of mean squares.

b = 1 - t^decay; r, c: running means of the rows and columns of g^2 + eps1, with momentum b;
v = r c / mean(r); u = g / sqrt(v); w -= max(eps2, rms(w)) * rho * u / max(1, rms(u) / clip), where
rho = min(lr, 1 / sqrt(t)) or lr.
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
class Adafactor(Optimizer):
    """Adam-like steps in proportion to each variable's size, with factored mean squares.

    Args:
        learning_rate: A number, schedule or callable.
        beta_2_decay: Power with which the momentum of the mean squares approaches 1, <= 0.
        epsilon_1: Added to the squares.
        epsilon_2: Lower bound of a variable's root mean square, to which its steps are scaled.
        clip_threshold: Largest root mean square of a step; larger steps are scaled down.
        relative_step: Part of the config. As in Keras, the rate is at most `1 / sqrt(t)` either
            way.
        **common: The arguments of `Optimizer`.

    Raises:
        ArgumentError: An argument is out of range.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **common: Unpack[Common],
    ):
        super().__init__(learning_rate, **common)
        self.beta_2_decay = in_range("beta_2_decay", beta_2_decay, -math.inf, 0, "Adafactor")
        self.epsilon_1 = in_range("epsilon_1", epsilon_1, 0, math.inf, "Adafactor")
        self.epsilon_2 = in_range("epsilon_2", epsilon_2, 0, math.inf, "Adafactor")
        self.clip_threshold = in_range("clip_threshold", clip_threshold, 0, math.inf, "Adafactor")
        self.relative_step = bool(relative_step)

    def _add_slots(self, variables: list[Variable]) -> None:
        # The order and shapes are those of Keras's weight files: factored variables also have a
        # velocity, and the others have rows and columns that are scalars.
        self._rows: list[Variable] = []
        self._columns: list[Variable] = []
        self._velocities: list[Variable] = []
        for variable in variables:
            shape, dtype = variable.shape, variable.dtype
            path = variable.path.replace("/", "_")
            is_factored = len(shape) >= 2
            rows = shape[:-1] if is_factored else ()
            columns = (*shape[:-2], shape[-1]) if is_factored else ()
            self._rows.append(self.add_variable(rows, dtype=dtype, name=f"{path}_row"))
            self._columns.append(self.add_variable(columns, dtype=dtype, name=f"{path}_column"))
            self._velocities.append(self.add_variable_from_reference(variable, "velocity"))

    def _begin_update(self) -> Any:
        t = self._next_iteration()
        return 1.0 - jnp.power(t, self.beta_2_decay), 1.0 / jnp.sqrt(t)

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and its mean squares."""
        index = self._get_variable_index(variable)
        beta, relative_rate = self._scalars()
        rate = jnp.minimum(learning_rate, relative_rate)
        square = gradient**2 + self.epsilon_1
        if variable.ndim >= 2:
            r, c = self._rows[index], self._columns[index]
            row_means = jnp.mean(square, axis=-1)  # (..., rows)
            column_means = jnp.mean(square, axis=-2)  # (..., columns)
            rows = r.assign(beta * r + (1.0 - beta) * row_means)
            columns = c.assign(beta * c + (1.0 - beta) * column_means)
            shares = rows / jnp.mean(rows, axis=-1, keepdims=True)
            velocity = shares[..., None] * columns[..., None, :]  # (..., rows, columns)
        else:
            v = self._velocities[index]
            velocity = v.assign(beta * v + (1.0 - beta) * square)
        step = gradient / jnp.sqrt(velocity)
        size = jnp.maximum(self.epsilon_2, _root_mean_square(variable.value))
        excess = jnp.maximum(1.0, _root_mean_square(step) / self.clip_threshold)
        variable.assign_sub(size * rate / excess * step)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "beta_2_decay": self.beta_2_decay,
            "epsilon_1": self.epsilon_1,
            "epsilon_2": self.epsilon_2,
            "clip_threshold": self.clip_threshold,
            "relative_step": self.relative_step,
        }


def _root_mean_square(x: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.mean(x**2))
