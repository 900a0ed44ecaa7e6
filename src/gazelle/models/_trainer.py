"""Trainer: the one object with everything that compile, fit and predict keep of a model."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gazelle import optimizers
from gazelle._core.console import say
from gazelle._core.errors import CheckWarning, StateError
from gazelle._core.lending import Guard
from gazelle._core.symbolic import map_structure
from gazelle._core.variable import Variable
from gazelle._data.feeds import ArrayFeed, Feed, as_feed, to_device
from gazelle._engine import loop
from gazelle._engine.compile_cache import enable_compile_cache
from gazelle._engine.engine import Engine
from gazelle._engine.interrupt import Interrupt
from gazelle._engine.nonfinite import why_ended
from gazelle._engine.own_steps import OwnSteps
from gazelle._engine.predicting import Shortcut, predict
from gazelle._engine.preflight import check_before_training, weigh_classes
from gazelle._engine.progress import Progress, steps_before
from gazelle._engine.recorder import recorded
from gazelle._engine.runner import Runner
from gazelle._engine.steps import LossMean
from gazelle.callbacks import BackupAndRestore, CallbackList, History
from gazelle.config import max_steps_per_epoch
from gazelle.metrics import Metric
from gazelle.models._engines import (
    CompileSettings,
    build_optimizer,
    check_against_graph,
    checked_settings,
    make_engine,
    make_predictor,
    output_spec,
    with_scaled_loss,
)
from gazelle.models._fit_arguments import verbosity, within_steps
from gazelle.models._protocol import check_protocol
from gazelle.models._resuming import FitState, find_state, save_if_interrupted

if TYPE_CHECKING:
    from gazelle.models._trainable import Trainable


@dataclass
class FitData:
    """What a fit trains and validates on.

    Args:
        training: The training data.
        validation: The validation data; None for none.
        validation_source: The argument that it came from.
        validates: Whether an epoch (from 0) is followed by a validation.
        class_weight: As given to `fit`.
    """

    training: Feed
    validation: Feed | None
    validation_source: str
    validates: Callable[[int], bool]
    class_weight: Any = None


@dataclass(frozen=True)
class FitOptions:
    """How a fit goes; the arguments of `Model.fit` besides the data.

    Args:
        initial_epoch: Number of the first epoch, from 0.
        epochs: Number after the last epoch.
        callbacks: A callback or a list of them.
        verbose: The verbosity.
        resume_from: A file with the state of an interrupted fit, or None.
        nonfinite: What to do about a loss that is not finite.
    """

    initial_epoch: int
    epochs: int
    callbacks: Any
    verbose: Any
    resume_from: str | None
    nonfinite: str


@dataclass
class FitInProgress:
    """The requests to end a fit, and where it is."""

    stop: bool = False  # by a callback: `model.stop_training`
    interrupt: Interrupt = field(default_factory=Interrupt)
    progress: Progress | None = None  # while it runs

    def should_end(self) -> bool:
        """Whether one of them was made."""
        return self.stop or self.interrupt.asked


class Trainer:
    """The training side of one model.

    Args:
        model: The model.
    """

    outside_programs = True  # no program depends on it

    def __init__(self, model: Trainable):
        self.model = model
        self.settings: CompileSettings | None = None
        self._optimizer: Any = None  # what was assigned to a model that is not compiled
        self.history: History | None = None
        self.fit_in_progress = FitInProgress()
        self._eager = False
        self.stop_evaluating = False
        self.stop_predicting = False
        self.engine: Engine | None = None  # made when the first data comes
        self.predictor: Engine | None = None  # of a model that is not compiled
        self._shortcut: Shortcut | None = None  # for data like that of the last prediction
        self._loss_tracker: LossMean | None = None  # for an engine that is not made yet
        self._making = Guard()  # of threads that begin together, one makes the engine for all

    def copied(self, model: Trainable) -> Trainer:
        """The trainer of a copy of the model: the same settings and history, no programs."""
        trainer = Trainer(model)
        trainer.settings, trainer.history = self.settings, self.history
        trainer._optimizer = self._optimizer
        trainer._eager = self._eager
        return trainer

    def __getstate__(self) -> dict[str, Any]:
        """What `pickle` and `copy` keep: all but the compiled programs, which are made again."""
        fresh = {
            "fit_in_progress": FitInProgress(),
            "engine": None,
            "predictor": None,
            "_shortcut": None,
            "_loss_tracker": None,
        }
        return {**vars(self), **fresh}

    # ---- Compiling ----

    def compile(self, **given: Any) -> None:
        """Take the arguments of `compile`; see `Model.compile`."""
        check_protocol(self.model)
        settings = checked_settings(self.settings, **given)
        if self.model.dtype_policy.name == "mixed_float16":
            settings = with_scaled_loss(settings)
        if self.model._graph is not None:
            check_against_graph(settings, self.model._graph)
        self.settings, self.engine, self._shortcut = settings, None, None
        self._loss_tracker = None
        self._eager = settings.run_eagerly

    @property
    def metrics(self) -> list[Metric]:
        """What is measured: the loss's mean alone until the first data comes."""
        if self.engine is not None:
            return self.engine.metrics
        if self.settings is None:
            return []
        if self._loss_tracker is None:
            self._loss_tracker = LossMean(name="loss")
        return [self._loss_tracker]

    @property
    def optimizer(self) -> Any:
        """The optimizer of `compile`, or what was assigned without it."""
        return self._optimizer if self.settings is None else self.settings.optimizer

    def set_optimizer(self, value: Any) -> None:
        """Go on with another optimizer; a model that is not compiled only keeps it."""
        if self.settings is None:
            self._optimizer = value
            return
        settings = replace(self.settings, optimizer=optimizers.get(value))
        self.settings, self.engine, self._shortcut = settings, None, None

    def required_settings(self) -> CompileSettings:
        """The arguments of `compile`.

        Raises:
            StateError: `compile` was not called.
        """
        if self.settings is None:
            raise StateError(
                "You must call `compile()` before using the model.",
                expected="a compiled model",
                received=f"model {self.model.name!r}, not compiled",
                fix='model.compile(optimizer="adam", loss=...) first',
            )
        return self.settings

    @property
    def runs_eagerly(self) -> bool:
        """Whether steps run operation by operation."""
        return self._eager

    def run_eagerly(self, value: bool) -> None:
        """Set whether steps run operation by operation."""
        self._eager = bool(value)

    def _engine_for(self, feed: Feed, step: str = "test_step") -> Engine:
        """The engine for data of these shapes; builds model, losses and metrics on first use.

        Args:
            feed: The data.
            step: The step that it is for.
        """
        settings = self.required_settings()
        x, y, _ = feed.spec
        with self._making.lock:
            enable_compile_cache()
            predictions = output_spec(self.model, x)
            engine = self.engine
            if engine is None or not self._is_current(engine):
                engine = self._new_engine(settings, predictions, y)
            if isinstance(engine.steps, OwnSteps) and not self._eager:
                self._follow(engine.steps, step, feed)
                if not self._is_current(engine):  # it has built layers
                    engine = self._new_engine(settings, predictions, y)
                    self._follow(engine.steps, step, feed)
            return engine

    def _new_engine(self, settings: CompileSettings, predictions: Any, targets: Any) -> Engine:
        tracker, self._loss_tracker = self._loss_tracker, None
        self.engine = make_engine(self.model, settings, predictions, targets, tracker)
        return self.engine

    def _follow(self, steps: Any, step: str, feed: Feed) -> None:
        """Follow the model's own step before it is compiled, or let it run as it is."""
        reason = steps.follow(step, feed.spec)
        if reason is None:
            return
        self._eager = True
        warnings.warn(
            f"{step} of {type(self.model).__name__} cannot be compiled, and runs operation by"
            f" operation: {reason}",
            CheckWarning,
            stacklevel=5,
        )

    def _predicting_engine(self, x: Any) -> Engine:
        """An engine for predictions: the compiled one, or a bare one for a model without."""
        with self._making.lock:
            enable_compile_cache()
            predictions = self.model._output_spec(x)
            for engine in (self.engine, self.predictor):
                if engine is not None and self._is_current(engine):
                    return engine
            self.predictor = make_predictor(self.model, predictions)
            return self.predictor

    def _is_current(self, engine: Engine) -> bool:
        """Whether an engine was made for the graph and the variables that the model has now."""
        return engine.is_made_for(self.model._graph, self.model.trainable_variables)

    # ---- Training ----

    def fit(self, data: FitData, options: FitOptions) -> History:
        """Train; see `Model.fit`.

        Args:
            data: What to train and validate on.
            options: How.

        Returns:
            The history.
        """
        engine = self._engine_for(data.training, "train_step")
        if data.validation is not None:
            engine = self._engine_for(data.validation)  # refuses data of other shapes
        if data.class_weight is not None:
            weigh_classes(engine, data.training, data.class_weight)
        layers = self.model._output_layers()
        check_before_training(engine, data.training, data.validation, layers)
        verbose = verbosity(options.verbose, 1)
        with engine.session(fits=True):
            build_optimizer(engine, self.model.name)
            fit = self.fit_in_progress = FitInProgress()
            before = self.history
            listed = self._listed(options.callbacks, verbose, data.training, fits_to=options.epochs)
            listed.check_run(_log_names(engine, validates=data.validation is not None))
            resumed = find_state(self.model, listed, options.resume_from)
            if resumed is not None:
                listed.set_params({**(listed.params or {}), "resumed": True})
                if verbose != 0:
                    say(resumed.words)
            record = recorded(
                self.model,
                engine.state.trainable,
                listed,
                before,
                data.training,
                data.validation,
                data.validation_source,
                options.initial_epoch,
                options.epochs,
                steps_before(resumed and resumed.state, data.training),
            )
            has_backup = any(isinstance(one, BackupAndRestore) for one in listed.callbacks)
            with record as told, fit.interrupt.heard(terminate=has_backup):
                try:
                    told.ended = self._run(fit, engine, data, options, listed, resumed)
                finally:
                    fit.progress = None
                    if fit.interrupt.asked:
                        told.ended = "A signal ended the training."
        history = self.history
        if history is None:  # the callback list has set it
            raise StateError("fit has lost its history.")
        if fit.interrupt.asked and verbose != 0:
            say(
                f"Interrupted: training ended after {len(history.epoch)} epochs; the model and the"
                " history are kept."
            )
        return history

    def _run(
        self,
        fit: FitInProgress,
        engine: Engine,
        data: FitData,
        options: FitOptions,
        listed: CallbackList,
        resumed: FitState | None,
    ) -> str:
        """Run the loop of a fit; returns why it ended, empty if that is found out later."""
        settings = self.required_settings()
        runner = Runner(
            engine,
            data.training,
            "train",
            listed,
            eager=self._eager,
            steps_per_execution=settings.steps_per_execution,
            stopped=fit.should_end,
            nonfinite=options.nonfinite,
        )
        progress = Progress(engine, runner, listed, options.initial_epoch, lambda: fit.stop)
        fit.progress = progress
        loop.fit(
            progress,
            epochs=options.epochs,
            validation=(
                None if data.validation is None else self._tester(engine, data.validation, listed)
            ),
            validates=data.validates,
            stopped=fit.should_end,
            resume=None if resumed is None else lambda: resumed.resume(progress),
            end_if_interrupted=lambda: save_if_interrupted(progress, fit.interrupt),
        )
        return why_ended(runner)

    def state_of_fit(self, saved: Collection[Variable]) -> dict[str, Any] | None:
        """The state of the running fit, if it can be resumed from here; see `Progress.state`."""
        progress = self.fit_in_progress.progress
        return None if progress is None else progress.state(saved)

    def _tester(self, engine: Engine, feed: Feed, listed: CallbackList) -> Runner:
        """What runs evaluations."""
        return Runner(
            engine,
            feed,
            "test",
            listed,
            eager=self.runs_eagerly,
            steps_per_execution=self.required_settings().steps_per_execution,
            stopped=lambda: self.stop_evaluating,
        )

    def evaluate(
        self, feed: Feed, *, callbacks: Any = None, verbose: Any = 0, return_dict: bool = False
    ) -> Any:
        """Loss and metrics on data; see `Model.evaluate`."""
        engine = self._engine_for(feed)
        check_before_training(engine, feed, None, self.model._output_layers())
        listed = self._listed(callbacks, verbosity(verbose, 1), feed)
        with engine.session():
            logs = loop.evaluate(self._tester(engine, feed, listed))
        return _results(engine, logs, return_dict)

    def train_on_batch(self, feed: ArrayFeed, class_weight: Any, return_dict: bool) -> Any:
        """One training step on all samples of a feed; see `Model.train_on_batch`."""
        engine = self._engine_for(feed, "train_step")
        if class_weight is not None:
            weigh_classes(engine, feed, class_weight)
        check_before_training(engine, feed, None, self.model._output_layers())
        with engine.session():
            build_optimizer(engine, self.model.name)
            logs = engine.train_batch(feed.on_device(), fresh=True, eager=self.runs_eagerly)
            results = engine.read_logs(logs)
        return _results(engine, results, return_dict)

    def test_on_batch(self, feed: ArrayFeed, return_dict: bool) -> Any:
        """Loss and metrics of all samples of a feed in one step; see `Model.test_on_batch`."""
        engine = self._engine_for(feed)
        check_before_training(engine, feed, None, self.model._output_layers())
        with engine.session():
            logs = engine.test_batch(feed.on_device(), fresh=True, eager=self.runs_eagerly)
            results = engine.read_logs(logs)
        return _results(engine, results, return_dict)

    # ---- Predicting ----

    def predict(
        self, x: Any, *, batch_size: int | None, steps: int | None, callbacks: Any, verbose: Any
    ) -> Any:
        """The model's outputs for data; see `Model.predict`."""
        verbose = verbosity(verbose, 0)
        if not (verbose or callbacks or batch_size or steps or max_steps_per_epoch()):
            outputs = self._by_shortcut(x)
            if outputs is not None:
                return outputs
        prepare = self.model._prepare_for(x)
        feed = within_steps(as_feed(x, batch_size=batch_size, steps=steps, prepare=prepare))
        engine = self._predicting_engine(feed.spec[0])
        listed = self._listed(callbacks, verbose, feed)
        self.stop_predicting = False
        group = 1 if self.settings is None else self.settings.steps_per_execution
        with engine.state.scope():
            outputs = predict(
                engine,
                feed,
                listed,
                eager=self.runs_eagerly,
                steps_per_execution=group,
                stopped=lambda: self.stop_predicting,
            )
        self._keep_shortcut(engine, x)
        return outputs

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for all samples in one step; see `Model.predict_on_batch`."""
        outputs = self._by_shortcut(x, exact=True)
        if outputs is not None:
            return outputs
        feed = ArrayFeed(self.model._prepared(x))
        engine = self._predicting_engine(feed.spec[0])
        with engine.state.scope():
            batch = map_structure(to_device, feed.x)
            outputs = engine.predict_batch(batch, eager=self.runs_eagerly)
        self._keep_shortcut(engine, x)
        return map_structure(np.array, outputs)

    def _by_shortcut(self, x: Any, *, exact: bool = False) -> Any:
        """The outputs for data like that of the last prediction; None for other data."""
        if self._shortcut is None:
            return None
        return self._shortcut.predict(self.model._graph, x, exact=exact)

    def _keep_shortcut(self, engine: Engine, x: Any) -> None:
        """Predict for data like `x` without setting up from now on.

        A model of a user's own class may change in ways that are not seen here.
        """
        runs_graph = self.model._runs_graph and self.model.graph_on_host is None
        on_one_device = engine.state.distribution is None
        if not (runs_graph and on_one_device and isinstance(x, np.ndarray)):
            return
        if not self.runs_eagerly and engine.rows_are_apart(x):
            self._shortcut = Shortcut(engine, self.model._graph, x)

    def _listed(
        self, callbacks: Any, verbose: int, feed: Feed, *, fits_to: int | None = None
    ) -> CallbackList:
        """The callbacks of one call.

        Args:
            callbacks: What the user gave.
            verbose: The verbosity as a number; 0 for no progress display.
            feed: The data.
            fits_to: The number after the last epoch of a fit; None for an evaluation or prediction.
        """
        return CallbackList(
            callbacks,
            add_history=fits_to is not None,
            add_progbar=verbose != 0,
            model=self.model,
            verbose=verbose,
            epochs=1 if fits_to is None else fits_to,
            steps=loop.steps_of(feed),
        )


def interrupt_fit(model: Trainable, number: int) -> None:
    """Ask a running fit to end, as if the signal `number` had come."""
    interrupt = model._trainer.fit_in_progress.interrupt
    interrupt.asked, interrupt.signal = True, number


def require_compiled(model: Trainable) -> None:
    """Refuse a model that is not compiled.

    Raises:
        StateError: `compile` was not called.
    """
    model._trainer.required_settings()


def _log_names(engine: Engine, *, validates: bool) -> list[str] | None:
    """The names of the values in the logs of an epoch; None where they cannot be known yet."""
    names = engine.log_names_ahead()
    if names is None or not validates:
        return names
    return names + [f"val_{name}" for name in names]


def _results(engine: Engine, logs: dict[str, Any], return_dict: bool) -> Any:
    """Logs as `evaluate` returns them: a float, a list with the loss first, or a dict."""
    if return_dict:
        return logs
    values = [logs[name] for name in engine.result_names(logs)]
    return values[0] if len(values) == 1 else values
