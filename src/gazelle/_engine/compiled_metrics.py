"""The metrics of compile: which metric measures which output, under which log name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gazelle import metrics
from gazelle._core.errors import ArgumentError, ArgumentTypeError
from gazelle._core.identity import unique
from gazelle._core.pure import borrowed
from gazelle._core.symbolic import leaves
from gazelle._core.types import ShapeLike
from gazelle._core.variable import Variable, set_values, values_of
from gazelle._engine.outputs import Outputs
from gazelle.metrics import EpochFunction, Metric
from gazelle.metrics._counting import counts_samples, counts_whole_numbers
from gazelle.metrics._resolve import (
    accuracy_for,
    crossentropy_for,
    from_function,
    is_accuracy,
    is_crossentropy,
)

_TOGETHER = 1024  # samples whose batches `counted` takes at once


class Entry(NamedTuple):
    """A metric and what it measures.

    Args:
        output: The index of the output.
        metric: The metric.
        weighted: Whether it takes sample weights into account.
        name: Its log name.
    """

    output: int
    metric: Metric
    weighted: bool
    name: str


class CompiledMetrics:
    """The metrics of all outputs.

    Args:
        metrics: compile's `metrics`: names, functions or `Metric`s, per output where there are
            several.
        weighted_metrics: The same, measured with sample weights.
        outputs: The model's outputs.
        shapes: `(y_true shape, y_pred shape)` per output, by which `"accuracy"` is resolved and
            state is made.

    Raises:
        UnknownNameError: A metric's name is unknown.
        ArgumentError: Metrics that do not match the outputs.
    """

    def __init__(
        self, metrics: Any, weighted_metrics: Any, outputs: Outputs, shapes: list[tuple[Any, Any]]
    ):
        self.outputs = outputs
        self.entries: list[Entry] = []
        self.at_epoch_end: list[Entry] = []  # those that are measured once an epoch, on the host
        plain = _per_output(metrics, outputs, "metrics")
        weighted = _per_output(weighted_metrics, outputs, "weighted_metrics")
        for groups, is_weighted in ((plain, False), (weighted, True)):
            for index, group in enumerate(groups):
                for given in group:
                    self._add(index, given, shapes[index], weighted=is_weighted)

    def _add(self, index: int, given: Any, shapes: tuple[Any, Any], *, weighted: bool) -> None:
        """Enter a metric for one output under a name that is not taken."""
        metric = _as_metric(given, *shapes)
        if not metric.built:
            metric.build(*shapes)
        prefix, taken = self.outputs.prefix(index), set(self.names + self.names_at_epoch_end)
        name = prefix + metric.name
        if weighted and name in taken:
            name = f"{prefix}weighted_{metric.name}"
        entries = self.at_epoch_end if isinstance(metric, EpochFunction) else self.entries
        entries.append(Entry(index, metric, weighted, _numbered(name, taken)))

    @property
    def metrics(self) -> list[Metric]:
        """The metrics that count batches, each once."""
        return unique(entry.metric for entry in self.entries)

    @property
    def names(self) -> list[str]:
        """The log names of the metrics that count batches, in the user's order."""
        return [entry.name for entry in self.entries]

    @property
    def names_at_epoch_end(self) -> list[str]:
        """The log names of the metrics that are measured once an epoch."""
        return [entry.name for entry in self.at_epoch_end]

    @property
    def variables(self) -> list[Variable]:
        """The state of all metrics."""
        return _variables(self.entries)

    @property
    def counts_samples(self) -> bool:
        """Whether all metrics may count the samples of many batches at once."""
        return all(counts_samples(metric) for metric in self.metrics)

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch."""
        self._update(self.entries, y_true, y_pred, sample_weight)

    def _update(
        self,
        entries: Sequence[Entry],
        y_true: Any,
        y_pred: Any,
        sample_weight: Any,
        wanted: Any = None,
    ) -> None:
        """Count samples: all of them, or those with 1 and not 0 in `wanted`, `(samples,)`."""
        if not entries:
            return
        truths = self.outputs.spread(y_true, "y")
        weights = self.outputs.spread(sample_weight, "sample_weight", repeat=True, partial=True)
        predictions = leaves(y_pred)
        for index, metric, weighted, _ in entries:
            if truths[index] is None:
                continue
            weight = weights[index] if weighted else None
            if wanted is not None:
                weight = wanted if weight is None else weight.reshape(wanted.shape) * wanted
            metric.update_state(truths[index], predictions[index], sample_weight=weight)

    def results(self) -> dict[str, Any]:
        """The results by log name; a metric whose result is a dict adds its entries."""
        found: dict[str, Any] = {}
        for _, metric, _, name in self.entries:
            result = metric.result()
            if result is None:
                raise ArgumentTypeError(
                    f"result() of the metric {name!r} returns None.",
                    expected="an array or number, or a dict of them",
                    received="None",
                    fix="end result() with `return ...`",
                )
            found |= result if isinstance(result, dict) else {name: result}
        return found

    # ---- Many batches at once, after the kernel ----

    def counted(
        self,
        variables: list[Variable],
        values: list[Any],
        data: Any,
        y_pred: jax.Array,
        rows: tuple[Any, Any],
        batch_size: int,
    ) -> list[Any]:
        """The values of `variables` after all metrics have counted some rows.

        Needs `counts_samples`.

        The samples are taken in blocks of many batches. Whole numbers may be added in any order.
        Of all else a block first computes what each of its batches adds, and then adds that batch
        by batch: so the numbers are the same however the batches of an epoch are divided into
        calls.

        Args:
            variables: Variables, among them those of the metrics.
            values: Their values before.
            data: `(x, y, sample_weight)`, arrays.
            y_pred: Predictions of the rows, `(samples, units)`; other rows may hold anything.
            rows: The first row and the row after the last.
            batch_size: Samples per batch, at most as many as there are.
        """
        if not self.entries:
            return values
        first, stop = rows
        _, y_true, sample_weight = data
        batches = max(1, min(_TOGETHER, y_pred.shape[0]) // batch_size)
        block_size = batches * batch_size
        is_whole = [
            not entry.weighted and counts_whole_numbers(entry.metric) for entry in self.entries
        ]
        in_any_order = [entry for entry, whole in zip(self.entries, is_whole, strict=True) if whole]
        in_order = [entry for entry, whole in zip(self.entries, is_whole, strict=True) if not whole]

        def count_block(number: Any, values: list[Any]) -> list[Any]:
            begin = first + number * block_size
            row = begin + jnp.arange(block_size)
            wanted = row < stop
            # Rows behind the last are not wanted. Not even their predictions are defined, so the
            # block's first row, which is, replaces them, with weight 0.
            row = jnp.where(wanted, row, begin)
            arrays = (y_true, y_pred, sample_weight)
            samples = [None if array is None else array[row] for array in arrays]
            samples.append(wanted.astype("float32"))
            with borrowed(variables, values):
                self._update(in_any_order, *samples)
                by_batch = [_split(array, batches) for array in samples]
                added = jax.vmap(self._added(in_order))(by_batch)
                _add_up(_variables(in_order), added, batches)
                return values_of(variables)

        blocks = (stop - first + block_size - 1) // block_size
        return jax.lax.fori_loop(0, blocks, count_block, values)

    def _added(self, entries: Sequence[Entry]) -> Callable[[list[Any]], list[Any]]:
        """A function of one batch's samples: what the batch adds to the state of metrics."""
        variables = _variables(entries)

        def added(samples: list[Any]) -> list[Any]:
            zeros = [jnp.zeros_like(value) for value in values_of(variables)]
            with borrowed(variables, zeros):
                self._update(entries, *samples)
                return values_of(variables)

        return added


