"""The engine: one compiled program trains n steps over data that is already on the device.

The steps are written as they read, on stateful objects (`_train_step`, `_test_step`): variables are read and assigned.
A program borrows the variables for a call (`_core/pure.py`), so that under JAX it is a pure function of their values.
The loop's carry is the list of all values: weights, optimizer slots, sums of the metrics, random states. The number of
steps is an argument, so that chunks of any length are the same program; the last, shorter batch is a loop of at most
one turn in it, exact and not padded. The carry is donated: a step works in place.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core import context
from gazelle._core.fingerprint import fingerprint
from gazelle._core.pure import borrowed
from gazelle._core.symbolic import leaves, map_structure
from gazelle._core.variable import Variable
from gazelle.data.windows import Piece
from gazelle.metrics import Mean
from gazelle.native import plan_for, predicted
from gazelle.training.interrupt import undisturbed
from gazelle.training.measures import Measures
from gazelle.training.objective import Objective
from gazelle.training.pace import Pace
from gazelle.training.programs import Programs

# Attributes that no program depends on: names, records of calls, what fit and compile keep.
_APART = frozenset(
    {"name", "path", "names", "input_names", "output_names", "depths", "inbound_nodes", "history"}
    | {"_config", "_seen_outputs", "_losses", "_compiled", "_predictor", "_shortcut", "_run_state"}
)


class Trainee(Protocol):
    """What the engine needs of a model."""

    name: str

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """The predictions for `x`."""

    def regularization_losses(self) -> list[Any]:
        """The weight penalties."""
        ...

    @property
    def _structure(self) -> Any:
        """The graph of the layers, another object when layers were added or taken away; None without a graph."""
        ...

    @property
    def _routing_names(self) -> list[str] | None:
        """Names by which data in a dict finds its input, where there are several."""
        ...

    @property
    def trainable_variables(self) -> list[Variable]:
        """What the optimizer changes."""
        ...

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """All other state."""
        ...


class Engine:
    """The programs that train, test and predict with one compiled model.

    Args:
        model: The model.
        objective: Its losses.
        measures: Its metrics.
        optimizer: The optimizer, built for the model's trainable variables; None where nothing is trained.
        attached: Metrics that the model's own layers hold and update in `call`.
        compute_loss: A user's own loss `(x, y, y_pred, sample_weight, training) -> scalar`, or None.
        prediction_shapes: The shape of each output.
    """

    def __init__(
        self,
        model: Trainee,
        objective: Objective,
        measures: Measures,
        optimizer: Any,
        attached: Sequence[Any] = (),
        compute_loss: Callable[..., Any] | None = None,
        prediction_shapes: Sequence[tuple[int | None, ...]] = (),
    ):
        self.model = model
        self.objective = objective
        self.measures = measures
        self.optimizer = optimizer
        self.attached = list(attached)
        self.compute_loss = compute_loss
        parameters = inspect.signature(compute_loss).parameters.values() if compute_loss is not None else ()
        self._loss_takes_training = any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters)
        self.prediction_shapes = list(prediction_shapes)
        self.loss_tracker = Mean(name="loss")
        tracked = objective.tracked if compute_loss is None else []  # a loss of the user's own has no parts
        self.part_trackers = {i: Mean(name=objective.log_name(i)) for i in tracked}
        counted = [self.loss_tracker, *self.part_trackers.values()]
        self._structure = model._structure
        self.trainable = model.trainable_variables
        attached_variables = [variable for metric in self.attached for variable in metric.variables]
        self.frozen = _unique([*model.non_trainable_variables, *attached_variables])
        self.slots = list(optimizer.variables) if optimizer is not None else []
        self.sums = _unique([v for metric in counted for v in metric.variables] + measures.variables)
        self.log_names: list[str] = []
        self.paces: dict[tuple[str, int | None], Pace] = {}  # by stage and batch size
        self._programs = Programs(self._fingerprint, lambda: self.log_names)

    def model_state_matches(self) -> bool:
        """Whether the model still has the layers and variables that the programs were made for."""
        if self.model._structure is not self._structure:
            return False
        now = self.model.trainable_variables  # freezing layers changes them
        return len(now) == len(self.trainable) and all(a is b for a, b in zip(now, self.trainable, strict=True))

    def _fingerprint(self) -> Hashable | None:
        """What the programs depend on; None where they may depend on code of the user's."""
        groups = (self.trainable, self.frozen, self.slots, self.sums)
        outputs = self.objective.outputs
        names = self.model._routing_names, None if outputs.single else outputs.names
        trackers = [*self.part_trackers.items()]
        logs = ([tracker.name for _, tracker in trackers], self.measures.names, [m.name for m in self.attached])
        parts = (self.model, self.objective, self.measures, self.optimizer, self.attached, self.loss_tracker, trackers)
        sizes = [len(group) for group in groups]
        variables = [variable for group in groups for variable in group]
        return fingerprint((parts, self.compute_loss, names, logs, sizes), variables, _APART)

    # Running the programs ---------------------------------------------------------------------------------------

    def train(self, piece: Piece, count: int, *, last: bool, batch_size: int, tail: int, fresh: bool) -> Any:
        """Train the first `count` whole batches of a piece, and then the shorter last batch if `last`.

        Args:
            piece: Batches on the device.
            count: Number of whole batches.
            last: Whether the shorter last batch follows.
            batch_size: Samples a batch.
            tail: Samples in the last batch, 0 if none is shorter.
            fresh: Whether the sums of the metrics start anew.

        Returns:
            The logs, still on the device: `read_logs` reads them.
        """
        variables = [*self.trainable, *self.frozen, *self.slots, *self.sums]
        with undisturbed():
            values, logs = self._run(
                self._train_chunk,
                ([variable.take() for variable in variables],),
                (piece.data, piece.order, np.array([piece.row, count, last, fresh], np.int32)),
                batch_size=batch_size,
                tail=tail,
            )
            _give(variables, values)
        return logs

    def test(self, piece: Piece, count: int, *, last: bool, batch_size: int, tail: int, fresh: bool) -> Any:
        """Evaluate the first `count` whole batches of a piece, and then the shorter last batch if `last`."""
        changed = [*self.frozen, *self.sums]
        with undisturbed():
            values, logs = self._run(
                self._test_chunk,
                ([variable.take() for variable in changed], [variable._value for variable in self.trainable]),
                (piece.data, np.array([piece.row, count, last, fresh], np.int32)),
                batch_size=batch_size,
                tail=tail,
            )
            _give(changed, values)
        return logs

    def train_batch(self, batch: Any, *, fresh: bool, eager: bool = False) -> Any:
        """One training step on one batch `(x, y, sample_weight)`; `eager` runs it operation by operation."""
        variables = [*self.trainable, *self.frozen, *self.slots, *self.sums]
        with undisturbed():
            state = ([variable.take() for variable in variables],)
            values, logs = self._run(self._train_batch, state, (batch, np.bool_(fresh)), eager=eager)
            _give(variables, values)
        return logs

    def test_batch(self, batch: Any, *, fresh: bool, eager: bool = False) -> Any:
        """One evaluation step on one batch."""
        changed = [*self.frozen, *self.sums]
        with undisturbed():
            state = [variable.take() for variable in changed], [variable._value for variable in self.trainable]
            values, logs = self._run(self._test_batch, state, (batch, np.bool_(fresh)), eager=eager)
            _give(changed, values)
        return logs

    def predict_batch(self, x: Any, *, eager: bool = False) -> Any:
        """The predictions for one batch, on the device."""
        values = [variable._value for variable in (*self.trainable, *self.frozen)]
        return self._run(self._predict_batch, ((), values), (x,), eager=eager)

    def predictor(self, x: Any) -> Callable[[Any], Any]:
        """`predict_batch` for arrays of the shape and dtype of `x`, without looking at them."""
        variables = [*self.trainable, *self.frozen]
        values = [variable._value for variable in variables]
        run = self._programs.find(self._predict_batch, ((), values), (x,)).run
        return lambda x: run((), [variable._value for variable in variables], x)

    def _run(self, function: Callable, state: tuple, arguments: tuple, *, eager: bool = False, **static: Any) -> Any:
        """`function(*state, *arguments, **static)` as a compiled program, or operation by operation."""
        if eager:
            return function(*state, *arguments, **static)
        program = self._programs.find(function, state, arguments, **static)
        if program.log_names:
            self.log_names = program.log_names
        return program.run(*state, *arguments)

    def read_logs(self, logs: tuple[Any, dict[str, Any]]) -> dict[str, Any]:
        """Logs as floats by name, sorted; metrics with several numbers as arrays."""
        scalars, arrays = logs
        found: dict[str, Any] = dict(zip(self.log_names, np.asarray(scalars).tolist(), strict=True))
        found |= {name: np.asarray(array) for name, array in arrays.items()}
        return dict(sorted(found.items()))

    # The programs: pure functions of the values -----------------------------------------------------------------

    def _train_chunk(self, values: list, data: Any, order: Any, plan: Any, *, batch_size: int, tail: int) -> Any:
        variables = [*self.trainable, *self.frozen, *self.slots, *self.sums]

        def step(start: Any, size: int, values: list) -> list:
            with borrowed(variables, values):
                self._train_step(*_fetch(data, order, start, size))
                return [variable._value for variable in variables]

        values = self._start(variables, values, plan[3] > 0)
        kernel = plan_for(self, data, order, batch_size=batch_size, tail=tail)
        if kernel is not None:
            values, y_pred = kernel.run(values, data, plan)
            rows = plan[0], plan[0] + plan[1] * batch_size + plan[2] * tail
            known, size = len(values) - len(self.sums), min(batch_size, y_pred.shape[0])
            values[known:] = self.measures.counted(self.sums, values[known:], data, y_pred, rows, size)
        else:
            values = _steps(step, values, plan, data, batch_size, tail)
        return values, self._logs(variables, values)

    def _test_chunk(self, values: list, fixed: list, data: Any, plan: Any, *, batch_size: int, tail: int) -> Any:
        changed = [*self.frozen, *self.sums]

        def step(start: Any, size: int, values: list) -> list:
            with borrowed(self.trainable, fixed), borrowed(changed, values):
                self._test_step(*_fetch(data, None, start, size))
                return [variable._value for variable in changed]

        values = _steps(step, self._start(changed, values, plan[3] > 0), plan, data, batch_size, tail)
        return values, self._logs(changed, values)

    def _train_batch(self, values: list, batch: Any, fresh: Any) -> Any:
        variables = [*self.trainable, *self.frozen, *self.slots, *self.sums]
        with borrowed(variables, self._start(variables, values, fresh)):
            self._train_step(*batch)
            values = [variable._value for variable in variables]
        return values, self._logs(variables, values)

    def _test_batch(self, values: list, fixed: list, batch: Any, fresh: Any) -> Any:
        changed = [*self.frozen, *self.sums]
        with borrowed(self.trainable, fixed), borrowed(changed, self._start(changed, values, fresh)):
            self._test_step(*batch)
            values = [variable._value for variable in changed]
        return values, self._logs(changed, values)

    def _predict_batch(self, _: tuple, values: list, x: Any) -> Any:
        with borrowed([*self.trainable, *self.frozen], values), context.collected_losses():
            found = predicted(self.model, x)
            return self.model(x, training=False) if found is None else found

    def _start(self, variables: list[Variable], values: list, fresh: Any) -> list:
        """The values with the sums of the metrics set back, where `fresh`."""
        with borrowed(variables, values):
            for metric in self.metrics:
                metric.reset_state()
            reset = [variable._value for variable in variables]
        return [old if new is old else jnp.where(fresh, new, old) for old, new in zip(values, reset, strict=True)]

    def _logs(self, variables: list[Variable], values: list) -> tuple[Any, dict[str, Any]]:
        """Results of all metrics: the scalars as one array, for one transfer, and the others by name."""
        with borrowed(variables, values):
            results = {"loss": self.loss_tracker.result()}
            results |= {tracker.name: tracker.result() for tracker in self.part_trackers.values()}
            results |= self.measures.results()
            for metric in self.attached:
                result = metric.result()
                results |= result if isinstance(result, dict) else {metric.name: result}
        scalars = {name: value for name, value in results.items() if jnp.ndim(value) == 0}
        self.log_names = list(scalars)
        packed = jnp.stack([jnp.asarray(value, jnp.float32) for value in scalars.values()])
        return packed, {name: value for name, value in results.items() if name not in scalars}

    @property
    def metrics(self) -> list[Any]:
        """Everything that is set back at the start of an epoch."""
        return [self.loss_tracker, *self.part_trackers.values(), *self.measures.metrics, *self.attached]

    # The steps, written on stateful objects ---------------------------------------------------------------------

    def _train_step(self, x: Any, y: Any, sample_weight: Any) -> None:
        """Loss, gradients, update, metrics for one batch."""
        kept = [variable._value for variable in self.frozen]

        def loss_of(values: list) -> Any:
            with borrowed(self.trainable, values), borrowed(self.frozen, kept), context.collected_losses() as added:
                y_pred = self.model(x, training=True)
                loss, parts = self._loss(x, y, y_pred, sample_weight, added, training=True)
                scaled = self.optimizer.scale_loss(loss)
                return scaled, (loss, parts, y_pred, [variable._value for variable in self.frozen])

        values = [variable._value for variable in self.trainable]
        gradients, (loss, parts, y_pred, frozen) = jax.grad(loss_of, has_aux=True)(values)
        for variable, value in zip(self.frozen, frozen, strict=True):
            variable._value = value
        self.optimizer.apply(gradients, self.trainable)
        self._track(x, y, y_pred, sample_weight, loss, parts)

    def _test_step(self, x: Any, y: Any, sample_weight: Any) -> None:
        """Loss and metrics for one batch."""
        with context.collected_losses() as added:
            y_pred = self.model(x, training=False)
            loss, parts = self._loss(x, y, y_pred, sample_weight, added, training=False)
        self._track(x, y, y_pred, sample_weight, loss, parts)

    def _loss(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any, added: list, *, training: bool
    ) -> tuple[Any, dict[int, Any]]:
        if self.compute_loss is not None:
            mode = {"training": training} if self._loss_takes_training else {}
            return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **mode), {}
        loss, parts = self.objective(y, y_pred, sample_weight)
        for term in (*added, *self.model.regularization_losses()):
            loss = loss + jnp.sum(jnp.asarray(term, loss.dtype))
        return loss, parts

    def _track(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, loss: Any, parts: dict[int, Any]) -> None:
        size = leaves(x)[0].shape[0]
        self.loss_tracker.update_state(loss, sample_weight=size)
        for i, tracker in self.part_trackers.items():
            if i in parts:
                tracker.update_state(parts[i], sample_weight=size)
        self.measures.update(y, y_pred, sample_weight)


