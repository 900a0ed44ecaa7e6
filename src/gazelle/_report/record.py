"""Recording: a run folder is written for a trained model and its test data."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gazelle import __version__
from gazelle._core.machine import cores
from gazelle._engine import kernel
from gazelle._files.writing import atomic_path, draft_folder
from gazelle._plots.network import can_be_drawn
from gazelle._plots.network import network as draw_network
from gazelle._report import figures, runs, schema
from gazelle._report.checks import check_model
from gazelle._report.evaluation import Evaluation, evaluate
from gazelle._report.history_columns import columns
from gazelle._report.predictions import loss_name, takes_logits
from gazelle._report.rows import parts_of, seen_before, worst_rows
from gazelle._report.schema import Scalar
from gazelle.models import Functional, Sequential, describe

NOT_RECORDED = "not recorded"
_LISTED_ELSEWHERE = ("name", "learning_rate")  # arguments of an optimizer


@dataclass
class RunDetails:
    """What a user tells about a run, besides the model and its data.

    Args:
        title: Title of the report; if empty, it is made from `data`.
        question: The question that the network answers, in one or two sentences.
        data: Name of the data set.
        class_names: Names of the classes in the order of their numbers; if empty, their numbers.
        splits: `{"train": y, "validation": y, "test": y}`: the targets of each part, for its size
            and class shares. Other parts are reported as `fit` recorded them.
        settings: Name and value of each setting, in the order to show. They come before, and
            override, those of the model.
        durations: Seconds of each stage: `load`, `train`; `evaluate` is added.
        started: Start of the training, ISO 8601; if empty, as `fit` recorded it.
        stop_reason: Why training ended; empty if all epochs were run.
    """

    title: str = ""
    question: str = ""
    data: str = "data"
    class_names: list[str] = field(default_factory=list)
    splits: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)
    started: str = ""
    stop_reason: str = ""


@dataclass
class NewRun:
    """A run folder that is being written.

    Args:
        folder: The folder to write to; after the block of `new_folder`, the finished run folder.
    """

    folder: Path


@contextmanager
def new_folder(root: str | os.PathLike[str], name: str) -> Iterator[NewRun]:
    """Create a run folder `root/name`, or `name-2`, ... if that exists.

    The block writes to a hidden folder, which is renamed when the block ends. If the block raises,
    nothing is left.

    Yields:
        The new run.

    Raises:
        OSError: The folder cannot be created.
    """
    with draft_folder(root) as draft:
        new = NewRun(draft)
        yield new
        new.folder = runs.place_folder(draft, name)


def record(
    model: Any,
    x_test: Any,
    y_test: Any,
    *,
    history: Any = None,
    details: RunDetails | None = None,
    folder: str | os.PathLike[str],
) -> Path:
    """Evaluate a model and write a run folder.

    The folder contains the model, weights, history, network, predictions, sample images, metrics
    and the configuration. Nothing is written before the evaluation is complete. Each file is
    complete or absent, and `config.json` is written last. The architecture of a subclassed model is
    code, so only its weights are kept.

    Args:
        model: A compiled model with one output.
        x_test: Inputs to evaluate it on, `(rows, ...)`.
        y_test: Targets: class numbers `(rows,)` or `(rows, 1)`, one-hot `(rows, classes)`, or
            numbers `(rows, ...)`.
        history: The return value of `fit`, or None.
        details: What the user tells about the run.
        folder: The folder; it is created if it is missing.

    Returns:
        The folder.

    Raises:
        ArgumentError: The model has several outputs, or one that is neither classes nor numbers.
        StateError: The model is not compiled.
        DataError: The targets do not match the model, or predictions are not finite.
        OSError: The folder cannot be written to.
    """
    details = details or RunDetails()
    check_model(model, x_test, y_test, details.class_names)
    evaluation = evaluate(model, x_test, y_test, details.class_names)
    config = _config(model, x_test, history, details, evaluation)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, model, x_test, history, evaluation, config)
    return folder


def _write(
    folder: Path, model: Any, x: Any, history: Any, evaluation: Evaluation, config: schema.RunConfig
) -> None:
    """Write all files of a run, `config.json` last."""
    epochs, curves = columns(history)
    if _has_architecture(model):
        runs.write_text(folder / runs.MODEL, model.to_json(indent=1))
    model.save_weights(folder / runs.WEIGHTS)
    if epochs:
        runs.write_history(folder, curves, epochs)
    _write_network(folder, model)
    labels, outputs = evaluation.labels, evaluation.outputs
    are_probabilities = config.task != "regression"
    runs.write_predictions(
        folder, labels, outputs.astype(np.float16) if are_probabilities else outputs
    )
    if config.task == "classification" and _are_images(x):
        runs.write_samples(folder, figures.choose_samples(_showable(x), labels, outputs))
    worst = worst_rows(x, evaluation)
    if worst is not None:
        runs.write_worst_rows(folder, worst)
    runs.write_metrics(folder, evaluation.metrics)
    runs.write_config(folder, config)


def versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    versions = {"python": platform.python_version(), "gazelle": __version__}
    for name in ("jax", "jaxlib", "numpy"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "unknown"
    return versions


def device() -> str:
    """The device that JAX uses: `"cpu (x86_64, 2 cores)"`, `"NVIDIA H100 80GB HBM3"`."""
    devices = jax.devices()
    kind = devices[0].device_kind
    if devices[0].platform == "cpu":
        count = cores()
        return f"{kind} ({platform.machine()}, {count} {'core' if count == 1 else 'cores'})"
    return kind if len(devices) == 1 else f"{len(devices)} x {kind}"


def _config(
    model: Any, x: Any, history: Any, details: RunDetails, evaluation: Evaluation
) -> schema.RunConfig:
    """The content of `config.json`."""
    fits: list[schema.Fit] = list(getattr(history, "fits", []))
    settings = dict(details.settings)
    for name, value in {**_fit_settings(fits), **_model_settings(model, fits)}.items():
        settings.setdefault(name, value)
    seen = seen_before(fits, x)
    durations = {"train": sum(fit.seconds for fit in fits)} if fits else {}
    return schema.RunConfig(
        title=details.title or f"A network for {details.data}",
        task=evaluation.task,
        data=details.data,
        splits=parts_of(details.splits, fits, seen, evaluation),
        question=details.question,
        input_shape=[int(n) for n in np.shape(x)[1:]] if _is_one_array(x) else [],
        class_names=evaluation.class_names,
        settings={name: _scalar(value) for name, value in settings.items()},
        versions=versions(),
        device=device(),
        started=details.started or (fits[0].started if fits else ""),
        durations={**durations, **details.durations, "evaluate": evaluation.seconds},
        stop_reason=details.stop_reason,
        fits=[replace(fit, sample=[], validation_sample=[]) for fit in fits],
        weights_changed=history.weights_changed() if hasattr(history, "weights_changed") else None,
        seen=seen,
        target_names=evaluation.target_names,
    )


def _fit_settings(fits: list[schema.Fit]) -> dict[str, Any]:
    """The settings of training that `fit` recorded; "not recorded" without a record."""
    if not fits:
        return dict.fromkeys(("batch_size", "epochs", "seed"), NOT_RECORDED)
    batch_size = fits[-1].batch_size
    seeds = {fit.seed for fit in fits}
    return {
        "batch_size": "as in the generator" if batch_size is None else batch_size,
        "epochs": " + ".join(str(fit.done) for fit in fits),
        "seed": seeds.pop() if len(seeds) == 1 and None not in seeds else "not set",
    }


def _model_settings(model: Any, fits: list[schema.Fit]) -> dict[str, Any]:
    """The settings of training that the model knows: loss, optimizer and its arguments."""
    optimizer = model.optimizer
    config = optimizer.get_config()
    arguments = {name: config[name] for name in config if name not in _LISTED_ELSEWHERE}
    if not config.get("use_ema"):
        arguments.pop("ema_momentum", None)
    loss = loss_name(model) or "none"
    settings = {
        "loss": f"{loss} (from_logits)" if takes_logits(model) else loss,
        "optimizer": type(optimizer).__name__,
        **_learning_rate(config.get("learning_rate"), fits),
        "optimizer arguments": _listed(arguments) or "none",
        "engine": kernel.status().text,
    }
    if not _has_architecture(model):
        settings["model file"] = (
            f"none: {type(model).__name__} is a subclass of Model; its weights are in"
            f" {runs.WEIGHTS}"
        )
    return settings


def _learning_rate(rate: Any, fits: list[schema.Fit]) -> dict[str, Any]:
    """The learning rate in the first epoch and, if it changed, in the last.

    Args:
        rate: The learning rate in the optimizer's config.
        fits: The records of all calls of `fit`.
    """
    if isinstance(rate, dict):  # a schedule
        return {"learning_rate": f"{rate['class_name']}({_listed(rate['config'])})"}
    rates = [_scalar(np.float32(value)) for fit in fits for value in fit.learning_rates]
    if not rates:
        recorded = {} if fits else {"learning_rate": NOT_RECORDED}
        return {**recorded, "learning_rate now": rate}
    found = {"learning_rate": rates[0]}
    if len(set(rates)) > 1:
        found["learning_rate in the last epoch"] = rates[-1]
    return found


def _listed(arguments: dict[str, Any]) -> str:
    """Arguments as `beta_1=0.9, beta_2=0.999`, without those that are None or False."""
    return ", ".join(
        f"{name}={_scalar(value)}"
        for name, value in arguments.items()
        if name != "name" and value not in (None, False)
    )


def _scalar(value: Any) -> Scalar:
    """A setting as a JSON value; a float32 number without its rounding error."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if hasattr(value, "item") and np.size(value) == 1:
        value = np.asarray(value).item()
    if isinstance(value, float):
        short = float(f"{value:.7g}")
        return short if np.float32(short) == np.float32(value) else value
    return value if isinstance(value, bool | int) else str(value)


