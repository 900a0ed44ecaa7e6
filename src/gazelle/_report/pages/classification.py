"""The sections on a classifier: scores, confusions, thresholds, calibration, confident mistakes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from gazelle._plots import FEWEST, PAGE, calibration, confusion, precision_recall_curve, roc_curve
from gazelle._report.figures import most_confidently_wrong, two_columns, wilson
from gazelle._report.pages.charts import chart
from gazelle._report.pages.images import Sprite
from gazelle._report.pages.markup import Html, bar, details, figure, paragraph, section, table, tag
from gazelle._report.pages.shared import compiled_facts, share_cell, worst_table
from gazelle._report.pages.words import MISSING, between, count, number, percent
from gazelle._report.runs import Run
from gazelle._report.schema import Average, ClassificationMetrics, ClassScores, Predictions, Samples

_MISTAKES_BYTES = 75_000  # of the PNG of the mistakes, at most
_MOST_MISTAKES = 18
_MOST_SCORED = 20  # classes whose scores are shown at once; of more classes, the worst ones
_MOST_FOLDED = 1000  # classes whose scores can be unfolded
_MOST_TABLED = 20  # classes for which the confusion matrix is also shown as a table
_MOST_PAIRS = 8
_ARROW = "\N{RIGHTWARDS ARROW}"


def scores_section(metrics: ClassificationMetrics) -> Html:
    """Precision, recall and F1 of each class."""
    words = [
        paragraph(
            tag("b", "Precision"),
            ": the share of the examples predicted as a class that belong to it.",
        ),
        paragraph(
            tag("b", "Recall"), ": the share of the examples of a class that are predicted as it."
        ),
        paragraph(tag("b", "F1"), " is high only if both are high. 1 is perfect."),
        paragraph(
            "The macro mean gives each class the same weight, the weighted mean each example."
        ),
    ]
    predicted = np.array(metrics.confusion).sum(axis=0)
    classes = list(zip(metrics.classes, predicted.tolist(), strict=True))
    rows = [_scores(scores, named) for scores, named in classes]
    foot = [
        _mean("Macro mean", metrics.macro, metrics.rows),
        _mean("Weighted mean", metrics.weighted, metrics.rows),
    ]
    finding = (
        f"The network is right for {percent(metrics.accuracy)} of {count(metrics.rows, 'example')}"
        f" ({between(metrics.accuracy, metrics.rows)} with 95% confidence)."
    )
    present = [scores for scores in metrics.classes if scores.support]
    ranked = sorted(present, key=lambda scores: scores.f1)
    if len(ranked) > 1 and ranked[0].f1 < ranked[-1].f1:
        low, high = ranked[0], ranked[-1]
        finding += (
            f" It is best at {high.name} (F1 {high.f1:.3f}) and worst at {low.name} ({low.f1:.3f})."
        )
    head = ["Class", "Precision", "Recall", "F1", "", "Examples"]
    content = [tag("p", finding, class_="finding"), compiled_facts(metrics.compiled)]
    caption = "Scores of each class"
    if len(rows) <= _MOST_SCORED:
        content.append(table(caption, head, rows, foot=foot, class_="bars scores"))
    else:
        classes.sort(key=lambda pair: pair[0].f1)
        worst = [_scores(scores, named) for scores, named in classes[:_MOST_FOLDED]]
        shown = f"The {_MOST_SCORED} classes with the lowest F1, of {len(rows):,}"
        content.append(table(shown, head, worst[:_MOST_SCORED], foot=foot, class_="bars scores"))
        summary = f"{count(len(worst), 'class', 'classes')}, by F1"
        content.append(details(summary, table(caption, head, worst, class_="bars scores")))
    return section("scores", "Results", words, content)


def confusion_section(metrics: ClassificationMetrics) -> Html:
    """Which classes are confused with which."""
    names = [scores.name for scores in metrics.classes]
    words = [
        paragraph(
            "Each row is a true class, each column a predicted one. Right predictions are on the"
            " diagonal; everything else is a mistake. The stronger the color, the larger the share"
            " of the row."
        )
    ]
    label = f"Confusion matrix of {count(len(names), 'class', 'classes')}"
    picture = chart(confusion(metrics.confusion, names, palette=PAGE), label, "confusion", grow=1.2)
    content = [picture]
    if pairs := _pairs(metrics, names):
        content.append(
            table(
                "The most common confusions",
                ["True", "Predicted", "Times", "Share of the class"],
                pairs,
                class_="pairs",
            )
        )
    if len(names) <= _MOST_TABLED:
        rows = []
        for name, numbers in zip(names, metrics.confusion, strict=True):
            rows.append([name, *(f"{number:,}" for number in numbers)])
        caption = f"{label}: true classes in rows, predicted classes in columns"
        content.append(details("The matrix as a table", table(caption, ["", *names], rows)))
    return section("confusion", "Confusions", words, content)


def thresholds_section(metrics: ClassificationMetrics) -> Html | None:
    """The effect of the threshold, for two classes; None for more or if only one occurs."""
    two = metrics.two_classes
    if two is None or two.auc is None:
        return None
    negative, positive = metrics.classes
    words = [
        paragraph(
            f"Here {positive.name} is the positive class. The network predicts its probability. A"
            " row counts as positive if the probability reaches the threshold. The figures above"
            " use a threshold of 0.5 (marked with a ring)."
        ),
        paragraph(
            tag("b", "ROC AUC"),
            " is the probability that a positive row gets a higher value than a negative one;"
            " guessing gives 0.5. The dashed lines show the result of guessing.",
        ),
    ]
    share = positive.support / max(metrics.rows, 1)
    roc, pr = two.roc, two.precision_recall
    pictures = (
        (f"ROC curve (AUC {two.auc:.3f})", roc_curve(roc.x, roc.y, roc.thresholds, palette=PAGE)),
        (
            f"Precision and recall (average precision {number(two.average_precision, 3)})",
            precision_recall_curve(pr.x, pr.y, pr.thresholds, share, palette=PAGE),
        ),
    )
    panels = [
        tag("div", tag("h3", title), chart(picture, title, f"two{index}"), class_="panel")
        for index, (title, picture) in enumerate(pictures)
    ]
    rows = []
    for cut in two.cuts:
        named = cut.found + cut.raised
        rows.append(
            [
                f"{cut.threshold:.1f}",
                f"{cut.found:,}",
                f"{cut.missed:,}",
                f"{cut.raised:,}",
                f"{cut.passed:,}",
                share_cell(cut.found / named, named) if named else MISSING,
                share_cell(cut.found / (cut.found + cut.missed), cut.found + cut.missed),
            ]
        )
    caption = (
        f"The effect of the threshold: {positive.name} found and missed, {negative.name} mistaken"
        " for it"
    )
    head = ["Threshold", "Found", "Missed", "False alarms", "True negatives", "Precision", "Recall"]
    costs = table(caption, head, rows, class_="scores")
    return section("thresholds", "The threshold", words, tag("div", panels, class_="panels"), costs)


def calibration_section(metrics: ClassificationMetrics) -> Html:
    """Whether the model's confidence matches its accuracy."""
    words = [
        paragraph(
            "The probability of the predicted class is the network's confidence. If the network is"
            " well calibrated, 80% of the predictions with 80% confidence are right, and the points"
            " are on the dashed line."
        ),
        paragraph(
            "Below the line the network is overconfident, above it underconfident. The bars show"
            " how often each confidence occurs. The vertical strokes are 95% confidence intervals."
            f" No point is drawn for fewer than {FEWEST} predictions."
        ),
    ]
    rows, bins = [], []
    for found in metrics.calibration:
        range_ = f"{percent(found.low, 0)} to {percent(found.high, 0)}"
        right = MISSING
        if found.accuracy is not None and found.count:
            right = share_cell(found.accuracy, found.count, as_percent=True)
        rows.append([range_, f"{found.count:,}", percent(found.confidence), right])
        interval = None
        if found.accuracy is not None:
            interval = wilson(min(found.accuracy, 1.0), found.count)
        bins.append({**asdict(found), "interval": interval})
    head = ["Confidence", "Predictions", "Mean confidence", "Right"]
    return section(
        "calibration",
        "Calibration",
        words,
        tag("p", _calibration_finding(metrics), class_="finding"),
        chart(
            calibration(bins, palette=PAGE),
            "Share of right predictions against confidence; the table below has the numbers",
            "calibration",
            grow=1.1,
        ),
        details("Calibration as a table", table("Right predictions by confidence", head, rows)),
    )


