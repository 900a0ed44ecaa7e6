"""The state of an optimizer: the step counter, the learning rate and the slots."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle import initializers
from gazelle._core import registry
from gazelle._core.dtypes import floatx
from gazelle._core.errors import ArgumentError, ArgumentTypeError, StateError
from gazelle._core.names import unique_name
from gazelle._core.variable import Variable
from gazelle.optimizers.schedules._schedule import LearningRateSchedule

Rate = float | LearningRateSchedule | Callable[[], Any]


class OptimizerState:
    """The variables and the learning rate of an optimizer; `Optimizer` adds the steps.

    Args:
        name: The optimizer's name.
        learning_rate: A number, a schedule or a callable without arguments.

    Raises:
        ArgumentError: `learning_rate` is something else.
    """

    def __init__(self, name: str, learning_rate: Rate):
        self.name = name
        self.built = False
        self._variables: list[Variable] = []
        self._trainable_variables: list[Variable] = []
        self._index: dict[Variable, int] = {}
        self._iterations = self.add_variable((), dtype="int32", name="iteration")
        self._given_rate: float | None = None  # the rate before it was rounded to float32
        if isinstance(learning_rate, LearningRateSchedule) or callable(learning_rate):
            self._learning_rate: Any = _checked_callable(learning_rate)
        else:
            _check_number(learning_rate)
            self._learning_rate = self.add_variable((), dtype=scalar_dtype(), name="learning_rate")
            self.learning_rate = learning_rate

    @property
    def learning_rate(self) -> Any:
        """The learning rate: a variable, or the current value of the schedule or callable.

        It may be set to a number, a schedule or a callable.

        Raises:
            ArgumentTypeError: A number was assigned, but the optimizer has a schedule or callable.
            ArgumentError: The assigned value is not a learning rate.
        """
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate(self._iterations.value)
        if isinstance(self._learning_rate, Variable):
            return self._learning_rate
        return self._learning_rate()

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value) and not isinstance(value, Variable):
            replaced = self._learning_rate
            self._variables = [variable for variable in self._variables if variable is not replaced]
            self._learning_rate = _checked_callable(value)
            return
        if not isinstance(self._learning_rate, Variable):
            raise ArgumentTypeError(
                "This optimizer was created with a `LearningRateSchedule` object or a callable as"
                " its `learning_rate`, hence its learning rate is not settable.",
                expected="an optimizer created with a number as learning_rate",
                received=repr(value),
                fix="create the optimizer with a number, or assign another schedule",
            )
        _check_number(value)
        self._given_rate = float(value) if isinstance(value, numbers.Real) else None
        self._learning_rate.assign(value)

    @property
    def lr(self) -> Any:
        """The old name of `learning_rate`; it can be read and set."""
        return self.learning_rate

    @lr.setter
    def lr(self, value: Any) -> None:
        self.learning_rate = value

    @property
    def variables(self) -> list[Variable]:
        """All state: iteration, learning rate, averages, sums of gradients, then the slots."""
        return list(self._variables)

    def get_weights(self) -> list[np.ndarray]:
        """NumPy copies of all state, in the order of `variables`."""
        return [variable.numpy() for variable in self.variables]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Restore the state that `get_weights` returned.

        Args:
            weights: One array of the right shape for each of `variables`.

        Raises:
            StateError: The optimizer is not built.
            ArgumentError: The number of arrays is wrong.
            ShapeError: An array has a wrong shape.
        """
        self._require_built("set_weights()")
        variables = self.variables
        if len(weights) != len(variables):
            names = ", ".join(variable.name for variable in variables)
            raise ArgumentError(
                f"{self.name}: the number of arrays is not that of the optimizer's variables.",
                expected=f"{len(variables)}: {names}",
                received=len(weights),
            )
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)

    def save_own_variables(self, store: Any) -> None:
        """Write all state into a mapping, with the keys `"0"`, `"1"`, ..."""
        for index, value in enumerate(self.get_weights()):
            store[str(index)] = value

    def load_own_variables(self, store: Any) -> None:
        """Read all state from a mapping that `save_own_variables` wrote.

        Raises:
            StateError: The optimizer is not built.
            ArgumentError: The number of arrays is wrong.
            ShapeError: An array has a wrong shape.
        """
        self.set_weights([np.asarray(store[str(index)]) for index in range(len(store.keys()))])

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Add a variable to the state.

        Args:
            shape: Shape of the variable.
            initializer: A name, an initializer or an array.
            dtype: Dtype of the variable; floatx if None.
            aggregation: Stored with the variable, without effect.
            layout: Its layout over several devices, or a variable that it lies like.
            name: A short name.

        Returns:
            The variable, which is now one of `variables`.

        Raises:
            UnknownNameError: `initializer` is not a known name.
        """
        name = name or unique_name("variable")
        if isinstance(initializer, str | dict):
            initializer = initializers.get(initializer)
        variable = Variable(
            initializer,
            shape=tuple(shape),
            dtype=dtype or floatx(),
            trainable=False,
            aggregation=aggregation,
            layout=layout,
            name=name,
            path=f"{self.name}/{name}",
        )
        self._variables.append(variable)
        return variable

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Add a slot for a variable, of the same shape and dtype.

        It is named after the variable's path: `model_dense_kernel_momentum`.

        Args:
            reference_variable: The variable.
            name: The slot's name.
            initializer: A name, an initializer or an array.

        Returns:
            The slot.
        """
        path = reference_variable.path.replace("/", "_")
        slot = f"{path}_{name}" if name else path
        return self.add_variable(
            reference_variable.shape,
            initializer,
            reference_variable.dtype,
            layout=reference_variable,
            name=slot,
        )

    def add_optimizer_variables(
        self,
        trainable_variables: Iterable[Variable],
        name: str | Sequence[str],
        initializer: Any = "zeros",
    ) -> Any:
        """Add slots for all variables.

        Args:
            trainable_variables: The variables.
            name: Name of the slot, or several names.
            initializer: One initializer, or a list with one per name.

        Returns:
            A list of slots, one per variable; for several names a tuple of such lists.
        """
        if isinstance(name, str):
            return [
                self.add_variable_from_reference(variable, name, initializer)
                for variable in trainable_variables
            ]
        if not isinstance(initializer, list | tuple):
            initializer = [initializer] * len(name)
        slots: tuple[list[Variable], ...] = tuple([] for _ in name)
        for variable in trainable_variables:  # the slots of one variable follow each other
            for group, slot_name, start in zip(slots, name, initializer, strict=True):
                group.append(self.add_variable_from_reference(variable, slot_name, start))
        return slots

    def _inner_optimizers(self) -> dict[str, OptimizerState]:
        return {}

    def _step_counter(self) -> Variable:
        return self._iterations

    def _rate_source(self) -> Any:
        return self._learning_rate

    def _get_variable_index(self, variable: Variable) -> int:
        """The index of a variable among those that the optimizer was built for."""
        if variable not in self._index:
            self._check_known([variable])
        return self._index[variable]

    def _check_known(self, variables: Sequence[Variable]) -> None:
        """Check that the optimizer was built for the variables."""
        unknown = [variable for variable in variables if variable not in self._index]
        if unknown:
            known = self._trainable_variables
            raise StateError(
                f"Unknown variable: {unknown[0]!r}. The optimizer {self.name!r} was built for other"
                " variables, perhaps those of another model.",
                expected=", ".join(f"{variable.path} {variable.shape}" for variable in known),
                received=", ".join(f"{variable.path} {variable.shape}" for variable in variables),
                fix=(
                    'call compile again with a new optimizer: model.compile(optimizer="adam", ...);'
                    " also after changing layers"
                ),
            )

    def _require_built(self, call: str) -> None:
        if not self.built:
            raise StateError(
                f"{call} needs an optimizer that has been built.",
                expected=f"a call of {self.name}.build(trainable_variables) before",
                fix="call build, or train one step",
            )

    def _rate_config(self) -> Any:
        """The learning rate for a config: the number that was given, if it has not changed."""
        if not isinstance(self._learning_rate, Variable):
            return registry.serialize(self._learning_rate)
        now = self._learning_rate.numpy()[()]
        if self._given_rate is not None and now == now.dtype.type(self._given_rate):
            return self._given_rate
        return float(str(now))  # the shortest decimal that rounds to it: 0.1, not 0.10000000149


