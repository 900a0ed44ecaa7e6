"""Trainer: the methods of a model that fit, evaluate and predict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gazelle._core.console import say
from gazelle._core.errors import ArgumentError, StateError
from gazelle._core.registry import is_own_class
from gazelle._core.symbolic import map_structure
from gazelle._data.dataset import ImageDataset
from gazelle._data.feeds import ArrayFeed, Feed, StreamFeed, as_feed, is_stream, to_device
from gazelle._engine import loop
from gazelle._engine.engine import Engine
from gazelle._engine.interrupt import Interrupt
from gazelle._engine.predicting import Shortcut, predict
from gazelle._engine.preflight import check_before_training, weigh_classes
from gazelle._engine.recorder import recorded
from gazelle.callbacks import CallbackList, History
from gazelle.models.compiling import Compilable


@dataclass
class _Run:
    """State of the fit in progress."""

    stop: bool = False
    interrupt: Interrupt = field(default_factory=Interrupt)


class Trainer(Compilable):
    """A layer that can be compiled, trained and asked: the methods that `Model` gets. See there."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._run_state = _Run()
        self.history: History | None = None

    @property
    def stop_training(self) -> bool:
        """Set it to True in a callback to end training after the current chunk."""
        return self._run_state.stop

    @stop_training.setter
    def stop_training(self, value: bool) -> None:
        self._run_state.stop = bool(value)

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

        Ctrl-C ends training after the current chunk of steps; the model and the history so far are
        kept.

        Args:
            x: Inputs `(samples, ...)`: an array, a list or dict of arrays, a DataFrame, a generator
                or a dataset.
            y: Targets in the same forms; None with a generator or dataset.
            batch_size: Samples a step, 32 when None.
            epochs: Number after the last epoch.
            verbose: 0 silent, 1 (or `"auto"`) a live line an epoch, 2 one plain line an epoch.
            callbacks: A callback or a list of them.
            validation_split: Share of the samples, taken from the end before shuffling, to validate
                on.
            validation_data: `(x, y)` or `(x, y, sample_weight)`, a generator or a dataset.
            shuffle: Whether to draw the samples in a new order each epoch; `"batch"` reorders
                within each batch only.
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
        feed = as_feed(
            x, y, sample_weight, batch_size=batch_size, steps=steps_per_epoch, shuffle=shuffle
        )
        validation: Feed | None = None
        if validation_data is None and validation_split:
            if not isinstance(feed, ArrayFeed):
                raise ArgumentError(
                    "`validation_split` is only supported for tensors or NumPy arrays.",
                    expected="arrays",
                    received=type(x).__name__,
                    fix="pass validation_data",
                )
            feed, validation = feed.split(
                validation_split, batch_size=validation_batch_size, steps=validation_steps
            )
        if validation_data is not None:
            validation = _validation_feed(
                validation_data, validation_batch_size or batch_size, validation_steps
            )
        for name, value in (("epochs", epochs), ("initial_epoch", initial_epoch)):
            if not hasattr(value, "__index__") or value < 0:
                raise ArgumentError(
                    f"fit: {name} must be a whole number, 0 or more.", received=repr(value)
                )
        engine = self._engine_for(feed.spec)
        if validation is not None:
            self._output_spec(
                validation.spec[0]
            )  # refuses validation data that does not fit the inputs
        if class_weight is not None:
            weigh_classes(engine, feed, class_weight)
        check_before_training(engine, feed, validation, self._graph_layers())
        with engine.session(fits=True):
            self._build_optimizer(engine)
            self._run_state = _Run()
            run, before = self._run_state, self.history
            listed = CallbackList(
                callbacks,
                add_history=True,
                add_progbar=verbose != 0,
                model=self,
                verbose=_level(verbose, 1),
                epochs=epochs,
                steps=loop.steps_of(feed),
            )
            listed.check_run(_log_names(engine, validates_ever=validation is not None))
            validator = None
            if validation is not None:
                validator = loop.Runner(
                    engine, validation, "test", listed, eager=compiled.run_eagerly
                )
            source = "validation_split" if validation_data is None else "validation_data"
            record = recorded(
                self,
                engine.state.trainable,
                listed,
                before,
                feed,
                validation,
                source,
                initial_epoch,
                epochs,
            )
            with record as fit, run.interrupt.heard():
                loop.fit(
                    engine,
                    feed,
                    listed,
                    initial_epoch=initial_epoch,
                    epochs=epochs,
                    validation=validator,
                    validates=_validation_plan(validation_freq),
                    stopped=lambda: run.stop or run.interrupt.asked,
                    eager=compiled.run_eagerly,
                    group=compiled.steps_per_execution,
                )
                if run.interrupt.asked:
                    fit.ended = "Ctrl-C ended the training."
        if self.history is None:  # CallbackList has set it
            raise StateError("fit has lost its history.")
        if run.interrupt.asked and verbose != 0:
            epochs_done = len(self.history.epoch)
            say(
                f"Interrupted: training ended after {epochs_done} epochs; the model and the history"
                " are kept."
            )
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
        verbose = _level(verbose, 1)
        listed = CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=1,
            steps=loop.steps_of(feed),
        )
        with engine.session():
            logs = loop.evaluate(
                loop.Runner(engine, feed, "test", listed, eager=compiled.run_eagerly)
            )
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
        verbose = _level(verbose, 0)
        plain = not (verbose or callbacks or batch_size or steps)
        if plain and (outputs := self._predicted_as_before(x)) is not None:
            return outputs
        feed = as_feed(x, batch_size=batch_size, steps=steps)
        engine = self._predicting_engine(feed.spec[0])
        listed = CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=1,
            steps=loop.steps_of(feed),
        )
        outputs = predict(engine, feed, listed, eager=self.run_eagerly)
        self._note_shortcut(engine, x)
        return outputs

    # ---- one batch ----

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
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
        with engine.session():
            logs = engine.read_logs(engine.train_batch(batch, fresh=True, eager=self.run_eagerly))
        return self._results(engine, logs, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch, without training."""
        self._require_compiled()
        feed = ArrayFeed(x, y, sample_weight)
        engine = self._engine_for(feed.spec)
        check_before_training(engine, feed, None, self._graph_layers())
        with engine.session():
            logs = engine.read_logs(
                engine.test_batch(feed.on_device(), fresh=True, eager=self.run_eagerly)
            )
        return self._results(engine, logs, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, NumPy arrays."""
        if (outputs := self._predicted_as_before(x, exact=True)) is not None:
            return outputs
        feed = ArrayFeed(x)
        engine = self._predicting_engine(feed.spec[0])
        outputs = engine.predict_batch(map_structure(to_device, feed.x), eager=self.run_eagerly)
        self._note_shortcut(engine, x)
        return map_structure(np.array, outputs)

    def _predicted_as_before(self, x: Any, *, exact: bool = False) -> Any:
        """The outputs by the shortcut, if there is one for `x`."""
        return (
            None if self._shortcut is None else self._shortcut.predict(self._graph, x, exact=exact)
        )

    def _note_shortcut(self, engine: Engine, x: Any) -> None:
        """Go the short way for such data from now on; a user's own class of models may change in ways not seen here."""
        if (
            is_own_class(type(self))
            and self._graph is not None
            and isinstance(x, np.ndarray)
            and not self.run_eagerly
        ):
            self._shortcut = Shortcut(engine, self._graph, x)


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


def _log_names(engine: Engine, *, validates_ever: bool) -> list[str] | None:
    """The names of the values that the logs of an epoch will have; None where that cannot be known."""
    names = engine.log_names_ahead()
    if names is None or not validates_ever:
        return names
    return names + [f"val_{name}" for name in names]


def _level(verbose: Any, automatic: int) -> int:
    """`verbose` as a number."""
    if isinstance(verbose, str) and verbose == "auto":
        return automatic
    if not hasattr(verbose, "__index__"):
        raise ArgumentError(
            "verbose is not known.", expected='0, 1, 2 or "auto"', received=repr(verbose)[:80]
        )
    return int(verbose)


def _validation_plan(freq: int | list[int]) -> Callable[[int], bool]:
    if isinstance(freq, list) and all(isinstance(epoch, int) for epoch in freq):
        wanted = set(freq)
        return lambda epoch: epoch + 1 in wanted
    if not isinstance(freq, int) or isinstance(freq, bool) or freq < 1:
        raise ArgumentError(
            "validation_freq must be an int > 0 or a list of epochs.", received=repr(freq)
        )
    return lambda epoch: (epoch + 1) % freq == 0
