"""Steps that a user's model defines itself: `train_step`, `test_step`, `predict_step` and parts.

They have Keras's signatures for JAX: functions of a state (lists of arrays, in the order of the
model's variables) and of the data of a batch. Or they take the data alone, as in Keras on
TensorFlow, and read and assign the variables themselves. They are traced like Gazelle's own steps,
so a pure one is compiled into the epoch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from gazelle._core import context
from gazelle._core.errors import ArgumentTypeError, StateError
from gazelle._core.identity import are_same, unique
from gazelle._core.lending import borrowed_here
from gazelle._core.masks import own_table
from gazelle._core.pure import borrowed, settled
from gazelle._core.symbolic import map_structure, samples_in
from gazelle._core.touched import Touched, touched_variables
from gazelle._core.variable import Variable, plain, set_values, values_of
from gazelle._engine.state import State
from gazelle._engine.steps import LossMean, Steps
from gazelle.metrics import Metric
from gazelle.optimizers import Optimizer

# What a class may define, and what its state is made of.
STEPS = {
    "train_step": ("trainable", "non_trainable", "optimizer", "metrics"),
    "test_step": ("trainable", "non_trainable", "metrics"),
    "predict_step": ("trainable", "non_trainable"),
}
_FOLLOWED_ROWS = 2
PARTS = ("compute_metrics", "get_metrics_result", "compute_loss_and_updates")


class OwnSteps(Steps):
    """The steps of a model that defines some of them itself.

    Args:
        model: The model.
        *args: As of `Steps`.
        defined: What the model's class defines, of `STEPS` and `PARTS`.
        optimizers: Further optimizers that the model holds, built.
        **kwargs: As of `Steps`.
    """

    def __init__(
        self,
        model: Any,
        *args: Any,
        defined: frozenset[str],
        optimizers: Sequence[Optimizer] = (),
        **kwargs: Any,
    ):
        super().__init__(model, *args, **kwargs)
        self._model: Any = model
        # Without a train_step of its own, a model with its own compute_loss_and_updates is trained
        # by the train_step that it inherits.
        calls_it = "compute_loss_and_updates" in defined
        self.defined = defined | {"train_step"} if calls_it else defined
        self._optimizers = list(optimizers)
        self._watch = LossMean(name="loss")
        self.state = State(
            trainable=self.state.trainable,
            frozen=self.state.frozen,
            slots=self.slots(),
            metric_state=[*self.state.metric_state, *self._watch.variables],
        )

    def slots(self) -> list[Variable]:
        """The variables of all optimizers."""
        others = [v for optimizer in self._optimizers for v in optimizer.variables]
        return unique([*super().slots(), *others])

    @property
    def watched(self) -> LossMean:
        """The mean of the losses in the logs."""
        return self._watch if self.has_own_logs else super().watched

    @property
    def has_own_logs(self) -> bool:
        """Whether the logs of training and evaluation are what a step returns."""
        return self.defined != {"predict_step"}

    @property
    def builds_optimizer(self) -> bool:
        """Whether the optimizer is for all trainable variables.

        A user's step may have built it for some of them.
        """
        return "train_step" not in self.defined or not (self.optimizer and self.optimizer.built)

    @property
    def reset_at_epochs(self) -> list[Metric]:
        """Also what the model calls its metrics, and the mean of the losses in the logs."""
        return unique([*self._model.metrics, *self.metrics, self._watch])

    def fingerprint(self) -> Hashable | None:
        """None: the programs depend on code of the user's."""
        return None

    def describe(self) -> None:
        """None: the kernel does not know these steps."""

    # ---- The steps ----

    def train(self, x: Any, y: Any, sample_weight: Any) -> dict[str, Any] | None:
        """One training step; returns its logs."""
        return self._logged("train_step", super().train, x, y, sample_weight)

    def test(self, x: Any, y: Any, sample_weight: Any) -> dict[str, Any] | None:
        """One evaluation step; returns its logs."""
        return self._logged("test_step", super().test, x, y, sample_weight)

    def _logged(
        self, name: str, inherited: Callable[..., Any], x: Any, y: Any, sample_weight: Any
    ) -> dict[str, Any] | None:
        """Run the model's step or the inherited one; the mean of the losses counts its loss."""
        if name in self.defined:
            with own_table(), context.collected_losses():
                logs = self._call(name, packed(x, y, sample_weight))
        else:
            logs = inherited(x, y, sample_weight)
        if not self.has_own_logs:
            return None
        found = flat_logs(name, settled(logs))
        loss = found.get("loss", jnp.zeros(()))
        self._watch.update_state(loss, sample_weight=samples_in(x))
        return found

    def predict(self, x: Any) -> Any:
        """The predictions for one batch."""
        if "predict_step" not in self.defined:
            return super().predict(x)
        with context.collected_losses():
            return self._call("predict_step", packed(x))

    def _track(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any, loss: Any, parts: dict[str, Any]
    ) -> dict[str, Any]:
        if "compute_metrics" not in self.defined:
            super()._track(x, y, y_pred, sample_weight, loss, parts)
            return self.results()
        self._track_loss(x, loss, parts)
        return self._model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def results(self) -> dict[str, Any]:
        """The logs after a step."""
        if "get_metrics_result" not in self.defined:
            return self.measured()
        return flat_logs("get_metrics_result", self._model.get_metrics_result())

    # ---- The state that a step is given and returns ----

    def groups(self, name: str) -> list[list[Variable]]:
        """The variables of the state of a step."""
        model = self._model
        found = {
            "trainable": self.state.trainable,
            "non_trainable": model.non_trainable_variables,
            "optimizer": [] if self.optimizer is None else self.optimizer.variables,
            "metrics": model.metrics_variables,
        }
        return [list(found[kind]) for kind in STEPS[name]]

    def _call(self, name: str, data: Any) -> Any:
        """Call a step on the values that the variables hold, and put its new state into them.

        Raises:
            ArgumentTypeError: It does not take or return a state as on JAX.
        """
        step = getattr(self._model, name)
        if takes_data_alone(step):
            return self._on_variables(name, step, data)
        _check_signature(name, step, self._model)
        groups = self.groups(name)
        returned = step(tuple(values_of(group) for group in groups), data)
        expected = "(outputs, non_trainable)" if name == "predict_step" else "(logs, state)"
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise _wrong_return(name, self._model, expected, type(returned).__name__)
        result, state = returned
        if name == "predict_step":
            groups, state = groups[1:], [state]
        result = settled(result)
        counts = [len(group) for group in groups]
        if not isinstance(state, tuple | list) or [len(values) for values in state] != counts:
            raise _wrong_return(
                name, self._model, f"{expected} with lists of {counts} arrays", "another state"
            )
        for group, values in zip(groups, state, strict=True):
            set_values(group, [plain(value) for value in values])
        return result

    def _on_variables(self, name: str, step: Callable[[Any], Any], data: Any) -> Any:
        """Call a step that takes the data alone.

        Raises:
            StateError: It is traced, and assigns variables that the programs do not carry.
        """
        here = borrowed_here.values
        with touched_variables() as touched:
            result = settled(step(data))
        for variable, value in touched.assigned.items():
            if variable in here:
                set_values([variable], [value])
            elif isinstance(value, Tracer):
                raise StateError(
                    f"{name} of {type(self._model).__name__} assigns the variable"
                    f" {variable.path!r}, which it did not when it was followed first.",
                    fix="compile the model with run_eagerly=True",
                )
            else:
                variable.assign(value)
        return result

    def follow(self, name: str, spec: Any) -> str | None:
        """Follow a step that takes the data alone, and carry all variables that it uses.

        Layers and optimizers that are built by it are built by this.

        Args:
            name: The step.
            spec: `(x, y, sample_weight)` as symbolic tensors.

        Returns:
            Why the step cannot be compiled; None if it can be.
        """
        step = getattr(self._model, name)
        if name not in self.defined or not takes_data_alone(step):
            return None
        shapes = map_structure(_followed, spec)
        variables = self.state.variables
        touched = Touched()

        def run(values: list[Any], batch: Any) -> Any:
            nonlocal touched
            with (
                borrowed(variables, values),
                touched_variables() as touched,
                own_table(),
                context.collected_losses(),
            ):
                return settled(step(packed(*batch)))

        try:
            jax.eval_shape(run, [variable.current for variable in variables], shapes)
        except jax.errors.JAXTypeError as error:
            return str(error).splitlines()[0]
        if not are_same(self.state.slots, self.slots()):
            self.state.set_slots(self.slots())
        known = set(self.state.variables)
        self.state.add([variable for variable in touched.variables if variable not in known])
        return None

    # ---- The steps that a model inherits ----

    def inherited(self, name: str, state: Sequence[Any], data: Any) -> tuple[Any, Any]:
        """What `super().train_step(state, data)` and its like do: Gazelle's own step.

        Args:
            name: Its name.
            state: As the step is given it.
            data: `x`, or a tuple of `x`, `y` and `sample_weight`.

        Returns:
            The logs (of `predict_step` the outputs) and the new state.
        """
        groups = self.groups(name)
        variables = [variable for group in groups for variable in group]
        values = [plain(value) for values in state for value in values]
        with borrowed(variables, values):
            result = self.inherited_on_variables(name, data)
            new = tuple(values_of(group) for group in groups)
        return result, new[1] if name == "predict_step" else new

    def inherited_on_variables(self, name: str, data: Any) -> Any:
        """What `super().train_step(data)` and its like do: Gazelle's own step, on the variables."""
        x, y, sample_weight = unpacked(data)
        if name == "predict_step":
            return settled(super().predict(x))
        if name == "test_step":
            result = super().test(x, y, sample_weight)
        elif "compute_loss_and_updates" in self.defined:
            result = self._train_by_updates(x, y, sample_weight)
        else:
            result = super().train(x, y, sample_weight)
        return settled(self.results() if result is None else result)

    def _train_by_updates(self, x: Any, y: Any, sample_weight: Any) -> dict[str, Any]:
        """A training step whose loss is the model's own `compute_loss_and_updates`."""
        trainable, other, slots, metrics = self.groups("train_step")
        gradient = jax.value_and_grad(self._model.compute_loss_and_updates, has_aux=True)
        values = [values_of(group) for group in (trainable, other, metrics)]
        (_, results), grads = gradient(
            *values, x, y, sample_weight, training=True, optimizer_variables=values_of(slots)
        )
        loss, y_pred, *after = results
        for group, new in zip((other, metrics), after, strict=True):
            set_values(group, [plain(value) for value in new])
        if self.optimizer is not None:
            self.optimizer.apply(grads, trainable)
        return self._track(x, y, y_pred, sample_weight, loss, {})