def _has_architecture(model: Any) -> bool:
    """Whether the config of the model is its architecture; that of a subclass is code."""
    return type(model) in (Sequential, Functional)


def _write_network(folder: Path, model: Any) -> None:
    """Write the description and the drawing of the layers."""
    description = describe(model)
    if not description["layers"]:  # a subclass that has no layers, only variables
        return
    layers = [schema.LayerInfo(**layer) for layer in description["layers"]]
    rows = len(model.operations if hasattr(model, "operations") else model.layers)
    runs.write_network(folder, schema.NetworkInfo(**{**description, "layers": layers}, rows=rows))
    if not can_be_drawn(description["layers"]):
        return
    with atomic_path(folder / runs.NETWORK_PICTURE) as temporary:
        draw_network(description, temporary)


def _is_one_array(x: Any) -> bool:
    return not isinstance(x, list | tuple | dict) and hasattr(x, "shape")


def _are_images(x: Any) -> bool:
    if not _is_one_array(x):
        return False
    shape = np.shape(x)
    return (len(shape) == 3 and min(shape[1:]) > 3) or (len(shape) == 4 and shape[-1] in (1, 3))


def _showable(images: Any) -> np.ndarray:
    """Images to show: bytes of a small range (digits: 0 to 16) and negative floats are rescaled."""
    array = np.asarray(images)
    if not array.size:
        return array
    low, high = float(array.min()), float(array.max())
    if array.dtype == np.uint8:
        return array if high > 127 or high == 0 else array.astype(np.float32) / high
    if low < 0 and high > low:
        return (array.astype(np.float32) - low) / (high - low)
    return array
