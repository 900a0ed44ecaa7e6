"""Trainable: a layer that can be compiled, trained, evaluated and asked for predictions."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any, Self

from gazelle._core.checks import one_of
from gazelle._core.errors import CheckWarning
from gazelle._core.registry import deserialize, is_own_class, reading_config
from gazelle._data.feeds import ArrayFeed, as_feed
from gazelle._engine.nonfinite import CHOICES as NONFINITE_CHOICES
from gazelle.callbacks import History
from gazelle.layers import Layer
from gazelle.layers._graph import Graph
from gazelle.models._fit_arguments import (
    check_epochs,
    split_off,
    validation_epochs,
    validation_feed,
    within_epochs,
    within_steps,
)
from gazelle.models._settable import settable
from gazelle.models._step_methods import StepMethods
from gazelle.models._trainer import FitData, FitOptions, Trainer


class Trainable(StepMethods):
    """The methods of `Model` that train. What they keep is in one object, the trainer."""

    _takes_sparse = True  # the layers within decide

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._graph: Graph | None = None
        self._trainer = Trainer(self)

    def __copy__(self) -> Self:
        """A model that shares the weights and layers; it is compiled and trained by itself."""
        copied = super().__copy__()
        copied._trainer = self._trainer.copied(copied)
        return copied

    # ---- What the trainer asks of a model ----

    @property
    def graph_on_host(self) -> Graph | None:
        """The graph if a part of it runs on the host, see `gazelle.layers._host`; else None."""
        graph = self._graph if self._layer_state.is_set_up else None
        return None if graph is None or graph.host is None else graph

    def _prepare_for(self, x: Any) -> Callable[[Any], Any] | None:
        """What does the part of the graph that runs on the host; None where there is none.

        Args:
            x: The data, by which a model that starts with such a layer is built.
        """
        graph = self.graph_on_host
        return None if graph is None else graph.prepared

    def _prepared(self, x: Any) -> Any:
        """Data with the part of the graph done that runs on the host."""
        prepare = self._prepare_for(x)
        return x if prepare is None else prepare(x)

    def _output_spec(self, x: Any) -> Any:
        """The outputs for symbolic data `x`; builds the model if this is the first call."""
        raise NotImplementedError

    @property
    def _runs_graph(self) -> bool:
        """Whether a call of the model runs its graph and nothing else."""
        own = is_own_class(type(self)) and "call" not in vars(self)
        return self._graph is not None and own

    @property
    def _is_functional(self) -> bool:
        """Whether the model was made from its inputs and outputs, also by a user's subclass."""
        return self._graph is not None

    def _graph_layers(self) -> list[Layer]:
        """The layers of the graph, in the order of their weights."""
        raise NotImplementedError

    def _output_layers(self) -> list[Any]:
        """The layer of each output; empty where the model has no graph."""
        tensors = [] if self._graph is None else self._graph.flat_outputs
        return [tensor.node.operation if tensor.node is not None else None for tensor in tensors]

    def _own_compute_loss(self) -> Callable[..., Any] | None:
        """The `compute_loss` of a user's subclass."""
        is_inherited = type(self).compute_loss is Trainable.compute_loss
        return None if is_inherited else self.compute_loss

    # ---- Compiling ----

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
        """Set how the model is trained.

        Args:
            optimizer: A name, config or `Optimizer`.
            loss: A name, function of `(y_true, y_pred)` or `Loss`; a list or dict of them for
                several outputs.
            loss_weights: Weight of each output's loss: a list or dict of numbers.
            metrics: A list of names, functions or `Metric`s; for several outputs a list with one
                entry per output, or a dict.
            weighted_metrics: The same, measured with sample weights.
            run_eagerly: Whether to run operation by operation, for debugging.
            steps_per_execution: Steps between calls of callbacks' batch hooks. Gazelle compiles
                whole epochs anyway.
            jit_compile: Kept for Keras's signature: everything is compiled unless `run_eagerly`.
            auto_scale_loss: Whether a model of the policy `mixed_float16` gets its optimizer in a
                `LossScaleOptimizer`.

        Raises:
            UnknownNameError: A name is unknown; the message has the nearest known names.
            ArgumentError: Metrics that are not a list or dict.
        """
        self._trainer.compile(
            optimizer=optimizer,
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=auto_scale_loss,
        )

    @settable
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._trainer.settings is not None

    @settable
    def loss(self) -> Any:
        """The loss as given to `compile`; None before it."""
        settings = self._trainer.settings
        return None if settings is None else settings.loss

    @property
    def run_eagerly(self) -> bool:
        """Whether steps run operation by operation; may be set at any time."""
        return self._trainer.runs_eagerly

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        self._trainer.run_eagerly(value)

    @property
    def metrics(self) -> list[Any]:
        """The loss's mean, the compiled metrics as one, and those that the layers hold."""
        measured = self._trainer.metrics
        return measured if self._trainer.engine is not None else [*measured, *super().metrics]

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in its order: the loss first."""
        engine = self._trainer.engine
        if engine is not None:
            return engine.result_names()
        return ["loss"] if self.compiled else []

    @settable
    def output_names(self) -> list[str] | None:
        """Names of the output layers; None for a model without a graph."""
        return None if self._graph is None else list(self._graph.output_names)

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile` as JSON-ready values; None before it."""
        settings = self._trainer.settings
        return None if settings is None else settings.to_config()

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` returned.

        A subclass that defines `compile` is not compiled, with a warning: it may take other
        arguments. It defines this method too.
        """
        if type(self).compile is not Trainable.compile:
            warnings.warn(
                "`compile()` was not called as part of model loading because the model's"
                " `compile()` method is custom. Call it after loading, or define"
                " `get_compile_config()` and `compile_from_config(config)` in"
                f" {type(self).__name__} too.",
                CheckWarning,
                stacklevel=2,
            )
            return
        with reading_config("compile()"):
            self.compile(**{key: deserialize(value) for key, value in config.items()})

    def reset_metrics(self) -> None:
        """Reset all metrics."""
        for metric in self.metrics:
            metric.reset_state()

    # ---- Training ----

    @property
    def history(self) -> History | None:
        """The history of the last `fit`; None before the first."""
        return self._trainer.history

    @history.setter
    def history(self, value: History | None) -> None:
        self._trainer.history = value

    @property
    def stop_training(self) -> bool:
        """Set it to True in a callback to end training after the current chunk."""
        return self._trainer.fit_in_progress.stop

    @stop_training.setter
    def stop_training(self, value: bool) -> None:
        self._trainer.fit_in_progress.stop = bool(value)

    @property
    def stop_evaluating(self) -> bool:
        """Set it to True in a callback to end an evaluation after the current step."""
        return self._trainer.stop_evaluating

    @stop_evaluating.setter
    def stop_evaluating(self, value: bool) -> None:
        self._trainer.stop_evaluating = bool(value)

    @property
    def stop_predicting(self) -> bool:
        """Set it to True in a callback to end `predict` with the outputs so far."""
        return self._trainer.stop_predicting

    @stop_predicting.setter
    def stop_predicting(self, value: bool) -> None:
        self._trainer.stop_predicting = bool(value)

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
        *,
        resume_from: str | os.PathLike[str] | None = None,
        nonfinite_loss: str = "stop",
    ) -> History:
        """Train the model.

        Ctrl-C ends training after the current chunk of steps; the model and the history so far are
        kept.

        Args:
            x: Inputs `(samples, ...)`: an array, a list or dict of arrays, a DataFrame, a generator
                or a dataset.
            y: Targets in the same forms; None with a generator or dataset.
            batch_size: Samples per step, 32 when None.
            epochs: Number after the last epoch.
            verbose: 0 silent, 1 (or `"auto"`) a live line per epoch, 2 one plain line per epoch.
            callbacks: A callback or a list of them.
            validation_split: Share of the samples, taken from the end before shuffling, to validate
                on.
            validation_data: `(x, y)` or `(x, y, sample_weight)`, a generator or a dataset.
            shuffle: Whether to draw the samples in a new order each epoch; `"batch"` reorders
                within each batch only.
            class_weight: Weight of each class, a dict from class number to number, or `"balanced"`.
            sample_weight: Weight of each sample `(samples,)`, per output where there are several.
            initial_epoch: Number of the first epoch.
            steps_per_epoch: Steps per epoch; all when None.
            validation_steps: Steps of a validation; all when None.
            validation_batch_size: Samples per step of validation; `batch_size` when None.
            validation_freq: Validate every n-th epoch, or after the epochs (from 1) in a list.
            resume_from: A `.keras` or `.weights.h5` file that was saved during a fit, for example
                by `ModelCheckpoint`. Training goes on from there as if it had not been interrupted;
                data, callbacks and the other arguments must be the same.
            nonfinite_loss: What to do about a loss that is NaN or infinite. `"stop"`: training
                ends, the model gets back the weights from before that step, and a warning names the
                step and the probable cause. `"skip"`: the step is undone and training goes on;
                after ten in a row it ends. `"continue"`: only a warning.

        Returns:
            The history: `history.history["loss"]` is a list with one float per epoch.

        Raises:
            StateError: `compile` was not called.
            DataError: Data that cannot be trained on: empty, NaN, labels outside the classes, ...
            ShapeError: Data that does not match the model.
            ArgumentError: An argument out of range.
            ModelFileError: `resume_from` is damaged or does not match the model.
        """
        self._trainer.required_settings()
        prepare = self._prepare_for(x)
        training = as_feed(
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            steps=steps_per_epoch,
            shuffle=shuffle,
            prepare=prepare,
        )
        validation, source = None, "validation_data"
        if validation_data is not None:
            size = validation_batch_size or batch_size
            validation = validation_feed(validation_data, size, validation_steps, prepare)
        elif validation_split:
            source = "validation_split"
            training, validation = split_off(
                training, validation_split, batch_size=validation_batch_size, steps=validation_steps
            )
        check_epochs(epochs=epochs, initial_epoch=initial_epoch)
        one_of("nonfinite_loss", nonfinite_loss, NONFINITE_CHOICES, "fit")
        validates = validation_epochs(validation_freq)
        return self._trainer.fit(
            FitData(
                within_steps(training),
                None if validation is None else within_steps(validation),
                source,
                validates,
                class_weight,
            ),
            FitOptions(
                initial_epoch=initial_epoch,
                epochs=within_epochs(epochs),
                callbacks=callbacks,
                verbose=verbose,
                resume_from=None if resume_from is None else os.fspath(resume_from),
                nonfinite=nonfinite_loss,
            ),
        )

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
            batch_size: Samples per step, 32 when None.
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
            ShapeError: Data that does not match the model.
        """
        self._trainer.required_settings()
        prepare = self._prepare_for(x)
        feed = as_feed(x, y, sample_weight, batch_size=batch_size, steps=steps, prepare=prepare)
        return self._trainer.evaluate(
            within_steps(feed), callbacks=callbacks, verbose=verbose, return_dict=return_dict
        )

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
            batch_size: Samples per step of callbacks with batch hooks; otherwise Gazelle chooses.
            verbose: 0 silent, 1 a live line for long runs; `"auto"` is silent.
            steps: Steps; all when None.
            callbacks: A callback or a list of them.

        Returns:
            NumPy arrays in the structure of the outputs, `(samples, ...)`.

        Raises:
            DataError: Data that cannot be used.
            ShapeError: Data that does not match the model.
        """
        return self._trainer.predict(
            x, batch_size=batch_size, steps=steps, callbacks=callbacks, verbose=verbose
        )

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """One training step on one batch; returns its loss and metrics as `evaluate` does."""
        self._trainer.required_settings()
        feed = ArrayFeed(self._prepared(x), y, sample_weight)
        return self._trainer.train_on_batch(feed, class_weight, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch, without training."""
        self._trainer.required_settings()
        feed = ArrayFeed(self._prepared(x), y, sample_weight)
        return self._trainer.test_on_batch(feed, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, NumPy arrays."""
        return self._trainer.predict_on_batch(x)
