"""Trainer: the half of a model that compiles, fits, evaluates and predicts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import jax.numpy as jnp
import numpy as np

from gazelle import optimizers
from gazelle._core import context
from gazelle._core.errors import ArgumentError, ArgumentTypeError, StateError
from gazelle._core.registry import deserialize, serialize
from gazelle._core.symbolic import KerasTensor, leaves, map_structure
from gazelle.callbacks import CallbackList, History
from gazelle.data.feeds import ArrayFeed, Feed, StreamFeed, as_feed, is_stream, to_device
from gazelle.layers import Layer
from gazelle.models.graph import Graph
from gazelle.training import loop
from gazelle.training.align import Outputs
from gazelle.training.cache import enable_compile_cache
from gazelle.training.engine import Engine
from gazelle.training.interrupt import Interrupt
from gazelle.training.measures import Measures
from gazelle.training.objective import Objective
from gazelle.training.predicting import predict
from gazelle.training.preflight import check_before_training, weigh_classes
from gazelle.utils import ImageDataset


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


@dataclass
class _Run:
    """State of the fit in progress."""

    stop: bool = False
    interrupt: Interrupt = field(default_factory=Interrupt)


class Trainer(Layer):
    """A layer that can be trained: the methods that `Model` gets. See there."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._graph: Graph | None = None
        self._compiled: Compiled | None = None
        self._predictor: Engine | None = None
        self._run_state = _Run()
        self.history: History | None = None

    @property
    def output_names(self) -> list[str] | None:
        """Names of the output layers; None for a model without a graph."""
        return list(self._graph.output_names) if self._graph is not None else None

    def _output_spec(self, x: Any) -> Any:
        """What the model gives for symbolic data `x`; builds the model if this is the first call."""
        raise NotImplementedError

    # compile ----------------------------------------------------------------------------------------------------

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
            loss: A name, function of `(y_true, y_pred)` or `Loss`; a list or dict of them for several outputs.
            loss_weights: Weight of each output's loss: a list or dict of numbers.
            metrics: A list of names, functions or `Metric`s; for several outputs a list with an entry each, or a dict.
            weighted_metrics: The same, measured with sample weights.
            run_eagerly: Whether to run operation by operation, for debugging.
            steps_per_execution: Steps between calls of callbacks' batch hooks. Gazelle compiles whole epochs anyway.
            jit_compile: Kept for Keras's signature: everything is compiled unless `run_eagerly`.
            auto_scale_loss: Kept for Keras's signature.

        Raises:
            UnknownNameError: A name stands for nothing; the nearest known names are in the message.
            ArgumentError: Metrics that are no list or dict.
        """
        before = self._compiled
        if isinstance(optimizer, type):
            raise ArgumentTypeError(
                "optimizer must be an instance.", received=optimizer.__name__, fix=f"write {optimizer.__name__}()"
            )
        for name, value in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if value is not None and not isinstance(value, list | tuple | dict):
                raise ArgumentError(
                    f"`{name}` must be a list or dict.", received=repr(value), fix=f"write {name}=[{value!r}]"
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
        self.stop_training = False

    def _check_compile_arguments(self, graph: Graph) -> None:
        """Refuse unknown losses and metrics at compile where the outputs are known already."""
        compiled = self._require_compiled()
        outputs = self._outputs_of(graph.outputs)
        shapes = [(tensor.shape, tensor.shape) for tensor in leaves(graph.outputs)]
        Objective(compiled.loss, compiled.loss_weights, outputs, shapes)
        Measures(_names_only(compiled.metrics), _names_only(compiled.weighted_metrics), outputs, shapes)

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
    def stop_training(self) -> bool:
        """Set it to True in a callback to end training after the current chunk."""
        return self._run_state.stop

    @stop_training.setter
    def stop_training(self, value: bool) -> None:
        self._run_state.stop = bool(value)

    @property
    def metrics(self) -> list[Any]:
        """The loss's mean, the compiled metrics, and those that the layers hold."""
        engine = self._compiled.engine if self._compiled is not None else None
        return engine.metrics if engine is not None else super().metrics

    @property
    def metrics_names(self) -> list[str]:
        """The names of the logs, loss first."""
        engine = self._compiled.engine if self._compiled is not None else None
        if engine is None:
            return ["loss"] if self.compiled else []
        names = ["loss", *(tracker.name for tracker in engine.part_trackers.values())]
        return names + engine.measures.names

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile` as JSON-ready values; None before it."""
        if self._compiled is None:
            return None
        keys = [entry.name for entry in fields(Compiled) if entry.name not in ("engine", "auto_scale_loss")]
        return {key: serialize(getattr(self._compiled, key)) for key in keys}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` gave."""
        self.compile(**{key: deserialize(value) for key, value in config.items()})

    def reset_metrics(self) -> None:
        """Set all metrics back."""
        for metric in self.metrics:
            metric.reset_state()

    # fit, evaluate, predict -------------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | list[int] = 1,
    ) -> History:
        """Train the model.

        Ctrl-C ends training after the current chunk of steps; the model and the history so far are kept.

        Args:
            x: Inputs `(samples, ...)`: an array, a list or dict of arrays, a DataFrame, a generator or a dataset.
            y: Targets in the same forms; None with a generator or dataset.
            batch_size: Samples a step, 32 when None.
            epochs: Number after the last epoch.
            verbose: 0 silent, 1 (or `"auto"`) a live line an epoch, 2 one plain line an epoch.
            callbacks: A callback or a list of them.
            validation_split: Share of the samples, taken from the end before shuffling, to validate on.
            validation_data: `(x, y)` or `(x, y, sample_weight)`, a generator or a dataset.
            shuffle: Whether to draw the samples in a new order each epoch; `"batch"` reorders within each batch only.
            class_weight: Weight of each class, a dict from class number to number, or `"balanced"`.
            sample_weight: Weight of each sample `(samples,)`, per output where there are several.
            initial_epoch: Number of the first epoch.
            steps_per_epoch: Steps an epoch; all when None.
            validation_steps: Steps of a validation; all when None.
            validation_batch_size: Samples a step of validation; `batch_size` when None.
            validation_freq: Validate every n-th epoch, or after the epochs (from 1) in a list.

        Returns:
            The history: `history.history["loss"]` is a list with a float an epoch.

        Raises:
            StateError: `compile` was not called.
            DataError: Data that cannot be trained on: empty, NaN, labels outside the classes, ...
            ShapeError: Data that does not fit the model.
            ArgumentError: An argument out of range.
        """
        compiled = self._require_compiled()
        feed = as_feed(x, y, sample_weight, batch_size=batch_size, steps=steps_per_epoch, shuffle=shuffle)
        validation: Feed | None = None
        if validation_data is None and validation_split:
            if not isinstance(feed, ArrayFeed):
                raise ArgumentError(
                    "`validation_split` is only supported for tensors or NumPy arrays.",
                    expected="arrays",
                    received=type(x).__name__,
                    fix="pass validation_data",
                )
            feed, validation = feed.split(validation_split, batch_size=validation_batch_size, steps=validation_steps)
        if validation_data is not None:
            validation = _validation_feed(validation_data, validation_batch_size or batch_size, validation_steps)
        for name, value in (("epochs", epochs), ("initial_epoch", initial_epoch)):
            if not hasattr(value, "__index__") or value < 0:
                raise ArgumentError(f"fit: {name} must be a whole number, 0 or more.", received=repr(value))
        engine = self._engine_for(feed.spec)
        if validation is not None:
            self._output_spec(validation.spec[0])  # refuses validation data that does not fit the inputs
        if class_weight is not None:
            weigh_classes(engine, feed, class_weight)
        check_before_training(engine, feed, validation, self._graph_layers())
        self._build_optimizer(engine)
        self._run_state = _Run()
        run = self._run_state
        listed = CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=self,
            verbose=1 if verbose == "auto" else int(verbose),
            epochs=epochs,
            steps=loop.steps_of(feed),
        )
        validator = None
        if validation is not None:
            runner = loop.Runner(engine, validation, "test", listed, eager=compiled.run_eagerly)
            validator = functools.partial(loop.evaluate, runner)
        with run.interrupt.heard():
            loop.fit(
                engine,
                feed,
                listed,
                initial_epoch=initial_epoch,
                epochs=epochs,
                validate=validator,
                validates=_validation_plan(validation_freq),
                stopped=lambda: run.stop or run.interrupt.asked,
                eager=compiled.run_eagerly,
                group=compiled.steps_per_execution,
            )
        if self.history is None:  # CallbackList has set it
            raise StateError("fit has lost its history.")
        if run.interrupt.asked and verbose != 0:
            epochs_done = len(self.history.epoch)
            print(f"Interrupted: training ended after {epochs_done} epochs; the model and the history are kept.")
        return self.history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on data, without training.

        Args:
            x: Inputs as in `fit`.
            y: Targets as in `fit`.
            batch_size: Samples a step, 32 when None.
            verbose: 0 silent, 1 (or `"auto"`) a live line, 2 one plain line.
            sample_weight: Weight of each sample.
            steps: Steps; all when None.
            callbacks: A callback or a list of them.
            return_dict: Whether to return a dict by log name.

        Returns:
            The loss, or a list `[loss, metric, ...]` when there are metrics, or a dict.

        Raises:
            StateError: `compile` was not called.
            DataError: Data that cannot be used.
            ShapeError: Data that does not fit the model.
        """
        compiled = self._require_compiled()
        feed = as_feed(x, y, sample_weight, batch_size=batch_size, steps=steps)
        engine = self._engine_for(feed.spec)
        check_before_training(engine, feed, None, self._graph_layers())
        verbose = 1 if verbose == "auto" else int(verbose)
        listed = CallbackList(
            callbacks, add_progbar=verbose != 0, model=self, verbose=verbose, epochs=1, steps=loop.steps_of(feed)
        )
        logs = loop.evaluate(loop.Runner(engine, feed, "test", listed, eager=compiled.run_eagerly))
        return self._results(engine, logs, return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The model's outputs for data.

        Args:
            x: Inputs as in `fit`.
            batch_size: Samples a step of callbacks with batch hooks; otherwise Gazelle chooses.
            verbose: 0 silent, 1 a live line for long runs; `"auto"` is silent.
            steps: Steps; all when None.
            callbacks: A callback or a list of them.

        Returns:
            NumPy arrays in the structure of the outputs, `(samples, ...)`.

        Raises:
            DataError: Data that cannot be used.
            ShapeError: Data that does not fit the model.
        """
        feed = as_feed(x, batch_size=batch_size, steps=steps)
        engine = self._predicting_engine(feed.spec[0])
        verbose = 0 if verbose == "auto" else int(verbose)
        listed = CallbackList(
            callbacks, add_progbar=verbose != 0, model=self, verbose=verbose, epochs=1, steps=loop.steps_of(feed)
        )
        return predict(engine, feed, listed, eager=self.run_eagerly)

    # one batch --------------------------------------------------------------------------------------------------

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One training step on one batch; returns its loss and metrics as `evaluate` does."""
        self._require_compiled()
        feed = ArrayFeed(x, y, sample_weight)
        engine = self._engine_for(feed.spec)
        if class_weight is not None:
            weigh_classes(engine, feed, class_weight)
        check_before_training(engine, feed, None, self._graph_layers())
        self._build_optimizer(engine)
        batch = feed.on_device()
        logs = engine.read_logs(engine.train_batch(batch, fresh=True, eager=self.run_eagerly))
        return self._results(engine, logs, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of one batch, without training."""
        self._require_compiled()
        feed = ArrayFeed(x, y, sample_weight)
        engine = self._engine_for(feed.spec)
        check_before_training(engine, feed, None, self._graph_layers())
        logs = engine.read_logs(engine.test_batch(feed.on_device(), fresh=True, eager=self.run_eagerly))
        return self._results(engine, logs, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, NumPy arrays."""
        feed = ArrayFeed(x)
        engine = self._predicting_engine(feed.spec[0])
        return map_structure(np.array, engine.predict_batch(map_structure(to_device, feed.x), eager=self.run_eagerly))

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
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
                "compute_loss needs a compiled model that has seen data.", fix="call compile and fit first"
            )
        total, _ = engine.objective(y, y_pred, sample_weight)
        added = context.collector()  # inside fit: what the layers have added in this step
        terms = self.losses if added is None else [*added, *self.regularization_losses()]
        for term in terms:
            total = total + jnp.sum(jnp.asarray(term, total.dtype))
        return total

    # preparation ------------------------------------------------------------------------------------------------

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
        compiled = self._require_compiled()
        enable_compile_cache()
        x, y, _ = spec
        predictions = self._output_spec(x)
        if compiled.engine is not None and compiled.engine.model_state_matches():
            return compiled.engine
        outputs = self._outputs_of(predictions)
        truths = outputs.spread(y, "y") if y is not None else [None] * outputs.count
        shapes = [
            (truth.shape if isinstance(truth, KerasTensor) else prediction.shape, prediction.shape)
            for truth, prediction in zip(truths, leaves(predictions), strict=True)
        ]
        custom = type(self).compute_loss is not Trainer.compute_loss
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
        optimizer.build(engine.trainable)  # once; refuses variables of another model
        engine.slots = list(optimizer.variables)

    def _predicting_engine(self, x: Any) -> Engine:
        """An engine for predictions: the compiled one, or a bare one for a model that is not compiled."""
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
                self, Objective(None, None, outputs, shapes), Measures(None, None, outputs, shapes), None
            )
        return self._predictor

    def _results(self, engine: Engine, logs: dict[str, Any], return_dict: bool) -> Any:
        """Logs as evaluate returns them: a float, a list with the loss first, or a dict."""
        if return_dict:
            return logs
        parts = [tracker.name for tracker in engine.part_trackers.values()]
        ordered = ["loss", *parts]
        own = [name for name in engine.measures.names if name in logs]
        ordered += own if engine.objective.outputs.single else sorted(set(logs) - set(ordered))
        ordered += [name for name in sorted(logs) if name not in ordered]
        values = [logs[name] for name in ordered]
        return values[0] if len(values) == 1 else values