class CompileMetrics(Metric):
    """All metrics of `compile` as one, as Keras lists them in `model.metrics`.

    Args:
        compiled: The metrics.
    """

    def __init__(self, compiled: CompiledMetrics):
        super().__init__(name="compile_metrics")
        self.metrics = compiled.metrics
        self._compiled = compiled

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch of all outputs."""
        self._compiled.update(y_true, y_pred, sample_weight)

    def result(self) -> dict[str, Any]:
        """The results by log name."""
        return self._compiled.results()


def _variables(entries: Sequence[Entry]) -> list[Variable]:
    return unique(variable for entry in entries for variable in entry.metric.variables)


def _split(array: jax.Array | None, batches: int) -> jax.Array | None:
    """`(samples, ...)` as `(batches, samples per batch, ...)`."""
    return None if array is None else array.reshape(batches, -1, *array.shape[1:])


def _add_up(variables: list[Variable], parts: list[Any], count: int) -> None:
    """Add to each variable its parts, `(count, ...)`, one after the other."""

    def add(number: Any, values: list[Any]) -> list[Any]:
        return [value + part[number] for value, part in zip(values, parts, strict=True)]

    set_values(variables, jax.lax.fori_loop(0, count, add, values_of(variables)))


def _per_output(given: Any, outputs: Outputs, what: str) -> list[list[Any]]:
    """What `metrics` names for each output, a list per output."""
    if given is None:
        return [[] for _ in range(outputs.count)]
    if not isinstance(given, list | tuple | dict):
        raise ArgumentError(
            f"`{what}` must be a list or dict.",
            expected=f"{what}=[...]",
            received=repr(given),
            fix=f"write {what}=[{given!r}]",
        )
    if outputs.single and isinstance(given, list | tuple):
        groups = [[metric for entry in given for metric in _as_list(entry)]]
    else:
        groups = [_as_list(entry) for entry in outputs.spread(given, what, partial=True)]
    return [[metric for metric in group if metric is not None] for group in groups]


def _as_list(entry: Any) -> list[Any]:
    return list(entry) if isinstance(entry, list | tuple) else [entry]


def _as_metric(given: Any, true_shape: ShapeLike, pred_shape: ShapeLike) -> Metric:
    """A `Metric` from what a user may write; its name is the text that the user wrote."""
    if isinstance(given, Metric):
        return given
    if is_accuracy(given):
        return accuracy_for(given, true_shape, pred_shape)
    if is_crossentropy(given):
        return crossentropy_for(given, true_shape, pred_shape)
    found = given() if inspect.isclass(given) else metrics.get(given)
    if not isinstance(found, Metric):
        if not callable(found):
            raise ArgumentTypeError(
                "A metric must be a name, a function of (y_true, y_pred) or a Metric.",
                received=repr(given),
            )
        found = from_function(found)
    if isinstance(given, str):
        found.name = given
    return found


def _numbered(name: str, taken: set[str]) -> str:
    """A name that is not taken: the given one, or `name_1`, `name_2`, ..."""
    number, found = 0, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found
