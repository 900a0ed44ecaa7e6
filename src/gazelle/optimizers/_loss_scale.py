"""Dynamic loss scaling (Micikevicius et al. 2018), for training in float16.

The loss is multiplied by a scale, so that small gradients do not become 0 in float16. Where a
gradient is not finite, the step is left out and the scale halved; after a number of finite steps it
is doubled.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np

from gazelle._core import registry
from gazelle._core.checks import positive_int
from gazelle._core.errors import ArgumentError
from gazelle._core.sparse import dense
from gazelle._core.variable import Variable
from gazelle.optimizers._arguments import above_zero
from gazelle.optimizers._optimizer import Optimizer, catalogue, when
from gazelle.optimizers._state import OptimizerState, learning_rate_source, step_counter

_DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(Optimizer).parameters.items()
    if name not in ("learning_rate", "name", "kwargs")
}


@catalogue.add("lossscaleoptimizer")
class LossScaleOptimizer(Optimizer):
    """Scales the loss for another optimizer, and adapts the scale.

    Args:
        inner_optimizer: The optimizer that updates the weights. Its `loss_scale_factor` is
            replaced.
        initial_scale: The first scale, above 0. Too large a scale gets smaller quickly.
        dynamic_growth_steps: Finite steps after which the scale is doubled.
        name: A name without `/`; generated if None.
        **kwargs: Refused: arguments of `Optimizer` belong to `inner_optimizer`.

    Raises:
        ArgumentError: An argument is unknown or out of range.
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ):
        if not kwargs.pop("dynamic", True):
            raise ArgumentError(
                "LossScaleOptimizer no longer supports `dynamic=False`.",
                fix="set loss_scale_factor of the inner optimizer",
            )
        unknown = [given for given in kwargs if given not in _DEFAULTS]
        if unknown:
            raise ArgumentError(
                f"LossScaleOptimizer does not support arguments: `{'`, `'.join(unknown)}`.",
                fix="see help(LossScaleOptimizer)",
            )
        for given, value in kwargs.items():
            if value != _DEFAULTS[given]:
                raise ArgumentError(
                    f"LossScaleOptimizer does not support `{given}`. Instead, set `{given}` on the"
                    " `inner_optimizer`."
                )
        super().__init__(0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = above_zero("initial_scale", initial_scale, "LossScaleOptimizer")
        self.dynamic_growth_steps = positive_int(
            "dynamic_growth_steps", dynamic_growth_steps, "LossScaleOptimizer"
        )
        inner_optimizer.loss_scale_factor = None

    def build(self, variables: Iterable[Variable]) -> None:
        """Create the state of both optimizers.

        Raises:
            StateError: The optimizer is already built for other variables.
        """
        variables = list(variables)
        if not self.built:
            self.step_counter = self.add_variable((), dtype="int32", name="step_counter")
            self.dynamic_scale = self.add_variable(
                (), np.float32(self.initial_scale), "float32", name="dynamic_scale"
            )
            self.inner_optimizer.build(variables)
        super().build(variables)

    @property
    def variables(self) -> list[Variable]:
        """All state: the scale and the steps since it changed, then that of the inner optimizer."""
        return [*self._variables, *self.inner_optimizer.variables]

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if hasattr(self, "inner_optimizer"):
            self.inner_optimizer.learning_rate = value
        else:  # the constructor's
            OptimizerState.learning_rate.__set__(self, value)

    @property
    def iterations(self) -> Any:
        """Number of updates of the inner optimizer: steps that were left out do not count."""
        return self.inner_optimizer.iterations

    def _inner_optimizers(self) -> dict[str, OptimizerState]:
        return {"inner_optimizer": self.inner_optimizer}

    def _step_counter(self) -> Variable:
        return step_counter(self.inner_optimizer)

    def _rate_source(self) -> Any:
        return learning_rate_source(self.inner_optimizer)

    def apply(
        self, grads: Iterable[Any], trainable_variables: Iterable[Variable] | None = None
    ) -> None:
        """Do one step, unless a gradient is not finite; see `Optimizer.apply`."""
        grads = [None if gradient is None else dense(gradient) for gradient in grads]
        variables = None if trainable_variables is None else list(trainable_variables)
        if variables is not None and not self.built:
            self.build(variables)
        self._require_built("apply(grads) without variables")
        given = [jnp.asarray(gradient) for gradient in grads if gradient is not None]
        is_finite = jnp.all(jnp.stack([jnp.isfinite(gradient).all() for gradient in given]))
        changed = [*self._trainable_variables, *self.variables]

        def update() -> None:
            scale = self.dynamic_scale.value
            unscaled = [None if gradient is None else gradient / scale for gradient in grads]
            self.inner_optimizer.apply(unscaled, variables)
            is_due = self.step_counter.value == self.dynamic_growth_steps - 1
            self.step_counter.assign(jnp.where(is_due, 0, self.step_counter.value + 1))
            self.dynamic_scale.assign(jnp.where(is_due, 2.0 * scale, scale))

        def leave_out() -> None:
            self.step_counter.assign(jnp.zeros_like(self.step_counter.value))
            self.dynamic_scale.assign(0.5 * self.dynamic_scale.value)

        when(is_finite, update, changed)
        when(~is_finite, leave_out, [self.step_counter, self.dynamic_scale])

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the scale."""
        return loss * (self.dynamic_scale.value if self.built else self.initial_scale)

    def finalize_variable_values(self, var_list: Iterable[Variable] | None = None) -> None:
        """What the inner optimizer does at the end of `fit`."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "name": self.name,
            "inner_optimizer": registry.serialize(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """Creates an optimizer from its config."""
        inner = registry.deserialize(config["inner_optimizer"], custom_objects)
        return cls(**{**config, "inner_optimizer": inner})
