"""The top of the page: the question, the result in one sentence, and the key figures as tiles."""

from __future__ import annotations

from gazelle._plots import best_epoch
from gazelle._report.pages.markup import Html, paragraph, tag
from gazelle._report.pages.words import between, count, duration, moment, number, percent
from gazelle._report.runs import Run
from gazelle._report.schema import (
    ClassificationMetrics,
    Metrics,
    MultiLabelMetrics,
    RegressionMetrics,
    RunConfig,
)

ALL_SEEN = 0.99  # share of sampled rows from which on all of them count as seen

Tile = tuple[str, str, str]  # heading, figure and remark


def header(run: Run, links: list[tuple[str, str]]) -> Html:
    """The top of the page.

    Args:
        run: The run.
        links: Ids and names of the sections below.
    """
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
    """The result in a sentence or two. It claims nothing about what the network has seen."""
    metrics = run.metrics
    if isinstance(metrics, ClassificationMetrics):
        common = max(metrics.classes, key=lambda scores: scores.support).name
        return (
            f"The network predicts the right class for {percent(metrics.accuracy)} of"
            f" {count(metrics.rows, 'example')} ({between(metrics.accuracy, metrics.rows)} with 95%"
            f" confidence). Always predicting the most common class, {common}, would be right for"
            f" {percent(metrics.chance)}."
        )
    if isinstance(metrics, MultiLabelMetrics):
        return (
            f"On {count(metrics.rows, 'example')} with {count(len(metrics.labels), 'label')} each,"
            f" {percent(metrics.accuracy)} of all predictions are right. Always predicting the more"
            f" common value of each label would be right for {percent(metrics.baseline)}."
        )
    if isinstance(metrics, RegressionMetrics):
        return (
            f"On {count(metrics.rows, 'example')} the network is off by {number(metrics.mae)} on"
            " average. Always predicting the median of these examples would be off by"
            f" {number(metrics.baseline_mae)}."
        )
    return "This run was not evaluated on any data."


def cautions(run: Run) -> list[str]:
    """Sentences about what was recorded and affects the meaning of the figures."""
    config, seen = run.config, run.config.seen
    found = []
    if run.metrics is not None and seen.train:
        found.append(_trained_on(config))
    if run.metrics is not None and seen.validation is not None and seen.validation >= ALL_SEEN:
        effect = "If it was used to choose settings or the number of epochs,"
        if config.fits and config.fits[-1].weights == "epoch":
            effect = f"It chose the epoch whose weights are kept (by {config.fits[-1].monitor}), so"
        found.append(
            f"The validation data of the training is among these rows. {effect} the figures are a"
            " little too good."
        )
    if config.weights_changed:
        found.append(
            "The weights were set after the training (by load_weights or set_weights). The curves"
            " show the training, not the origin of these weights."
        )
    return found


def _trained_on(config: RunConfig) -> str:
    """How many rows of the report were trained on, estimated from the sampled rows."""
    seen, train, test = config.seen, config.split("train"), config.split("test")
    share = seen.train or 0.0
    if share >= ALL_SEEN and (train is None or test is None or test.rows <= train.rows):
        return (
            "Caution: these are the rows that the network was trained on. The figures say nothing"
            " about rows that it has not seen."
        )
    words = (
        f"Caution: of a sample of {seen.sampled:,} training rows, {percent(share, 0)} are among"
        " these rows."
    )
    if train is None or test is None:
        return words
    known = min(1.0, share * train.rows / max(test.rows, 1))
    return (
        f"{words} So roughly {percent(known, 0)} of these rows were trained on, and the network has"
        " already seen their targets."
    )


def tiles(run: Run) -> list[Tile]:
    """The tiles with the key figures."""
    return [*_quality(run.metrics), *_effort(run)]


def kept_epoch(run: Run) -> int | None:
    """The epoch whose weights the last fit restored; None if unknown or changed since then."""
    if not run.config.fits or run.config.weights_changed:
        return None
    last = run.config.fits[-1]
    return last.weights_epoch if last.weights == "epoch" else None


def _quality(metrics: Metrics | None) -> list[Tile]:
    """The tiles about the predictions."""
    if metrics is None:
        return []
    if isinstance(metrics, ClassificationMetrics):
        common = f"most common class: {percent(metrics.chance)}"
        found = [
            ("Accuracy", percent(metrics.accuracy), common),
            ("Macro F1", number(metrics.macro.f1, 3), "the best is 1"),
        ]
        if metrics.two_classes is not None and metrics.two_classes.auc is not None:
            found.append(("ROC AUC", number(metrics.two_classes.auc, 3), "guessing: 0.5"))
    elif isinstance(metrics, MultiLabelMetrics):
        common = f"most common value: {percent(metrics.baseline)}"
        found = [
            ("Accuracy per label", percent(metrics.accuracy), common),
            ("All labels right", percent(metrics.exact), between(metrics.exact, metrics.rows)),
            ("Macro F1", number(metrics.macro.f1, 3), "the best is 1"),
        ]
    else:
        found = [
            ("RMSE", number(metrics.rmse), f"of the mean: {number(metrics.baseline_rmse)}"),
            ("MAE", number(metrics.mae), f"of the median: {number(metrics.baseline_mae)}"),
            ("R²", number(metrics.r2, 3), "1 is perfect, 0 is the mean"),
        ]
    return [*found, ("Loss", number(metrics.loss), "lower is better")]


def _effort(run: Run) -> list[Tile]:
    """The tiles about the training and the size of the network."""
    found: list[Tile] = []
    epochs = len(run.epochs)
    if epochs:
        best, kept = best_epoch(run.history, run.epochs), kept_epoch(run)
        remark = "passes over the data"
        if kept is not None:
            remark = f"weights of epoch {kept:,}"
        elif best is not None:
            name = "val_loss" if "val_loss" in run.history else "loss"
            remark = f"lowest {name}: epoch {best:,}"
        found.append(("Epochs", f"{epochs:,}", remark))
    seconds = run.config.durations.get("train")
    if seconds is not None:
        remark = "without loading and testing"
        if epochs:
            remark = f"{duration(seconds / epochs)} per epoch"
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
