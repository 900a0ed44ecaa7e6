"""The section on a regression: its errors as figures and charts."""

from __future__ import annotations

import numpy as np

from gazelle._plots import PAGE, predicted_against_true, residuals
from gazelle._report.pages.charts import chart
from gazelle._report.pages.markup import Html, facts, paragraph, section, table, tag
from gazelle._report.pages.shared import compiled_facts, worst_table
from gazelle._report.pages.words import number
from gazelle._report.schema import Predictions, RegressionMetrics, TargetScores, WorstRows

_WORST = 8  # largest errors to list
_MOST_DRAWN = 6  # targets with charts
_MOST_TABLED = 200  # targets in the table


def regression_section(
    metrics: RegressionMetrics, predictions: Predictions | None, worst: WorstRows | None = None
) -> Html:
    """The errors of the predictions, overall and for each target."""
    words = [
        paragraph("Each dot is one example. On the dashed line the prediction is right."),
        paragraph(
            tag("b", "RMSE"),
            " is the root of the mean squared error, in which large errors count more; ",
            tag("b", "MAE"),
            " is the mean absolute error; ",
            tag("b", "R²"),
            " is the share of the variance that is explained: 1 is perfect, and always predicting"
            " the mean gives 0.",
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
                "The figures at the top are for all targets together, those in the table for each"
                " target."
            )
        )
        content.append(_targets(metrics.each))
    if predictions is not None and np.isfinite(predictions.outputs).any():
        true = predictions.labels.reshape(len(predictions.labels), -1).astype(np.float64)
        predicted = predictions.outputs.reshape(true.shape).astype(np.float64)
        names = [scores.name for scores in metrics.each]
        if len(names) != true.shape[1]:
            names = [""] * true.shape[1]
        content += _charts(true, predicted, names)
        content.append(_largest(true, predicted, names))
    return section("scores", "Results", words, content, worst_table(worst))


def _targets(each: list[TargetScores]) -> Html:
    """The table of the figures of each target."""
    rows = []
    for scores in each[:_MOST_TABLED]:
        errors = (scores.rmse, scores.baseline_rmse, scores.mae, scores.baseline_mae)
        rows.append([scores.name, *(number(error) for error in errors), number(scores.r2, 3)])
    head = ["Target", "RMSE", "RMSE of the mean", "MAE", "MAE of the median", "R²"]
    return table("Figures of each target", head, rows)


def _charts(true: np.ndarray, predicted: np.ndarray, names: list[str]) -> list[Html]:
    """The charts of the first targets, `(rows, targets)`."""
    charts = []
    for column, name in enumerate(names[:_MOST_DRAWN]):
        if np.isfinite(true[:, column] + predicted[:, column]).any():
            charts.append(_target_charts(true[:, column], predicted[:, column], name, column))
    if len(names) > _MOST_DRAWN:
        text = f"Charts are shown for the first {_MOST_DRAWN} of {len(names)} targets."
        charts.append(tag("p", text, class_="finding"))
    return charts


def _target_charts(true: np.ndarray, predicted: np.ndarray, name: str, column: int) -> Html:
    """The two charts of one target, `(rows,)`."""
    panels = []
    pictures = (
        ("Predicted and true", predicted_against_true(true, predicted, palette=PAGE), "a"),
        ("Errors", residuals(true, predicted, palette=PAGE), "b"),
    )
    for title, picture, letter in pictures:
        heading = f"{name}: {title.lower()}" if name else title
        drawing = chart(picture, f"{heading}, one dot per example", f"regression{column}{letter}")
        panels.append(tag("div", tag("h3", heading), drawing, class_="panel"))
    return tag("div", panels, class_="panels")


def _largest(true: np.ndarray, predicted: np.ndarray, names: list[str]) -> Html:
    """The largest errors.

    Those of several targets are compared relative to the standard deviation of each target, so that
    a target with large values does not hide the others.
    """
    errors = np.nan_to_num(predicted - true)
    has_several = len(names) > 1
    scale = np.maximum(true.std(axis=0), 1e-12) if has_several else np.ones(1)
    size = np.abs(errors) / scale
    rows = []
    for place in np.argsort(-size.max(axis=1), kind="stable")[:_WORST]:
        column = int(size[place].argmax())
        figures = (true[place, column], predicted[place, column], errors[place, column])
        cells = [number(float(figure)) for figure in figures]
        if has_several:
            cells.insert(0, names[column])
        rows.append([f"{place:,}", *cells])
    if has_several:
        caption = "The largest errors, relative to the standard deviation of each target"
        head = ["Row", "Target", "True", "Predicted", "Error"]
        return table(caption, head, rows, class_="target")
    return table("The largest errors", ["Row", "True", "Predicted", "Error"], rows)
