"""Compilable: what `compile` is told, and the programs that are made of it when the first data comes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from typing import Any

import jax.numpy as jnp

from gazelle import optimizers
from gazelle._core import context
from gazelle._core.errors import ArgumentError, ArgumentTypeError, CheckWarning, StateError
from gazelle._core.lending import Guard
from gazelle._core.registry import deserialize, reading_config, serialize
from gazelle._core.symbolic import KerasTensor, leaves
from gazelle._engine.compile_cache import enable_compile_cache
from gazelle._engine.compiled_loss import Objective
from gazelle._engine.compiled_metrics import Measures
from gazelle._engine.engine import Engine
from gazelle._engine.outputs import Outputs
from gazelle.layers import Layer
from gazelle.models.graph import Graph
from gazelle.models.protocol import check_protocol


@dataclass
class Compiled:
    """What `compile` was told, and what was made of it when the first data came."""

    optimizer: Any = None
    loss: Any = None
    loss_weights: Any = None
    metrics: Any = None
    weighted_metrics: Any = None
    run_eagerly: bool = False
    steps_per_execution: int = 1
    jit_compile: Any = "auto"
    auto_scale_loss: bool = True
    engine: Engine | None = None


class Compilable(Layer):
    """A layer with a loss, metrics and an optimizer: the first half of what a model adds to a layer."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._graph: Graph | None = None
        self._compiled: Compiled | None = None
        self._making = Guard()
        self._predictor: Engine | None = None
        self._shortcut: Any = None  # to predictions: see Trainer

    @property
    def _structure(self) -> Graph | None:
        """The graph of the layers, another object when layers were added or taken away; None without a graph."""
        return self._graph

    @property
    def _routing_names(self) -> list[str] | None:
        """Names by which data in a dict finds its input: of several inputs; None where there is one."""
        if self._graph is None or len(self._graph.flat_inputs) == 1:
            return None
        return list(self._graph.input_names)

    @property
    def output_names(self) -> list[str] | None:
        """Names of the output layers; None for a model without a graph."""
        return list(self._graph.output_names) if self._graph is not None else None

    def _output_spec(self, x: Any) -> Any:
        """What the model gives for symbolic data `x`; builds the model if this is the first call."""
        raise NotImplementedError

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how the model is trained.

        Args:
            optimizer: A name, config or `Optimizer`.
            loss: A name, function of `(y_true, y_pred)` or `Loss`; a list or dict of them for
                several outputs.
            loss_weights: Weight of each output's loss: a list or dict of numbers.
            metrics: A list of names, functions or `Metric`s; for several outputs a list with an
                entry each, or a dict.
            weighted_metrics: The same, measured with sample weights.
            run_eagerly: Whether to run operation by operation, for debugging.
            steps_per_execution: Steps between calls of callbacks' batch hooks. Gazelle compiles
                whole epochs anyway.
            jit_compile: Kept for Keras's signature: everything is compiled unless `run_eagerly`.
            auto_scale_loss: Kept for Keras's signature.

        Raises:
            UnknownNameError: A name stands for nothing; the nearest known names are in the message.
            ArgumentError: Metrics that are no list or dict.
        """
        check_protocol(self)
        before, self._shortcut = self._compiled, None
        if isinstance(optimizer, type):
            raise ArgumentTypeError(
                "optimizer must be an instance.",
                received=optimizer.__name__,
                fix=f"write {optimizer.__name__}()",
            )
        for name, value in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if value is not None and not isinstance(value, list | tuple | dict):
                raise ArgumentError(
                    f"`{name}` must be a list or dict.",
                    received=repr(value),
                    fix=f"write {name}=[{value!r}]",
                )
        self._compiled = Compiled(
            optimizer=optimizers.get(optimizer),
            loss=loss if loss is not None or before is None else before.loss,
            loss_weights=loss_weights,
            metrics=metrics if metrics is not None or before is None else before.metrics,
            weighted_metrics=weighted_metrics,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=auto_scale_loss,
        )
        if self._graph is not None:
            self._check_compile_arguments(self._graph)

    def _check_compile_arguments(self, graph: Graph) -> None:
        """Refuse unknown losses and metrics at compile where the outputs are known already."""
        compiled = self._require_compiled()
        outputs = self._outputs_of(graph.outputs)
        shapes = [(tensor.shape, tensor.shape) for tensor in leaves(graph.outputs)]
        Objective(compiled.loss, compiled.loss_weights, outputs, shapes)
        Measures(
            _names_only(compiled.metrics), _names_only(compiled.weighted_metrics), outputs, shapes
        )

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compiled is not None

    @property
    def optimizer(self) -> Any:
        """The optimizer; None before `compile`."""
        return self._compiled.optimizer if self._compiled is not None else None

    @property
    def loss(self) -> Any:
        """The loss as given to `compile`; None before it."""
        return self._compiled.loss if self._compiled is not None else None

    @property
    def run_eagerly(self) -> bool:
        """Whether steps run operation by operation."""
        return self._compiled is not None and self._compiled.run_eagerly

    @property
    def metrics(self) -> list[Any]:
        """The loss's mean, the compiled metrics, and those that the layers hold."""
        engine = self._compiled.engine if self._compiled is not None else None
        return engine.metrics if engine is not None else super().metrics

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in its order: the loss first."""
        engine = self._compiled.engine if self._compiled is not None else None
        if engine is None:
            return ["loss"] if self.compiled else []
        return engine.result_names()

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile` as JSON-ready values; None before it."""
        if self._compiled is None:
            return None
        keys = [
            entry.name
            for entry in fields(Compiled)
            if entry.name not in ("engine", "auto_scale_loss")
        ]
        return {key: serialize(getattr(self._compiled, key)) for key in keys}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` gave."""
        with reading_config("compile()"):
            self.compile(**{key: deserialize(value) for key, value in config.items()})

    def reset_metrics(self) -> None:
        """Set all metrics back."""
        for metric in self.metrics:
            metric.reset_state()

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The loss of a batch: the compiled losses, added losses and regularizers. A subclass may define its own.

        Args:
            x: Inputs of the batch.
            y: Targets.
            y_pred: What the model gave.
            sample_weight: Weights or None.
            training: Whether this is a training step.

        Returns:
            A scalar array.
        """
        engine = self._compiled.engine if self._compiled is not None else None
        if engine is None:
            raise StateError(
                "compute_loss needs a compiled model that has seen data.",
                fix="call compile and fit first",
            )
        total, _ = engine.objective(y, y_pred, sample_weight)
        added = context.collector()  # inside fit: what the layers have added in this step
        terms = self.losses if added is None else [*added, *self.regularization_losses()]
        for term in terms:
            total = total + jnp.sum(jnp.asarray(term, total.dtype))
        return total

    # ---- preparation ----

    def _require_compiled(self) -> Compiled:
        if self._compiled is None:
            raise StateError(
                "You must call `compile()` before using the model.",
                expected="a compiled model",
                received=f"model {self.name!r}, not compiled",
                fix='model.compile(optimizer="adam", loss=...) first',
            )
        return self._compiled

    def _outputs_of(self, structure: Any) -> Outputs:
        return Outputs(structure, self.output_names)

    def _graph_layers(self) -> list[Any]:
        """The layers that give the outputs, where they are known: for checks of loss against activation."""
        if self._graph is None:
            return []
        return [t.node.operation if t.node is not None else None for t in self._graph.flat_outputs]

    def _engine_for(self, spec: tuple[Any, Any, Any]) -> Engine:
        """The engine for data of these shapes: builds the model, losses and metrics on first use."""
        with self._making.lock:  # of threads that begin together, one makes what all use
            return self._make_engine(*spec)

    def _make_engine(self, x: Any, y: Any, _: Any) -> Engine:
        compiled = self._require_compiled()
        enable_compile_cache()
        predictions = self._output_spec(x)
        if compiled.engine is not None and compiled.engine.model_state_matches():
            return compiled.engine
        outputs = self._outputs_of(predictions)
        truths = outputs.spread(y, "y") if y is not None else [None] * outputs.count
        shapes = [
            (truth.shape if isinstance(truth, KerasTensor) else prediction.shape, prediction.shape)
            for truth, prediction in zip(truths, leaves(predictions), strict=True)
        ]
        custom = type(self).compute_loss is not Compilable.compute_loss
        compiled.engine = Engine(
            self,
            Objective(compiled.loss, compiled.loss_weights, outputs, shapes),
            Measures(compiled.metrics, compiled.weighted_metrics, outputs, shapes),
            compiled.optimizer,
            attached=super().metrics,
            compute_loss=self.compute_loss if custom else None,
            prediction_shapes=[prediction.shape for prediction in leaves(predictions)],
        )
        return compiled.engine

    def _build_optimizer(self, engine: Engine) -> None:
        optimizer = engine.optimizer
        if not engine.state.trainable:
            warnings.warn(
                f"The model {self.name!r} does not have any trainable weights: nothing will be"
                " learned. Unfreeze layers (layer.trainable = True) and compile again, or use"
                " evaluate.",
                CheckWarning,
                stacklevel=3,
            )
        optimizer.build(engine.state.trainable)  # once; refuses variables of another model
        if engine.state.slots != optimizer.variables:
            engine.state.set_slots(optimizer.variables)

    def _predicting_engine(self, x: Any) -> Engine:
        """An engine for predictions: the compiled one, or a bare one for a model that is not compiled."""
        with self._making.lock:
            return self._make_predicting_engine(x)

    def _make_predicting_engine(self, x: Any) -> Engine:
        enable_compile_cache()
        structure = self._output_spec(x)
        if (
            self._compiled is not None
            and self._compiled.engine is not None
            and self._compiled.engine.model_state_matches()
        ):
            return self._compiled.engine
        if self._predictor is None or not self._predictor.model_state_matches():
            outputs = self._outputs_of(structure)
            shapes = [(tensor.shape, tensor.shape) for tensor in leaves(structure)]
            self._predictor = Engine(
                self,
                Objective(None, None, outputs, shapes),
                Measures(None, None, outputs, shapes),
                None,
            )
        return self._predictor

    def _results(self, engine: Engine, logs: dict[str, Any], return_dict: bool) -> Any:
        """Logs as evaluate returns them: a float, a list with the loss first, or a dict."""
        if return_dict:
            return logs
        values = [logs[name] for name in engine.result_names(logs)]
        return values[0] if len(values) == 1 else values


def _names_only(metrics: Any) -> Any:
    """Metrics without the objects: only names are looked up at compile, so that no object's state is touched."""
    if isinstance(metrics, dict):
        return {key: _names_only(value) for key, value in metrics.items()}
    if isinstance(metrics, list | tuple):
        return [_names_only(value) for value in metrics]
    return metrics if isinstance(metrics, str) else None
