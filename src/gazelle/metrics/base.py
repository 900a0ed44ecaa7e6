"""The base of all metrics: named state that is updated batch by batch, read at any time and reset."""

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
from gazelle._core.pure import pure
from gazelle._core.variable import Variable

catalogue = registry.Catalogue("metric", "keras.metrics")


class Metric:
    """A figure gathered over batches.

    A subclass makes its state with `add_variable` in its constructor and defines `update_state` and
    `result`:

        class LargestError(gazelle.metrics.Metric):
            def __init__(self, name="largest_error", dtype=None):
                super().__init__(name=name, dtype=dtype)
                self.largest = self.add_variable((), "zeros", name="largest")

            def update_state(self, y_true, y_pred, sample_weight=None):
                self.largest.assign(jnp.maximum(self.largest.value, jnp.max(jnp.abs(y_true -
                y_pred))))

            def result(self):
                return self.largest.value

    Both run inside compiled programs: they use `jax.numpy` (or `gazelle.ops`) and do not branch on
    values. Variables and metrics that are attributes of a metric, also in lists, tuples and dicts,
    belong to its state. State whose shape is known only from data is made by overriding `build`,
    with `self.built = False` in the constructor; `update_state` then calls `build` where it must.

    Args:
        dtype: Type of the state: a float type's name, a dtype or a policy; floatx when None.
        name: Name in the logs; the class's name in snake case when None. (Unlike Keras, never
            numbered by a count of all metrics of the process: the same code gives the same log keys
            every time.)

    Raises:
        ArgumentTypeError: `name` is no string.
    """

    built: bool = True
    _direction: str | None = (
        None  # "up" where greater is better, "down" where less is; None when not known
    )

    def __init__(self, dtype: Any = None, name: str | None = None):
        if name is not None and not isinstance(name, str):
            raise ArgumentTypeError(
                f"{type(self).__name__}: name must be a string.",
                expected="a string or None",
                received=repr(name),
            )
        self.name: str = snake_case(type(self).__name__) if name is None else name
        self._dtype = floatx() if dtype is None else get_policy(dtype).compute_dtype
        self._variables: list[Variable] = []
        self._initial_values: list[np.ndarray] = []

    @property
    def dtype(self) -> str:
        """Type of the state."""
        return self._dtype

    @property
    def variables(self) -> list[Variable]:
        """All state: the metric's own variables in the order of their making, then those of metrics that it holds."""
        variables, metrics = self._state()
        for metric in metrics:
            variables.extend(
                variable
                for variable in metric.variables
                if all(variable is not v for v in variables)
            )
        return variables

    def add_variable(
        self,
        shape: int | Iterable[int],
        initializer: Any = None,
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """Make a variable of the state.

        Args:
            shape: Its shape, `()` for a number.
            initializer: Name, config or instance of an initializer, a callable `(shape, dtype) ->
                array`, a number or an array; zeros when None.
            dtype: Its type; the metric's when None.
            aggregation: Accepted for Keras's sake: how copies on several devices are put together.
            name: Its name.

        Returns:
            The variable, which belongs to `variables` from now on.
        """
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        dtype = self.dtype if dtype is None else dtype
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
        """`add_variable` with Keras's older name; a number that starts at zero when nothing is given."""
        return self.add_variable(shape, initializer, dtype=dtype, name=name)

    def build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        """Make state whose shape depends on the data; nothing to do for most metrics.

        Args:
            y_true_shape: Shape of the targets, the batch axis first.
            y_pred_shape: Shape of the predictions, the batch axis first.
        """
        self.built = True

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take a batch into account; most metrics take `(y_true, y_pred, sample_weight=None)`."""
        raise NotImplementedError(f"{type(self).__name__} must define update_state().")

    def result(self) -> Any:
        """The figure over all batches since the last reset: an array, or a dict of arrays by name."""
        raise NotImplementedError(f"{type(self).__name__} must define result().")

    def reset_state(self) -> None:
        """Set every variable to its first value (Keras sets zeros, whatever the initializer)."""
        variables, metrics = self._state()
        initial = {
            id(v): value for v, value in zip(self._variables, self._initial_values, strict=True)
        }
        for variable in variables:
            value = initial.get(id(variable))
            variable.assign(
                np.zeros(variable.shape, jnp.dtype(variable.dtype)) if value is None else value
            )
        for metric in metrics:
            metric.reset_state()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`update_state`, then `result`."""
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
            The new values; the metric itself stays as it is.

        Raises:
            StateError: The metric's state is not built.
            ArgumentError: There are not as many values as variables.
        """
        return pure(self.update_state, self.variables)(
            self._checked(metric_variables), *args, **kwargs
        )[1]

    def stateless_result(self, metric_variables: Sequence[Any]) -> Any:
        """`result` as a pure function of the state's values; raises like `stateless_update_state`."""
        return pure(self.result, self.variables)(self._checked(metric_variables))[0]

    def stateless_reset_state(self) -> list[Any]:
        """The values that `reset_state` would give `variables`; the metric itself stays as it is."""
        variables = self.variables
        return pure(self.reset_state, variables)([variable.value for variable in variables])[1]

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal metric."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A metric from `get_config`."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

    def _state(self) -> tuple[list[Variable], list[Metric]]:
        """The variables and the metrics among the attributes, each once."""
        found = list(_walk(vars(self)))
        unique = list({id(item): item for item in found}.values())
        return [v for v in unique if isinstance(v, Variable)], [
            m for m in unique if isinstance(m, Metric)
        ]

    def _checked(self, values: Sequence[Any]) -> list[Any]:
        if not self.built:
            raise StateError(
                f"The state of {self!r} does not exist yet: its shape comes from the data.",
                fix="call build(y_true_shape, y_pred_shape) first",
            )
        if len(values) != len(self.variables):
            raise ArgumentError(
                "Argument `metric_variables` must hold one value for each of"
                f" {type(self).__name__}().variables.",
                expected=(
                    f"{len(self.variables)} values:"
                    f" {[variable.name for variable in self.variables]}"
                ),
                received=f"a list with length {len(values)}",
                fix="pass [variable.value for variable in metric.variables]",
            )
        return [jnp.asarray(value) for value in values]


def get(identifier: Any) -> Any:
    """The metric that `identifier` stands for.

    Args:
        identifier: A name (`"mse"`, `"auc"`, `"F1Score"`), a config, a class (an instance is made),
            an instance or a function `(y_true, y_pred)`; None gives None.

    Raises:
        UnknownNameError: It stands for nothing; the message lists the nearest names.
    """
    return catalogue.get(identifier)


def serialize(metric: Any) -> Any:
    """The JSON-ready config of a metric or a function."""
    return registry.serialize(metric)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A metric from `serialize`, or from a name."""
    return catalogue.get(config, custom_objects)


def divide_no_nan(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    """`numerator / denominator`, and 0 where the denominator is 0."""
    empty = denominator == 0
    return jnp.where(empty, 0.0, numerator / jnp.where(empty, 1.0, denominator))


def function_from_config(function: Any) -> Any:
    """A function from its name or config; a callable as it is."""
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
