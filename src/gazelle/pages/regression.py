"""The section on a regression's answers: the errors as figures and as pictures."""

from __future__ import annotations

import numpy as np

from gazelle.pages.charts import chart
from gazelle.pages.markup import Html, facts, paragraph, section, table, tag
from gazelle.pages.words import number
from gazelle.plots import PAGE, predicted_against_true, residuals
from gazelle.runs import Predictions, RegressionMetrics

_WORST = 8


def regression_section(metrics: RegressionMetrics, predictions: Predictions | None) -> Html:
    """How far the predictions are from the truth."""
    words = [
        paragraph("Each dot is one test example. On the dashed line the prediction is right."),
        paragraph(
            tag("b", "RMSE"), " is the size of a typical error, large ones weighing more; ",
            tag("b", "MAE"), " is the mean error; ",
            tag("b", "R²"), " is the share of the ups and downs explained: 1 is perfect, 0 is guessing the mean.",
        ),
    ]  # fmt: skip
    content: list[Html] = [
        facts(
            [
                ("RMSE", number(metrics.rmse)),
                ("MAE", number(metrics.mae)),
                ("R²", number(metrics.r2)),
                ("RMSE of guessing the mean", number(metrics.baseline_rmse)),
                ("MAE of guessing the middle", number(metrics.baseline_mae)),
            ]
        )
    ]
    if predictions is not None and np.isfinite(predictions.outputs).any():
        true, predicted = predictions.labels, predictions.outputs
        pictures = (
            ("Predicted and true", predicted_against_true(true, predicted, palette=PAGE)),
            ("Errors", residuals(true, predicted, palette=PAGE)),
        )
        panels = []
        for index, (name, picture) in enumerate(pictures):
            drawing = chart(picture, f"{name}, one dot a test example", f"regression{index}")
            panels.append(tag("div", tag("h3", name), drawing, class_="panel"))
        content.extend((tag("div", panels, class_="panels"), _worst(predictions)))
    return section("scores", "Test results", words, content)


def _worst(predictions: Predictions) -> Html:
    true = predictions.labels.reshape(len(predictions.labels), -1).astype(np.float64)
    predicted = predictions.outputs.reshape(true.shape).astype(np.float64)
    errors = np.nan_to_num(predicted - true)
    places = np.argsort(-np.abs(errors).max(axis=1), kind="stable")[:_WORST]
    rows = []
    for place in places:
        column = int(np.abs(errors[place]).argmax())
        figures = (true[place, column], predicted[place, column], errors[place, column])
        rows.append([f"{place:,}", *(number(float(figure)) for figure in figures)])
    return table("The largest errors", ["Test row", "True", "Predicted", "Error"], rows)
