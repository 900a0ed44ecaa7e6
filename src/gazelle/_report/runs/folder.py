"""A run folder: its name, its small files, and reading all of it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from gazelle._core.errors import DataError
from gazelle._report.runs.arrays import PREDICTIONS, SAMPLES, read_predictions, read_samples
from gazelle._report.runs.checks import (
    config_problem,
    metrics_problem,
    network_problem,
    predictions_problem,
    samples_problem,
    worst_rows_problem,
)
from gazelle._report.runs.damage import damaged
from gazelle._report.runs.history import HISTORY, read_history
from gazelle._report.runs.jsonfile import build, read_json, write_json
from gazelle._report.schema import (
    ClassificationMetrics,
    Metrics,
    MultiLabelMetrics,
    NetworkInfo,
    Predictions,
    RegressionMetrics,
    RunConfig,
    Samples,
    WorstRows,
)

CONFIG = "config.json"
METRICS = "metrics.json"
NETWORK = "network.json"
NETWORK_PICTURE = "network.svg"
MODEL = "model.json"
WEIGHTS = "model.weights.h5"
REPORT = "report.html"
WORST_ROWS = "worst_rows.json"


@dataclass
class Run:
    """The content of a run folder, with None for missing files.

    Args:
        config: The data and the settings.
        epochs: Numbers of the epochs.
        history: Figures of each epoch by name.
        metrics: Figures on the test rows.
        network: The layers.
        predictions: Predictions for the test rows.
        samples: Sample images.
        worst: The worst rows of a table.
    """

    config: RunConfig
    epochs: list[int]
    history: dict[str, list[float]]
    metrics: Metrics | None
    network: NetworkInfo | None
    predictions: Predictions | None
    samples: Samples | None
    worst: WorstRows | None = None


def place_folder(draft: Path, name: str) -> Path:
    """Rename a finished folder to `name`, or `name-2`, `name-3`, ... if that exists.

    Args:
        draft: The folder.
        name: Any text; see `folder_name`.

    Returns:
        The new path of the folder.
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
            if not folder.exists():  # otherwise another process has just created it
                raise


def folder_name(name: str) -> str:
    """A folder name for any text: only letters, digits, dots, dashes and underscores are kept."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:80] or "run"


def read_run(folder: str | os.PathLike[str]) -> Run:
    """Read all files of a run folder. Only `config.json` is required.

    Raises:
        DataError: There is no `config.json`, or a file is damaged. The message names it.
    """
    folder = Path(folder)
    config = read_config(folder)

    def exists(name: str) -> bool:
        return os.path.lexists(folder / name)

    epochs, history = read_history(folder) if exists(HISTORY) else ([], {})
    metrics = read_metrics(folder) if exists(METRICS) else None
    predictions = read_predictions(folder) if exists(PREDICTIONS) else None
    samples = read_samples(folder) if exists(SAMPLES) else None
    network = read_network(folder) if exists(NETWORK) else None
    worst = read_worst_rows(folder) if exists(WORST_ROWS) else None
    for name, problem in (
        (METRICS, metrics and metrics_problem(metrics, config)),
        (PREDICTIONS, predictions and predictions_problem(predictions, config)),
        (SAMPLES, samples and samples_problem(samples, config)),
    ):
        if problem:
            raise damaged(folder / name, "values that match the other files", problem)
    return Run(config, epochs, history, metrics, network, predictions, samples, worst)


def write_config(folder: Path, config: RunConfig) -> Path:
    """Write `config.json`.

    Raises:
        DataError: The task is unknown, or the counts do not match the class names.
    """
    if problem := config_problem(config):
        raise DataError("The configuration of the run is inconsistent.", received=problem)
    return write_json(folder / CONFIG, config)


def read_config(folder: Path) -> RunConfig:
    """Read `config.json`.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = folder / CONFIG
    config = build(RunConfig, read_json(path), path)
    if problem := config_problem(config):
        raise damaged(path, "consistent values", problem)
    return config


def write_metrics(folder: Path, metrics: Metrics) -> Path:
    """Write `metrics.json`."""
    return write_json(folder / METRICS, metrics)


def read_metrics(folder: Path) -> Metrics:
    """Read `metrics.json`.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = folder / METRICS
    value = read_json(path)
    task = value.get("task") if isinstance(value, dict) else None
    if task == "regression":
        return build(RegressionMetrics, value, path)
    if task == "multilabel":
        return build(MultiLabelMetrics, value, path)
    return build(ClassificationMetrics, value, path)


def write_network(folder: Path, network: NetworkInfo) -> Path:
    """Write `network.json`."""
    return write_json(folder / NETWORK, network)


def read_network(folder: Path) -> NetworkInfo:
    """Read `network.json`.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = folder / NETWORK
    network = build(NetworkInfo, read_json(path), path)
    if problem := network_problem(network):
        raise damaged(path, "layers with unique names, each after its inputs", problem)
    return network


def write_worst_rows(folder: Path, worst: WorstRows) -> Path:
    """Write `worst_rows.json`."""
    return write_json(folder / WORST_ROWS, worst)


def read_worst_rows(folder: Path) -> WorstRows:
    """Read `worst_rows.json`.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = folder / WORST_ROWS
    worst = build(WorstRows, read_json(path), path)
    if problem := worst_rows_problem(worst):
        raise damaged(path, "rows with one value per column", problem)
    return worst
