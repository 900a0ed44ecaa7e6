"""The base of optimizers: what happens around every update rule.

One step: drop missing gradients, undo the loss scale, accumulate, clip, decay weights, update,
average, constrain. What is switched off leaves no trace in a compiled program.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from gazelle._core import registry
from gazelle._core.checks import in_range, positive_int
from gazelle._core.errors import ArgumentError
from gazelle._core.names import snake_case, unique_name
from gazelle._core.pure import pure
from gazelle._core.registry import Catalogue, builtin
from gazelle._core.variable import Variable
from gazelle.optimizers.arguments import above_zero, check_arguments, spell_out
from gazelle.optimizers.gradients import clip, usable
from gazelle.optimizers.state import OptimizerState, Rate, scalar_dtype

catalogue = Catalogue("optimizer", "keras.optimizers")


@builtin("keras.optimizers")
class Optimizer(OptimizerState):
    """What optimizers share. A subclass defines `update_step` and, for slots, `build`.

    Args:
        learning_rate: A number, a `LearningRateSchedule`, or a callable without arguments that
            returns a number.
        weight_decay: Before each update every weight loses `weight_decay * learning_rate` of
            itself; None for none.
        clipnorm: Largest L2 norm of each variable's gradient. At most one of the three clippings
            may be set.
        clipvalue: Largest absolute value of a gradient's elements.
        global_clipnorm: Largest L2 norm of all gradients together.
        use_ema: Whether to keep exponential moving averages of the weights; `fit` ends by putting
            them in the weights' place.
        ema_momentum: The averages' momentum, from 0 to 1.
        ema_overwrite_frequency: Put the averages in the weights' place every so many updates; None
            for never.
        loss_scale_factor: The loss is multiplied by it (`scale_loss`) and the gradients are divided
            by it.
        gradient_accumulation_steps: Update only every so many steps (>= 2), with the mean of their
            gradients.
        name: A name without `/`; automatic when None.
        **kwargs: Refused; `decay` is ignored with a warning.

    Raises:
        ArgumentError: An argument is unknown or out of range, or two kinds of clipping are set.

    Example:
        >>> import numpy as np
        >>> class SignDescent(Optimizer):
        ...     def update_step(self, gradient, variable, learning_rate):
        ...         self.assign_sub(variable, learning_rate * jnp.sign(gradient))
        >>> weight = Variable(np.ones(2), name="weight")
        >>> SignDescent(0.25).apply([np.array([3.0, -3.0])], [weight])
        >>> weight.numpy().tolist()
        [0.75, 1.25]
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Show the common arguments in the signatures of subclasses."""
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            spell_out(cls.__dict__["__init__"], Optimizer.__init__)

    def __init__(
        self,
        learning_rate: Rate,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        owner = type(self).__name__
        check_arguments(owner, name, kwargs)
        super().__init__(name or unique_name(snake_case(owner)), learning_rate)
        self.weight_decay = (
            None
            if weight_decay is None
            else in_range("weight_decay", weight_decay, 0, math.inf, owner)
        )
        self.clipnorm = above_zero("clipnorm", clipnorm, owner)
        self.clipvalue = above_zero("clipvalue", clipvalue, owner)
        self.global_clipnorm = above_zero("global_clipnorm", global_clipnorm, owner)
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ArgumentError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set.",
                received=(
                    f"clipnorm={clipnorm}, clipvalue={clipvalue}, global_clipnorm={global_clipnorm}"
                ),
                fix="keep one of them",
            )
        self.use_ema = bool(use_ema)
        self.ema_momentum = in_range("ema_momentum", ema_momentum, 0, 1, owner)
        if ema_overwrite_frequency is not None:
            ema_overwrite_frequency = positive_int(
                "ema_overwrite_frequency", ema_overwrite_frequency, owner
            )
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = above_zero("loss_scale_factor", loss_scale_factor, owner)
        if gradient_accumulation_steps is not None and (
            positive_int("gradient_accumulation_steps", gradient_accumulation_steps, owner) < 2
        ):
            raise ArgumentError(
                f"{owner}: `gradient_accumulation_steps` must be an integer >= 2.",
                received=gradient_accumulation_steps,
                fix="leave it None for an update at every step",
            )
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._undecayed: tuple[set[Variable], list[str]] = (set(), [])
        self._shared: Any = None

    @property
    def iterations(self) -> Any:
        """The number of updates done; with gradient accumulation fewer than the steps."""
        if self.gradient_accumulation_steps:
            return self._iterations.value // self.gradient_accumulation_steps
        return self._iterations

    def build(self, variables: Iterable[Variable]) -> None:
        """Make the state that belongs to `variables`. A second call for the same variables does nothing.

        Args:
            variables: The trainable variables.

        Raises:
            StateError: The optimizer was built for other variables.
        """
        variables = list(variables)
        if self.built:
            self._check_known(variables)
            return
        self._trainable_variables = variables
        self._index = {variable: index for index, variable in enumerate(variables)}
        if self.use_ema:
            self._model_variables_moving_average = [
                self.add_variable_from_reference(variable, "average", variable.numpy())
                for variable in variables
            ]
        if self.gradient_accumulation_steps:
            self._accumulated_gradients = self.add_optimizer_variables(
                variables, "gradient_accumulator"
            )
        self.built = True
        self._add_slots(variables)

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: Any) -> None:
        """The update rule for one variable: assigns the variable and its slots.

        Args:
            gradient: The gradient, of the variable's shape.
            variable: The variable.
            learning_rate: The learning rate, of shape `()`.

        Raises:
            NotImplementedError: A subclass does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define update_step(self, gradient, variable,"
            " learning_rate)."
        )

    def apply(
        self, grads: Iterable[Any], trainable_variables: Iterable[Variable] | None = None
    ) -> None:
        """Do one step. Runs eagerly, and through `pure` inside compiled programs.

        Args:
            grads: A gradient for each variable, None where there is none.
            trainable_variables: The variables; those that the optimizer was built for when None.

        Raises:
            StateError: The optimizer is not built and no variables are given, or it was built for
                others.
            ArgumentError: The number of gradients is wrong, or all are None.
            ShapeError: A gradient has another shape than its variable.
        """
        if trainable_variables is None:
            self._require_built("apply(grads) without variables")
            variables = self._trainable_variables
        else:
            variables = list(trainable_variables)
            if not self.built:
                self.build(variables)
            self._check_known(variables)
        gradients, variables = usable(list(grads), variables)
        if self.loss_scale_factor is not None:
            gradients = [gradient / self.loss_scale_factor for gradient in gradients]
        if self.gradient_accumulation_steps:
            self._accumulate(gradients, variables, self.gradient_accumulation_steps)
        else:
            self._update(gradients, variables)
        if self.use_ema:
            self._average()
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable.value))
        self._iterations.assign_add(1)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Variable:
        """Do one step with pairs of gradient and variable.

        Returns:
            The variable that counts the steps.

        Raises:
            StateError: The optimizer was built for other variables.
            ArgumentError: All gradients are None.
            ShapeError: A gradient has another shape than its variable.
        """
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])
        return self._iterations

    def stateless_apply(
        self,
        optimizer_variables: Sequence[Any],
        grads: Sequence[Any],
        trainable_variables: Sequence[Any],
    ) -> tuple[list[Any], list[Any]]:
        """One step as a pure function of arrays; the variables themselves stay as they are.

        Args:
            optimizer_variables: Values for `variables`.
            grads: A gradient for each trainable variable.
            trainable_variables: Values for the trainable variables.

        Returns:
            `(trainable_variables, optimizer_variables)` after the step.

        Raises:
            StateError: The optimizer is not built.
            ArgumentError: A list has the wrong length.
        """
        self._require_built("stateless_apply()")
        count = len(self._trainable_variables)
        if len(trainable_variables) != count or len(optimizer_variables) != len(self._variables):
            raise ArgumentError(
                f"{self.name}: stateless_apply() got lists of the wrong length.",
                expected=(
                    f"{len(self._variables)} optimizer variables and {count} trainable variables"
                ),
                received=f"{len(optimizer_variables)} and {len(trainable_variables)}",
            )
        values = [jnp.asarray(value) for value in (*trainable_variables, *optimizer_variables)]
        _, values = pure(self.apply, [*self._trainable_variables, *self._variables])(values, grads)
        return values[:count], values[count:]

    def assign(self, variable: Variable, value: Any) -> None:
        """Replace a variable's value (for `update_step`)."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable's value (for `update_step`)."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable's value (for `update_step`)."""
        variable.assign_sub(value)

    def scale_loss(self, loss: Any) -> Any:
        """The loss times `loss_scale_factor`, if there is one."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def finalize_variable_values(self, var_list: Iterable[Variable] | None = None) -> None:
        """Put the moving averages in the place of the weights, if averages are kept.

        Args:
            var_list: The variables to change; all when None.

        Raises:
            StateError: The optimizer does not know one of them.
        """
        if self.use_ema and self.built:
            for variable in self._trainable_variables if var_list is None else var_list:
                variable.assign(
                    self._model_variables_moving_average[self._get_variable_index(variable)]
                )

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Choose variables that do not decay. A second call replaces the first.

        Args:
            var_list: Variables.
            var_names: Regular expressions, searched for in the variables' names (`"bias"`,
                `"gamma"`).
        """
        self._undecayed = (set(var_list or ()), list(var_names or ()))

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal optimizer; the learning rate is the number that was given."""
        return {
            "name": self.name,
            "learning_rate": self._rate_config(),
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """An optimizer from `get_config`."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = registry.deserialize(config["learning_rate"], custom_objects)
        return cls(**config)

    def _add_slots(self, variables: list[Variable]) -> None:
        """Make the slots of an update rule of Gazelle's own."""

    def _begin_update(self) -> Any:
        """The scalars that all variables share in one update; computed once for all of them."""

    def _scalars(self) -> Any:
        return self._begin_update() if self._shared is None else self._shared

    def _next_iteration(self) -> Any:
        """The number of this update, counted from 1, as a float."""
        return jnp.asarray(self.iterations + 1, dtype=scalar_dtype())

    def _update(self, gradients: list[jax.Array], variables: list[Variable]) -> None:
        """Clip, decay and run the update rule."""
        rate = self.learning_rate
        rate = rate.value if isinstance(rate, Variable) else rate
        gradients = clip(gradients, self.clipnorm, self.clipvalue, self.global_clipnorm)
        if self.weight_decay:
            share = self.weight_decay * rate
            for variable in variables:
                if self._use_weight_decay(variable):
                    variable.assign_sub(variable.value * share)
        self._shared = self._begin_update()
        try:
            for gradient, variable in zip(gradients, variables, strict=True):
                self.update_step(gradient, variable, rate)
        finally:
            self._shared = None

    def _use_weight_decay(self, variable: Variable) -> bool:
        """Whether a variable's weights decay."""
        excluded, patterns = self._undecayed
        return variable not in excluded and not any(
            re.search(pattern, variable.name) for pattern in patterns
        )

    def _accumulate(
        self, gradients: list[jax.Array], variables: list[Variable], steps: int
    ) -> None:
        """Add the gradients up; at every `steps`-th step update with their mean and start again from zero."""
        sums = [
            self._accumulated_gradients[self._get_variable_index(variable)]
            for variable in variables
        ]
        for total, gradient in zip(sums, gradients, strict=True):
            total.assign_add(gradient)

        def update() -> None:
            self._update([total.value / steps for total in sums], variables)
            for total in sums:
                total.assign(jnp.zeros_like(total.value))

        _when((self._iterations.value + 1) % steps == 0, update, [*variables, *self._variables])

    def _average(self) -> None:
        """Move the averages towards the weights; the first update makes them the weights."""
        updates = jnp.asarray(self.iterations)
        momentum = jnp.where(updates == 0, 0.0, self.ema_momentum)
        pairs = list(
            zip(self._trainable_variables, self._model_variables_moving_average, strict=True)
        )
        for variable, average in pairs:
            average.assign(momentum * average.value + (1.0 - momentum) * variable.value)
        if self.ema_overwrite_frequency is not None:
            due = (updates + 1) % self.ema_overwrite_frequency == 0
            for variable, average in pairs:
                variable.assign(jnp.where(due, average.value, variable.value))


def _when(condition: Any, function: Callable[[], None], variables: Sequence[Variable]) -> None:
    """Call `function`, which assigns `variables` and no others, where `condition` holds; also when it is traced."""
    if not isinstance(condition, Tracer):
        if condition:
            function()
        return
    values = [variable.value for variable in variables]
    step = pure(function, variables)
    values = jax.lax.cond(condition, lambda old: step(old)[1], lambda old: old, values)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