def _calibration_finding(metrics: ClassificationMetrics) -> str:
    """Whether the network is over- or underconfident on average, in two sentences."""
    total = sum(found.count * (found.confidence or 0) for found in metrics.calibration)
    mean = total / max(metrics.rows, 1)
    low, high = wilson(metrics.accuracy, metrics.rows)
    verdict = "neither overconfident nor underconfident, as far as this number of rows can show"
    if not low <= mean <= high and abs(mean - metrics.accuracy) > 0.02:
        verdict = "overconfident" if mean > metrics.accuracy else "underconfident"
    return (
        f"The mean confidence is {percent(mean)}, and {percent(metrics.accuracy)} of the"
        f" predictions are right: the network is {verdict}. The mean difference between confidence"
        f" and accuracy (expected calibration error) is {percent(metrics.ece)}."
    )


def mistakes_section(run: Run) -> Html | None:
    """The most confident wrong predictions; None if there are none to show."""
    names = run.config.class_names
    if run.samples is not None and len(run.samples.wrong_images):
        content = _wrong_pictures(run.samples, names)
    elif run.predictions is not None and (rows := _wrong_rows(run.predictions, names)):
        content = table(
            "Wrong predictions, most confident first",
            ["Row", "True", "Predicted", "Confidence"],
            rows,
            class_="answers",
        )
    else:
        return None
    words = [
        paragraph(
            "The wrong predictions with the highest confidence. They often show what the network"
            " has not learned, or labels that are wrong themselves."
        )
    ]
    return section("mistakes", "Confident mistakes", words, content, worst_table(run.worst))


