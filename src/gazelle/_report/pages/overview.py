"""The top of the page: the question, the answer in one sentence, and the key figures as tiles."""

from __future__ import annotations

from typing import Any

from gazelle._plots import best_epoch
from gazelle._report.pages.markup import Html, paragraph, tag
from gazelle._report.pages.words import between, count, duration, moment, number, percent
from gazelle._report.runs import Run
from gazelle._report.schema import (
    ClassificationMetrics,
    MultiLabelMetrics,
    RegressionMetrics,
    RunConfig,
)

ALL_SEEN = 0.99  # share of sampled rows from which the report's rows count as the training data


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
        [tag("p", text, class_="note") for text in cautions(run)],
        tag("div", [_tile(*tile) for tile in tiles(run)], class_="tiles"),
        tag(
            "nav",
            [tag("a", text, href=f"#{identity}") for identity, text in links],
            aria_label="Sections",
        ),
    )


def verdict(run: Run) -> str:
    """What came out, in a sentence or two. It claims nothing about what the network has seen."""
    metrics = run.metrics
    if isinstance(metrics, ClassificationMetrics):
        common = max(metrics.classes, key=lambda found: found.support).name
        return (
            f"On {count(metrics.rows, 'example')} the network gives the right answer in"
            f" {percent(metrics.accuracy)} of the cases ({between(metrics.accuracy, metrics.rows)}"
            f" with 95% confidence). Always naming the commonest class, {common}, would be right in"
            f" {percent(metrics.chance)}."
        )
    if isinstance(metrics, MultiLabelMetrics):
        return (
            f"On {count(metrics.rows, 'example')} with {count(len(metrics.labels), 'label')} each,"
            f" {percent(metrics.accuracy)} of all answers are right. Always giving each label's"
            f" commoner answer would be right in {percent(metrics.baseline)}."
        )
    if isinstance(metrics, RegressionMetrics):
        return (
            f"On {count(metrics.rows, 'example')} the network is off by {number(metrics.mae)} on"
            " average. Always answering the median of these examples would be off by"
            f" {number(metrics.baseline_mae)}."
        )
    return "This run was not measured on any data."


def cautions(run: Run) -> list[str]:
    """What was recorded and changes how the figures are to be read."""
    config, seen = run.config, run.config.seen
    found = []
    if run.metrics is not None and seen.train:
        found.append(_trained_on(config))
    if run.metrics is not None and seen.validation is not None and seen.validation >= ALL_SEEN:
        chose = config.fits[-1].weights == "epoch" if config.fits else False
        effect = (
            f"It chose the epoch whose weights are kept (by {config.fits[-1].monitor}), so the"
            " figures are a little too good."
            if chose
            else (
                "If it was used to choose settings or the number of epochs, the figures are a"
                " little too good."
            )
        )
        found.append(
            f"The validation data that was watched in training is among these rows. {effect}"
        )
    if config.weights_changed:
        found.append(
            "The weights were set after the training (by load_weights or set_weights). The curves"
            " tell how the training went, not where these weights come from."
        )
    return found


def _trained_on(config: RunConfig) -> str:
    """How many of the report's rows were trained on, as far as the sampled rows tell."""
    seen, train, test = config.seen, config.split("train"), config.split("test")
    share = seen.train or 0.0
    if share >= ALL_SEEN and (train is None or test is None or test.rows <= train.rows):
        return (
            "Mind: these are the rows that the network was trained on. The figures say nothing"
            " about rows that it has not seen."
        )
    words = (
        f"Mind: of {seen.sampled:,} training rows that were looked for, {percent(share, 0)} are"
        " among these rows."
    )
    if train is None or test is None:
        return words
    known = min(1.0, share * train.rows / max(test.rows, 1))
    told = (
        f"By that, roughly {percent(known, 0)} of these rows were trained on: there the network"
        " knew the answer."
    )
    return f"{words} {told}"


def tiles(run: Run) -> list[tuple[str, str, str]]:
    """Heading, figure and remark of each tile."""
    return [*_quality(run.metrics), *_effort(run)]


def kept_epoch(run: Run) -> int | None:
    """The epoch whose weights were put back, if that was recorded of the last fit and nothing was changed since."""
    last = run.config.fits[-1] if run.config.fits and not run.config.weights_changed else None
    return last.weights_epoch if last is not None and last.weights == "epoch" else None


def _quality(metrics: Any) -> list[tuple[str, str, str]]:
    if isinstance(metrics, ClassificationMetrics):
        found = [
            ("Accuracy", percent(metrics.accuracy), f"commonest class: {percent(metrics.chance)}"),
            ("Macro F1", number(metrics.macro.f1, 3), "the best is 1"),
        ]
        if metrics.two_classes is not None and metrics.two_classes.auc is not None:
            found.append(("ROC AUC", number(metrics.two_classes.auc, 3), "guessing: 0.5"))
    elif isinstance(metrics, MultiLabelMetrics):
        found = [
            (
                "Accuracy per label",
                percent(metrics.accuracy),
                f"commoner answer: {percent(metrics.baseline)}",
            ),
            ("All labels right", percent(metrics.exact), f"{between(metrics.exact, metrics.rows)}"),
            ("Macro F1", number(metrics.macro.f1, 3), "the best is 1"),
        ]
    elif isinstance(metrics, RegressionMetrics):
        found = [
            ("RMSE", number(metrics.rmse), f"of the mean: {number(metrics.baseline_rmse)}"),
            ("MAE", number(metrics.mae), f"of the median: {number(metrics.baseline_mae)}"),
            ("R²", number(metrics.r2, 3), "1 is perfect, 0 is the mean"),
        ]
    else:
        return []
    return [*found, ("Loss", number(metrics.loss), "lower is better")]


def _effort(run: Run) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    epochs = len(run.epochs)
    if epochs:
        best, kept = best_epoch(run.history, run.epochs), kept_epoch(run)
        remark = f"loss lowest: epoch {best:,}" if best is not None else "passes over the data"
        if best is not None and "val_loss" in run.history:
            remark = f"val_loss lowest: epoch {best:,}"
        found.append(
            ("Epochs", f"{epochs:,}", f"weights of epoch {kept:,}" if kept is not None else remark)
        )
    seconds = run.config.durations.get("train")
    if seconds is not None:
        remark = (
            f"{duration(seconds / epochs)} an epoch" if epochs else "without loading and testing"
        )
        found.append(("Training time", duration(seconds), remark))
    if run.network is not None:
        layers = run.network.rows if run.network.rows is not None else len(run.network.layers)
        found.append(("Parameters", f"{run.network.parameters:,}", f"in {count(layers, 'layer')}"))
    return found


def _tile(title: str, figure: str, remark: str) -> Html:
    return tag(
        "div",
        tag("span", title, class_="tile-title"),
        tag("strong", figure),
        tag("span", remark, class_="tile-remark"),
        class_="figure-tile",
    )
