"""The sections on a classifier's answers: scores of each class, confusion, calibration, confident mistakes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from gazelle._plots import FEWEST, PAGE, calibration, confusion, precision_recall_curve, roc_curve
from gazelle._report.figures import most_confidently_wrong, two_columns, wilson
from gazelle._report.pages.charts import chart
from gazelle._report.pages.compiled import compiled_facts, share_cell, worst_table
from gazelle._report.pages.images import Sprite
from gazelle._report.pages.markup import Html, bar, details, figure, paragraph, section, table, tag
from gazelle._report.pages.words import MISSING, between, count, number, percent
from gazelle._report.runs import Run
from gazelle._report.schema import Average, ClassificationMetrics, ClassScores, Predictions, Samples

_BUDGET = 75_000  # bytes of the PNG of the mistakes
_MOST_MISTAKES = 18
_MOST_SCORED = 20  # classes whose scores are shown at once; of more the worst are
_MOST_FOLDED = 1000  # classes whose scores can be unfolded
_MOST_TABLED = 20  # classes up to which the whole confusion matrix stands as a table
_MOST_PAIRS = 8
_ARROW = "\N{RIGHTWARDS ARROW}"


def scores_section(metrics: ClassificationMetrics) -> Html:
    """Precision, recall and F1 of each class."""
    words = [
        paragraph(
            tag("b", "Precision"),
            ": of the examples that the network puts into a class, how many belong there.",
        ),
        paragraph(
            tag("b", "Recall"), ": of the examples that belong to a class, how many it finds."
        ),
        paragraph(tag("b", "F1"), " is high only where both are. 1 is perfect."),
        paragraph("The macro mean counts each class the same, the weighted mean each example."),
    ]
    predicted = np.array(metrics.confusion).sum(axis=0)
    every = list(zip(metrics.classes, predicted.tolist(), strict=True))
    rows = [_scores(found, named) for found, named in every]
    foot = [
        _mean("Macro mean", metrics.macro, metrics.rows),
        _mean("Weighted mean", metrics.weighted, metrics.rows),
    ]
    ranked = sorted(
        (found for found in metrics.classes if found.support), key=lambda found: found.f1
    )
    finding = (
        f"The network is right in {percent(metrics.accuracy)} of {count(metrics.rows, 'example')}"
        f" ({between(metrics.accuracy, metrics.rows)} with 95% confidence)."
    )
    if len(ranked) > 1 and ranked[0].f1 < ranked[-1].f1:
        low, high = ranked[0], ranked[-1]
        finding += (
            f" It knows {high.name} best (F1 {high.f1:.3f}) and {low.name} worst ({low.f1:.3f})."
        )
    head = ["Class", "Precision", "Recall", "F1", "", "Examples"]
    content = [tag("p", finding, class_="finding"), compiled_facts(metrics.compiled)]
    caption = "Scores of each class"
    if len(rows) <= _MOST_SCORED:
        content.append(table(caption, head, rows, foot=foot, class_="bars scores"))
    else:
        worst = [
            _scores(found, named) for found, named in sorted(every, key=lambda pair: pair[0].f1)
        ]
        shown = f"The {_MOST_SCORED} classes with the lowest F1, of {len(rows):,}"
        content.append(table(shown, head, worst[:_MOST_SCORED], foot=foot, class_="bars scores"))
        kept = worst[:_MOST_FOLDED]
        words_all = f"{count(len(kept), 'class', 'classes')}, by F1"
        content.append(details(words_all, table(caption, head, kept, class_="bars scores")))
    return section("scores", "Results", words, content)


def confusion_section(metrics: ClassificationMetrics) -> Html:
    """Which classes are taken for which."""
    names = [found.name for found in metrics.classes]
    words = [
        paragraph(
            "Each row is a true class, each column an answer. Right answers lie on the diagonal;"
            " everything else is a mistake. The stronger the colour, the larger the share of the"
            " row."
        )
    ]
    label = f"Confusion matrix of {count(len(names), 'class', 'classes')}"
    picture = chart(confusion(metrics.confusion, names, palette=PAGE), label, "confusion", grow=1.2)
    content = [picture]
    if pairs := _pairs(metrics, names):
        content.append(
            table(
                "The commonest confusions",
                ["True", "Taken for", "Times", "Share of the class"],
                pairs,
                class_="pairs",
            )
        )
    if len(names) <= _MOST_TABLED:
        rows = [
            [name, *(f"{n:,}" for n in row)]
            for name, row in zip(names, metrics.confusion, strict=True)
        ]
        content.append(
            details(
                "The matrix as a table",
                table(f"{label}: true in rows, predicted in columns", ["", *names], rows),
            )
        )
    return section("confusion", "Confusions", words, content)


def thresholds_section(metrics: ClassificationMetrics) -> Html | None:
    """Of two classes: what each threshold gives and costs."""
    two = metrics.two_classes
    if two is None or two.auc is None:
        return None
    negative, positive = metrics.classes
    words = [
        paragraph(
            f"Here {positive.name} is the positive class. The network gives its probability; a row counts as positive"
            " from a threshold on. The figures above take 0.5 (the ring)."
        ),
        paragraph(
            tag("b", "ROC AUC"),
            " is the chance that a positive row gets a higher probability than a negative one:"
            " guessing gives 0.5. The dashed lines are what guessing gives.",
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
        f"What a threshold costs: {positive.name} found and missed, {negative.name} taken for it"
    )
    head = ["Threshold", "Found", "Missed", "False alarms", "Rightly passed", "Precision", "Recall"]
    costs = table(caption, head, rows, class_="scores")
    return section("thresholds", "The threshold", words, tag("div", panels, class_="panels"), costs)


def calibration_section(metrics: ClassificationMetrics) -> Html:
    """Whether the model's confidence can be believed."""
    words = [
        paragraph(
            "With each answer the network says how sure it is. If it can be believed, then of the"
            " answers given with 80% confidence 80% are right, and the points lie on the dashed"
            " line."
        ),
        paragraph(
            "Below the line it is too sure of itself, above it too modest. The bars show how often"
            " it is how sure. Upright strokes hold the true share with 95% confidence; of fewer"
            f" than {FEWEST} answers no point is drawn."
        ),
    ]
    full = [found for found in metrics.calibration if found.count]
    mean = sum(found.count * (found.confidence or 0) for found in full) / max(metrics.rows, 1)
    low, high = wilson(metrics.accuracy, metrics.rows)
    lean = "about as sure as it should be, as far as so many rows can tell"
    if not low <= mean <= high and abs(mean - metrics.accuracy) > 0.02:
        lean = "too sure of itself" if mean > metrics.accuracy else "more modest than it need be"
    finding = (
        f"On average the network is {percent(mean)} sure and right in {percent(metrics.accuracy)}"
        f" of the cases: it is {lean}. The mean gap between confidence and truth (expected"
        f" calibration error) is {percent(metrics.ece)}."
    )
    rows = []
    for found in metrics.calibration:
        interval = f"{percent(found.low, 0)} to {percent(found.high, 0)}"
        right = MISSING
        if found.accuracy is not None and found.count:
            right = share_cell(found.accuracy, found.count, as_percent=True)
        rows.append([interval, f"{found.count:,}", percent(found.confidence), right])
    head = ["Confidence", "Answers", "Mean confidence", "Right"]
    bins = []
    for found in metrics.calibration:
        interval = (
            wilson(min(found.accuracy, 1.0), found.count) if found.accuracy is not None else None
        )
        bins.append({**asdict(found), "interval": interval})
    picture = calibration(bins, palette=PAGE)
    return section(
        "calibration",
        "Calibration",
        words,
        tag("p", finding, class_="finding"),
        chart(
            picture,
            "Share of right answers against confidence; the table below has the numbers",
            "calibration",
            grow=1.1,
        ),
        details("Calibration as a table", table("Right answers by confidence", head, rows)),
    )


