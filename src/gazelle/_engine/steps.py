"""One training step and one test step, as they read, on stateful objects.

Variables are read and assigned. A program borrows them for a call (`_core/pure.py`), so that under
JAX a step is a pure function of their values. Whatever changes what a step computes (a step for
several models at once, sharded data) belongs here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from gazelle._core import context
from gazelle._core.checks import array_from
from gazelle._core.errors import StateError
from gazelle._core.fingerprint import fingerprint
from gazelle._core.masks import masks_of, own_table, set_masks
from gazelle._core.pure import borrowed, settled
from gazelle._core.sparse import dense, is_sparse
from gazelle._core.symbolic import leaves, map_structure, samples_in
from gazelle._core.variable import Variable, set_values, values_of
from gazelle._engine.compiled_loss import CompiledLoss
from gazelle._engine.compiled_metrics import CompiledMetrics, CompileMetrics
from gazelle._engine.kernel import StepDescription, predicted
from gazelle._engine.state import State
from gazelle.layers._graph import Graph
from gazelle.metrics import Mean, Metric
from gazelle.optimizers import Optimizer


class LossMean(Mean):
    """The mean of the loss; it counts no more samples after one that is not finite.

    The count then tells at which step that was (`nonfinite.py`).
    """

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add the loss of a batch; `sample_weight` is its number of samples."""
        was_finite, count = jnp.isfinite(self.total.value), self.count.value
        super().update_state(values, sample_weight)
        self.count.assign(jnp.where(was_finite, self.count.value, count))


class Network(Protocol):
    """What a step needs of a model."""

    name: str

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """The predictions for `x`."""

    def regularization_losses(self) -> list[Any]:
        """The weight penalties."""
        ...

    @property
    def trainable_variables(self) -> list[Variable]:
        """What the optimizer changes."""
        ...

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """All other state."""
        ...


