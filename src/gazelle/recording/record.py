"""A trained model and the data it is measured on become a run folder."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gazelle import runs
from gazelle._core.errors import ArgumentError, DataError
from gazelle._core.machine import cores
from gazelle.models import Functional, Sequential, describe
from gazelle.plots.network import network as draw_network
from gazelle.recording.answers import as_probabilities, class_numbers, is_classifier, loss_name, wants_scores
from gazelle.recording.curves import columns
from gazelle.runs.schema import Scalar
from gazelle.utils.files import atomic_path, draft_folder

_LEFT_OUT = ("name", "learning_rate")  # of an optimizer's arguments: told elsewhere


@dataclass
class Facts:
    """What a run folder tells beside the model and its figures.

    Args:
        title: Headline of the report; made from `data` when empty.
        question: What the network is to find out, a sentence or two.
        data: Name of the data set.
        class_names: Names of the classes in the order of their numbers; their numbers when empty.
        splits: `{"train": y, "validation": y, "test": y}`: the targets of each part, for its size and class shares.
        settings: Name and value of each setting, in the order to show; they go before what the model tells itself.
        durations: Seconds of each stage: `load`, `train`; `evaluate` is added.
        started: Start of the training, ISO 8601; now when empty.
        stop_reason: Why training ended; empty when all epochs were run.
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
class _Measured:
    """What came out on the test rows."""

    labels: np.ndarray
    outputs: np.ndarray
    class_names: list[str]
    metrics: runs.Metrics
    seconds: float


@dataclass
class NewRun:
    """A run folder in the making.

    Args:
        folder: Where to write; after the block of `new_folder` the finished run folder.
    """

    folder: Path


