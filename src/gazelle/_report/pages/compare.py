"""Several run folders side by side on one page: figures, curves, and the settings in which they differ."""

from __future__ import annotations

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
from gazelle._report.runs.reading import reading
from gazelle._report.schema import ClassificationMetrics, MultiLabelMetrics, RegressionMetrics

MOST_RUNS = 50
_DRAWN = ("val_loss", "loss")


def write_comparison(
    run_folders: Sequence[str | os.PathLike[str]], path: str | os.PathLike[str]
) -> Path:
    """Write a page that shows runs side by side.

    Args:
        run_folders: From 2 to 50 run folders.
        path: The page to write, `comparison.html`.

    Returns:
        The page.

    Raises:
        PackageError: matplotlib is not installed.
        ArgumentError: Fewer or more folders.
        DataError: A file of a folder is missing or damaged; the message names it.
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
    with reading(folders[0] / CONFIG, "runs that can be shown side by side"):
        text = comparison(dict(zip(_names(folders), runs, strict=True)))
    return write_text(Path(path), text)


def comparison(runs: dict[str, Run]) -> str:
    """The whole page as text; `runs` by the names that they are to have."""
    head = tag(
        "header",
        paragraph(tag("span", "Comparison", class_="eyebrow")),
        tag("h1", f"{count(len(runs), 'run')} side by side"),
        [tag("p", text, class_="note") for text in _cautions(runs)],
    )
    parts = [_results(runs), *filter(None, [_curves(runs), _settings(runs)])]
    return document(f"{len(runs)} runs side by side", head, parts, "")


def _names(folders: list[Path]) -> list[str]:
    """The folders' own names; those that several share with what stands before them."""
    counts = Counter(folder.name for folder in folders)
    names = [folder.name if counts[folder.name] == 1 else str(folder) for folder in folders]
    return [
        name if names.count(name) == 1 else f"{name} ({index})"
        for index, name in enumerate(names, start=1)
    ]


def _cautions(runs: dict[str, Run]) -> list[str]:
    found = []
    rows = {(run.config.data, run.metrics.rows) for run in runs.values() if run.metrics is not None}
    if len(rows) > 1:
        found.append(
            "Mind: the runs were not measured on the same data, so their figures cannot be held"
            " side by side."
        )
    seen = [
        name
        for name, run in runs.items()
        if run.config.seen.train is not None and run.config.seen.train >= 0.99
    ]
    if seen:
        found.append(f"Mind: measured on the rows that they were trained on: {', '.join(seen)}.")
    return found


def _results(runs: dict[str, Run]) -> Html:
    rows = []
    for name, run in runs.items():
        seconds = run.config.durations.get("train")
        parameters = MISSING if run.network is None else f"{run.network.parameters:,}"
        effort = [
            f"{len(run.epochs):,}" if run.epochs else MISSING,
            MISSING if seconds is None else duration(seconds),
        ]
        rows.append([name, run.config.data, *_figures(run.metrics), parameters, *effort])
    head = [
        "Run",
        "Data",
        "Examples",
        "Measure",
        "Result",
        "Loss",
        "Parameters",
        "Epochs",
        "Training",
    ]
    words = [
        paragraph(
            "Small print is the interval that holds a share with 95% confidence. Where intervals overlap"
            " much, the difference may be chance."
        )
    ]
    return section(
        "results", "Results", words, table("What came out", head, rows, class_="compared")
    )


def _figures(metrics: Any) -> list[Any]:
    if isinstance(metrics, ClassificationMetrics | MultiLabelMetrics):
        single = isinstance(metrics, ClassificationMetrics)
        share = metrics.accuracy if single else metrics.exact
        shown = join(percent(share), tag("small", between(share, metrics.rows)))
        return [
            f"{metrics.rows:,}",
            "accuracy" if single else "all labels right",
            shown,
            number(metrics.loss),
        ]
    if isinstance(metrics, RegressionMetrics):
        shown = join(
            number(metrics.rmse), tag("small", f"of the mean: {number(metrics.baseline_rmse)}")
        )
        return [f"{metrics.rows:,}", "RMSE", shown, number(metrics.loss)]
    return [MISSING] * 4


def _curves(runs: dict[str, Run]) -> Html | None:
    pictures = []
    for index, figure in enumerate(_DRAWN):
        lines = {
            name: (run.epochs, run.history[figure])
            for name, run in runs.items()
            if figure in run.history
        }
        if any(
            value == value and abs(value) < float("inf")
            for _, values in lines.values()
            for value in values
        ):
            title = label_of(figure.removeprefix("val_")) + (
                " of the validation" if figure.startswith("val_") else ""
            )
            picture = compared(lines, palette=PAGE)
            pictures.append(
                tag("div", tag("h3", title), chart(picture, f"{title} of each epoch", f"c{index}"))
            )
    return (
        section("curves", "The trainings", [paragraph("The loss of each epoch.")], pictures)
        if pictures
        else None
    )


def _settings(runs: dict[str, Run]) -> Html | None:
    told = {name: {**run.config.settings, **_recorded(run)} for name, run in runs.items()}
    every = list(dict.fromkeys(key for found in told.values() for key in found))
    rows = []
    for key in every:
        values = [value(found[key]) if key in found else MISSING for found in told.values()]
        if len(set(values)) > 1:
            rows.append([heading(key), *(soft(text) for text in values)])
    words = [paragraph("Only what differs is listed.")]
    if not rows:
        return section(
            "settings", "Settings", words, tag("p", "The settings are the same.", class_="finding")
        )
    return section(
        "settings", "Settings", words, table("Settings that differ", ["Setting", *runs], rows)
    )


def _recorded(run: Run) -> dict[str, Any]:
    train = run.config.split("train")
    versions = {f"version of {name}": found for name, found in run.config.versions.items()}
    return {"training rows": train.rows if train is not None else "not recorded", **versions}
