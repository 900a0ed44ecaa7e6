"""gazelle list and gazelle compare: the runs of a folder, and runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gazelle._core.console import shown
from gazelle._core.errors import ArgumentError, DataError
from gazelle._files.writing import check_writable
from gazelle._report import runs, schema
from gazelle.cli.tables import table

_ABSENT = "-"
_NUMBERS = {  # metrics to show, and their names in the table
    "accuracy": "test accuracy",
    "chance": "most common class alone",
    "rmse": "test rmse",
    "mae": "test mae",
    "r2": "test r2",
    "loss": "test loss",
}


def overview(root: Path) -> str:
    """A table with one line per run of a folder, newest first.

    Args:
        root: The folder of runs.

    Raises:
        ArgumentError: There is no such folder, or it has no runs.
    """
    folders = [path.parent for path in root.glob(f"[!.]*/{runs.CONFIG}")] if root.is_dir() else []
    if not folders:
        received = "nothing at this path"
        if root.is_dir():
            received = "a folder without any"
        elif root.exists():
            received = "a file"
        raise ArgumentError(
            f"There are no runs in {shown(root)}.",
            expected="run folders, made by gazelle train",
            received=received,
            fix="make one: gazelle train digits",
        )
    rows = []
    for folder in folders:
        try:
            config = runs.read_config(folder)
            cells = [folder.name, config.data, _date(config.started), _result(folder)]
            rows.append((config.started, cells))
        except DataError:
            rows.append(("", [folder.name, _ABSENT, _ABSENT, "damaged: see gazelle report"]))
    rows.sort(key=lambda row: (row[0], row[1]), reverse=True)
    head = ["run", "data", "started (UTC)", "result on test data"]
    return table([head, *(cells for _, cells in rows)])


def comparison(folders: Sequence[Path]) -> str:
    """A table of the settings in which runs differ and of their figures, one column per run.

    Args:
        folders: Run folders, two or more.

    Raises:
        DataError: A run is damaged.
    """
    configs = [runs.read_config(folder) for folder in folders]
    settings = [_settings(config) for config in configs]
    figures = [_figures(folder) for folder in folders]
    rows = [["", *(folder.name for folder in folders)]]
    for name in _names(settings):
        cells = [column.get(name, _ABSENT) for column in settings]
        if len(set(cells)) > 1:
            rows.append([name, *cells])
    if len(rows) == 1:
        rows.append(["settings", *("the same" for _ in folders)])
    rows.append([""] * len(rows[0]))
    for name in _names(figures):
        rows.append([name, *(column.get(name, _ABSENT) for column in figures)])
    return table(rows) + _caution(configs)


def _caution(configs: Sequence[schema.RunConfig]) -> str:
    """A line below the table if the figures are not, or hardly, comparable."""
    if len({(config.data, config.task) for config in configs}) > 1:
        return "\nThe runs were evaluated on different data: their figures are not comparable."
    tests = [config.split("test") for config in configs]
    if len({None if test is None else test.rows for test in tests}) > 1:
        return (
            "\nThe runs were evaluated on different numbers of rows: compare their figures with"
            " care."
        )
    return ""


def comparison_page(folders: Sequence[Path], path: Path) -> Path:
    """Write an HTML page that shows runs side by side.

    Args:
        folders: Run folders, two or more.
        path: The page to write.

    Returns:
        The path of the page.

    Raises:
        ArgumentError: The page cannot be written, or there are too many runs.
        DataError: A run is damaged.
    """
    from gazelle._report.pages import write_comparison

    check_writable(path, makes_folders=False)
    return write_comparison(folders, path)


def _settings(config: schema.RunConfig) -> dict[str, str]:
    """The settings of a run, by name."""
    settings: dict[str, Any] = {
        "data": config.data,
        "task": config.task,
        "input shape": config.input_shape,
    }
    for split in config.splits:
        settings[f"{split.name} rows"] = f"{split.rows:,}"
    settings |= {**config.settings, **config.versions, "device": config.device}
    return {name: str(value) for name, value in settings.items()}


def _figures(folder: Path) -> dict[str, str]:
    """The results of a run and its times, by name."""
    figures: dict[str, str] = {}
    if (folder / runs.HISTORY).is_file():
        epochs, _ = runs.read_history(folder)
        if epochs:
            figures["epochs run"] = str(len(epochs))
    for stage, seconds in runs.read_config(folder).durations.items():
        figures[f"seconds to {stage}"] = f"{seconds:,.1f}"
    if not (folder / runs.METRICS).is_file():
        return figures
    metrics = runs.read_metrics(folder)
    for key, name in _NUMBERS.items():
        value = getattr(metrics, key, None)
        if isinstance(value, int | float):
            figures[name] = f"{value:.4f}"
    if isinstance(metrics, schema.ClassificationMetrics):
        figures["test macro f1"] = f"{metrics.macro.f1:.4f}"
    return figures


def _result(folder: Path) -> str:
    """The first two figures on test data."""
    prefix = "test "
    figures = [
        f"{name.removeprefix(prefix)} {value}"
        for name, value in _figures(folder).items()
        if name.startswith(prefix)
    ]
    return ", ".join(figures[:2]) or _ABSENT


def _date(started: str) -> str:
    return started[:16].replace("T", " ") or _ABSENT


def _names(columns: list[dict[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for column in columns for name in column))