@contextmanager
def new_folder(root: str | os.PathLike[str], name: str) -> Iterator[NewRun]:
    """A new run folder `root/name` (`name-2`, ... where there is one), whole or not there.

    The block writes into a hidden folder, which gets its name when the block has ended well; else nothing is left.

    Raises:
        OSError: The folder cannot be made.
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
    facts: Facts | None = None,
    folder: str | os.PathLike[str],
) -> Path:
    """Write a run folder: model, weights, history, network, predictions, sample images, metrics and, last, config.

    Nothing is written before everything is measured. Each file is whole or absent; a folder with `config.json` has all.
    The architecture of a subclassed model is code, so only its weights are kept.

    Args:
        model: A compiled model with one output.
        x_test: Inputs to measure it on, `(rows, ...)`.
        y_test: Targets: class numbers `(rows,)` or `(rows, 1)`, one-hot `(rows, classes)`, or numbers `(rows, ...)`.
        history: What `fit` returned, or None.
        facts: What else to tell.
        folder: The folder, made if missing.

    Returns:
        The folder.

    Raises:
        ArgumentError: The model has several outputs, or one that is neither classes nor numbers.
        StateError: The model is not compiled.
        DataError: Targets that do not fit the model, or predictions that are not finite.
        OSError: The folder cannot be written.
    """
    facts = facts or Facts()
    measured = _measure(model, x_test, y_test, facts)
    config = _config(model, x_test, facts, measured)
    epochs, figures = columns(history)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if _has_architecture(model):
        runs.write_text(folder / runs.MODEL, model.to_json(indent=1))
    model.save_weights(folder / runs.WEIGHTS)
    if epochs:
        runs.write_history(folder, figures, epochs)
    _write_network(folder, model)
    classifies = config.task == "classification"
    outputs = measured.outputs.astype(np.float16) if classifies else measured.outputs
    runs.write_predictions(folder, measured.labels, outputs)
    if classifies and _are_images(x_test):
        runs.write_samples(folder, runs.choose_samples(_showable(x_test), measured.labels, measured.outputs))
    runs.write_metrics(folder, measured.metrics)
    runs.write_config(folder, config)
    return folder


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    found = {"python": platform.python_version()}
    for name in ("gazelle", "jax", "jaxlib", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def device() -> str:
    """What the numbers are computed on: `"cpu (x86_64, 2 cores)"`, `"NVIDIA H100 80GB HBM3"`."""
    devices = jax.devices()
    kind = devices[0].device_kind
    if devices[0].platform == "cpu":
        return f"{kind} ({platform.machine()}, {cores()} {'core' if cores() == 1 else 'cores'})"
    return kind if len(devices) == 1 else f"{len(devices)} x {kind}"


def _measure(model: Any, x: Any, y: Any, facts: Facts) -> _Measured:
    begun = time.perf_counter()
    if len(getattr(model, "outputs", None) or [None]) > 1:
        raise _several_outputs(f"{len(model.outputs)} outputs: {', '.join(model.output_names)}")
    loss = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    outputs = model.predict(x, verbose=0)
    if not isinstance(outputs, np.ndarray):
        raise _several_outputs(f"{len(outputs)} outputs")
    if not is_classifier(model):
        metrics: runs.Metrics = runs.regression_metrics(y, outputs, loss)
        return _Measured(np.asarray(y), outputs, [], metrics, time.perf_counter() - begun)
    if outputs.ndim > 2:
        raise ArgumentError(
            "A report on classes needs one answer for each row.",
            expected="outputs (rows, classes)",
            received=f"outputs {outputs.shape}",
            fix="flatten the output, or report on a part of it",
        )
    outputs = as_probabilities(model, outputs)
    labels = class_numbers(y)
    names = _class_names(facts.class_names, runs.two_columns(outputs).shape[1])
    metrics = runs.classification_metrics(labels, outputs, names, loss)
    return _Measured(labels, outputs, names, metrics, time.perf_counter() - begun)


def _class_names(given: list[str], count: int) -> list[str]:
    if given and len(given) != count:
        raise DataError(
            "class_names does not fit the model.",
            expected=f"{count} names, one for each class",
            received=f"{len(given)} names",
            fix="list the classes in the order of their numbers",
        )
    return [str(name) for name in given] or [str(number) for number in range(count)]


def _several_outputs(received: str) -> ArgumentError:
    return ArgumentError(
        "A report needs a model with one output.",
        expected="one output",
        received=received,
        fix="report on a model of one of them: gazelle.Model(model.inputs, model.outputs[0]), compiled",
    )


def _config(model: Any, x: Any, facts: Facts, measured: _Measured) -> runs.RunConfig:
    names = measured.class_names
    splits = []
    for split, y in facts.splits.items():
        counts = np.bincount(class_numbers(y), minlength=len(names)).tolist() if names else []
        splits.append(runs.Split(split, len(y), counts))
    settings = {**facts.settings, **{k: v for k, v in _settings(model).items() if k not in facts.settings}}
    return runs.RunConfig(
        title=facts.title or f"A network for {facts.data}",
        task="classification" if names else "regression",
        data=facts.data,
        splits=splits,
        question=facts.question,
        input_shape=[int(n) for n in np.shape(x)[1:]] if _is_one_array(x) else [],
        class_names=names,
        settings={name: _scalar(value) for name, value in settings.items()},
        versions=versions(),
        device=device(),
        started=facts.started or datetime.now(UTC).isoformat(timespec="seconds"),
        durations={**facts.durations, "evaluate": measured.seconds},
        stop_reason=facts.stop_reason,
    )


def _settings(model: Any) -> dict[str, Any]:
    """What the model tells of its training: loss, optimizer and the optimizer's arguments."""
    optimizer = model.optimizer
    config = optimizer.get_config()
    told = {k: v for k, v in config.items() if k not in _LEFT_OUT and (k != "ema_momentum" or config.get("use_ema"))}
    rate = config.get("learning_rate")
    loss = loss_name(model)
    found = {
        "loss": f"{loss} (from_logits)" if wants_scores(model) else loss or "none",
        "optimizer": type(optimizer).__name__,
        "learning_rate": f"{rate['class_name']}({_listed(rate['config'])})" if isinstance(rate, dict) else rate,
        "optimizer arguments": _listed(told) or "none",
    }
    if not _has_architecture(model):
        found["model file"] = f"none: {type(model).__name__} is a class of its own; its weights are in {runs.WEIGHTS}"
    return found


def _listed(arguments: dict[str, Any]) -> str:
    """Arguments as `beta_1=0.9, beta_2=0.999`, less those that are switched off."""
    kept = {name: value for name, value in arguments.items() if name != "name" and value not in (None, False)}
    return ", ".join(f"{name}={_scalar(value)}" for name, value in kept.items())


def _scalar(value: Any) -> Scalar:
    """A setting as JSON holds it; numbers without the tail that float32 gives them."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if hasattr(value, "item") and np.size(value) == 1:
        value = np.asarray(value).item()
    if isinstance(value, float):
        short = float(f"{value:.7g}")
        return short if np.float32(short) == np.float32(value) else value
    return value if isinstance(value, bool | int) else str(value)


def _has_architecture(model: Any) -> bool:
    """Whether the model's config says all: a subclass is code, which no file holds."""
    return type(model) in (Sequential, Functional)


def _write_network(folder: Path, model: Any) -> None:
    description = describe(model)
    if not description["layers"]:  # a subclass that computes with variables of its own
        return
    layers = [runs.LayerInfo(**layer) for layer in description["layers"]]
    runs.write_network(folder, runs.NetworkInfo(**{**description, "layers": layers}))
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
    """Images for the page: bytes of a small range (digits: 0 to 16) and floats that go below 0 are stretched."""
    array = np.asarray(images)
    if not array.size:
        return array
    low, high = float(array.min()), float(array.max())
    if array.dtype == np.uint8:
        return array if high > 127 or high == 0 else array.astype(np.float32) / high
    return (array.astype(np.float32) - low) / (high - low) if low < 0 and high > low else array