def _names_only(metrics: Any) -> Any:
    """Metrics without the objects: only names are looked up at compile, so that no object's state is touched."""
    if isinstance(metrics, dict):
        return {key: _names_only(value) for key, value in metrics.items()}
    if isinstance(metrics, list | tuple):
        return [_names_only(value) for value in metrics]
    return metrics if isinstance(metrics, str) else None


def _validation_feed(data: Any, batch_size: int | None, steps: int | None) -> Feed:
    if is_stream(data) and not isinstance(data, ImageDataset):
        return StreamFeed(data, steps=steps, label="validation ", replay=True)
    if not isinstance(data, list | tuple):
        return as_feed(data, batch_size=batch_size, steps=steps, label="validation ")
    if len(data) > 3:
        raise ArgumentError(
            "validation_data has too many parts.",
            expected="(x, y) or (x, y, sample_weight)",
            received=f"{len(data)} parts",
        )
    return as_feed(*data, batch_size=batch_size, steps=steps, label="validation ")


def _validation_plan(freq: int | list[int]) -> Callable[[int], bool]:
    if isinstance(freq, list):
        wanted = set(freq)
        return lambda epoch: epoch + 1 in wanted
    if not isinstance(freq, int) or isinstance(freq, bool) or freq < 1:
        raise ArgumentError("validation_freq must be an int > 0 or a list of epochs.", received=repr(freq))
    return lambda epoch: (epoch + 1) % freq == 0
