"""What `compile` was told, and the engine that is made of it when the first data comes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from gazelle import optimizers
from gazelle._core.checks import one_of, positive_int
from gazelle._core.errors import ArgumentError, ArgumentTypeError, CheckWarning, short
from gazelle._core.identity import are_same
from gazelle._core.registry import is_own_class, serialize
from gazelle._core.symbolic import KerasTensor, leaves
from gazelle._engine.compiled_loss import CompiledLoss
from gazelle._engine.compiled_metrics import CompiledMetrics
from gazelle._engine.engine import Engine
from gazelle._engine.outputs import Outputs
from gazelle._engine.own_steps import OwnSteps, takes_data_alone
from gazelle._engine.placing import place_losses
from gazelle._engine.steps import LossMean, Steps
from gazelle.layers._graph import Graph
from gazelle.layers._parts import held_metrics, search
from gazelle.models._protocol import own_steps
from gazelle.optimizers import LossScaleOptimizer, Optimizer

if TYPE_CHECKING:
    from gazelle.models._trainable import Trainable


@dataclass(frozen=True)
class CompileSettings:
    """The arguments of `compile`."""

    optimizer: Any = None
    loss: Any = None
    loss_weights: Any = None
    metrics: Any = None
    weighted_metrics: Any = None
    run_eagerly: bool = False
    steps_per_execution: int = 1
    jit_compile: Any = "auto"
    auto_scale_loss: bool = True

    def to_config(self) -> dict[str, Any]:
        """The arguments as JSON-ready values, those that Keras writes."""
        names = [entry.name for entry in fields(self) if entry.name != "auto_scale_loss"]
        return {name: serialize(getattr(self, name)) for name in names}


def checked_settings(before: CompileSettings | None, **given: Any) -> CompileSettings:
    """The arguments of `compile`, checked as far as that is possible without data.

    Args:
        before: The settings of an earlier `compile`; its loss and metrics stay if none are given.
        **given: The arguments.

    Raises:
        UnknownNameError: The optimizer's name is unknown; the message has the nearest known names.
        ArgumentTypeError: The optimizer is a class, or a metric is none.
        ArgumentError: Metrics that are not a list or dict, or an option with an unknown value.
    """
    optimizer = given["optimizer"]
    if isinstance(optimizer, type):
        raise ArgumentTypeError(
            "optimizer must be an instance.",
            received=optimizer.__name__,
            fix=f"write {optimizer.__name__}()",
        )
    for name in ("metrics", "weighted_metrics"):
        value = given[name]
        if value is not None and not isinstance(value, list | tuple | dict):
            raise ArgumentError(
                f"`{name}` must be a list or dict.",
                received=repr(value),
                fix=f"write {name}=[{value!r}]",
            )
        _check_metrics(name, value)
    one_of("jit_compile", given["jit_compile"], (True, False, "auto", None), "compile")
    if given["steps_per_execution"] is None:  # as older versions of Keras write it
        given["steps_per_execution"] = 1
    positive_int("steps_per_execution", given["steps_per_execution"], "compile")
    given["optimizer"] = optimizers.get(optimizer)
    for name in ("loss", "metrics"):
        if given[name] is None and before is not None:
            given[name] = getattr(before, name)
    return CompileSettings(**given)


def with_scaled_loss(settings: CompileSettings) -> CompileSettings:
    """The settings with an optimizer that scales the loss, unless that is switched off."""
    optimizer = settings.optimizer
    is_plain = isinstance(optimizer, Optimizer) and not isinstance(optimizer, LossScaleOptimizer)
    if not settings.auto_scale_loss or not is_plain:
        return settings
    scaling = LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
    return replace(settings, optimizer=scaling)


def _check_metrics(name: str, metrics: Any) -> None:
    """Refuse metrics that are neither names nor configs nor callable, at any depth."""
    if isinstance(metrics, dict) and "class_name" not in metrics:
        metrics = list(metrics.values())
    if isinstance(metrics, list | tuple):
        for metric in metrics:
            _check_metrics(name, metric)
    elif not isinstance(metrics, str | dict | None) and not callable(metrics):
        raise ArgumentTypeError(
            f"`{name}` holds something that is not a metric.",
            expected="names, functions or metrics",
            received=short(metrics),
        )


def check_against_graph(settings: CompileSettings, graph: Graph) -> None:
    """Refuse unknown losses and metrics at `compile`, where the outputs are known already."""
    outputs = Outputs(graph.outputs, graph.output_names)
    shapes = [(tensor.shape, tensor.shape) for tensor in leaves(graph.outputs)]
    CompiledLoss(place_losses(settings.loss, settings.loss_weights, outputs), outputs, shapes)
    metrics = _names_only(settings.metrics), _names_only(settings.weighted_metrics)
    CompiledMetrics(*metrics, outputs, shapes)


def _names_only(metrics: Any) -> Any:
    """Metrics less the objects: `compile` looks up names and leaves the state of objects alone."""
    if isinstance(metrics, dict):
        return {key: _names_only(value) for key, value in metrics.items()}
    if isinstance(metrics, list | tuple):
        return [_names_only(value) for value in metrics]
    return metrics if isinstance(metrics, str) else None


def output_spec(model: Trainable, x: Any) -> Any:
    """The outputs for symbolic data `x`.

    Those of a model without `call`, whose own steps work on other models, are not known; its data
    is taken for them.
    """
    definer = next(kind for kind in type(model).__mro__ if "call" in vars(kind))
    has_call = model._graph is not None or not is_own_class(definer)
    if not has_call and takes_data_alone(model.train_step):
        return x
    return model._output_spec(x)


def make_engine(
    model: Trainable,
    settings: CompileSettings,
    predictions: Any,
    targets: Any,
    loss_tracker: LossMean | None = None,
) -> Engine:
    """The engine that trains, tests and predicts with a compiled model.

    Args:
        model: The model.
        settings: The arguments of `compile`.
        predictions: The outputs as symbolic tensors.
        targets: The targets as symbolic tensors; None where there are none.
        loss_tracker: The mean of the loss, where there is one already.
    """
    outputs = Outputs(predictions, model.output_names)
    placed = place_losses(settings.loss, settings.loss_weights, outputs)
    truths = outputs.spread(targets, "y") if targets is not None else [None] * outputs.count
    shapes = []
    for truth, prediction in zip(truths, leaves(predictions), strict=True):
        known = truth if isinstance(truth, KerasTensor) else prediction
        shapes.append((known.shape, prediction.shape))
    defined = own_steps(model)
    make = Steps
    if defined:
        others = [one for one in search(vars(model), (Optimizer,)) if one is not settings.optimizer]
        make = partial(OwnSteps, defined=defined, optimizers=others)
    steps = make(
        model,
        CompiledLoss(placed, outputs, shapes),
        CompiledMetrics(settings.metrics, settings.weighted_metrics, outputs, shapes),
        settings.optimizer,
        graph=model._graph,
        runs_graph=model._runs_graph,
        attached=held_metrics(model),
        compute_loss=model._own_compute_loss(),
        loss_tracker=loss_tracker,
    )
    return Engine(steps, [prediction.shape for prediction in leaves(predictions)])


def make_predictor(model: Trainable, predictions: Any) -> Engine:
    """An engine for the predictions of a model that is not compiled."""
    outputs = Outputs(predictions, model.output_names)
    shapes = [(tensor.shape, tensor.shape) for tensor in leaves(predictions)]
    defined = own_steps(model) & {"predict_step"}
    steps = (partial(OwnSteps, defined=defined) if defined else Steps)(
        model,
        CompiledLoss([], outputs, shapes),
        CompiledMetrics(None, None, outputs, shapes),
        optimizer=None,
        graph=model._graph,
        runs_graph=model._runs_graph,
    )
    return Engine(steps)


def build_optimizer(engine: Engine, model_name: str) -> None:
    """Make the optimizer's variables for what the model trains; warn where it trains nothing.

    Raises:
        ArgumentError: The optimizer was built for the variables of another model.
    """
    optimizer, state = engine.steps.optimizer, engine.state
    if optimizer is None:
        return
    if not state.trainable:
        warnings.warn(
            f"The model {model_name!r} does not have any trainable weights: nothing will be"
            " learned. Unfreeze layers (layer.trainable = True) and compile again, or use"
            " evaluate.",
            CheckWarning,
            stacklevel=4,
        )
    if engine.steps.builds_optimizer:
        optimizer.build(state.trainable)
    slots = engine.steps.slots()
    if not are_same(state.slots, slots):
        state.set_slots(slots)
