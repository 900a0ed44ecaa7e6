"""The engine: one compiled program trains n steps over data that is already on the device.

The steps are written as they read, on stateful objects (`_train_step`, `_test_step`): variables are
read and assigned. A program borrows the variables for a call (`_core/pure.py`), so that under JAX
it is a pure function of their values. The loop's carry is the list of all values: weights,
optimizer slots, sums of the metrics, random states. The number of steps is an argument, so that
chunks of any length are the same program; the last, shorter batch is a loop of at most one turn in
it, exact and not padded (see `Engine.made_for`). The carry is donated: a step works in place.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core import context
from gazelle._core.checks import array_from
from gazelle._core.errors import StateError
from gazelle._core.fingerprint import fingerprint
from gazelle._core.pure import borrowed, settled
from gazelle._core.registry import is_own_class
from gazelle._core.symbolic import leaves, map_structure
from gazelle._core.variable import Variable
from gazelle._data.windows import Piece
from gazelle._engine.compiled_loss import Objective
from gazelle._engine.compiled_metrics import Measures
from gazelle._engine.kernel import plan_for, predicted
from gazelle._engine.pace import Pace
from gazelle._engine.programs import Program, Programs, settings
from gazelle._engine.state import State
from gazelle.metrics import Mean

# Attributes that no program depends on: names, records of calls, what fit and compile keep.
_APART = frozenset(
    {"name", "path", "names", "input_names", "output_names", "depths", "inbound_nodes", "history"}
    | {
        "_config",
        "_seen_outputs",
        "_losses",
        "_compiled",
        "_predictor",
        "_shortcut",
        "_run_state",
        "_making",
    }
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


class Logs(NamedTuple):
    """What a program says of the epoch so far; the numbers are still on the device."""

    names: list[str]
    scalars: Any  # an array, one number per name
    arrays: dict[str, Any]  # the results of metrics that give several numbers


class Engine:
    """The programs that train, test and predict with one compiled model.

    Args:
        model: The model.
        objective: Its losses.
        measures: Its metrics.
        optimizer: The optimizer, built for the model's trainable variables; None where nothing is
            trained.
        attached: Metrics that the model's own layers hold and update in `call`.
        compute_loss: A user's own loss `(x, y, y_pred, sample_weight, training) -> scalar`, or
            None.
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
        parameters = (
            inspect.signature(compute_loss).parameters.values() if compute_loss is not None else ()
        )
        self._loss_takes_training = any(
            p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters
        )
        self.prediction_shapes = list(prediction_shapes)
        self.loss_tracker = Mean(name="loss")
        tracked = (
            objective.tracked if compute_loss is None else []
        )  # a loss of the user's own has no parts
        self.part_trackers = {i: Mean(name=objective.log_name(i)) for i in tracked}
        counted = [self.loss_tracker, *self.part_trackers.values()]
        self._structure = model._structure
        attached_variables = [variable for metric in self.attached for variable in metric.variables]
        self.state = State(
            trainable=model.trainable_variables,
            frozen=[*model.non_trainable_variables, *attached_variables],
            slots=optimizer.variables if optimizer is not None else [],
            sums=[v for metric in counted for v in metric.variables] + measures.variables,
        )
        self._busy = threading.RLock()  # held by whoever uses the sums: fit, evaluate and the like
        self._fits = False
        self.log_names: list[str] = []
        self._seen_names: list[str] = []  # of the last results
        self.paces: dict[tuple[str, int | None], Pace] = {}  # by stage and batch size
        self._kernels: dict[Hashable, bool] = {}  # whether the kernel trains on data of a kind
        self._made_for: dict[Hashable, Any] = {}
        self._programs = Programs(self._fingerprint, lambda: self.log_names)

    def model_state_matches(self) -> bool:
        """Whether the model still has the layers and variables that the programs were made for."""
        if self.model._structure is not self._structure:
            return False
        now = self.model.trainable_variables  # freezing layers changes them
        known = self.state.trainable
        return len(now) == len(known) and all(a is b for a, b in zip(now, known, strict=True))

    @contextmanager
    def session(self, *, fits: bool = False) -> Iterator[None]:
        """Within the block this thread alone trains and evaluates: losses and metrics are counted in one place.

        Others wait, but not for a whole fit.

        Args:
            fits: Whether this is a fit.

        Raises:
            StateError: Another thread is in a fit of this model.
        """
        if not self._busy.acquire(blocking=False):
            if self._fits:
                raise StateError(
                    f"The model {self.model.name!r} is being trained by another thread.",
                    expected=(
                        "one fit or evaluation of a model at a time (predict works beside them)"
                    ),
                    received=f"a second one in thread {threading.current_thread().name!r}",
                    fix="wait for the fit to end, or use a copy: gazelle.models.clone_model(model)",
                )
            self._busy.acquire()
        outer, self._fits = self._fits, self._fits or fits
        try:
            yield
        finally:
            self._fits = outer
            self._busy.release()

    def _fingerprint(self) -> Hashable | None:
        """What the programs depend on; None where they may depend on code of the user's."""
        state = self.state
        groups = (state.trainable, state.frozen, state.slots, state.sums)
        outputs = self.objective.outputs
        names = self.model._routing_names, None if outputs.single else outputs.names
        trackers = [*self.part_trackers.items()]
        logs = (
            [tracker.name for _, tracker in trackers],
            self.measures.names,
            [m.name for m in self.attached],
        )
        parts = (
            self.model,
            self.objective,
            self.measures,
            self.optimizer,
            self.attached,
            self.loss_tracker,
            trackers,
        )
        sizes = [len(group) for group in groups]
        variables = [variable for group in groups for variable in group]
        return fingerprint((parts, self.compute_loss, names, logs, sizes), variables, _APART)

    # ---- Running the programs ----

    def train(
        self, piece: Piece, count: int, batch_size: int, tail: int, *, made_for: int, fresh: bool
    ) -> Logs:
        """Train the first `count` whole batches of a piece and then the shorter last batch, if its `tail` is not 0.

        Args:
            piece: Batches on the device.
            count: Number of whole batches.
            batch_size: Samples per batch.
            tail: Samples in the last batch: 0, `made_for`, or any number where the kernel trains.
            made_for: The `tail` that the program was made for; 0 where the kernel trains.
            fresh: Whether the sums of the metrics start anew.

        Returns:
            The logs, still on the device: `read_logs` reads them.
        """
        plan = np.array([piece.row, count, tail, fresh], np.int32)
        arguments = piece.data, piece.order, plan
        return self._run(
            self._train_chunk, arguments, training=True, batch_size=batch_size, tail=made_for
        )

    def test(
        self, piece: Piece, count: int, batch_size: int, tail: int, *, made_for: int, fresh: bool
    ) -> Logs:
        """Evaluate the first `count` whole batches of a piece and then the shorter last batch, if `tail` is not 0."""
        plan = np.array([piece.row, count, tail, fresh], np.int32)
        return self._run(
            self._test_chunk,
            (piece.data, plan),
            training=False,
            batch_size=batch_size,
            tail=made_for,
        )

    def made_for(self, stage: str, kind: Hashable, value: Any) -> Any:
        """What the program for data of a kind was made for: the `value` that was given first.

        Data with another one shares the program as far as it can: so data that grows does not
        compile it anew. For example, the shorter last batch of another size is left to
        `train_batch` or `test_batch`.
        """
        key = stage, kind, settings()
        if key not in self._made_for:
            self._made_for[key] = self._programs.agreed(key, value)
        return self._made_for[key]

    def kernel_trains(self, piece: Piece, batch_size: int) -> bool:
        """Whether the kernel trains on this data; to it the size of the last batch is an argument."""
        kinds = tuple(
            None if array is None else (array.shape, array.dtype) for array in leaves(piece.data)
        )
        key = (kinds, piece.order is None, batch_size, settings())
        if key not in self._kernels:
            self._kernels[key] = (
                plan_for(self, piece.data, piece.order, batch_size=batch_size) is not None
            )
        return self._kernels[key]

    def train_batch(self, batch: Any, *, fresh: bool, eager: bool = False) -> Logs:
        """One training step on one batch `(x, y, sample_weight)`; `eager` runs it operation by operation."""
        return self._run(self._train_batch, (batch, np.bool_(fresh)), training=True, eager=eager)

    def test_batch(self, batch: Any, *, fresh: bool, eager: bool = False) -> Logs:
        """One evaluation step on one batch."""
        return self._run(self._test_batch, (batch, np.bool_(fresh)), training=False, eager=eager)

    def predict_batch(self, x: Any, *, eager: bool = False) -> Any:
        """The predictions for one batch, on the device."""

        def predict(values: list[Any]) -> Any:
            if eager:
                return self._predict_batch((), values, x)
            return self._programs.find(self._predict_batch, ((), values), (x,)).run((), values, x)

        return self.state.read(self.state.predicted, predict)

    def predictor(self, x: Any) -> Callable[[Any], Any]:
        """`predict_batch` for arrays of the shape and dtype of `x`, without looking at them."""
        variables, read = self.state.predicted, self.state.read
        run = read(
            variables,
            lambda values: self._programs.find(self._predict_batch, ((), values), (x,)).run,
        )
        return lambda x: read(variables, lambda values: run((), values, x))

    def _run(
        self,
        function: Callable,
        arguments: tuple,
        *,
        training: bool,
        eager: bool = False,
        **static: Any,
    ) -> Logs:
        """Run a program that changes the state, compiled or operation by operation."""
        if eager:
            program = Program(function, [])
        else:
            program = self._programs.find(function, self._kinds(training), arguments, **static)
        state = (lambda lent, _: (lent,)) if training else (lambda lent, read: (lent, read))
        logs = self.state.run(
            lambda lent, read: program.run(*state(lent, read), *arguments), training=training
        )
        return Logs(program.log_names or self.log_names, *logs)

    def _kinds(self, training: bool) -> tuple:
        """The values that a program is traced with."""
        state = self.state
        groups = [state.variables] if training else [state.tested, state.trainable]
        return tuple([variable.current for variable in group] for group in groups)

    def read_logs(self, logs: Logs) -> dict[str, Any]:
        """Logs as floats by name, sorted; metrics with several numbers as arrays."""
        try:
            found: dict[str, Any] = dict(
                zip(logs.names, np.asarray(logs.scalars).tolist(), strict=True)
            )
            found |= {name: np.asarray(array) for name, array in logs.arrays.items()}
        except BaseException as error:  # here is seen that a program has failed
            self.state.recover(error)
            raise
        self._seen_names = sorted(found)
        return dict(sorted(found.items()))

    def log_names_ahead(self) -> list[str] | None:
        """The names that logs will have, told before any step; None where that cannot be known."""
        names = ["loss", *(tracker.name for tracker in self.part_trackers.values())]
        named = [(metric, name) for _, metric, _, name in self.measures.entries]
        for metric, name in [*named, *((metric, metric.name) for metric in self.attached)]:
            if is_own_class(type(metric)):
                names.append(name)
                continue
            try:
                result = jax.eval_shape(lambda metric=metric: settled(metric.result()))
            except Exception:  # what is wrong with it is told when it is compiled
                return None
            names += result if isinstance(result, dict) else [name]
        return names

    def result_names(self, names: Collection[str] | None = None) -> list[str]:
        """The names of results in the order in which `evaluate` returns them: the loss, its parts, the metrics.

        Args:
            names: The names; those of the last results (or, before the first, what is known of
                them) when None.
        """
        first = ["loss", *(tracker.name for tracker in self.part_trackers.values())]
        known = [*first, *self.measures.names, *(metric.name for metric in self.attached)]
        found = names if names is not None else self._seen_names or known
        if (
            self.objective.outputs.single
        ):  # several outputs' metrics come sorted by name, as in Keras
            first += self.measures.names
        ordered = [name for name in first if name in found]
        return ordered + sorted(name for name in found if name not in ordered)

    # ---- The programs: pure functions of the values ----

    def _train_chunk(
        self, values: list, data: Any, order: Any, plan: Any, *, batch_size: int, tail: int
    ) -> Any:
        variables = self.state.variables

        def step(start: Any, size: int, values: list) -> list:
            with borrowed(variables, values):
                self._train_step(*_fetch(data, order, start, size))
                return [variable._value for variable in variables]

        values = self._start(variables, values, plan[3] > 0)
        kernel = plan_for(self, data, order, batch_size=batch_size)
        if kernel is not None:
            values, y_pred = kernel.run(values, data, plan)
            rows = plan[0], plan[0] + plan[1] * batch_size + plan[2]
            sums = self.state.sums
            known, size = len(values) - len(sums), min(batch_size, y_pred.shape[0])
            values[known:] = self.measures.counted(sums, values[known:], data, y_pred, rows, size)
        else:
            values = _steps(step, values, plan, data, batch_size, tail)
        return values, self._logs(variables, values)

    def _test_chunk(
        self, values: list, fixed: list, data: Any, plan: Any, *, batch_size: int, tail: int
    ) -> Any:
        changed = self.state.tested

        def step(start: Any, size: int, values: list) -> list:
            with borrowed(self.state.trainable, fixed), borrowed(changed, values):
                self._test_step(*_fetch(data, None, start, size))
                return [variable._value for variable in changed]

        values = _steps(
            step, self._start(changed, values, plan[3] > 0), plan, data, batch_size, tail
        )
        return values, self._logs(changed, values)

    def _train_batch(self, values: list, batch: Any, fresh: Any) -> Any:
        variables = self.state.variables
        with borrowed(variables, self._start(variables, values, fresh)):
            self._train_step(*batch)
            values = [variable._value for variable in variables]
        return values, self._logs(variables, values)

    def _test_batch(self, values: list, fixed: list, batch: Any, fresh: Any) -> Any:
        changed = self.state.tested
        with (
            borrowed(self.state.trainable, fixed),
            borrowed(changed, self._start(changed, values, fresh)),
        ):
            self._test_step(*batch)
            values = [variable._value for variable in changed]
        return values, self._logs(changed, values)

    def _predict_batch(self, _: tuple, values: list, x: Any) -> Any:
        with borrowed(self.state.predicted, values), context.collected_losses():
            found = predicted(self.model, x)
            return settled(self.model(x, training=False)) if found is None else found

    def _start(self, variables: list[Variable], values: list, fresh: Any) -> list:
        """The values with the sums of the metrics set back, where `fresh`."""
        with borrowed(variables, values):
            for metric in self.metrics:
                metric.reset_state()
            reset = [variable._value for variable in variables]
        return [
            old if new is old else jnp.where(fresh, new, old)
            for old, new in zip(values, reset, strict=True)
        ]

    def _logs(self, variables: list[Variable], values: list) -> tuple[Any, dict[str, Any]]:
        """Results of all metrics: the scalars as one array, for one transfer, and the others by name."""
        with borrowed(variables, values):
            results = {"loss": self.loss_tracker.result()}
            results |= {tracker.name: tracker.result() for tracker in self.part_trackers.values()}
            results |= self.measures.results()
            for metric in self.attached:
                result = metric.result()
                results |= result if isinstance(result, dict) else {metric.name: result}
            results = settled(results)
        scalars = {name: value for name, value in results.items() if jnp.ndim(value) == 0}
        self.log_names = list(scalars)
        packed = jnp.stack([jnp.asarray(value, jnp.float32) for value in scalars.values()])
        return packed, {name: value for name, value in results.items() if name not in scalars}

    @property
    def metrics(self) -> list[Any]:
        """Everything that is set back at the start of an epoch."""
        return [
            self.loss_tracker,
            *self.part_trackers.values(),
            *self.measures.metrics,
            *self.attached,
        ]

    # ---- The steps, written on stateful objects ----

    def _train_step(self, x: Any, y: Any, sample_weight: Any) -> None:
        """Loss, gradients, update, metrics for one batch."""
        trainable, frozen = self.state.trainable, self.state.frozen
        kept = [variable._value for variable in frozen]

        def loss_of(values: list) -> Any:
            with (
                borrowed(trainable, values),
                borrowed(frozen, kept),
                context.collected_losses() as added,
            ):
                y_pred = self.model(x, training=True)
                loss, parts = self._loss(x, y, y_pred, sample_weight, added, training=True)
                scaled = self.optimizer.scale_loss(loss)
                return scaled, settled((loss, parts, y_pred, frozen))

        values = [variable._value for variable in trainable]
        if trainable:
            gradients, (loss, parts, y_pred, changed) = jax.grad(loss_of, has_aux=True)(values)
        else:  # frozen, or without weights: losses and metrics are computed all the same
            gradients, (_, (loss, parts, y_pred, changed)) = [], loss_of(values)
        for variable, value in zip(frozen, changed, strict=True):
            variable._value = value
        if trainable:
            self.optimizer.apply(gradients, trainable)
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
            what = f"compute_loss of the model {self.model.name!r}"
            given = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": sample_weight}
            return array_from(what, self.compute_loss, **given, **mode), {}
        loss, parts = self.objective(y, y_pred, sample_weight)
        if training and not parts and not added:
            raise StateError(
                f"There is nothing to minimise: the model {self.model.name!r} has no loss.",
                expected="a loss given to compile, or layers that call add_loss",
                received="neither",
                fix='model.compile(optimizer, loss="mse") with the loss that fits the targets',
            )
        for term in (*added, *self.model.regularization_losses()):
            loss = loss + jnp.sum(jnp.asarray(term, loss.dtype))
        return loss, parts

    def _track(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any, loss: Any, parts: dict[int, Any]
    ) -> None:
        size = leaves(x)[0].shape[0]
        self.loss_tracker.update_state(loss, sample_weight=size)
        for i, tracker in self.part_trackers.items():
            if i in parts:
                tracker.update_state(parts[i], sample_weight=size)
        self.measures.update(y, y_pred, sample_weight)


def _steps(
    step: Callable[[Any, int, list], list],
    values: list,
    plan: Any,
    data: Any,
    batch_size: int,
    tail: int,
) -> list:
    """`step(start, size, values)` for each batch of the plan: first row, number of whole batches, size of the last."""
    row, count, last = plan[0], plan[1], plan[2]
    if leaves(data)[0].shape[0] >= batch_size:
        values = jax.lax.fori_loop(
            0, count, lambda i, values: step(row + i * batch_size, batch_size, values), values
        )
    if tail:  # a loop of no or one turn: unlike a conditional it works in place
        row = row + count * batch_size
        values = jax.lax.fori_loop(
            0, (last > 0).astype(int), lambda _, values: step(row, tail, values), values
        )
    return values


def _fetch(data: Any, order: Any, start: Any, size: int) -> Any:
    """`size` samples of each array from position `start`, in the samples' order of this pass."""
    if order is None:
        return map_structure(
            lambda array: (
                None if array is None else jax.lax.dynamic_slice_in_dim(array, start, size)
            ),
            data,
        )
    rows = jax.lax.dynamic_slice_in_dim(order, start, size)
    return map_structure(
        lambda array: None if array is None else array.at[rows].get(mode="promise_in_bounds"), data
    )
