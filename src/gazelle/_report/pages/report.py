"""The report of a run: one HTML page, made only from the files of the run folder."""

from __future__ import annotations

import os
from pathlib import Path

from gazelle._core.packages import need
from gazelle._report.pages.classification import (
    calibration_section,
    confusion_section,
    mistakes_section,
    scores_section,
    thresholds_section,
)
from gazelle._report.pages.data import data_section
from gazelle._report.pages.document import document
from gazelle._report.pages.markup import Html
from gazelle._report.pages.multilabel import multilabel_section
from gazelle._report.pages.network import network_section
from gazelle._report.pages.overview import header
from gazelle._report.pages.regression import regression_section
from gazelle._report.pages.settings import settings_section
from gazelle._report.pages.training import training_section
from gazelle._report.runs import CONFIG, REPORT, Run, read_run, write_text
from gazelle._report.runs.damage import reporting_damage
from gazelle._report.schema import ClassificationMetrics, MultiLabelMetrics, RegressionMetrics


def write_report(run_folder: str | os.PathLike[str]) -> Path:
    """Write `report.html` into a run folder.

    Args:
        run_folder: The folder. Only its `config.json` is required; sections without files are left
            out.

    Returns:
        Path of the page.

    Raises:
        PackageError: matplotlib or pillow is not installed.
        DataError: A file is missing or damaged. The message names it.
    """
    need("A report", "matplotlib", "PIL")
    folder = Path(run_folder)
    run = read_run(folder)
    with reporting_damage(folder / CONFIG, "consistent files"):
        text = page(run)
    return write_text(folder / REPORT, text)


def page(run: Run) -> str:
    """The whole page as text."""
    sections = _sections(run)
    links = [(identity, name) for identity, name, _ in sections]
    content = [part for _, _, part in sections]
    version = run.config.versions.get("gazelle", "")
    return document(f"{run.config.title} · training report", header(run, links), content, version)


def _sections(run: Run) -> list[tuple[str, str, Html]]:
    """Id, name and content of each section for which there are files."""
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
