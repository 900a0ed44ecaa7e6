"""The base class of metrics: state that is updated batch by batch, read at any time and reset."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle import initializers
from gazelle._core import context, registry
from gazelle._core.dtypes import floatx, get_policy
from gazelle._core.errors import ArgumentError, ArgumentTypeError, StateError
from gazelle._core.names import snake_case
from gazelle._core.operation import StepCatalogue
from gazelle._core.pure import pure
from gazelle._core.variable import Variable

catalogue = StepCatalogue("metric", "keras.metrics")


class Metric:
    """A value accumulated over batches.

    A subclass creates its state with `add_variable` in its constructor and defines `update_state`
    and `result`:

        class LargestError(gazelle.metrics.Metric):
            def __init__(self, name="largest_error", dtype=None):
                super().__init__(name=name, dtype=dtype)
                self.largest = self.add_variable((), "zeros", name="largest")

            def update_state(self, y_true, y_pred, sample_weight=None):
                error = jnp.max(jnp.abs(y_true - y_pred))
                self.largest.assign(jnp.maximum(self.largest.value, error))

            def result(self):
                return self.largest.value

    Both run inside compiled programs, so they use `jax.numpy` and do not branch on values.
    Variables and metrics that are attributes of a metric, also in lists, tuples and dicts, belong
    to its state. If the shape of the state depends on the data, override `build` and set
    `self.built = False` in the constructor; `update_state` then calls `build` if `built` is False.

    Args:
        dtype: Dtype of the state: the name of a float type, a dtype or a policy; floatx if None.
        name: Name in the logs; the class name in snake case if None. Unlike in Keras, no number is
            added for further metrics of the process, so that the same code always gives the same
            log keys.

    Raises:
        ArgumentTypeError: `name` is not a string.
    """

    built: bool = True
    # "up" if greater is better, "down" if less is better, None if unknown.
    _direction: str | None = None
    # Promises of Gazelle's own classes; counting.py reads them, but not those of users' subclasses.
    # An update adds an independent contribution of each sample to the state.
    _counts_samples: bool = False
    # These contributions are whole numbers if there are no sample weights.
    _counts_whole_numbers: bool = False
    # The state has the type floatx, whatever `dtype` is: a count in float16 would end at 2048.
    _state_is_floatx: bool = False

    def __init__(self, dtype: Any = None, name: str | None = None):
        if name is not None and not isinstance(name, str):
            raise ArgumentTypeError(
                f"{type(self).__name__}: name must be a string.",
                expected="a string or None",
                received=repr(name),
            )
        self.name: str = snake_case(type(self).__name__) if name is None else name
        self._dtype = floatx() if dtype is None else get_policy(dtype).compute_dtype
        self._state_dtype = floatx() if self._state_is_floatx else self._dtype
        self._variables: list[Variable] = []
        self._initial_values: list[np.ndarray] = []

    @property
    def dtype(self) -> str:
        """The dtype that was asked for; that of the state, except for metrics that count."""
        return self._dtype

    @property
    def variables(self) -> list[Variable]:
        """All state: the metric's own variables in order of creation, then those of its metrics."""
        variables, metrics = self._state()
        for metric in metrics:
            for variable in metric.variables:
                if all(variable is not known for known in variables):
                    variables.append(variable)
        return variables

    def add_variable(
        self,
        shape: int | Iterable[int],
        initializer: Any = None,
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """Create a state variable.

        Args:
            shape: Shape, `()` for a number.
            initializer: Name, config or instance of an initializer, a callable `(shape, dtype) ->
                array`, a number or an array; zeros if None.
            dtype: Dtype; the metric's if None.
            aggregation: How copies on several devices are combined; only for compatibility with
                Keras.
            name: Name of the variable.

        Returns:
            The variable, which is now one of `variables`.
        """
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        dtype = self._state_dtype if dtype is None else dtype
        context.spend(shape, 4)
        if isinstance(initializer, numbers.Number | np.ndarray | jax.Array):
            value = np.broadcast_to(np.asarray(initializer), shape)
        else:
            make = initializers.get("zeros" if initializer is None else initializer)
            value = np.asarray(make(shape, dtype=dtype))
        name = name or "variable"
        variable = Variable(
            value,
            shape,
            dtype,
            trainable=False,
            autocast=False,
            aggregation=aggregation,
            name=name,
            path=f"{self.name}/{name}",
        )
        self._variables.append(variable)
        self._initial_values.append(value)
        return variable

    def add_weight(
        self,
        shape: int | Iterable[int] = (),
        initializer: Any = None,
        dtype: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Keras's older name for `add_variable`; by default creates a number that starts at 0."""
        return self.add_variable(shape, initializer, dtype=dtype, name=name)

    def build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        """Create state whose shape depends on the data; most metrics have none.

        Args:
            y_true_shape: Shape of the targets, the batch axis first.
            y_pred_shape: Shape of the predictions, the batch axis first.
        """
        self.built = True

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Add a batch to the state; most metrics take `(y_true, y_pred, sample_weight=None)`."""
        raise NotImplementedError(f"{type(self).__name__} must define update_state().")

    def result(self) -> Any:
        """The value over all batches since the last reset: an array, or a dict of arrays."""
        raise NotImplementedError(f"{type(self).__name__} must define result().")

    def reset_state(self) -> None:
        """Set every variable to its initial value (Keras always sets zeros)."""
        variables, metrics = self._state()
        initial_values = {
            id(v): value for v, value in zip(self._variables, self._initial_values, strict=True)
        }
        for variable in variables:
            value = initial_values.get(id(variable))
            if value is None:
                value = np.zeros(variable.shape, jnp.dtype(variable.dtype))
            variable.assign(value)
        for metric in metrics:
            metric.reset_state()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls `update_state` and returns `result`."""
        self.update_state(*args, **kwargs)
        return self.result()

    def stateless_update_state(
        self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any
    ) -> list[Any]:
        """`update_state` as a pure function.

        Args:
            metric_variables: Values for `variables`, one each.
            *args: Arguments of `update_state`.
            **kwargs: Arguments of `update_state`.

        Returns:
            The new values; the metric itself does not change.

        Raises:
            StateError: The metric is not built.
            ArgumentError: There are not as many values as variables.
        """
        update = pure(self.update_state, self.variables)
        _, new_values = update(self._checked(metric_variables), *args, **kwargs)
        return new_values

    def stateless_result(self, metric_variables: Sequence[Any]) -> Any:
        """`result` as a pure function of the values of the state.

        Raises:
            StateError: The metric is not built.
            ArgumentError: There are not as many values as variables.
        """
        result, _ = pure(self.result, self.variables)(self._checked(metric_variables))
        return result

    def stateless_reset_state(self) -> list[Any]:
        """The values that `reset_state` would assign; the metric itself does not change."""
        variables = self.variables
        reset = pure(self.reset_state, variables)
        _, new_values = reset([variable.value for variable in variables])
        return new_values

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates a metric from its config."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

    def _state(self) -> tuple[list[Variable], list[Metric]]:
        """The variables and the metrics among the attributes, each once."""
        found = list(_walk(vars(self)))
        unique = list({id(item): item for item in found}.values())
        variables = [item for item in unique if isinstance(item, Variable)]
        metrics = [item for item in unique if isinstance(item, Metric)]
        return variables, metrics

    def _checked(self, values: Sequence[Any]) -> list[Any]:
        if not self.built:
            raise StateError(
                f"The state of {self!r} does not exist yet: its shape depends on the data.",
                fix="call build(y_true_shape, y_pred_shape) first",
            )
        names = [variable.name for variable in self.variables]
        if len(values) != len(names):
            raise ArgumentError(
                "Argument `metric_variables` must hold one value for each of"
                f" {type(self).__name__}().variables.",
                expected=f"{len(names)} values: {names}",
                received=f"a list with length {len(values)}",
                fix="pass [variable.value for variable in metric.variables]",
            )
        return [jnp.asarray(value) for value in values]


get = catalogue.get
deserialize = catalogue.deserialize


def serialize(metric: Any) -> Any:
    """The JSON-ready config of a metric or a function."""
    return registry.serialize(metric)


def direction_of(metric: Any) -> str | None:
    """`"up"` if greater values of a metric are better, `"down"` if less are, None if unknown."""
    direction = getattr(metric, "_direction", None)
    return direction if direction in ("up", "down") else None


def divide_no_nan(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    """`numerator / denominator`, and 0 where the denominator is 0."""
    empty = denominator == 0
    return jnp.where(empty, 0.0, numerator / jnp.where(empty, 1.0, denominator))


def function_from_config(function: Any) -> Any:
    """Returns a function by its name or config; a callable is returned as it is."""
    if callable(function) and not inspect.isclass(function):
        return function
    if isinstance(function, str):
        function = {"class_name": "function", "config": function}
    return registry.deserialize(function)


def _walk(item: Any) -> Iterator[Variable | Metric]:
    if isinstance(item, Variable | Metric):
        yield item
    elif isinstance(item, list | tuple):
        for part in item:
            yield from _walk(part)
    elif isinstance(item, dict):
        yield from _walk(list(item.values()))
