"""A trained model and the data it is measured on become a run folder."""

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
from gazelle._report.history_columns import columns
from gazelle._report.measuring import Measured, measure
from gazelle._report.predictions import loss_name, wants_scores
from gazelle._report.rows import parts_of, seen_before, worst_rows
from gazelle._report.schema import Scalar
from gazelle.models import Functional, Sequential, describe

NOT_RECORDED = "not recorded"
_LEFT_OUT = ("name", "learning_rate")  # of an optimizer's arguments: told elsewhere


@dataclass
class RunDetails:
    """What a run folder tells beside the model and its figures.

    Args:
        title: Headline of the report; made from `data` when empty.
        question: What the network is to find out, a sentence or two.
        data: Name of the data set.
        class_names: Names of the classes in the order of their numbers; their numbers when empty.
        splits: `{"train": y, "validation": y, "test": y}`: the targets of each part, for its size
            and class shares. Parts that are not given are told as `fit` recorded them.
        settings: Name and value of each setting, in the order to show; they go before what the
            model tells itself.
        durations: Seconds of each stage: `load`, `train`; `evaluate` is added.
        started: Start of the training, ISO 8601; as `fit` recorded it when empty.
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
class NewRun:
    """A run folder in the making.

    Args:
        folder: Where to write; after the block of `new_folder` the finished run folder.
    """

    folder: Path


@contextmanager
def new_folder(root: str | os.PathLike[str], name: str) -> Iterator[NewRun]:
    """A new run folder `root/name` (`name-2`, ... where there is one), whole or not there.

    The block writes into a hidden folder, which gets its name when the block has ended well; else
    nothing is left.

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
    facts: RunDetails | None = None,
    folder: str | os.PathLike[str],
) -> Path:
    """Write a run folder: model, weights, history, network, predictions, sample images, metrics and, last, config.

    Nothing is written before everything is measured. Each file is whole or absent; a folder with
    `config.json` has all. The architecture of a subclassed model is code, so only its weights are
    kept.

    Args:
        model: A compiled model with one output.
        x_test: Inputs to measure it on, `(rows, ...)`.
        y_test: Targets: class numbers `(rows,)` or `(rows, 1)`, one-hot `(rows, classes)`, or
            numbers `(rows, ...)`.
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
    facts = facts or RunDetails()
    check_model(model, x_test, y_test, facts.class_names)
    measured = measure(model, x_test, y_test, facts.class_names)
    config = _config(model, x_test, history, facts, measured)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, model, x_test, history, measured, config)
    return folder


def _write(
    folder: Path, model: Any, x: Any, history: Any, measured: Measured, config: schema.RunConfig
) -> None:
    """All files of a run, `config.json` last."""
    epochs, curves = columns(history)
    if _has_architecture(model):
        runs.write_text(folder / runs.MODEL, model.to_json(indent=1))
    model.save_weights(folder / runs.WEIGHTS)
    if epochs:
        runs.write_history(folder, curves, epochs)
    _write_network(folder, model)
    classifies = config.task != "regression"
    outputs = measured.outputs.astype(np.float16) if classifies else measured.outputs
    runs.write_predictions(folder, measured.labels, outputs)
    if config.task == "classification" and _are_images(x):
        runs.write_samples(
            folder, figures.choose_samples(_showable(x), measured.labels, measured.outputs)
        )
    if (worst := worst_rows(x, measured)) is not None:
        runs.write_worst_rows(folder, worst)
    runs.write_metrics(folder, measured.metrics)
    runs.write_config(folder, config)


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    found = {"python": platform.python_version(), "gazelle": __version__}
    for name in ("jax", "jaxlib", "numpy"):
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


def _config(
    model: Any, x: Any, history: Any, facts: RunDetails, measured: Measured
) -> schema.RunConfig:
    fits: list[schema.Fit] = list(getattr(history, "fits", []))
    told = {**_recorded_settings(fits), **_settings(model, fits)}
    settings = {**facts.settings, **{k: v for k, v in told.items() if k not in facts.settings}}
    seen = seen_before(fits, x)
    durations = {"train": sum(fit.seconds for fit in fits)} if fits else {}
    return schema.RunConfig(
        title=facts.title or f"A network for {facts.data}",
        task=measured.task,
        data=facts.data,
        splits=parts_of(facts.splits, fits, seen, measured),
        question=facts.question,
        input_shape=[int(n) for n in np.shape(x)[1:]] if _is_one_array(x) else [],
        class_names=measured.class_names,
        settings={name: _scalar(value) for name, value in settings.items()},
        versions=versions(),
        device=device(),
        started=facts.started or (fits[0].started if fits else ""),
        durations={**durations, **facts.durations, "evaluate": measured.seconds},
        stop_reason=facts.stop_reason,
        fits=[replace(fit, sample=[], validation_sample=[]) for fit in fits],
        weights_changed=history.weights_changed() if hasattr(history, "weights_changed") else None,
        seen=seen,
        target_names=measured.target_names,
    )


def _recorded_settings(fits: list[schema.Fit]) -> dict[str, Any]:
    """What the last fit recorded of itself; "not recorded" where nothing was."""
    if not fits:
        return dict.fromkeys(("batch_size", "epochs", "seed"), NOT_RECORDED)
    last = fits[-1]
    seeds = {fit.seed for fit in fits}
    return {
        "batch_size": (
            last.batch_size if last.batch_size is not None else "as the generator gives them"
        ),
        "epochs": " + ".join(str(fit.done) for fit in fits),
        "seed": seeds.pop() if len(seeds) == 1 and None not in seeds else "not set",
    }


def _settings(model: Any, fits: list[schema.Fit]) -> dict[str, Any]:
    """What the model tells of its training: loss, optimizer and the optimizer's arguments, the rate as it began."""
    optimizer = model.optimizer
    config = optimizer.get_config()
    told = {
        k: v
        for k, v in config.items()
        if k not in _LEFT_OUT and (k != "ema_momentum" or config.get("use_ema"))
    }
    rate = config.get("learning_rate")
    loss = loss_name(model)
    found = {
        "loss": f"{loss} (from_logits)" if wants_scores(model) else loss or "none",
        "optimizer": type(optimizer).__name__,
        **_told_rate(rate, fits),
        "optimizer arguments": _listed(told) or "none",
        "engine": kernel.status().text,
    }
    if not _has_architecture(model):
        found["model file"] = (
            f"none: {type(model).__name__} is a class of its own; its weights are in {runs.WEIGHTS}"
        )
    return found