def mistakes_section(run: Run) -> Html | None:
    """The wrong answers of which the network was most sure; None where there are none to show."""
    names = run.config.class_names
    if run.samples is not None and len(run.samples.wrong_images):
        content = _wrong_pictures(run.samples, names)
    elif run.predictions is not None and (rows := _wrong_rows(run.predictions, names)):
        content = table(
            "Wrong answers, surest first",
            ["Row", "True", "Predicted", "Confidence"],
            rows,
            class_="answers",
        )
    else:
        return None
    words = [
        paragraph(
            "The wrong answers of which the network was most sure. They often show what it has not"
            " understood, or labels that are wrong themselves."
        )
    ]
    return section("mistakes", "Confident mistakes", words, content, worst_table(run.worst))


def _scores(found: ClassScores, named: int) -> list[Any]:
    """A class's line: under each share the interval that holds it with 95% confidence."""
    return [
        found.name,
        share_cell(found.precision, named),
        share_cell(found.recall, found.support),
        f"{found.f1:.3f}",
        bar(found.f1),
        f"{found.support:,}",
    ]


def _mean(name: str, found: Average, rows: int) -> list[Any]:
    figures = (f"{score:.3f}" for score in (found.precision, found.recall, found.f1))
    return [name, *figures, bar(found.f1, second=True), f"{rows:,}"]


def _wrong_pictures(samples: Samples, names: list[str]) -> Html:
    sprite = Sprite("mistakes-sheet", samples.wrong_images[:_MOST_MISTAKES], _BUDGET)
    tiles = []
    for index in range(sprite.count):
        true, said = names[samples.wrong_labels[index]], names[samples.wrong_predictions[index]]
        sure = percent(float(samples.wrong_confidences[index]))
        window = sprite.window(index, f"{true}, taken for {said} with {sure} confidence")
        caption = (tag("span", true), tag("b", f"{_ARROW} {said}"), tag("small", f"{sure} sure"))
        tiles.append(figure(window, *caption))
    return tag("div", sprite.definition(), tag("div", tiles, class_="mistakes"))


def _wrong_rows(predictions: Predictions, names: list[str]) -> list[list[str]]:
    table = two_columns(predictions.outputs)
    places = most_confidently_wrong(predictions.labels, table, _MOST_MISTAKES)
    labels = predictions.labels.reshape(-1)
    return [
        [
            f"{place:,}",
            names[labels[place]],
            names[int(table[place].argmax())],
            percent(float(table[place].max())),
        ]
        for place in places
    ]


def _pairs(metrics: ClassificationMetrics, names: list[str]) -> list[list[Any]]:
    matrix = np.array(metrics.confusion)
    np.fill_diagonal(matrix, 0)
    order = np.argsort(-matrix, axis=None, kind="stable")[:_MOST_PAIRS]
    places = [(int(place) // len(names), int(place) % len(names)) for place in order]
    return [
        [
            names[i],
            names[j],
            f"{matrix[i, j]:,}",
            share_cell(
                matrix[i, j] / max(metrics.classes[i].support, 1),
                metrics.classes[i].support,
                as_percent=True,
            ),
        ]
        for i, j in places
        if matrix[i, j]
    ]
