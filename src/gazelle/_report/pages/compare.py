"""A page that compares runs: their figures, curves, and the settings in which they differ."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gazelle._core.errors import ArgumentError
from gazelle._core.packages import need
from gazelle._plots import PAGE, compared, label_of
from gazelle._report.pages.charts import chart
from gazelle._report.pages.document import document
from gazelle._report.pages.markup import Html, join, paragraph, section, soft, table, tag
from gazelle._report.pages.overview import ALL_SEEN
from gazelle._report.pages.words import (
    MISSING,
    between,
    count,
    duration,
    heading,
    number,
    percent,
    value,
)
from gazelle._report.runs import CONFIG, Run, read_run, write_text
from gazelle._report.runs.damage import reporting_damage
from gazelle._report.schema import Metrics, MultiLabelMetrics, RegressionMetrics

MOST_RUNS = 50
_CURVES = ("val_loss", "loss")
_HEAD = ["Run", "Data", "Examples", "Metric", "Result", "Loss", "Parameters", "Epochs", "Training"]


def write_comparison(
    run_folders: Sequence[str | os.PathLike[str]], path: str | os.PathLike[str]
) -> Path:
    """Write a page that shows runs side by side.

    Args:
        run_folders: From 2 to 50 run folders.
        path: The page to write, such as `comparison.html`.

    Returns:
        Path of the page.

    Raises:
        PackageError: matplotlib is not installed.
        ArgumentError: There are fewer or more folders.
        DataError: A file of a folder is missing or damaged. The message names it.
    """
    need("A comparison", "matplotlib")
    folders = [Path(folder) for folder in run_folders]
    if not 2 <= len(folders) <= MOST_RUNS:
        raise ArgumentError(
            "A comparison needs several runs.",
            expected=f"2 to {MOST_RUNS} run folders",
            received=len(folders),
        )
    runs = [read_run(folder) for folder in folders]
    with reporting_damage(folders[0] / CONFIG, "runs that can be shown side by side"):
        text = comparison(dict(zip(_names(folders), runs, strict=True)))
    return write_text(Path(path), text)


def comparison(runs: dict[str, Run]) -> str:
    """The whole page as text, for runs by name."""
    head = tag(
        "header",
        paragraph(tag("span", "Comparison", class_="eyebrow")),
        tag("h1", f"{count(len(runs), 'run')} side by side"),
        [tag("p", text, class_="note") for text in _cautions(runs)],
    )
    parts = [part for part in (_results(runs), _curves(runs), _settings(runs)) if part is not None]
    return document(f"{len(runs)} runs side by side", head, parts, "")


def _names(folders: list[Path]) -> list[str]:
    """Unique names for the folders: their own names, paths or numbered paths."""
    counts = Counter(folder.name for folder in folders)
    names = [folder.name if counts[folder.name] == 1 else str(folder) for folder in folders]
    return [
        name if names.count(name) == 1 else f"{name} ({index})"
        for index, name in enumerate(names, start=1)
    ]


def _cautions(runs: dict[str, Run]) -> list[str]:
    """Sentences that warn of figures that are not comparable."""
    cautions = []
    rows = {(run.config.data, run.metrics.rows) for run in runs.values() if run.metrics is not None}
    if len(rows) > 1:
        cautions.append(
            "Caution: the runs were not evaluated on the same data, so their figures are not"
            " comparable."
        )
    seen = [name for name, run in runs.items() if (run.config.seen.train or 0.0) >= ALL_SEEN]
    if seen:
        cautions.append(
            f"Caution: evaluated on the rows that they were trained on: {', '.join(seen)}."
        )
    return cautions


def _results(runs: dict[str, Run]) -> Html:
    rows = []
    for name, run in runs.items():
        seconds = run.config.durations.get("train")
        parameters = MISSING if run.network is None else f"{run.network.parameters:,}"
        epochs = f"{len(run.epochs):,}" if run.epochs else MISSING
        training = MISSING if seconds is None else duration(seconds)
        figures = _figures(run.metrics)
        rows.append([name, run.config.data, *figures, parameters, epochs, training])
    words = [
        paragraph(
            "The small print is the 95% confidence interval. If two intervals overlap a lot, the"
            " difference may be due to chance."
        )
    ]
    content = table("Results of the runs", _HEAD, rows, class_="compared")
    return section("results", "Results", words, content)


def _figures(metrics: Metrics | None) -> list[Any]:
    """The cells of a run: examples, metric, result and loss."""
    if metrics is None:
        return [MISSING] * 4
    if isinstance(metrics, RegressionMetrics):
        metric, result = "RMSE", number(metrics.rmse)
        remark = f"of the mean: {number(metrics.baseline_rmse)}"
    else:
        metric, share = "accuracy", metrics.accuracy
        if isinstance(metrics, MultiLabelMetrics):
            metric, share = "all labels right", metrics.exact
        result, remark = percent(share), between(share, metrics.rows)
    return [
        f"{metrics.rows:,}",
        metric,
        join(result, tag("small", remark)),
        number(metrics.loss),
    ]


def _curves(runs: dict[str, Run]) -> Html | None:
    """The loss of each epoch; None if no run has a finite one."""
    pictures = []
    for index, figure in enumerate(_CURVES):
        lines = {
            name: (run.epochs, run.history[figure])
            for name, run in runs.items()
            if figure in run.history
        }
        if not any(math.isfinite(value) for _, values in lines.values() for value in values):
            continue
        title = label_of(figure.removeprefix("val_"))
        if figure.startswith("val_"):
            title = f"Validation {title.lower()}"
        drawing = chart(compared(lines, palette=PAGE), f"{title} of each epoch", f"c{index}")
        pictures.append(tag("div", tag("h3", title), drawing))
    if not pictures:
        return None
    return section("curves", "Training", [paragraph("The loss of each epoch.")], pictures)


def _settings(runs: dict[str, Run]) -> Html:
    """The settings, versions and training sizes in which the runs differ."""
    settings = [{**run.config.settings, **_versions(run)} for run in runs.values()]
    names = dict.fromkeys(name for column in settings for name in column)
    rows = []
    for name in names:
        cells = [value(column[name]) if name in column else MISSING for column in settings]
        if len(set(cells)) > 1:
            rows.append([heading(name), *(soft(cell) for cell in cells)])
    words = [paragraph("Only differences are listed.")]
    content = tag("p", "The settings are the same.", class_="finding")
    if rows:
        content = table("Settings that differ", ["Setting", *runs], rows)
    return section("settings", "Settings", words, content)


def _versions(run: Run) -> dict[str, Any]:
    """Number of training rows and versions of packages, by name."""
    train = run.config.split("train")
    versions = {f"version of {name}": text for name, text in run.config.versions.items()}
    return {"training rows": train.rows if train is not None else "not recorded", **versions}
