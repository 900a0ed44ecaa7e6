"""A run folder becomes one HTML page: no script, nothing from elsewhere, made from files only."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from gazelle.pages.classification import (
    calibration_section,
    confusion_section,
    mistakes_section,
    scores_section,
    thresholds_section,
)
from gazelle.pages.data import data_section
from gazelle.pages.markup import Html, paragraph, tag
from gazelle.pages.multilabel import multilabel_section
from gazelle.pages.network import network_section
from gazelle.pages.overview import header
from gazelle.pages.regression import regression_section
from gazelle.pages.settings import settings_section
from gazelle.pages.training import training_section
from gazelle.runs import (
    CONFIG,
    REPORT,
    ClassificationMetrics,
    MultiLabelMetrics,
    RegressionMetrics,
    Run,
    read_run,
    write_text,
)
from gazelle.runs.reading import reading

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"  # the browser itself refuses all requests


def write_report(run_folder: str | os.PathLike[str]) -> Path:
    """Write `report.html` into a run folder.

    Args:
        run_folder: The folder; only its `config.json` must be there, what else is missing is left out.

    Returns:
        The page.

    Raises:
        DataError: A file is missing or damaged; the message names it.
    """
    folder = Path(run_folder)
    run = read_run(folder)
    with reading(folder / CONFIG, "files that fit together"):
        text = page(run)
    return write_text(folder / REPORT, text)


def page(run: Run) -> str:
    """The whole page as text."""
    sections = _sections(run)
    style = resources.files("gazelle.pages").joinpath("style.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Html('<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'),
        tag("title", f"{run.config.title} · training report"),
        tag("style", Html(style)),
    )
    links = [(identity, name) for identity, name, _ in sections]
    version = run.config.versions.get("gazelle", "")
    foot = tag("footer", paragraph(f"Made by Gazelle {version}".rstrip() + " from the files beside this page."))
    body = tag("body", header(run, links), tag("main", [content for _, _, content in sections]), foot)
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _sections(run: Run) -> list[tuple[str, str, Html]]:
    """Id, short name and content of each section that the files allow."""
    metrics = run.metrics
    found: list[tuple[str, str, Html | None]] = [("data", "Data", data_section(run))]
    if run.network is not None:
        found.append(("network", "Network", network_section(run.network)))
    if run.epochs and run.history:
        found.append(("training", "Training", training_section(run)))
    if isinstance(metrics, ClassificationMetrics):
        found.append(("scores", "Results", scores_section(metrics)))
        found.append(("thresholds", "Threshold", thresholds_section(metrics)))
        found.append(("confusion", "Confusions", confusion_section(metrics)))
        found.append(("calibration", "Calibration", calibration_section(metrics)))
        found.append(("mistakes", "Mistakes", mistakes_section(run)))
    elif isinstance(metrics, RegressionMetrics):
        found.append(("scores", "Results", regression_section(metrics, run.predictions, run.worst)))
    elif isinstance(metrics, MultiLabelMetrics):
        found.append(("scores", "Results", multilabel_section(metrics)))
    found.append(("settings", "Settings", settings_section(run.config)))
    return [(identity, name, content) for identity, name, content in found if content is not None]
