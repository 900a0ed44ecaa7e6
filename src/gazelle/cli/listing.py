"""gazelle list and gazelle compare: the runs of a folder, and some of them side by side."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gazelle._core.console import fitting, shown
from gazelle._core.errors import ArgumentError, DataError
from gazelle._files.writing import check_writable
from gazelle._report import runs, schema

_ABSENT = "-"
_CELL = 28  # columns of a cell, at most


def overview(root: Path) -> str:
    """A line for each run of a folder, the newest first.

    Args:
        root: The folder of runs.

    Raises:
        ArgumentError: There is no such folder, or it holds no runs.
    """
    folders = [path.parent for path in root.glob(f"[!.]*/{runs.CONFIG}")] if root.is_dir() else []
    if not folders:
        raise ArgumentError(
            f"There are no runs in {shown(root)}.",
            expected="run folders, as gazelle train makes them",
            received=(
                "a folder without any"
                if root.is_dir()
                else "a file"
                if root.exists()
                else "nothing there"
            ),
            fix="make one: gazelle train digits",
        )
    rows = []
    for folder in folders:
        try:
            config = runs.read_config(folder)
            rows.append(
                (config.started, [folder.name, config.data, _date(config.started), _result(folder)])
            )
        except DataError:
            rows.append(("", [folder.name, _ABSENT, _ABSENT, "damaged: see gazelle report"]))
    rows.sort(key=lambda row: (row[0], row[1]), reverse=True)
    return _table(
        [["run", "data", "begun (UTC)", "result on test data"], *(row for _, row in rows)]
    )


def comparison(folders: Sequence[Path]) -> str:
    """The settings in which runs differ and their figures, a column for each run.

    Args:
        folders: Run folders, two or more.

    Raises:
        DataError: One of them is damaged.
    """
    found = [(runs.read_config(folder), folder) for folder in folders]
    settings = [_settings(config) for config, _ in found]
    figures = [_figures(folder) for _, folder in found]
    differing = [
        name
        for name in _names(settings)
        if len({column.get(name, _ABSENT) for column in settings}) > 1
    ]
    rows = [["", *(folder.name for folder in folders)]]
    rows += [[name, *(column.get(name, _ABSENT) for column in settings)] for name in differing]
    if not differing:
        rows.append(["settings", *("the same" for _ in folders)])
    rows.append([""] * len(rows[0]))
    rows += [[name, *(column.get(name, _ABSENT) for column in figures)] for name in _names(figures)]
    text = _table(rows)
    if len({(config.data, config.task) for config, _ in found}) > 1:
        text += "\nThe runs were measured on different data: their figures do not compare."
    elif len({tuple(s.rows for s in config.splits if s.name == "test") for config, _ in found}) > 1:
        text += (
            "\nThe runs were measured on different numbers of rows: their figures compare with"
            " care."
        )
    return text


def comparison_page(folders: Sequence[Path], path: Path) -> Path:
    """Write the page that shows runs side by side.

    Args:
        folders: Run folders, two or more.
        path: The page to write.

    Returns:
        The page.

    Raises:
        ArgumentError: The page cannot be written, or too many runs.
        DataError: A run is damaged.
    """
    from gazelle._report.pages import write_comparison

    check_writable(path, makes_folders=False)
    return write_comparison(folders, path)


def _settings(config: schema.RunConfig) -> dict[str, str]:
    told: dict[str, Any] = {
        "data": config.data,
        "task": config.task,
        "input shape": config.input_shape,
    }
    told |= {f"{split.name} rows": f"{split.rows:,}" for split in config.splits}
    told |= {**config.settings, **config.versions, "device": config.device}
    return {name: str(value) for name, value in told.items()}


def _figures(folder: Path) -> dict[str, str]:
    """What came out, by name; times too."""
    config = runs.read_config(folder)
    epochs, _ = runs.read_history(folder) if (folder / runs.HISTORY).is_file() else ([], {})
    told = {"epochs run": str(len(epochs))} if epochs else {}
    told |= {
        f"seconds to {stage}": f"{seconds:,.1f}" for stage, seconds in config.durations.items()
    }
    if not (folder / runs.METRICS).is_file():
        return told
    metrics = runs.read_metrics(folder)
    for name in ("accuracy", "chance", "rmse", "mae", "r2", "loss"):
        value = getattr(metrics, name, None)
        if isinstance(value, int | float):
            told[f"test {name}" if name != "chance" else "commonest class alone"] = f"{value:.4f}"
    if isinstance(metrics, schema.ClassificationMetrics):
        told["test macro f1"] = f"{metrics.macro.f1:.4f}"
    return told


def _result(folder: Path) -> str:
    figures = _figures(folder)
    wanted = [
        f"{name.removeprefix('test ')} {figures[name]}"
        for name in figures
        if name.startswith("test ")
    ]
    return ", ".join(wanted[:2]) or _ABSENT


def _date(started: str) -> str:
    return started[:16].replace("T", " ") or _ABSENT


def _names(columns: list[dict[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for column in columns for name in column))


def _table(rows: list[list[str]]) -> str:
    """Columns as wide as their longest cell; what is too long for the screen is cut."""
    room = shutil.get_terminal_size((100, 24)).columns
    cells = [[_cut(fitting(cell), _CELL) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > room and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in cells:
        padded = [f"{_cut(cell, width):{width}}" for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(width - 3, 0)]}..."
