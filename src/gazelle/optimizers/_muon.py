"""Muon (Jordan et al. 2024), with the scale of Moonlight (Liu et al. 2025, arXiv:2502.16982).

For a matrix: m = momentum m + g; u = g + momentum m (Nesterov) or m; then u becomes nearly
orthogonal by Newton-Schulz steps, which take its singular values close to 1: u /= |u|; ns_steps
times u = a u + (b (u u^T) + c (u u^T)^2) u; w -= lr * rms_rate * sqrt(max(rows, columns)) * u.
All other variables are updated as by AdamW.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle._core.checks import in_range, positive_int
from gazelle._core.errors import ArgumentError
from gazelle._core.variable import Variable
from gazelle.optimizers._arguments import WithoutDecay, adam_arguments
from gazelle.optimizers._optimizer import Optimizer, catalogue
from gazelle.optimizers._state import Rate


@catalogue.add()
class Muon(Optimizer):
    """Gives the updates of matrices singular values of about 1; the rest is trained by AdamW.

    Args:
        learning_rate: A number, schedule or callable.
        adam_beta_1: Of AdamW: momentum of the mean, from 0 to 1.
        adam_beta_2: Of AdamW: momentum of the mean square, from 0 to 1.
        adam_weight_decay: As `weight_decay`, for the variables that AdamW trains.
        epsilon: Of AdamW: added to the root of the mean square.
        weight_decay: Each update first subtracts `weight_decay * learning_rate` times the weight
            from the matrices, >= 0; None for none.
        exclude_layers: Regular expressions; AdamW trains variables whose paths hold one of them.
        exclude_embeddings: Whether AdamW trains variables with "embedding" in their paths.
        muon_a: Coefficient of the Newton-Schulz step.
        muon_b: Coefficient of the Newton-Schulz step.
        muon_c: Coefficient of the Newton-Schulz step.
        adam_lr_ratio: The learning rate of AdamW divided by `learning_rate`.
        momentum: Momentum of the matrices, from 0 to 1.
        ns_steps: Newton-Schulz steps.
        nesterov: Whether to use Nesterov momentum.
        rms_rate: Scale of the matrices' updates, with which AdamW's learning rates and decays suit
            Muon; None for no scale.
        **common: The arguments of `Optimizer`.

    Raises:
        ArgumentError: An argument is out of range.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **common: Unpack[WithoutDecay],
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **common)
        self.adam_beta_1, self.adam_beta_2, self.epsilon = adam_arguments(
            self, adam_beta_1, adam_beta_2, epsilon
        )
        self.adam_weight_decay = adam_weight_decay
        self.exclude_layers = list(exclude_layers or ())
        self.exclude_embeddings = bool(exclude_embeddings)
        self.muon_a, self.muon_b, self.muon_c = muon_a, muon_b, muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = in_range("momentum", momentum, 0, 1, "Muon")
        self.ns_steps = positive_int("ns_steps", ns_steps, "Muon")
        self.nesterov = bool(nesterov)
        self.rms_rate = rms_rate

    def _should_use_adamw(self, variable: Variable) -> bool:
        path = variable.path
        if len(variable.shape) != 2:
            return True
        if self.exclude_embeddings and "embedding" in path.lower():
            return True
        return any(re.search(pattern, path) for pattern in self.exclude_layers)

    def _add_slots(self, variables: list[Variable]) -> None:
        self._momentums: list[Variable] = []
        self._velocities: list[Variable | None] = []
        for variable in variables:
            self._momentums.append(self.add_variable_from_reference(variable, "momentum"))
            velocity = None
            if self._should_use_adamw(variable):
                velocity = self.add_variable_from_reference(variable, "velocity")
            self._velocities.append(velocity)

    def _decay_of(self, variable: Variable) -> float | None:
        is_adamw = self._should_use_adamw(variable)
        return self.adam_weight_decay if is_adamw else self.weight_decay

    def _begin_update(self) -> Any:
        t = self._next_iteration()
        return jnp.sqrt(1.0 - jnp.power(self.adam_beta_2, t)) / (
            1.0 - jnp.power(self.adam_beta_1, t)
        )

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and its means."""
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        if v is None:
            mean = m.assign(self.momentum * m.value + gradient)
            direction = gradient + self.momentum * mean if self.nesterov else mean
            update = self.zeropower_via_newtonschulz5(direction, self.ns_steps)
            variable.assign_sub(self.lr_adjust(learning_rate * update))
            return
        alpha = learning_rate * self.adam_lr_ratio * self._scalars()
        mean = m.assign_add((gradient - m.value) * (1.0 - self.adam_beta_1))
        square = v.assign_add((gradient**2 - v.value) * (1.0 - self.adam_beta_2))
        variable.assign_sub(alpha * mean / (jnp.sqrt(square) + self.epsilon))

    def lr_adjust(self, x: Any) -> Any:
        """A matrix times `rms_rate` and the root of its longer side."""
        if self.rms_rate is None:
            return x
        return x * (max(x.shape[:2]) ** 0.5 * self.rms_rate)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> jax.Array:
        """The matrix that is nearest to `x` and has singular values of 1, roughly.

        Args:
            x: The matrix, `(..., rows, columns)`.
            steps: Newton-Schulz steps.

        Raises:
            ArgumentError: `x` has fewer than two axes.
        """
        x = jnp.asarray(x)
        if x.ndim < 2:
            raise ArgumentError(
                "Expected gradient or momentum to have at least 2 dimensions.",
                received=f"shape={x.shape}",
            )
        is_tall = x.shape[-2] > x.shape[-1]
        if is_tall:
            x = jnp.swapaxes(x, -1, -2)
        x = x / (jnp.linalg.norm(x, axis=(-2, -1), keepdims=True) + 1e-7)
        for _ in range(steps):
            square = x @ jnp.swapaxes(x, -1, -2)
            x = self.muon_a * x + (self.muon_b * square + self.muon_c * square @ square) @ x
        return jnp.swapaxes(x, -1, -2) if is_tall else x

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = (
            "adam_beta_1",
            "adam_beta_2",
            "adam_weight_decay",
            "epsilon",
            "exclude_layers",
            "exclude_embeddings",
            "muon_a",
            "muon_b",
            "muon_c",
            "adam_lr_ratio",
            "momentum",
            "ns_steps",
            "nesterov",
            "rms_rate",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
