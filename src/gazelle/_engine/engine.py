"""The engine of one compiled model: finds, compiles and runs programs, and reads their logs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import numpy as np

from gazelle._core.errors import StateError
from gazelle._core.identity import are_same
from gazelle._core.pure import settled
from gazelle._core.registry import is_own_class
from gazelle._core.symbolic import leaves
from gazelle._core.variable import Variable
from gazelle._data.sparse_rows import SparseRows
from gazelle._data.windows import Piece
from gazelle._engine.kernel import Span, plan_for
from gazelle._engine.pace import Pace
from gazelle._engine.programs import Program, Programs, settings
from gazelle._engine.pure_steps import PureSteps
from gazelle._engine.rows import rows_are_apart
from gazelle._engine.state import State
from gazelle._engine.steps import Steps
from gazelle.layers import Lambda, Layer, Pipeline, Wrapper
from gazelle.layers._graph import Graph
from gazelle.metrics import Metric


class Logs(NamedTuple):
    """The results of the metrics so far in an epoch; the numbers are still on the device.

    Args:
        names: The names of the scalars.
        scalars: An array with one number per name, and the samples that the loss has counted.
        arrays: By name, the results of metrics that give several numbers.
    """

    names: list[str]
    scalars: Any
    arrays: dict[str, jax.Array]


class Engine:
    """The programs that train, test and predict with one compiled model.

    Args:
        steps: The training step and the test step.
        prediction_shapes: The shape of each output.
    """

    def __init__(self, steps: Steps, prediction_shapes: Sequence[tuple[int | None, ...]] = ()):
        self.steps = steps
        self.prediction_shapes = list(prediction_shapes)
        self.paces: dict[tuple[str, int | None], Pace] = {}  # by stage and batch size
        self.counted = 0.0  # samples until the loss was not finite, in the last logs
        self._pure = PureSteps(self.steps)
        self._programs = Programs(self.steps.fingerprint, lambda: self._pure.log_names)
        self._seen_names: list[str] = []  # of the last results
        self._kernel_trains: dict[Hashable, bool] = {}  # by kind of data
        self._made_for: dict[Hashable, Any] = {}
        self._rows_apart: dict[Hashable, bool] = {}  # by kind of inputs
        self._busy = threading.RLock()  # held while a thread uses the metrics' state
        self._is_fitting = False

    @property
    def state(self) -> State:
        """The variables that the programs work on."""
        return self.steps.state

    @property
    def metrics(self) -> list[Metric]:
        """The loss's mean, the compiled metrics as one, and those of the layers."""
        at_epoch_end = self.steps.compiled_metrics.at_epoch_end
        return [*self.steps.listed_metrics, *(entry.metric for entry in at_epoch_end)]

    def is_made_for(self, graph: Graph | None, trainable: Sequence[Variable]) -> bool:
        """Whether the programs fit a model that has this graph and these trainable variables now.

        Adding layers changes the graph, freezing layers the variables.
        """
        return graph is self.steps.graph and are_same(trainable, self.state.trainable)

    @contextmanager
    def session(self, *, fits: bool = False) -> Iterator[None]:
        """Within the block this thread alone trains and evaluates, since metrics have one state.

        The variables are on the devices of the distribution, if there is one.

        Other threads wait, but not for a whole fit.

        Args:
            fits: Whether this is a fit.

        Raises:
            StateError: Another thread is in a fit of this model.
        """
        if not self._busy.acquire(blocking=False):
            if self._is_fitting:
                raise StateError(
                    f"The model {self.steps.model.name!r} is being trained by another thread.",
                    expected=(
                        "one fit or evaluation of a model at a time (predict works beside them)"
                    ),
                    received=f"a second one in thread {threading.current_thread().name!r}",
                    fix="wait for the fit to end, or use a copy: gazelle.models.clone_model(model)",
                )
            self._busy.acquire()
        outer = self._is_fitting
        self._is_fitting = outer or fits
        try:
            with self.state.scope():
                yield
        finally:
            self._is_fitting = outer
            self._busy.release()

    # ---- Running programs ----

    def train(
        self, piece: Piece, count: int, batch_size: int, tail: int, *, made_for: int, fresh: bool
    ) -> Logs:
        """Train on the first `count` whole batches of a piece, then on the shorter last batch.

        Args:
            piece: Batches on the device.
            count: Number of whole batches.
            batch_size: Samples per batch.
            tail: Samples of the last batch: 0 for none, `made_for`, or any number where the kernel
                trains.
            made_for: The `tail` that the program was made for; 0 where the kernel trains.
            fresh: Whether the metrics are reset first.

        Returns:
            The logs, still on the device: `read_logs` reads them.
        """
        span = Span(piece.row, count, tail, fresh).packed()
        arguments = piece.data, piece.order, span
        return self._run_training(
            self._pure.train_chunk, arguments, batch_size=batch_size, tail=made_for
        )

    def test(
        self, piece: Piece, count: int, batch_size: int, tail: int, *, made_for: int, fresh: bool
    ) -> Logs:
        """Evaluate the first `count` whole batches of a piece, then the shorter last batch."""
        span = Span(piece.row, count, tail, fresh).packed()
        arguments = piece.data, span
        return self._run_test(
            self._pure.test_chunk, arguments, batch_size=batch_size, tail=made_for
        )

    def train_batch(self, batch: Any, *, fresh: bool, eager: bool = False) -> Logs:
        """One training step on `(x, y, sample_weight)`; `eager` runs it operation by operation."""
        return self._run_training(self._pure.train_batch, (batch, np.bool_(fresh)), eager=eager)

    def test_batch(self, batch: Any, *, fresh: bool, eager: bool = False) -> Logs:
        """One evaluation step on one batch."""
        return self._run_test(self._pure.test_batch, (batch, np.bool_(fresh)), eager=eager)

    def predict_batch(self, x: Any, *, eager: bool = False) -> Any:
        """The predictions for one batch, on the device."""
        function = self._pure.predict_batch

        def predict(values: list[Any]) -> Any:
            run = function if eager else self._programs.find(function, ((), values), (x,)).run
            return run((), values, x)

        outputs, changed = self.state.read(self.state.predicted, predict)
        if changed:
            self.state.put(self.state.predicted, changed)
        return outputs

    def rows_are_apart(self, x: Any) -> bool:
        """Whether a prediction may be computed in blocks of any size, which may be padded.

        Not where a row has, or may have, a part in what is predicted for another.

        Args:
            x: Some of the inputs.
        """
        graph = self.steps.graph if self.steps.runs_graph else None
        if graph is not None and all(map(_keeps_rows_apart, graph.operations)):
            return True
        arrays = [leaf for leaf in leaves(x) if leaf is not None]
        if any(isinstance(array, SparseRows) for array in arrays):
            return False
        kind = tuple((array.shape[1:], str(array.dtype)) for array in arrays)
        if kind not in self._rows_apart:
            function = self._pure.predict_batch
            self._rows_apart[kind] = self.state.read(
                self.state.predicted,
                lambda values: rows_are_apart(lambda v, x: function((), v, x)[0], values, x),
            )
        return self._rows_apart[kind]

    def predictor(self, x: Any) -> Callable[[Any], Any]:
        """`predict_batch` for arrays of the shape and dtype of `x`, without looking at them."""
        variables, read = self.state.predicted, self.state.read
        find, function = self._programs.find, self._pure.predict_batch
        run = read(variables, lambda values: find(function, ((), values), (x,)).run)

        def predict(x: Any) -> Any:
            outputs, changed = read(variables, lambda values: run((), values, x))
            if changed:
                self.state.put(variables, changed)
            return outputs

        return predict

    def _run_training(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        *,
        eager: bool = False,
        **static: Any,
    ) -> Logs:
        """Run a program that changes all variables, compiled or operation by operation."""
        program = Program(function, [])
        if not eager:
            traced_with = [variable.current for variable in self.state.variables]
            program = self._programs.find(function, (traced_with,), arguments, **static)
        logs = self.state.run(lambda lent, _: program.run(lent, *arguments), training=True)
        return Logs(program.log_names or self._pure.log_names, *logs)

    def _run_test(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        *,
        eager: bool = False,
        **static: Any,
    ) -> Logs:
        """Run a program that reads the weights and changes the rest."""
        program = Program(function, [])
        if not eager:
            groups = self.state.tested, self.state.trainable
            traced_with = tuple([variable.current for variable in group] for group in groups)
            program = self._programs.find(function, traced_with, arguments, **static)
        logs = self.state.run(
            lambda lent, weights: program.run(lent, weights, *arguments), training=False
        )
        return Logs(program.log_names or self._pure.log_names, *logs)

    def made_for(self, stage: str, kind: Hashable, value: Any) -> Any:
        """What the program for data of a kind was made for: the `value` that was given first.

        Data with another value shares the program as far as it can, so that growing data does not
        compile it again. For example, a shorter last batch of another size is left to
        `train_batch` or `test_batch`.
        """
        key = stage, kind, settings()
        if key not in self._made_for:
            self._made_for[key] = self._programs.agreed(key, value)
        return self._made_for[key]

    def kernel_trains(self, piece: Piece, batch_size: int) -> bool:
        """Whether the kernel trains on this data; it takes a last batch of any size."""
        arrays = leaves(piece.data)
        kinds = tuple(None if array is None else (array.shape, array.dtype) for array in arrays)
        key = (kinds, piece.order is None, batch_size, settings())
        if key not in self._kernel_trains:
            step = self.steps.describe()
            plan = plan_for(step, piece.data, piece.order, batch_size=batch_size)
            self._kernel_trains[key] = plan is not None
        return self._kernel_trains[key]

    # ---- Logs ----

    def read_logs(self, logs: Logs) -> dict[str, Any]:
        """Logs by name, sorted: floats, and arrays of metrics with several numbers.

        This waits for the program. Where it has failed, the variables get back their values.
        """
        try:
            *scalars, self.counted = np.asarray(logs.scalars).tolist()
            arrays = {name: np.asarray(array) for name, array in logs.arrays.items()}
        except BaseException as error:
            self.state.recover(error)
            raise
        found: dict[str, Any] = dict(zip(logs.names, scalars, strict=True)) | arrays
        self._seen_names = sorted(found)
        return dict(sorted(found.items()))

    def current_logs(self) -> dict[str, Any]:
        """The logs of what the metrics have counted until now."""
        results = {name: np.asarray(value) for name, value in self.steps.results().items()}
        return {
            name: float(value) if value.ndim == 0 else value
            for name, value in sorted(results.items())
        }

    def log_names_ahead(self) -> list[str] | None:
        """The names that logs will have, before any step; None where that cannot be known."""
        named = [(metric, name) for _, metric, _, name in self.steps.compiled_metrics.entries]
        named += [(metric, metric.name) for metric in self.steps.attached]
        names = self.steps.loss_names
        for metric, name in named:
            own = [name] if is_own_class(type(metric)) else _names_of_result(metric, name)
            if own is None:
                return None
            names += own
        return names + self.steps.compiled_metrics.names_at_epoch_end

    def result_names(self, names: Collection[str] | None = None) -> list[str]:
        """The names of results in the order of `evaluate`: the loss, its parts, the metrics.

        Args:
            names: The names; those of the last results (or, before the first, what is known of
                them) when None.
        """
        losses, metrics = self.steps.loss_names, self.steps.compiled_metrics
        compiled = metrics.names + metrics.names_at_epoch_end
        if names is None:
            attached = [metric.name for metric in self.steps.attached]
            names = [*losses, *compiled, *attached]
            if self._seen_names:
                names = self._seen_names + metrics.names_at_epoch_end
        first = losses
        if (
            self.steps.loss.outputs.single
        ):  # several outputs' metrics come sorted by name, as in Keras
            first = [*losses, *compiled]
        ordered = [name for name in first if name in names]
        return ordered + sorted(name for name in names if name not in ordered)


def _names_of_result(metric: Metric, name: str) -> list[str] | None:
    """The log names of a metric of the user's own; None where its result cannot be traced yet."""
    try:
        result = jax.eval_shape(lambda: settled(metric.result()))
    except Exception:  # what is wrong with it is reported when it is compiled
        return None
    return list(result) if isinstance(result, dict) else [name]


def _keeps_rows_apart(operation: Any) -> bool:
    """Whether an operation of a graph is a layer of Gazelle's that computes each row alone."""
    if not isinstance(operation, Layer) or not is_own_class(type(operation)):
        return False
    inner = getattr(operation, "operations", None)  # of a model
    if inner is not None:
        return all(map(_keeps_rows_apart, inner))
    if isinstance(operation, Lambda | Pipeline | Wrapper) or "call" in vars(operation):
        return False
    axis = getattr(operation, "axis", None)
    activation = getattr(operation, "activation", None)
    is_own = activation is None or is_own_class(activation)
    return is_own and 0 not in (axis if isinstance(axis, list | tuple) else (axis,))
