"""Transformations of optax as optimizers; optax itself is never imported."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.errors import ArgumentError, ArgumentTypeError
from gazelle._core.variable import Variable
from gazelle.optimizers._optimizer import Optimizer
from gazelle.optimizers._state import OptimizerState


class OptaxOptimizer(Optimizer):
    """Trains with a gradient transformation of optax.

    `compile(optimizer=optax.adamw(1e-3))` wraps the transformation by itself. Its state is in the
    optimizer's variables, so it is trained, saved and resumed as that of every optimizer.

    The transformation sees the weights as an ordered dict by variable path, such as
    `"dense/kernel"`. Make masks and labels with `jax.tree.map_with_path`, which keeps that order.

    Learning rates are the transformation's own, schedules too. Only that of
    `optax.inject_hyperparams(optax.sgd)(learning_rate=0.1)` can be read and set, also by callbacks.

    A config cannot hold a transformation. Weights and the optimizer's state are saved with
    `save_weights`. For a whole model write and register a subclass whose constructor makes the
    transformation from numbers, and whose `get_config` returns these.

    Args:
        transformation: An object with `init(params)` and `update(gradients, state, params)`.
        loss_scale_factor: As for `Optimizer`.
        name: A name without `/`; generated if None.

    Raises:
        ArgumentTypeError: `transformation` is not one.
    """

    def __init__(
        self,
        transformation: Any,
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ):
        if not is_transformation(transformation):
            raise ArgumentTypeError(
                "transformation is not one of optax.",
                expected="an object with the functions init and update, such as optax.adam(1e-3)",
                received=repr(transformation),
            )
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._variables = [v for v in self._variables if v is not self._learning_rate]
        self._rate: Variable | None = None  # of `optax.inject_hyperparams`
        self._transformation = transformation
        self._leaves: list[Variable] = []  # the state of the transformation
        self._keys: list[Any] = []  # for each of them how to make a random key of it, or None
        self._structure: Any = None

    @property
    def learning_rate(self) -> Any:
        """The learning rate of `optax.inject_hyperparams`, a variable.

        Raises:
            AttributeError: There is no such rate, or the optimizer is not built.
        """
        if self._rate is None:
            raise AttributeError(
                f"The learning rate of {self.name} is inside its transformation. Make it with"
                " optax.inject_hyperparams, and not from a schedule, to read and set it."
            )
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if hasattr(self, "_rate"):
            self.learning_rate.assign(value)
        else:
            OptimizerState.learning_rate.__set__(self, value)  # the constructor's

    def _rate_source(self) -> Any:
        return self._rate

    def _add_slots(self, variables: list[Variable]) -> None:
        """Make the state of the transformation, and see that an update works."""
        params = self._named([variable.value for variable in variables])
        state = self._transformation.init(params)
        found, self._structure = jax.tree_util.tree_flatten_with_path(state)
        paths = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in found]
        for path, (_, leaf) in zip(paths, found, strict=True):
            array = jnp.asarray(leaf)
            is_key = jnp.issubdtype(array.dtype, jax.dtypes.prng_key)
            self._keys.append(jax.random.key_impl(array) if is_key else None)
            array = jax.random.key_data(array) if is_key else array
            name = path.replace("/", "_")
            self._leaves.append(self.add_variable(array.shape, array, array.dtype, name=name))
        self._rate = _rate_among(paths, self._leaves)
        self._check_update(params, state)

    def _check_update(self, params: Any, state: Any) -> None:
        """Refuse a transformation that needs more than gradients, before training begins."""
        try:
            jax.eval_shape(self._transformation.update, params, state, params)
        except TypeError as error:
            raise ArgumentError(
                f"{self.name} cannot train with this transformation: {error}",
                expected="one that needs gradients and weights alone",
                fix="choose another, or write a train_step of your own that passes the rest",
            ) from error

    def _named(self, values: list[Any]) -> Any:
        """Values in the order of the variables, by their paths; equal paths are numbered."""
        named: OrderedDict[str, Any] = OrderedDict()
        for variable, value in zip(self._trainable_variables, values, strict=True):
            name, number = variable.path, 0
            while name in named:
                number += 1
                name = f"{variable.path}_{number}"
            named[name] = value
        return named

    def _update(self, gradients: list[jax.Array], variables: list[Variable]) -> None:
        """One step; a variable without a gradient counts as one of zeros and does not change."""
        given = dict(zip(variables, gradients, strict=True))
        every = self._trainable_variables
        complete = [given[v] if v in given else jnp.zeros_like(v.value) for v in every]
        leaves = [
            variable.value if key is None else jax.random.wrap_key_data(variable.value, impl=key)
            for variable, key in zip(self._leaves, self._keys, strict=True)
        ]
        updates, state = self._transformation.update(
            self._named(complete),
            jax.tree.unflatten(self._structure, leaves),
            self._named([variable.value for variable in every]),
        )
        for variable, update in zip(every, updates.values(), strict=True):
            if variable in given:
                variable.assign_add(jnp.asarray(update, variable.dtype))
        for variable, key, leaf in zip(
            self._leaves, self._keys, self._structure.flatten_up_to(state), strict=True
        ):
            variable.assign(leaf if key is None else jax.random.key_data(leaf))

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Not here: the transformation decays weights.

        Raises:
            ArgumentError: Always.
        """
        raise ArgumentError(
            f"{self.name} leaves weight decay to its transformation.",
            fix="pass a mask to it: optax.adamw(1e-3, mask=...)",
        )

    def get_config(self) -> dict[str, Any]:
        """Not possible: a transformation is code.

        Raises:
            ArgumentTypeError: Always.
        """
        raise ArgumentTypeError(
            "A transformation of optax cannot be written into a config: a config is data and holds"
            " no code.",
            expected="an optimizer of Gazelle, or a registered subclass of OptaxOptimizer",
            fix="save with model.save_weights, or define get_config in a subclass of your own",
        )


def is_transformation(candidate: Any) -> bool:
    """Whether an object has the form of optax's transformations."""
    if isinstance(candidate, type | OptimizerState):
        return False
    return all(callable(getattr(candidate, name, None)) for name in ("init", "update"))


def _rate_among(paths: list[str], leaves: list[Variable]) -> Variable | None:
    """The learning rate of `optax.inject_hyperparams`; None without, or where it is a schedule."""
    scheduled = any("hyperparams_states/learning_rate" in path for path in paths)
    found = [
        leaf
        for path, leaf in zip(paths, leaves, strict=True)
        if path.endswith("hyperparams/learning_rate")
    ]
    return found[0] if len(found) == 1 and not scheduled else None
