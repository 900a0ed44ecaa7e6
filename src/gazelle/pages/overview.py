"""The top of the page: the question, the answer in one sentence, and the key figures as tiles."""

from __future__ import annotations

from typing import Any

from gazelle.pages.markup import Html, paragraph, tag
from gazelle.pages.words import count, duration, moment, number, percent
from gazelle.plots import best_epoch
from gazelle.runs import ClassificationMetrics, RegressionMetrics, Run


def header(run: Run, links: list[tuple[str, str]]) -> Html:
    """The head of the page; `links` are the ids and headings of the sections below."""
    config = run.config
    eyebrow = " · ".join(filter(None, ("Training report", config.data, moment(config.started))))
    return tag(
        "header",
        paragraph(tag("span", eyebrow, class_="eyebrow")),
        tag("h1", config.title),
        tag("p", config.question, class_="lead") if config.question else None,
        tag("p", verdict(run), class_="verdict"),
        tag("div", [_tile(*tile) for tile in tiles(run)], class_="tiles"),
        tag("nav", [tag("a", text, href=f"#{identity}") for identity, text in links], aria_label="Sections"),
    )


def verdict(run: Run) -> str:
    """What came out, in one sentence."""
    metrics = run.metrics
    if isinstance(metrics, ClassificationMetrics):
        return (
            f"On {count(metrics.rows, 'test example')} that it did not see in training, the network gives the right"
            f" answer in {percent(metrics.accuracy)} of the cases. Always naming the commonest class would be right in"
            f" {percent(metrics.chance)}."
        )
    if isinstance(metrics, RegressionMetrics):
        return (
            f"On {count(metrics.rows, 'test example')} that it did not see in training, the network is off by"
            f" {number(metrics.mae)} on average. Always answering the middle value would be off by"
            f" {number(metrics.baseline_mae)}."
        )
    return "This run has no test data, so nothing can be said about examples that the network has not seen."


def tiles(run: Run) -> list[tuple[str, str, str]]:
    """Heading, figure and remark of each tile."""
    return [*_quality(run.metrics), *_effort(run)]


def _quality(metrics: Any) -> list[tuple[str, str, str]]:
    if isinstance(metrics, ClassificationMetrics):
        found = [
            ("Test accuracy", percent(metrics.accuracy), f"by chance: {percent(metrics.chance)}"),
            ("Macro F1", number(metrics.macro.f1, 3), "the best is 1"),
        ]
    elif isinstance(metrics, RegressionMetrics):
        found = [
            ("Typical error", number(metrics.rmse), f"guessing the mean: {number(metrics.baseline_rmse)}"),
            ("R²", number(metrics.r2, 3), "1 is perfect, 0 is guessing"),
        ]
    else:
        return []
    return [*found, ("Test loss", number(metrics.loss), "lower is better")]


def _effort(run: Run) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    epochs = len(run.epochs)
    if epochs:
        best = best_epoch(run.history, run.epochs)
        found.append(("Epochs", f"{epochs:,}", f"best: epoch {best:,}" if best is not None else "passes over the data"))
    seconds = run.config.durations.get("train")
    if seconds is not None:
        remark = f"{duration(seconds / epochs)} an epoch" if epochs else "without loading and testing"
        found.append(("Training time", duration(seconds), remark))
    if run.network is not None:
        remark = f"in {count(len(run.network.layers), 'layer')}"
        found.append(("Parameters", f"{run.network.parameters:,}", remark))
    return found


def _tile(title: str, figure: str, remark: str) -> Html:
    return tag(
        "div",
        tag("span", title, class_="tile-title"),
        tag("strong", figure),
        tag("span", remark, class_="tile-remark"),
        class_="figure-tile",
    )
