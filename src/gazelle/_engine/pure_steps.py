"""The programs: pure functions of the variables' values, traced from the steps.

A program's first argument is the list of values that it changes, in the order of `State`. It is
donated, so that steps work in place. Chunks of any length run the same program: where the first
batch begins and how many there are is an argument (`Span`), and so is the data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core import layouts
from gazelle._core.pure import borrowed
from gazelle._core.symbolic import map_structure, samples_in
from gazelle._core.variable import Variable, plain, values_of
from gazelle._data.sparse_rows import SparseBatches
from gazelle._engine.kernel import Span, plan_for
from gazelle._engine.own_steps import traced_once
from gazelle._engine.steps import Steps

Stepped = tuple[list[Any], dict[str, jax.Array] | None]  # values, and logs of a step's own
PackedLogs = tuple[jax.Array, dict[str, jax.Array]]  # the scalars, and larger results by name


class PureSteps:
    """The steps of a model as pure functions, for `jax.jit`.

    Args:
        steps: The steps.
    """

    def __init__(self, steps: Steps):
        self._steps = steps
        self.log_names: list[str] = []  # of the scalars in the logs of the function traced last

    def train_chunk(
        self,
        values: list[Any],
        data: Any,
        order: jax.Array | None,
        packed_span: jax.Array,
        *,
        batch_size: int,
        tail: int,
    ) -> tuple[list[Any], PackedLogs]:
        """Train on some whole batches and then on the shorter last one.

        Args:
            values: The values of all variables.
            data: `(x, y, sample_weight)`.
            order: The samples' order, `(samples,)`; None where they are in their order already.
            packed_span: Which batches, a packed `Span`.
            batch_size: Samples per batch.
            tail: Samples of the last batch that the program is made for; 0 for none.

        Returns:
            The new values; the logs.
        """
        variables = self._steps.state.variables
        span = Span.unpacked(packed_span)
        values = self._reset_metrics(variables, values, span.fresh)
        plan = plan_for(self._steps.describe(), data, order, batch_size=batch_size)
        if plan is not None:
            values, y_pred = plan.run(values, data, packed_span)
            values = self._count_metrics(values, data, y_pred, span, batch_size)
            return values, self._logs(variables, values)

        def step(start: Any, size: int, values: list[Any]) -> Stepped:
            with borrowed(variables, values):
                logs = self._steps.train(*_batch(data, order, start, size))
                return values_of(variables), logs

        values, logs = self._for_each_batch(step, values, span, data, batch_size, tail)
        return values, self._logs(variables, values, logs)

    def test_chunk(
        self,
        values: list[Any],
        fixed: list[Any],
        data: Any,
        packed_span: jax.Array,
        *,
        batch_size: int,
        tail: int,
    ) -> tuple[list[Any], PackedLogs]:
        """Evaluate some whole batches and then the shorter last one.

        Args:
            values: The values that an evaluation changes.
            fixed: The values of the trainable weights.
            data: `(x, y, sample_weight)`.
            packed_span: Which batches, a packed `Span`.
            batch_size: Samples per batch.
            tail: Samples of the last batch that the program is made for; 0 for none.

        Returns:
            The new values; the logs.
        """
        variables, trainable = self._steps.state.tested, self._steps.state.trainable
        span = Span.unpacked(packed_span)

        def step(start: Any, size: int, values: list[Any]) -> Stepped:
            with borrowed(trainable, fixed), borrowed(variables, values):
                logs = self._steps.test(*_batch(data, None, start, size))
                return values_of(variables), logs

        values = self._reset_metrics(variables, values, span.fresh)
        values, logs = self._for_each_batch(step, values, span, data, batch_size, tail)
        return values, self._logs(variables, values, logs)

    def train_batch(
        self, values: list[Any], batch: Any, fresh: Any
    ) -> tuple[list[Any], PackedLogs]:
        """Train on one batch."""
        variables = self._steps.state.variables
        with borrowed(variables, self._reset_metrics(variables, values, fresh)):
            logs = self._steps.train(*layouts.spread(batch))
            values = values_of(variables)
        return values, self._logs(variables, values, logs)

    def test_batch(
        self, values: list[Any], fixed: list[Any], batch: Any, fresh: Any
    ) -> tuple[list[Any], PackedLogs]:
        """Evaluate one batch."""
        variables, trainable = self._steps.state.tested, self._steps.state.trainable
        values = self._reset_metrics(variables, values, fresh)
        with borrowed(trainable, fixed), borrowed(variables, values):
            logs = self._steps.test(*layouts.spread(batch))
            values = values_of(variables)
        return values, self._logs(variables, values, logs)

    def predict_batch(
        self, _: tuple[Any, ...], values: list[Any], x: Any
    ) -> tuple[Any, dict[int, Any]]:
        """The predictions for one batch, and the new values that the model has set; no donation.

        Such values are rare: states of random generators, of layers that draw in predictions too.
        """
        variables = self._steps.state.predicted
        with borrowed(variables, values):
            outputs = self._steps.predict(layouts.spread(x))
            after = values_of(variables)
        changed = enumerate(zip(values, after, strict=True))
        return outputs, {place: new for place, (old, new) in changed if new is not old}

    def _reset_metrics(self, variables: list[Variable], values: list[Any], fresh: Any) -> list[Any]:
        """The values, with the state of the metrics reset where `fresh`."""
        with borrowed(variables, values):
            for metric in self._steps.reset_at_epochs:
                metric.reset_state()
            after = values_of(variables)
        return [
            old if new is old else jnp.where(fresh, new, old)
            for old, new in zip(values, after, strict=True)
        ]

    def _count_metrics(
        self, values: list[Any], data: Any, y_pred: jax.Array, span: Span, batch_size: int
    ) -> list[Any]:
        """The values after the metrics have counted what the kernel predicted."""
        metric_state = self._steps.state.metric_state
        first = len(values) - len(metric_state)  # they come last
        stop = span.row + span.batches * batch_size + span.tail
        values[first:] = self._steps.compiled_metrics.counted(
            metric_state,
            values[first:],
            data,
            y_pred,
            (span.row, stop),
            min(batch_size, y_pred.shape[0]),
        )
        return values

    def _for_each_batch(
        self,
        step: Callable[[Any, int, list[Any]], Stepped],
        values: list[Any],
        span: Span,
        data: Any,
        batch_size: int,
        tail: int,
    ) -> Stepped:
        """The values and logs after `step(first row, number of rows, values)` for each batch."""
        rows, logs = samples_in(data), None
        if self._steps.has_own_logs:
            step = traced_once(step)
            size = batch_size if rows >= batch_size else tail
            _, shapes = jax.eval_shape(lambda values: step(span.row, size, values), values)
            logs = map_structure(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)
        state = values, logs
        if rows >= batch_size:
            state = jax.lax.fori_loop(
                0,
                span.batches,
                lambda i, state: step(span.row + i * batch_size, batch_size, state[0]),
                state,
            )
        if tail:
            # A loop of no or one turn: a conditional would copy the values.
            first = span.row + span.batches * batch_size
            turns = (span.tail > 0).astype(int)
            state = jax.lax.fori_loop(0, turns, lambda _, state: step(first, tail, state[0]), state)
        return state

    def _logs(
        self,
        variables: list[Variable],
        values: list[Any],
        own_logs: dict[str, Any] | None = None,
    ) -> PackedLogs:
        """The results of all metrics, or the logs of the last step: the scalars as one array.

        So they are one transfer. The last one is the number of samples that the loss has counted.
        """
        with borrowed(variables, values):
            results = self._steps.results() if own_logs is None else own_logs
            counted = plain(self._steps.watched.count)
        scalars = {name: value for name, value in results.items() if jnp.ndim(value) == 0}
        self.log_names = list(scalars)
        numbers = [*scalars.values(), counted]
        packed = jnp.stack([jnp.asarray(number, jnp.float32) for number in numbers])
        return packed, {name: value for name, value in results.items() if name not in scalars}


def _batch(data: Any, order: jax.Array | None, start: Any, size: int) -> Any:
    """`size` samples of each array from position `start`, in the order of this epoch."""
    rows = None if order is None else jax.lax.dynamic_slice_in_dim(order, start, size)

    def take(array: Any) -> Any:
        if array is None:
            return None
        if isinstance(array, SparseBatches):
            return array.batch(start, size)
        if rows is None:
            return jax.lax.dynamic_slice_in_dim(array, start, size)
        return array.at[rows].get(mode="promise_in_bounds")

    return layouts.spread(map_structure(take, data))
