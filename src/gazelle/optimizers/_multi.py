"""Several optimizers, each for some of the variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from gazelle._core import registry
from gazelle._core.errors import ArgumentError, ArgumentTypeError
from gazelle._core.identity import unique
from gazelle._core.names import snake_case
from gazelle._core.registry import builtin
from gazelle._core.variable import Variable
from gazelle.optimizers._loss_scale import LossScaleOptimizer
from gazelle.optimizers._optimizer import Optimizer, catalogue
from gazelle.optimizers._state import OptimizerState


@builtin("keras.optimizers")
class OptimizerMap(MutableMapping[str, Optimizer]):
    """Which optimizer trains which variable, by the paths of the variables.

    A key is a path or a regular expression that matches a whole path: `"encoder/.*"`.

    Args:
        default_optimizer: The optimizer of all other variables.
        optimizer_map: A dict of optimizers by key.

    Raises:
        ArgumentTypeError: Something is not an optimizer, or `optimizer_map` is not a dict.

    Example:
        >>> from gazelle.optimizers import SGD, Adam
        >>> optimizers = OptimizerMap(SGD(), {"encoder/.*": Adam()})
        >>> type(optimizers["encoder/dense/kernel"]).__name__
        'Adam'
        >>> type(optimizers["head/kernel"]).__name__
        'SGD'
    """

    def __init__(
        self,
        default_optimizer: Optimizer,
        optimizer_map: Mapping[str, Optimizer] | None = None,
    ):
        if not isinstance(default_optimizer, Optimizer):
            raise ArgumentTypeError(
                "default_optimizer must be an optimizer.", received=repr(default_optimizer)
            )
        if optimizer_map is not None and not isinstance(optimizer_map, dict):
            raise ArgumentTypeError(
                "optimizer_map must be a dictionary.", received=repr(optimizer_map)
            )
        self._default = default_optimizer
        self._map = dict(optimizer_map or {})

    @property
    def default_optimizer(self) -> Optimizer:
        """The optimizer of variables without a key."""
        return self._default

    def __getitem__(self, key: str) -> Optimizer:
        if key in self._map:
            return self._map[key]
        matching = [pattern for pattern in self._map if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ArgumentError(
                f"Multiple optimizers assigned to variable {key}.",
                expected="one key that matches it",
                received=", ".join(map(repr, matching)),
            )
        return self._map[matching[0]] if matching else self._default

    def __setitem__(self, key: str, optimizer: Optimizer) -> None:
        if key in self._map:
            raise ArgumentError(
                f"{key!r} already exists in the OptimizerMap.", fix="delete it first"
            )
        if not isinstance(key, str):
            raise ArgumentError("key must be a string.", received=repr(key))
        _check_inner(optimizer)
        self._map[key] = optimizer

    def __delitem__(self, key: str) -> None:
        del self._map[key]

    def __len__(self) -> int:
        return len(self._map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._map)

    def __call__(self, variable: Variable) -> Optimizer:
        """The optimizer of a variable."""
        return self[variable.path]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "default_optimizer": registry.serialize(self._default),
            "optimizer_map": registry.serialize(self._map),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> OptimizerMap:
        """Creates a map from its config."""
        return cls(
            registry.deserialize(config["default_optimizer"], custom_objects),
            {
                key: registry.deserialize(value, custom_objects)
                for key, value in config["optimizer_map"].items()
            },
        )


@catalogue.add()
class MultiOptimizer(Optimizer):
    """Trains each variable with the optimizer that is meant for it.

    The learning rates are those of the optimizers: `for optimizer in multi.optimizers: ...`.

    Args:
        optimizer_map: An `OptimizerMap`, or a function of a variable that returns its optimizer.
        loss_scale_factor: Replaces that of all optimizers.
        name: A name without `/`; generated if None.
    """

    def __init__(
        self,
        optimizer_map: OptimizerMap | Callable[[Variable], Optimizer],
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ):
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._map = optimizer_map
        self._inner: list[Optimizer] = []
        if isinstance(optimizer_map, OptimizerMap):
            self._inner = unique([*optimizer_map.values(), optimizer_map.default_optimizer])
        self._set_factors()
        self._homes: dict[Variable, Optimizer] = {}

    def _set_factors(self) -> None:
        for optimizer in self._inner:
            optimizer.loss_scale_factor = self.loss_scale_factor

    @property
    def optimizers(self) -> list[Optimizer]:
        """The optimizers."""
        return self._inner

    def build(self, variables: Iterable[Variable]) -> None:
        """Create the state of all optimizers.

        Raises:
            StateError: The optimizer is already built for other variables.
            ArgumentError: The optimizer of a variable is none, or cannot be one of several.
        """
        variables = list(variables)
        if not self.built:
            for variable in variables:
                optimizer = self._map(variable)
                _check_inner(optimizer)
                self._homes[variable] = optimizer
            self._inner = unique([*self._inner, *self._homes.values()])
            self._set_factors()
            for optimizer in self._inner:
                own = [variable for variable in variables if self._homes[variable] is optimizer]
                if own:
                    optimizer.build(own)
        super().build(variables)

    @property
    def variables(self) -> list[Variable]:
        """All state: the number of steps, then that of the optimizers."""
        return [*self._variables, *(v for optimizer in self._inner for v in optimizer.variables)]

    @property
    def learning_rate(self) -> Any:
        """Not one number: each of `optimizers` has its own.

        Raises:
            AttributeError: Always.
        """
        raise AttributeError(
            "Learning rate cannot be accessed on a MultiOptimizer: each of its `optimizers` has its"
            " own."
        )

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if hasattr(self, "_inner"):
            raise AttributeError(
                "Learning rate cannot be set on a MultiOptimizer: set that of its `optimizers`."
            )
        OptimizerState.learning_rate.__set__(self, value)  # the constructor's

    def _inner_optimizers(self) -> dict[str, OptimizerState]:
        found: dict[str, OptimizerState] = {}
        counts: dict[str, int] = {}
        for optimizer in self._inner:
            name = snake_case(type(optimizer).__name__)
            number = counts[name] = counts.get(name, -1) + 1
            found[f"optimizers/{name}_{number}" if number else f"optimizers/{name}"] = optimizer
        return found

    def _rate_source(self) -> None:
        """None: there are several."""

    def apply(
        self, grads: Iterable[Any], trainable_variables: Iterable[Variable] | None = None
    ) -> None:
        """Do one step with every optimizer; see `Optimizer.apply`."""
        grads = list(grads)
        if trainable_variables is None:
            self._require_built("apply(grads) without variables")
            variables = self._trainable_variables
        else:
            variables = list(trainable_variables)
            self.build(variables)
        _check_number(grads, variables)
        for optimizer in self._inner:
            pairs = [
                (gradient, variable)
                for gradient, variable in zip(grads, variables, strict=True)
                if self._homes[variable] is optimizer
            ]
            if any(gradient is not None for gradient, _ in pairs):
                optimizer.apply(*map(list, zip(*pairs, strict=True)))
        self._iterations.assign_add(1)

    def finalize_variable_values(self, var_list: Iterable[Variable] | None = None) -> None:
        """What the optimizers do at the end of `fit`."""
        variables = self._trainable_variables if var_list is None else list(var_list)
        for optimizer in self._inner:
            own = [variable for variable in variables if self._homes[variable] is optimizer]
            if own:
                optimizer.finalize_variable_values(own)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "optimizer_map": registry.serialize(self._map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """Creates an optimizer from its config."""
        chosen = registry.deserialize(config["optimizer_map"], custom_objects)
        return cls(**{**config, "optimizer_map": chosen})


def _check_inner(optimizer: Any) -> None:
    """Refuse what cannot be one of several optimizers."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError("optimizer must be an optimizer.", received=repr(optimizer))
    if isinstance(optimizer, LossScaleOptimizer | MultiOptimizer):
        raise ArgumentError(
            f"optimizer cannot be {type(optimizer).__name__}.",
            fix="wrap the MultiOptimizer in the LossScaleOptimizer",
        )


def _check_number(grads: Sequence[Any], variables: Sequence[Variable]) -> None:
    if len(grads) != len(variables):
        raise ArgumentError(
            "Gradients must match trainable variables one-to-one.",
            expected=f"{len(variables)} gradients",
            received=f"{len(grads)} gradients",
        )