def inner_optimizers(optimizer: Any) -> dict[str, Any]:
    """The optimizers within an optimizer, by their paths in it as Keras names them in files."""
    return optimizer._inner_optimizers() if isinstance(optimizer, OptimizerState) else {}


def step_counter(optimizer: OptimizerState) -> Variable:
    """The variable that counts the steps of an optimizer."""
    return optimizer._step_counter()


def learning_rate_source(optimizer: OptimizerState) -> Any:
    """The learning rate of an optimizer as a variable, a schedule or a callable, not its value.

    None where it has several.
    """
    return optimizer._rate_source()


def scalar_dtype() -> str:
    """The dtype for learning rates and step counts in formulas: float32, or floatx if wider."""
    return str(jnp.promote_types(floatx(), "float32"))


def _checked_callable(rate: Any) -> Any:
    """A schedule or a callable, checked to take no required arguments."""
    if isinstance(rate, LearningRateSchedule):
        return rate
    try:
        inspect.signature(rate).bind()
    except TypeError:
        raise ArgumentError(
            "A callable as learning_rate must take no arguments.",
            expected="a number, a LearningRateSchedule, or a callable () -> number",
            received=repr(rate),
            fix=(
                "for a rate that depends on the step, subclass LearningRateSchedule and define"
                " __call__(self, step)"
            ),
        ) from None
    return rate


def _check_number(rate: Any) -> None:
    if isinstance(rate, Variable | jax.Array | np.ndarray):
        valid = rate.shape == ()
    else:
        is_number = isinstance(rate, numbers.Real) and not isinstance(rate, bool)
        valid = is_number and np.isfinite(float(rate))
    if not valid:
        raise ArgumentError(
            "Argument `learning_rate` should be float, or an instance of LearningRateSchedule, or a"
            " callable.",
            expected="a finite number, a LearningRateSchedule, or a callable () -> number",
            received=repr(rate),
        )