def _steps(
    step: Callable[[Any, int, list], list], values: list, plan: Any, data: Any, batch_size: int, tail: int
) -> list:
    """`step(start, size, values)` for each batch of the plan: first row, number of whole batches, 1 for the tail."""
    row, count, last, _ = plan
    if leaves(data)[0].shape[0] >= batch_size:
        values = jax.lax.fori_loop(0, count, lambda i, values: step(row + i * batch_size, batch_size, values), values)
    if tail:  # a loop of no or one turn: unlike a conditional it works in place
        row = row + count * batch_size
        values = jax.lax.fori_loop(0, last, lambda _, values: step(row, tail, values), values)
    return values


def _fetch(data: Any, order: Any, start: Any, size: int) -> Any:
    """`size` samples of each array from position `start`, in the samples' order of this pass."""
    if order is None:
        return map_structure(
            lambda array: None if array is None else jax.lax.dynamic_slice_in_dim(array, start, size), data
        )
    rows = jax.lax.dynamic_slice_in_dim(order, start, size)
    return map_structure(lambda array: None if array is None else array.at[rows].get(mode="promise_in_bounds"), data)


def _give(variables: Sequence[Variable], values: Sequence[Any]) -> None:
    """Hand the program's values back to their owners."""
    for variable, value in zip(variables, values, strict=True):
        variable.give(value)


def _unique(variables: list[Variable]) -> list[Variable]:
    return list({id(variable): variable for variable in variables}.values())
