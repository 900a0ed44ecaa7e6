"""A run folder: where it is made, its small files, and all of it read at once."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from gazelle._core.errors import DataError
from gazelle.runs.arrays import PREDICTIONS, SAMPLES, Predictions, Samples, read_predictions, read_samples
from gazelle.runs.history import HISTORY, read_history
from gazelle.runs.jsonfile import build, damaged, read_json, write_json
from gazelle.runs.schema import ClassificationMetrics, Metrics, NetworkInfo, RegressionMetrics, RunConfig

CONFIG = "config.json"
METRICS = "metrics.json"
NETWORK = "network.json"
NETWORK_PICTURE = "network.svg"
MODEL = "model.json"
WEIGHTS = "model.weights.h5"
REPORT = "report.html"


@dataclass
class Run:
    """All that a run folder tells; None for a file that is not there.

    Args:
        config: What was asked, of which data, with which settings.
        epochs: Numbers of the epochs.
        history: Figures of each epoch by name.
        metrics: How good the model is on the test rows.
        network: The layers.
        predictions: Answers for the test rows.
        samples: Pictures to show.
    """

    config: RunConfig
    epochs: list[int]
    history: dict[str, list[float]]
    metrics: Metrics | None
    network: NetworkInfo | None
    predictions: Predictions | None
    samples: Samples | None


def place_folder(draft: Path, name: str) -> Path:
    """Rename a finished folder to `name`, beside itself; to `name-2`, `name-3`, ... where there is one already.

    Args:
        draft: The folder, whole.
        name: Any text; what is no letter, digit, dot, dash or underscore becomes a dash.

    Returns:
        The folder's new path.
    """
    base, number = folder_name(name), 1
    while True:
        folder = draft.with_name(base if number == 1 else f"{base}-{number}")
        number += 1
        if folder.exists() or folder.is_symlink():
            continue
        try:
            return draft.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster
                raise


def folder_name(name: str) -> str:
    """A text as the name of a folder: what is no letter, digit, dot, dash or underscore becomes a dash."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:80] or "run"


def read_run(folder: str | os.PathLike[str]) -> Run:
    """All that a run folder tells. Only `config.json` must be there.

    Raises:
        DataError: There is no `config.json`, or a file is damaged; the message names it.
    """
    folder = Path(folder)
    config = read_config(folder)
    epochs, history = read_history(folder) if (folder / HISTORY).exists() else ([], {})
    metrics = read_metrics(folder) if (folder / METRICS).exists() else None
    if metrics is not None and metrics.task != config.task:
        raise damaged(folder / METRICS, f"figures of a {config.task}, as config.json says", metrics.task)
    names = len(config.class_names)
    if isinstance(metrics, ClassificationMetrics) and len(metrics.classes) != names:
        raise damaged(folder / METRICS, f"{names} classes, as in config.json", len(metrics.classes))
    predictions = read_predictions(folder) if (folder / PREDICTIONS).exists() else None
    samples = read_samples(folder) if (folder / SAMPLES).exists() else None
    for path, labels in _all_labels(folder, config, predictions, samples):
        if labels.size and not 0 <= labels.min() <= labels.max() < names:
            raise damaged(path, f"labels from 0 to {names - 1}", f"labels from {labels.min()} to {labels.max()}")
    network = read_network(folder) if (folder / NETWORK).exists() else None
    return Run(config, epochs, history, metrics, network, predictions, samples)


def write_config(folder: Path, config: RunConfig) -> Path:
    """Write `config.json`.

    Raises:
        DataError: The task is unknown, or the counts do not fit the class names.
    """
    if problem := _config_problem(config):
        raise DataError("The configuration of the run does not fit together.", received=problem)
    return write_json(folder / CONFIG, config)


def read_config(folder: Path) -> RunConfig:
    """What `config.json` says.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = folder / CONFIG
    config = build(RunConfig, read_json(path), path)
    if problem := _config_problem(config):
        raise damaged(path, "values that fit together", problem)
    return config


def write_metrics(folder: Path, metrics: Metrics) -> Path:
    """Write `metrics.json`."""
    return write_json(folder / METRICS, metrics)


def read_metrics(folder: Path) -> Metrics:
    """What `metrics.json` says.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = folder / METRICS
    value = read_json(path)
    if isinstance(value, dict) and value.get("task") == "regression":
        return build(RegressionMetrics, value, path)
    metrics = build(ClassificationMetrics, value, path)
    count = len(metrics.classes)
    if len(metrics.confusion) != count or any(len(row) != count for row in metrics.confusion):
        raise damaged(path, f"a confusion matrix of {count} rows and columns", "another shape")
    return metrics


def write_network(folder: Path, network: NetworkInfo) -> Path:
    """Write `network.json`."""
    return write_json(folder / NETWORK, network)


def read_network(folder: Path) -> NetworkInfo:
    """What `network.json` says.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = folder / NETWORK
    network = build(NetworkInfo, read_json(path), path)
    before: set[str] = set()
    for layer in network.layers:
        if layer.name in before or not before.issuperset(layer.inbound):
            raise damaged(path, "unique names, each layer after those that feed it", f"layer {layer.name!r}")
        before.add(layer.name)
    return network


def _config_problem(config: RunConfig) -> str:
    if config.task not in ("classification", "regression"):
        return f"task={config.task!r}; classification or regression are known"
    if config.task == "classification" and not config.class_names:
        return "a classification without class_names"
    for split in config.splits:
        if split.class_counts and len(split.class_counts) != len(config.class_names):
            return f"{len(split.class_counts)} class_counts of split {split.name!r} for {len(config.class_names)} names"
    return ""


def _all_labels(folder: Path, config: RunConfig, predictions: Predictions | None, samples: Samples | None) -> list:
    if config.task != "classification":
        return []
    found = []
    if predictions is not None:
        found.append((folder / PREDICTIONS, predictions.labels))
    if samples is not None:
        arrays = (samples.labels, samples.wrong_labels, samples.wrong_predictions)
        found.extend((folder / SAMPLES, labels) for labels in arrays)
    return found
