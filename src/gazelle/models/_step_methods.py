"""The methods of a model that are its training step, and its parts; users may override them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from gazelle._core import context
from gazelle._core.errors import ArgumentError, StateError
from gazelle._core.pure import borrowed, settled
from gazelle._core.variable import Variable, plain, values_of
from gazelle._engine.own_steps import OwnSteps
from gazelle.layers import Layer

if TYPE_CHECKING:
    from gazelle._engine.steps import Steps
    from gazelle.models._trainer import Trainer

_FORMATS: dict[str, Callable[[Variable], Any]] = {
    "backend_tensor": lambda variable: variable.value,
    "numpy_array": lambda variable: variable.numpy(),
}
_GROUPS = (
    "trainable_variables",
    "non_trainable_variables",
    "optimizer_variables",
    "metrics_variables",
)

State = Sequence[Sequence[Any]]


class StepMethods(Layer):
    """What `fit`, `evaluate` and `predict` do with one batch, as methods to override.

    The methods with a `state` are pure functions, as in Keras on JAX: the state is a tuple of lists
    of arrays, in the order of `trainable_variables`, `non_trainable_variables`,
    `optimizer.variables` and `metrics_variables`. They return the new state. Gazelle traces them
    once and compiles them into whole epochs, like its own step.

    They may be overridden in the form of Keras on TensorFlow too, `train_step(self, data)`: such a
    step reads and assigns the variables themselves, returns the logs alone, and calls
    `super().train_step(data)`.
    """

    _trainer: Trainer

    def train_step(self, state: State, data: Any = None) -> tuple[dict[str, Any], State]:
        """One training step.

        Args:
            state: `(trainable, non_trainable, optimizer, metrics)`, lists of arrays.
            data: `x`, `(x, y)` or `(x, y, sample_weight)` of one batch.

        Returns:
            `(logs, state)`: a dict of numbers by name, and the new state.

        Example:
            >>> class Model(gazelle.Model):
            ...     def train_step(self, state, data):
            ...         logs, state = super().train_step(state, data)
            ...         return {**logs, "twice": 2 * logs["loss"]}, state
        """
        return self._inherited("train_step", state, data)

    def test_step(self, state: State, data: Any = None) -> tuple[dict[str, Any], State]:
        """One evaluation step.

        Args:
            state: `(trainable, non_trainable, metrics)`, lists of arrays.
            data: As in `train_step`.

        Returns:
            `(logs, state)`.
        """
        return self._inherited("test_step", state, data)

    def predict_step(self, state: State, data: Any = None) -> tuple[Any, Sequence[Any]]:
        """The predictions for one batch.

        Args:
            state: `(trainable, non_trainable)`, lists of arrays.
            data: `x`, or a tuple of it alone.

        Returns:
            `(outputs, non_trainable)`.
        """
        return self._inherited("predict_step", state, data)

    def _inherited(self, name: str, state: State, data: Any) -> Any:
        steps = self._steps(name)
        if not isinstance(steps, OwnSteps):
            raise StateError(
                f"{name} is called for a model that does not define it.",
                fix="use fit, evaluate or predict; or override it and call super()",
            )
        if data is None:
            return steps.inherited_on_variables(name, state)
        return steps.inherited(name, state, data)

    def _steps(self, what: str) -> Steps:
        engine = self._trainer.engine or self._trainer.predictor
        if engine is None:
            raise StateError(
                f"{what} needs a compiled model that has seen data.",
                fix="call compile and fit first",
            )
        return engine.steps

    # ---- Parts of the step ----

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The loss of a batch: compiled and added losses, and penalties. May be overridden.

        Args:
            x: Inputs of the batch.
            y: Targets.
            y_pred: The model's outputs.
            sample_weight: Weights or None.
            training: Whether this is a training step.

        Returns:
            A scalar array.
        """
        total, _ = self._steps("compute_loss").loss(y, y_pred, sample_weight)
        for term in self.losses:
            total = total + jnp.sum(jnp.asarray(term, total.dtype))
        return total

    @property
    def losses(self) -> list[Any]:
        """The losses that layers have added, within a step those of the step, and the penalties."""
        added = context.collector()
        return super().losses if added is None else [*added, *self.regularization_losses()]

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Update the compiled metrics with a batch. May be overridden.

        Args:
            x: Inputs of the batch.
            y: Targets.
            y_pred: The model's outputs.
            sample_weight: Weights or None.

        Returns:
            The logs: what `get_metrics_result` returns.
        """
        self._steps("compute_metrics").compiled_metrics.update(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """The results of all metrics by log name. May be overridden."""
        return self._steps("get_metrics_result").measured()

    def stateless_compute_loss(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        metrics_variables: Sequence[Any],
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tuple[Any, tuple[list[Any], list[Any], list[Any]]]:
        """`compute_loss` as a pure function.

        Returns:
            The loss, and `(trainable, non_trainable, metrics)` after it.
        """
        groups = [self.trainable_variables, self.non_trainable_variables, self.metrics_variables]
        given = [trainable_variables, non_trainable_variables, metrics_variables]
        with borrowed(_flat(groups), [plain(value) for values in given for value in values]):
            loss = self.compute_loss(
                x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training
            )
            trainable, other, metrics = (values_of(group) for group in groups)
            return settled(loss), (trainable, other, metrics)

    def compute_loss_and_updates(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        metrics_variables: Sequence[Any],
        x: Any,
        y: Any,
        sample_weight: Any = None,
        training: bool = False,
        optimizer_variables: Sequence[Any] | None = None,
    ) -> tuple[Any, tuple[Any, Any, list[Any], list[Any]]]:
        """The loss of a batch as a pure function, for `jax.value_and_grad(..., has_aux=True)`.

        Args:
            trainable_variables: Arrays, by which the loss is differentiated.
            non_trainable_variables: Arrays.
            metrics_variables: Arrays.
            x: Inputs of the batch.
            y: Targets.
            sample_weight: Weights or None.
            training: Whether this is a training step.
            optimizer_variables: Arrays, for an optimizer that scales the loss.

        Returns:
            `(loss, (unscaled loss, y_pred, non_trainable, metrics))`.
        """
        trainable, other = self.trainable_variables, self.non_trainable_variables
        metrics = self.metrics_variables
        given = [trainable_variables, non_trainable_variables, metrics_variables]
        groups = [trainable, other, metrics]
        scaling = self.optimizer if training and optimizer_variables else None
        if scaling is not None:
            given.append(optimizer_variables or [])
            groups.append(scaling.variables)
        variables = _flat(groups)
        values = [plain(value) for values in given for value in values]
        with borrowed(variables, values), context.collected_losses():
            y_pred = self(x, training=training)
            unscaled = self.compute_loss(
                x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training
            )
            loss = unscaled if scaling is None else scaling.scale_loss(unscaled)
            results = unscaled, y_pred, values_of(other), values_of(metrics)
            return settled(loss), settled(results)

    @property
    def optimizer(self) -> Any:
        """The optimizer; None before `compile`. Another may be assigned at any time."""
        return self._trainer.optimizer

    @optimizer.setter
    def optimizer(self, value: Any) -> None:
        self._trainer.set_optimizer(value)

    @property
    def metrics_variables(self) -> list[Variable]:
        """The state of `metrics`."""
        return [variable for metric in self.metrics for variable in metric.variables]

    # ---- The state as a tree ----

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """The values of all variables, in nested dicts by the parts of their paths.

        Args:
            value_format: `"backend_tensor"` for JAX arrays, `"numpy_array"` for NumPy arrays.

        Returns:
            A dict with `trainable_variables`, `non_trainable_variables`, `optimizer_variables` and
            `metrics_variables`.

        Raises:
            ArgumentError: Another format, or two variables of a kind have one path.
        """
        if value_format not in _FORMATS:
            raise ArgumentError(
                "Invalid `value_format` argument.",
                expected=f"one of {[*_FORMATS]}",
                received=repr(value_format),
            )
        return {
            name: _nested(variables, _FORMATS[value_format])
            for name, variables in self._groups().items()
        }

    def set_state_tree(self, state_tree: dict[str, Any]) -> None:
        """Set the variables from a tree of `get_state_tree`; kinds that it lacks stay as they are.

        Raises:
            ArgumentError: It has an unknown kind or path.
        """
        groups = self._groups()
        for name, tree in state_tree.items():
            if name not in groups:
                raise ArgumentError(
                    f"Unknown variable name: {name}",
                    expected=f"one of {[*groups]}",
                    received=repr(name),
                )
            by_path = {variable.path: variable for variable in groups[name]}
            for path, value in _flattened(tree):
                if path not in by_path:
                    raise ArgumentError(
                        f"set_state_tree: there is no variable {path!r} in {name}.",
                        expected=f"paths such as {[*by_path][:3]}",
                        received=repr(path),
                    )
                by_path[path].assign(value)

    def _groups(self) -> dict[str, list[Variable]]:
        optimizer = self.optimizer
        found = (
            self.trainable_variables,
            self.non_trainable_variables,
            [] if optimizer is None else optimizer.variables,
            self.metrics_variables,
        )
        return {name: list(group) for name, group in zip(_GROUPS, found, strict=True)}


def _flat(groups: Sequence[Sequence[Variable]]) -> list[Variable]:
    return [variable for group in groups for variable in group]


def _nested(variables: Sequence[Variable], form: Callable[[Variable], Any]) -> dict[str, Any]:
    """Values in nested dicts by the parts of the variables' paths."""
    paths = [variable.path for variable in variables]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise ArgumentError(
            "The following variable path is found twice in the model: "
            f"'{twice[0]}'. `get_state_tree()` can only be called when all variable paths are"
            " unique.",
            fix="give each layer a name of its own",
        )
    tree: dict[str, Any] = {}
    for variable in variables:
        *folders, name = variable.path.split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = form(variable)
    return tree


def _flattened(tree: dict[str, Any], within: str = "") -> list[tuple[str, Any]]:
    """`(path, value)` for each value in nested dicts."""
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        path = f"{within}/{key}" if within else key
        if isinstance(value, dict):
            found += _flattened(value, path)
        else:
            found.append((path, np.asarray(value)))
    return found
