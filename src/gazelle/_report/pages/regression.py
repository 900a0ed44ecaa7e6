"""The section on a regression's answers: the errors as figures and as pictures."""

from __future__ import annotations

import numpy as np

from gazelle._plots import PAGE, predicted_against_true, residuals
from gazelle._report.pages.charts import chart
from gazelle._report.pages.compiled import compiled_facts, worst_table
from gazelle._report.pages.markup import Html, facts, paragraph, section, table, tag
from gazelle._report.pages.words import number
from gazelle._report.schema import Predictions, RegressionMetrics, TargetScores, WorstRows

_WORST = 8
_MOST_DRAWN = 6  # targets
_MOST_TABLED = 200


def regression_section(
    metrics: RegressionMetrics, predictions: Predictions | None, worst: WorstRows | None = None
) -> Html:
    """How far the predictions are from the truth, each of several targets apart."""
    words = [
        paragraph("Each dot is one example. On the dashed line the prediction is right."),
        paragraph(
            tag("b", "RMSE"),
            " is the root of the mean squared error, in which large errors weigh more; ",
            tag("b", "MAE"),
            " is the mean absolute error; ",
            tag("b", "R²"),
            " is the share of the ups and downs explained: 1 is perfect, 0 is what the mean explains.",
        ),
    ]
    content: list[Html | None] = [
        facts(
            [
                ("RMSE", number(metrics.rmse)),
                ("MAE", number(metrics.mae)),
                ("R²", number(metrics.r2)),
                ("RMSE of the mean", number(metrics.baseline_rmse)),
                ("MAE of the median", number(metrics.baseline_mae)),
            ]
        ),
        compiled_facts(metrics.compiled),
    ]
    if metrics.each:
        words.append(
            paragraph(
                "The figures on top are taken over all targets together, the table takes each"
                " apart."
            )
        )
        content.append(_targets(metrics.each))
    if predictions is not None and np.isfinite(predictions.outputs).any():
        true = predictions.labels.reshape(len(predictions.labels), -1).astype(np.float64)
        predicted = predictions.outputs.reshape(true.shape).astype(np.float64)
        names = (
            [found.name for found in metrics.each]
            if len(metrics.each) == true.shape[1]
            else [""] * true.shape[1]
        )
        for column, name in enumerate(names[:_MOST_DRAWN]):
            if np.isfinite(true[:, column] + predicted[:, column]).any():
                content.append(_pictures(true[:, column], predicted[:, column], name, column))
        if len(names) > _MOST_DRAWN:
            content.append(
                tag(
                    "p",
                    f"The first {_MOST_DRAWN} of {len(names)} targets are drawn.",
                    class_="finding",
                )
            )
        content.append(_largest(true, predicted, names))
    return section("scores", "Results", words, content, worst_table(worst))


def _targets(each: list[TargetScores]) -> Html:
    rows = [
        [
            found.name,
            *(number(v) for v in (found.rmse, found.baseline_rmse, found.mae, found.baseline_mae)),
            number(found.r2, 3),
        ]
        for found in each[:_MOST_TABLED]
    ]
    head = ["Target", "RMSE", "RMSE of the mean", "MAE", "MAE of the median", "R²"]
    return table("Each target apart", head, rows)


def _pictures(true: np.ndarray, predicted: np.ndarray, name: str, column: int) -> Html:
    panels = []
    pictures = (
        ("Predicted and true", predicted_against_true(true, predicted, palette=PAGE)),
        ("Errors", residuals(true, predicted, palette=PAGE)),
    )
    for index, (title, picture) in enumerate(pictures):
        heading = f"{name}: {title.lower()}" if name else title
        drawing = chart(
            picture, f"{heading}, one dot an example", f"regression{column}{'ab'[index]}"
        )
        panels.append(tag("div", tag("h3", heading), drawing, class_="panel"))
    return tag("div", panels, class_="panels")


def _largest(true: np.ndarray, predicted: np.ndarray, names: list[str]) -> Html:
    """The largest errors; of several targets in shares of each one's spread, so that none drowns the others."""
    errors = np.nan_to_num(predicted - true)
    several = len(names) > 1
    spread = np.maximum(true.std(axis=0), 1e-12) if several else np.ones(1)
    size = np.abs(errors) / spread
    rows = []
    for place in np.argsort(-size.max(axis=1), kind="stable")[:_WORST]:
        column = int(size[place].argmax())
        figures = (true[place, column], predicted[place, column], errors[place, column])
        told = [names[column]] if several else []
        rows.append([f"{place:,}", *told, *(number(float(figure)) for figure in figures)])
    head = ["Row", *(["Target"] if several else []), "True", "Predicted", "Error"]
    caption = "The largest errors" + (", by the spread of each target" if several else "")
    return table(caption, head, rows, class_="target" if several else None)
