"""The metrics of compile: which metric measures which output, under which log name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gazelle import metrics as metrics_room
from gazelle._core.errors import ArgumentError, ArgumentTypeError
from gazelle._core.identity import unique
from gazelle._core.names import snake_case
from gazelle._core.pure import borrowed
from gazelle._core.symbolic import leaves
from gazelle._core.variable import Variable, set_values, values_of
from gazelle._engine.outputs import Outputs
from gazelle.metrics.counting import counts_samples, counts_whole_numbers
from gazelle.metrics.resolve import accuracy_for, crossentropy_for

_TOGETHER = 1024  # samples whose batches `counted` takes together


class CompiledMetrics:
    """Compiled metrics of all outputs.

    Args:
        metrics: compile's `metrics`: names, functions or `Metric`s, per output where there are
            several.
        weighted_metrics: The same, measured with sample weights.
        outputs: The model's outputs.
        shapes: `(y_true shape, y_pred shape)` an output, from which `"accuracy"` is resolved and
            state is made.

    Raises:
        UnknownNameError: No metric has that name.
        ArgumentError: Metrics that do not fit the outputs.
    """

    def __init__(
        self, metrics: Any, weighted_metrics: Any, outputs: Outputs, shapes: list[tuple[Any, Any]]
    ):
        self.outputs = outputs
        # (output, metric, whether it is weighted, log name)
        self.entries: list[tuple[int, Any, bool, str]] = []
        taken: set[str] = set()
        for given, weighted, what in (
            (metrics, False, "metrics"),
            (weighted_metrics, True, "weighted_metrics"),
        ):
            for i, group in enumerate(_per_output(given, outputs, what)):
                for one in group:
                    metric = _as_metric(one, *shapes[i])
                    if not metric.built:
                        metric.build(*shapes[i])
                    name = outputs.prefix(i) + metric.name
                    if weighted and name in taken:
                        name = f"{outputs.prefix(i)}weighted_{metric.name}"
                    name = _numbered(name, taken)
                    taken.add(name)
                    self.entries.append((i, metric, weighted, name))

    @property
    def metrics(self) -> list[Any]:
        """The metrics, each once."""
        return unique(metric for _, metric, _, _ in self.entries)

    @property
    def variables(self) -> list[Variable]:
        """The state of all metrics."""
        return _variables(self.entries)

    @property
    def counts_samples(self) -> bool:
        """Whether all metrics give the same when samples are counted in together instead of batch by batch."""
        return all(counts_samples(metric) for metric in self.metrics)

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch in."""
        self._update(self.entries, y_true, y_pred, sample_weight)

    def _update(
        self, entries: list, y_true: Any, y_pred: Any, sample_weight: Any, wanted: Any = None
    ) -> None:
        """Count samples in: all of them, or those with 1 and not with 0 in `wanted`, `(n,)`."""
        if not entries:
            return
        truths = self.outputs.spread(y_true, "y")
        weights = self.outputs.spread(sample_weight, "sample_weight", repeat=True, partial=True)
        predictions = leaves(y_pred)
        for i, metric, weighted, _ in entries:
            if truths[i] is None:
                continue
            weight = weights[i] if weighted else None
            if wanted is not None:
                weight = wanted if weight is None else weight.reshape(wanted.shape) * wanted
            metric.update_state(truths[i], predictions[i], sample_weight=weight)

    def counted(
        self,
        variables: list[Variable],
        values: list,
        data: Any,
        y_pred: Any,
        rows: tuple[Any, Any],
        batch_size: int,
    ) -> list:
        """The values of `variables` after all metrics have counted in the samples of some rows; only where `counts_samples`.

        What each batch adds is computed for many batches at once and then added batch by batch: so
        the numbers are the same however the batches of an epoch are divided. Whole numbers can be
        added in any order.

        Args:
            variables: Variables, among them those of the metrics.
            values: Their values before.
            data: `(x, y, sample_weight)`, arrays.
            y_pred: Predictions, `(samples, units)`, of the rows; the others may be anything.
            rows: The first row and the one behind the last.
            batch_size: Samples a batch, at most as many as there are.
        """
        if not self.entries:
            return values
        (first, stop), (_, y_true, sample_weight) = rows, data
        batches = max(1, min(_TOGETHER, y_pred.shape[0]) // batch_size)
        size = batches * batch_size
        whole = [entry for entry in self.entries if not entry[2] and counts_whole_numbers(entry[1])]
        others = [entry for entry in self.entries if entry not in whole]

        def count(block: Any, values: list) -> list:
            begin = first + block * size
            row = begin + jnp.arange(size)
            wanted = row < stop
            row = jnp.where(wanted, row, begin)  # of the others not even the predictions are known
            samples = [
                None if array is None else array[row] for array in (y_true, y_pred, sample_weight)
            ]
            samples.append(wanted.astype("float32"))
            with borrowed(variables, values):
                self._update(whole, *samples)
                parts = [
                    None if array is None else array.reshape(batches, -1, *array.shape[1:])
                    for array in samples
                ]
                _add_up(_variables(others), jax.vmap(self._added(others))(parts), batches)
                return values_of(variables)

        return jax.lax.fori_loop(0, (stop - first + size - 1) // size, count, values)

    def _added(self, entries: list) -> Callable[[list], list]:
        """What a batch adds to the state of metrics."""
        variables = _variables(entries)

        def added(samples: list) -> list:
            with borrowed(variables, [jnp.zeros_like(value) for value in values_of(variables)]):
                self._update(entries, *samples)
                return values_of(variables)

        return added

    @property
    def names(self) -> list[str]:
        """The log names, in the user's order."""
        return [name for _, _, _, name in self.entries]

    def results(self) -> dict[str, Any]:
        """Log name -> value, in the user's order; a metric whose result is a dict adds its entries."""
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


def _variables(entries: list) -> list[Variable]:
    found = [variable for _, metric, _, _ in entries for variable in metric.variables]
    return unique(found)


def _add_up(variables: list[Variable], parts: list, count: int) -> None:
    """Add to each variable its parts, `(count, ...)`, one after the other."""

    def add(i: Any, values: list) -> list:
        return [value + part[i] for value, part in zip(values, parts, strict=True)]

    values = jax.lax.fori_loop(0, count, add, values_of(variables))
    set_values(variables, values)


def _per_output(given: Any, outputs: Outputs, what: str) -> list[list[Any]]:
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
        flat = [
            one
            for entry in given
            for one in (entry if isinstance(entry, list | tuple) else [entry])
        ]
        return [[one for one in flat if one is not None]]
    spread = outputs.spread(given, what, partial=True)
    groups = [list(entry) if isinstance(entry, list | tuple) else [entry] for entry in spread]
    return [[one for one in group if one is not None] for group in groups]


def _as_metric(given: Any, true_shape: Any, pred_shape: Any) -> Any:
    """A `Metric` from what a user may write; its name is the text that the user wrote."""
    if isinstance(given, metrics_room.Metric):
        return given
    if isinstance(given, str) and given.lower() in ("accuracy", "acc"):
        return accuracy_for(given, true_shape, pred_shape)
    if isinstance(given, str) and given.lower() in ("crossentropy", "ce"):
        return crossentropy_for(given, true_shape, pred_shape)
    found = given() if inspect.isclass(given) else metrics_room.get(given)
    if not isinstance(found, metrics_room.Metric):
        if not callable(found):
            raise ArgumentTypeError(
                "A metric must be a name, a function of (y_true, y_pred) or a Metric.",
                received=repr(given),
            )
        name = given if isinstance(given, str) else _function_name(found)
        found = metrics_room.MeanMetricWrapper(found, name=name)
    if isinstance(given, str):
        found.name = given
    return found


def _function_name(function: Any) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return "lambda" if name == "<lambda>" else snake_case(name)


def _numbered(name: str, taken: set[str]) -> str:
    """A name that is not taken: the given one, or `name_1`, `name_2`, ..."""
    number, found = 0, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found