def _scores(scores: ClassScores, named: int) -> list[Any]:
    """A row of the table: the scores of a class, with 95% confidence intervals.

    Args:
        scores: The scores.
        named: Number of rows that are predicted as this class.
    """
    return [
        scores.name,
        share_cell(scores.precision, named),
        share_cell(scores.recall, scores.support),
        f"{scores.f1:.3f}",
        bar(scores.f1),
        f"{scores.support:,}",
    ]


def _mean(name: str, scores: Average, rows: int) -> list[Any]:
    cells = (f"{score:.3f}" for score in (scores.precision, scores.recall, scores.f1))
    return [name, *cells, bar(scores.f1, second=True), f"{rows:,}"]


def _wrong_pictures(samples: Samples, names: list[str]) -> Html:
    """The images of the mistakes, with true class, predicted class and confidence."""
    sprite = Sprite("mistakes-sheet", samples.wrong_images[:_MOST_MISTAKES], _MISTAKES_BYTES)
    tiles = []
    for index in range(sprite.count):
        true = names[samples.wrong_labels[index]]
        predicted = names[samples.wrong_predictions[index]]
        sure = percent(float(samples.wrong_confidences[index]))
        picture = sprite.picture(index, f"{true}, predicted as {predicted} with {sure} confidence")
        caption = (
            tag("span", true),
            tag("b", f"{_ARROW} {predicted}"),
            tag("small", f"{sure} sure"),
        )
        tiles.append(figure(picture, *caption))
    return tag("div", sprite.definition(), tag("div", tiles, class_="mistakes"))


def _wrong_rows(predictions: Predictions, names: list[str]) -> list[list[str]]:
    """Rows of the table of mistakes: number, true class, predicted class, confidence."""
    outputs = two_columns(predictions.outputs)
    labels = predictions.labels.reshape(-1)
    rows = []
    for place in most_confidently_wrong(predictions.labels, outputs, _MOST_MISTAKES):
        predicted = int(outputs[place].argmax())
        confidence = percent(float(outputs[place].max()))
        rows.append([f"{place:,}", names[labels[place]], names[predicted], confidence])
    return rows


def _pairs(metrics: ClassificationMetrics, names: list[str]) -> list[list[Any]]:
    """Rows of the table of the most common confusions."""
    matrix = np.array(metrics.confusion)
    np.fill_diagonal(matrix, 0)
    rows = []
    for place in np.argsort(-matrix, axis=None, kind="stable")[:_MOST_PAIRS]:
        true, predicted = divmod(int(place), len(names))
        times, support = matrix[true, predicted], metrics.classes[true].support
        if times:
            share = share_cell(times / max(support, 1), support, as_percent=True)
            rows.append([names[true], names[predicted], f"{times:,}", share])
    return rows