def takes_data_alone(step: Callable[..., Any]) -> bool:
    """Whether a step has the form of Keras on TensorFlow: `train_step(self, data)`."""
    signature = inspect.signature(step)
    try:
        signature.bind(None, None)
    except TypeError:
        return len(signature.parameters) == 1
    return False


def _followed(tensor: Any) -> Any:
    """Data of a batch of two for the spec of it."""
    if tensor is None:
        return None
    shape = [_FOLLOWED_ROWS if size is None else size for size in tensor.shape]
    return jax.ShapeDtypeStruct(shape, jnp.dtype(tensor.dtype))


def packed(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The data of a batch as Keras gives it to a step: `x`, `(x, y)` or `(x, y, sample_weight)`."""
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    return (x,) if isinstance(x, tuple | list) else x


def unpacked(data: Any) -> tuple[Any, Any, Any]:
    """`(x, y, sample_weight)` from the data of a batch; None for what is missing."""
    if not isinstance(data, tuple | list):
        return data, None, None
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def flat_logs(name: str, logs: Any) -> dict[str, Any]:
    """Logs as arrays by name; those in nested dicts come out of them, as in Keras.

    Raises:
        ArgumentTypeError: They are not a dict of arrays or numbers.
    """
    if not isinstance(logs, dict):
        raise ArgumentTypeError(
            f"{name} must give logs.",
            expected="a dict of numbers or arrays by their names",
            received=type(logs).__name__,
        )
    found: dict[str, Any] = {}
    for key, value in logs.items():
        if isinstance(value, dict):
            found |= flat_logs(name, value)
            continue
        try:
            array = jnp.asarray(plain(value))
            found[str(key)] = jnp.asarray(array, array.dtype)  # the loop over the batches is strict
        except TypeError:
            raise ArgumentTypeError(
                f"{name} gives a log {key!r} that is not a number.",
                expected="a number or an array",
                received=type(value).__name__,
            ) from None
    return found


def traced_once(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step `(start, size, values)` whose Python code runs once per size of a batch."""
    return jax.jit(step, static_argnums=1, inline=True)


def _check_signature(name: str, step: Callable[..., Any], model: Any) -> None:
    """Refuse the form that these methods have where Keras runs on TensorFlow or PyTorch."""
    try:
        inspect.signature(step).bind(None, None)
    except TypeError:
        raise ArgumentTypeError(
            f"{name} of {type(model).__name__} does not take a state.",
            expected=f"{name}(self, state, data), as in Keras on JAX: arrays in, arrays out",
            received=f"{name}{inspect.signature(step)}",
            fix="compute gradients with jax.value_and_grad, and return the new state",
        ) from None


def _wrong_return(name: str, model: Any, expected: str, received: str) -> ArgumentTypeError:
    return ArgumentTypeError(
        f"{name} of {type(model).__name__} returns something else than a step does.",
        expected=expected,
        received=received,
    )
