"""The section on answers that may be several labels a row."""

from __future__ import annotations

from gazelle._report.pages.compiled import compiled_facts, share_cell
from gazelle._report.pages.markup import Html, bar, details, paragraph, section, table, tag
from gazelle._report.pages.words import MISSING, between, count, number, percent
from gazelle._report.schema import MultiLabelMetrics

_MOST_SHOWN = 20


def multilabel_section(metrics: MultiLabelMetrics) -> Html:
    """How well each label is told."""
    words = [
        paragraph(
            "Each row may have several labels. A label counts as named where its probability is 0.5 or more."
        ),
        paragraph(
            tag("b", "Precision"),
            ": how often a label that is named is there. ",
            tag("b", "Recall"),
            ": how often one that is there is named. ",
            tag("b", "F1"),
            " is high only where both are.",
        ),
        paragraph("The macro mean counts each label the same, the micro mean each answer."),
    ]
    finding = (
        f"All {count(len(metrics.labels), 'label')} are right in {percent(metrics.exact)} of"
        f" {count(metrics.rows, 'example')} ({between(metrics.exact, metrics.rows)} with 95%"
        " confidence)."
    )
    ranked = sorted(metrics.labels, key=lambda found: found.f1)
    rows = [
        [
            found.name,
            share_cell(found.accuracy, metrics.rows, as_percent=True),
            share_cell(found.precision, found.named),
            share_cell(found.recall, found.support),
            f"{found.f1:.3f}",
            bar(found.f1),
            MISSING if found.auc is None else f"{found.auc:.3f}",
            f"{found.support:,}",
        ]
        for found in ranked
    ]
    head = ["Label", "Right", "Precision", "Recall", "F1", "", "ROC AUC", "Examples"]
    foot = [
        [
            name,
            "",
            *(number(score, 3) for score in (mean.precision, mean.recall, mean.f1)),
            bar(mean.f1, second=True),
            "",
            "",
        ]
        for name, mean in (("Macro mean", metrics.macro), ("Micro mean", metrics.micro))
    ]
    scores = table(
        "Scores of each label, the lowest F1 first",
        head,
        rows[:_MOST_SHOWN],
        foot=foot,
        class_="bars",
    )
    content = [tag("p", finding, class_="finding"), compiled_facts(metrics.compiled), scores]
    if len(rows) > _MOST_SHOWN:
        content.append(
            details(
                f"All {len(rows):,} labels",
                table("Scores of each label", head, rows, class_="bars"),
            )
        )
    return section("scores", "Results", words, content)
