"""The section on predictions of several labels per row."""

from __future__ import annotations

from typing import Any

from gazelle._report.pages.markup import Html, bar, details, paragraph, section, table, tag
from gazelle._report.pages.shared import compiled_facts, share_cell
from gazelle._report.pages.words import MISSING, between, count, number, percent
from gazelle._report.schema import Average, LabelScores, MultiLabelMetrics

_MOST_SHOWN = 20
_HEAD = ["Label", "Right", "Precision", "Recall", "F1", "", "ROC AUC", "Examples"]


def multilabel_section(metrics: MultiLabelMetrics) -> Html:
    """The scores of each label."""
    words = [
        paragraph(
            "Each row may have several labels. A label is predicted if its probability is at least"
            " 0.5."
        ),
        paragraph(
            tag("b", "Precision"),
            ": how often a predicted label is right. ",
            tag("b", "Recall"),
            ": how often a label of a row is predicted. ",
            tag("b", "F1"),
            " is high only if both are high.",
        ),
        paragraph(
            "The macro mean gives each label the same weight, the micro mean each prediction."
        ),
    ]
    finding = (
        f"All {count(len(metrics.labels), 'label')} are right for {percent(metrics.exact)} of"
        f" {count(metrics.rows, 'example')} ({between(metrics.exact, metrics.rows)} with 95%"
        " confidence)."
    )
    ranked = sorted(metrics.labels, key=lambda scores: scores.f1)
    rows = [_label_row(scores, metrics.rows) for scores in ranked]
    foot = [_mean_row("Macro mean", metrics.macro), _mean_row("Micro mean", metrics.micro)]
    caption = "Scores of each label, lowest F1 first"
    shown = table(caption, _HEAD, rows[:_MOST_SHOWN], foot=foot, class_="bars")
    content = [tag("p", finding, class_="finding"), compiled_facts(metrics.compiled), shown]
    if len(rows) > _MOST_SHOWN:
        every = table("Scores of each label", _HEAD, rows, class_="bars")
        content.append(details(f"All {len(rows):,} labels", every))
    return section("scores", "Results", words, content)


def _label_row(scores: LabelScores, rows: int) -> list[Any]:
    return [
        scores.name,
        share_cell(scores.accuracy, rows, as_percent=True),
        share_cell(scores.precision, scores.named),
        share_cell(scores.recall, scores.support),
        f"{scores.f1:.3f}",
        bar(scores.f1),
        MISSING if scores.auc is None else f"{scores.auc:.3f}",
        f"{scores.support:,}",
    ]


def _mean_row(name: str, mean: Average) -> list[Any]:
    scores = [number(score, 3) for score in (mean.precision, mean.recall, mean.f1)]
    return [name, "", *scores, bar(mean.f1, second=True), "", ""]