def _told_rate(rate: Any, fits: list[schema.Fit]) -> dict[str, Any]:
    """The learning rate at the beginning and, where it changed, at the end."""
    if isinstance(rate, dict):
        return {"learning_rate": f"{rate['class_name']}({_listed(rate['config'])})"}
    rates = [_scalar(np.float32(value)) for fit in fits for value in fit.learning_rates]
    if not rates:  # nothing says what it was in the training
        return (
            {"learning_rate": NOT_RECORDED, "learning_rate now": rate}
            if not fits
            else {"learning_rate now": rate}
        )
    changed = len(set(rates)) > 1
    return {
        "learning_rate": rates[0],
        **({"learning_rate in the last epoch": rates[-1]} if changed else {}),
    }


def _listed(arguments: dict[str, Any]) -> str:
    """Arguments as `beta_1=0.9, beta_2=0.999`, less those that are switched off."""
    kept = {
        name: value
        for name, value in arguments.items()
        if name != "name" and value not in (None, False)
    }
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
    """Images for the page: bytes of a small range (digits: 0 to 16) and floats that go below 0 are stretched."""
    array = np.asarray(images)
    if not array.size:
        return array
    low, high = float(array.min()), float(array.max())
    if array.dtype == np.uint8:
        return array if high > 127 or high == 0 else array.astype(np.float32) / high
    return (array.astype(np.float32) - low) / (high - low) if low < 0 and high > low else array
