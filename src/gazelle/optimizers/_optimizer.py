"""The base class of optimizers: everything around the update rule.

One step: drop missing gradients, undo the loss scale, accumulate, clip, decay weights, update,
average, constrain. Features that are switched off add nothing to a compiled program.
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
from gazelle.optimizers._arguments import above_zero, check_arguments, spell_out
from gazelle.optimizers._gradients import clip, usable
from gazelle.optimizers._state import OptimizerState, Rate, scalar_dtype

catalogue = Catalogue("optimizer", "keras.optimizers")


@builtin("keras.optimizers")
class Optimizer(OptimizerState):
    """The base class of optimizers. A subclass defines `update_step` and, for slots, `build`.

    Args:
        learning_rate: A number, a `LearningRateSchedule`, or a callable without arguments that
            returns a number.
        weight_decay: Each update first subtracts `weight_decay * learning_rate` times the weight
            from every weight; None for no decay.
        clipnorm: Largest L2 norm of each variable's gradient. At most one of the three kinds of
            clipping may be set.
        clipvalue: Largest absolute value of a gradient's elements.
        global_clipnorm: Largest L2 norm of all gradients together.
        use_ema: Whether to keep exponential moving averages of the weights; at the end of `fit`
            they replace the weights.
        ema_momentum: Momentum of the averages, from 0 to 1.
        ema_overwrite_frequency: Number of updates after which the averages replace the weights;
            None for never.
        loss_scale_factor: Factor by which the loss is multiplied (`scale_loss`) and the gradients
            are divided.
        gradient_accumulation_steps: Number of steps (>= 2) per update, which uses the mean of their
            gradients; None to update at every step.
        name: A name without `/`; generated if None.
        **kwargs: Refused, except `decay`, which is ignored with a warning.

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
        """Shows the common arguments in the signatures of subclasses."""
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
        if weight_decay is not None:
            weight_decay = in_range("weight_decay", weight_decay, 0, math.inf, owner)
        self.weight_decay = weight_decay
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
        if gradient_accumulation_steps is not None:
            steps = positive_int("gradient_accumulation_steps", gradient_accumulation_steps, owner)
            if not 2 <= steps < 2**31:  # the number of steps is a 32-bit integer
                raise ArgumentError(
                    f"{owner}: `gradient_accumulation_steps` must be an integer >= 2, below 2**31.",
                    received=gradient_accumulation_steps,
                    fix="use None for an update at every step",
                )
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._undecayed: tuple[set[Variable], list[str]] = (set(), [])
        self._shared: Any = None  # the result of `_begin_update` during an update

    @property
    def iterations(self) -> Any:
        """Number of updates done; with gradient accumulation fewer than the steps."""
        if self.gradient_accumulation_steps:
            return self._iterations.value // self.gradient_accumulation_steps
        return self._iterations

    def build(self, variables: Iterable[Variable]) -> None:
        """Create the state for `variables`; another call for the same variables does nothing.

        Args:
            variables: The trainable variables.

        Raises:
            StateError: The optimizer is already built for other variables.
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
        """The update rule: assigns one variable and its slots.

        Args:
            gradient: The gradient, of the variable's shape.
            variable: The variable.
            learning_rate: The learning rate, of shape `()`.

        Raises:
            NotImplementedError: The subclass does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define update_step(self, gradient, variable,"
            " learning_rate)."
        )

    def apply(
        self, grads: Iterable[Any], trainable_variables: Iterable[Variable] | None = None
    ) -> None:
        """Do one step, eagerly or, through `pure`, inside a compiled program.

        Args:
            grads: A gradient for each variable; None for a variable without a gradient.
            trainable_variables: The variables; None for those that the optimizer was built for.

        Raises:
            StateError: The optimizer is not built and no variables are given, or it was built for
                other variables.
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
            StateError: The optimizer is built for other variables.
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
        """One step as a pure function of arrays; the variables themselves do not change.

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
        slots = self.variables
        if len(trainable_variables) != count or len(optimizer_variables) != len(slots):
            raise ArgumentError(
                f"{self.name}: stateless_apply() got lists of the wrong length.",
                expected=(f"{len(slots)} optimizer variables and {count} trainable variables"),
                received=f"{len(optimizer_variables)} and {len(trainable_variables)}",
            )
        values = [jnp.asarray(value) for value in (*trainable_variables, *optimizer_variables)]
        _, values = pure(self.apply, [*self._trainable_variables, *slots])(values, grads)
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
        """The loss times `loss_scale_factor`, if that is set."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def finalize_variable_values(self, var_list: Iterable[Variable] | None = None) -> None:
        """Replace the weights with their moving averages, if there are any.

        Args:
            var_list: The variables to change; None for all.

        Raises:
            StateError: The optimizer is not built for one of them.
        """
        if not self.use_ema or not self.built:
            return
        variables = self._trainable_variables if var_list is None else var_list
        for variable in variables:
            index = self._get_variable_index(variable)
            variable.assign(self._model_variables_moving_average[index])

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Exclude variables from weight decay. Another call replaces the first.

        Args:
            var_list: Variables.
            var_names: Regular expressions to search for in the names of variables (`"bias"`,
                `"gamma"`).
        """
        self._undecayed = (set(var_list or ()), list(var_names or ()))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; the learning rate is not rounded to float32."""
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
        """Creates an optimizer from its config."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = registry.deserialize(config["learning_rate"], custom_objects)
        return cls(**config)

    def _add_slots(self, variables: list[Variable]) -> None:
        """Create the slots of one of Gazelle's update rules."""

    def _begin_update(self) -> Any:
        """The scalars that all variables share in one update."""

    def _scalars(self) -> Any:
        """The result of `_begin_update`, which is computed once per update."""
        return self._begin_update() if self._shared is None else self._shared

    def _next_iteration(self) -> Any:
        """The number of this update, from 1, as a float."""
        return jnp.asarray(self.iterations + 1, dtype=scalar_dtype())

    def _update(self, gradients: list[jax.Array], variables: list[Variable]) -> None:
        """Clip, decay and run the update rule."""
        rate = self.learning_rate
        rate = rate.value if isinstance(rate, Variable) else rate
        gradients = clip(gradients, self.clipnorm, self.clipvalue, self.global_clipnorm)
        for variable in variables:
            decay = self._decay_of(variable)
            if decay and self._use_weight_decay(variable):
                variable.assign_sub(variable.value * (decay * rate))
        self._shared = self._begin_update()
        try:
            for gradient, variable in zip(gradients, variables, strict=True):
                self.update_step(gradient, variable, rate)
        finally:
            self._shared = None

    def _decay_of(self, variable: Variable) -> float | None:
        """The weight decay of a variable."""
        return self.weight_decay

    def _use_weight_decay(self, variable: Variable) -> bool:
        """Whether weight decay applies to a variable."""
        excluded, patterns = self._undecayed
        if variable in excluded:
            return False
        return not any(re.search(pattern, variable.name) for pattern in patterns)

    def _accumulate(
        self, gradients: list[jax.Array], variables: list[Variable], steps: int
    ) -> None:
        """Sum up the gradients; at every `steps`-th step update with their mean and reset them."""
        indices = [self._get_variable_index(variable) for variable in variables]
        sums = [self._accumulated_gradients[index] for index in indices]
        for total, gradient in zip(sums, gradients, strict=True):
            total.assign_add(gradient)

        def update() -> None:
            self._update([total.value / steps for total in sums], variables)
            for total in sums:
                total.assign(jnp.zeros_like(total.value))

        when((self._iterations.value + 1) % steps == 0, update, [*variables, *self._variables])

    def _average(self) -> None:
        """Update the moving averages; the first update sets them to the weights."""
        updates = jnp.asarray(self.iterations)
        momentum = jnp.where(updates == 0, 0.0, self.ema_momentum)
        pairs = weights_and_averages(self)
        for variable, average in pairs:
            average.assign(momentum * average.value + (1.0 - momentum) * variable.value)
        if self.ema_overwrite_frequency is not None:
            due = (updates + 1) % self.ema_overwrite_frequency == 0
            for variable, average in pairs:
                variable.assign(jnp.where(due, average.value, variable.value))


def weights_and_averages(optimizer: Optimizer) -> list[tuple[Variable, Variable]]:
    """Each trainable variable of a built optimizer with its moving average.

    Args:
        optimizer: A built optimizer with `use_ema=True`.
    """
    averages = optimizer._model_variables_moving_average
    return list(zip(optimizer._trainable_variables, averages, strict=True))


def when(condition: Any, function: Callable[[], None], variables: Sequence[Variable]) -> None:
    """Call `function` if `condition` holds, which may be traced.

    Args:
        condition: A boolean, or an array of shape `()`.
        function: Assigns no variables except `variables`.
        variables: All variables that `function` may assign.
    """
    if not isinstance(condition, Tracer):
        if condition:
            function()
        return
    values = [variable.value for variable in variables]
    step = pure(function, variables)
    values = jax.lax.cond(condition, lambda old: step(old)[1], lambda old: old, values)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