class Steps:
    """The steps of one compiled model.

    Args:
        model: The model.
        loss: Its losses.
        metrics: Its compiled metrics.
        optimizer: The optimizer, built for the model's trainable variables; None where nothing is
            trained.
        graph: The graph that the model's layers make; None for a model without one.
        runs_graph: Whether a call of the model runs its graph and nothing else.
        attached: Metrics that the model's own layers hold and update in `call`.
        compute_loss: A user's own loss `(x, y, y_pred, sample_weight, training) -> scalar`, or
            None.
        loss_tracker: The mean of the loss, where there is one already.
    """

    def __init__(
        self,
        model: Network,
        loss: CompiledLoss,
        metrics: CompiledMetrics,
        optimizer: Optimizer | None,
        *,
        graph: Graph | None,
        runs_graph: bool,
        attached: Sequence[Metric] = (),
        compute_loss: Callable[..., Any] | None = None,
        loss_tracker: LossMean | None = None,
    ):
        self.model = model
        self.loss = loss
        self.compiled_metrics = metrics
        self.optimizer = optimizer
        self.graph = graph
        self.runs_graph = runs_graph
        self.attached = list(attached)
        self.compute_loss = compute_loss
        self.loss_tracker = loss_tracker or LossMean(name="loss")
        # A loss of the user's own has no parts.
        tracked = loss.log_names if compute_loss is None else []
        self.part_trackers = {name: Mean(name=name) for name in tracked}
        attached_state = [variable for metric in self.attached for variable in metric.variables]
        losses = [self.loss_tracker, *self.part_trackers.values()]
        loss_state = [variable for metric in losses for variable in metric.variables]
        self.state = State(
            trainable=model.trainable_variables,
            frozen=[*model.non_trainable_variables, *attached_state],
            slots=Steps.slots(self),
            metric_state=[*loss_state, *metrics.variables],
        )

    def slots(self) -> list[Variable]:
        """The optimizer's variables."""
        return [] if self.optimizer is None else list(self.optimizer.variables)

    @property
    def watched(self) -> LossMean:
        """The mean whose count tells when the loss was no longer finite."""
        return self.loss_tracker

    @property
    def has_own_logs(self) -> bool:
        """Whether a step returns its logs; otherwise they are the results of the metrics."""
        return False

    @property
    def builds_optimizer(self) -> bool:
        """Whether the optimizer is for all trainable variables."""
        return True

    # ---- The steps ----

    @own_table()
    def train(self, x: Any, y: Any, sample_weight: Any) -> dict[str, Any] | None:
        """Loss, gradients, update and metrics for one batch; returns logs if it has its own."""
        trainable, frozen, optimizer = self.state.trainable, self.state.frozen, self.optimizer
        frozen_before = values_of(frozen)

        def loss_of(values: list[Any]) -> Any:
            with (
                borrowed(trainable, values),
                borrowed(frozen, frozen_before),
                context.collected_losses() as added,
            ):
                y_pred = self._outputs(x, training=True)
                loss, parts = self._loss(x, y, y_pred, sample_weight, added, training=True)
                scaled = loss if optimizer is None else optimizer.scale_loss(loss)
                return scaled, settled((loss, parts, y_pred, masks_of(y_pred), frozen))

        weights = values_of(trainable)
        if trainable:
            gradients, results = jax.grad(loss_of, has_aux=True)(weights)
        else:  # frozen, or without weights: losses and metrics are computed all the same
            gradients, (_, results) = [], loss_of(weights)
        loss, parts, y_pred, masks, frozen_after = results
        set_masks(y_pred, masks)
        set_values(frozen, frozen_after)
        if trainable and optimizer is not None:
            optimizer.apply(gradients, trainable)
        return self._track(x, y, y_pred, sample_weight, loss, parts)

    @own_table()
    def test(self, x: Any, y: Any, sample_weight: Any) -> dict[str, Any] | None:
        """Loss and metrics for one batch; returns logs if it has its own."""
        with context.collected_losses() as added:
            y_pred = self._outputs(x, training=False)
            loss, parts = self._loss(x, y, y_pred, sample_weight, added, training=False)
        return self._track(x, y, y_pred, sample_weight, loss, parts)

    @own_table()
    def predict(self, x: Any) -> Any:
        """The predictions for one batch."""
        with context.collected_losses():
            graph = self.graph if self.runs_graph else None
            by_kernel = predicted(graph, x)
            return settled(self._outputs(x, training=False)) if by_kernel is None else by_kernel

    def _outputs(self, x: Any, *, training: bool) -> Any:
        """The model's outputs, none of them sparse."""
        outputs = self.model(x, training=training)
        if any(map(is_sparse, leaves(outputs))):
            return map_structure(dense, outputs)
        return outputs

    def _loss(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any, added: list[Any], *, training: bool
    ) -> tuple[Any, dict[str, Any]]:
        """The loss with penalties, and the losses of the outputs by log name."""
        if self.compute_loss is not None:
            given = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": sample_weight}
            return self._own_loss(self.compute_loss, given, training=training), {}
        loss, parts = self.loss(y, y_pred, sample_weight)
        if training and not parts and not added:
            raise StateError(
                f"There is nothing to minimize: the model {self.model.name!r} has no loss.",
                expected="a loss given to compile, or layers that call add_loss",
                received="neither",
                fix='model.compile(optimizer, loss="mse") with the loss that fits the targets',
            )
        for term in (*added, *self.model.regularization_losses()):
            loss = loss + jnp.sum(jnp.asarray(term, loss.dtype))
        return loss, parts

    def _own_loss(
        self, function: Callable[..., Any], given: dict[str, Any], *, training: bool
    ) -> jax.Array:
        """What the user's `compute_loss` returns."""
        parameters = inspect.signature(function).parameters.values()
        if any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters):
            given = {**given, "training": training}
        return array_from(f"compute_loss of the model {self.model.name!r}", function, **given)

    def _track(
        self,
        x: Any,
        y: Any,
        y_pred: Any,
        sample_weight: Any,
        loss: jax.Array,
        parts: dict[str, jax.Array],
    ) -> dict[str, Any] | None:
        """Update the loss's mean and the metrics; returns logs if it has its own."""
        self._track_loss(x, loss, parts)
        self.compiled_metrics.update(y, y_pred, sample_weight)
        return None

    def _track_loss(self, x: Any, loss: jax.Array, parts: dict[str, jax.Array]) -> None:
        """Update the means of the loss and of its parts."""
        samples = samples_in(x)
        self.loss_tracker.update_state(loss, sample_weight=samples)
        for name, tracker in self.part_trackers.items():
            if name in parts:
                tracker.update_state(parts[name], sample_weight=samples)

    # ---- The metrics ----

    @property
    def metrics(self) -> list[Metric]:
        """The loss's mean and those of its parts, the compiled metrics, and the layers' own."""
        return [
            self.loss_tracker,
            *self.part_trackers.values(),
            *self.compiled_metrics.metrics,
            *self.attached,
        ]

    @property
    def listed_metrics(self) -> list[Metric]:
        """The same as users see them: those of `compile` are one."""
        compiled = self.compiled_metrics
        return [
            self.loss_tracker,
            *self.part_trackers.values(),
            *([CompileMetrics(compiled)] if compiled.metrics else []),
            *self.attached,
        ]

    @property
    def reset_at_epochs(self) -> list[Metric]:
        """Everything that is reset at the start of an epoch."""
        return self.metrics

    @property
    def loss_names(self) -> list[str]:
        """The log names of the loss and of its parts."""
        return ["loss", *self.part_trackers]

    def results(self) -> dict[str, Any]:
        """The logs after a step."""
        return self.measured()

    def measured(self) -> dict[str, Any]:
        """The results of all metrics by log name."""
        results = {"loss": self.loss_tracker.result()}
        results |= {name: tracker.result() for name, tracker in self.part_trackers.items()}
        results |= self.compiled_metrics.results()
        for metric in self.attached:
            result = metric.result()
            results |= result if isinstance(result, dict) else {metric.name: result}
        return settled(results)

    # ---- What others need to know ----

    def fingerprint(self) -> Hashable | None:
        """What the programs depend on; None where they may depend on code of the user's."""
        outputs = self.loss.outputs
        input_names = None
        if self.graph is not None and len(self.graph.flat_inputs) > 1:
            input_names = list(self.graph.input_names)  # by which data in a dict finds its input
        names = (
            input_names,
            None if outputs.single else outputs.names,
            self.loss_names,
            self.compiled_metrics.names,
            [metric.name for metric in self.attached],
        )
        parts = (
            self.model,
            self.loss,
            self.compiled_metrics,
            self.optimizer,
            self.attached,
            self.loss_tracker,
            [*self.part_trackers.values()],
            self.compute_loss,
        )
        return fingerprint((parts, names, self.state.sizes), self.state.variables)

    def describe(self) -> StepDescription | None:
        """The training step for the kernel; None for a step that is more than the kernel knows.

        The kernel knows one loss without a weight, and metrics that may count the samples of many
        batches at once.
        """
        graph, optimizer = self.graph, self.optimizer
        if graph is None or optimizer is None or not self.runs_graph:
            return None
        parts = self.loss.parts
        if len(parts) != 1 or parts[0].places != 0 or parts[0].weight is not None:
            return None
        if self.compute_loss is not None or self.attached:
            return None
        if not self.compiled_metrics.counts_samples:
            return None
        return StepDescription(
            graph=graph,
            loss=parts[0].loss,
            optimizer=optimizer,
            loss_state=(self.loss_tracker.total, self.loss_tracker.count),
            metric_state=tuple(self.compiled_metrics.variables),
            trainable=tuple(self.state.trainable),
            variables=tuple(self.state.variables),
            wants_predictions=bool(self.compiled_metrics.entries),
        )
