"""The section on the training: the curves, what they say, and the table behind them."""

from __future__ import annotations

import math

import numpy as np

from gazelle.pages.charts import chart
from gazelle.pages.markup import Html, details, paragraph, section, table, tag
from gazelle.pages.words import count, number
from gazelle.plots import PAGE, best_epoch, curves, label_of, panel_names
from gazelle.runs import Run

_MOST_PANELS = 6
_MOST_ROWS = 60
_OVERFIT = 1.05  # last by best validation loss from which it is worth a word


def training_section(run: Run) -> Html:
    """How the figures went from epoch to epoch."""
    words = [
        paragraph(
            "One epoch is one pass over the training data. The loss measures how far the answers are from the truth;"
            " training makes it smaller step by step."
        )
    ]
    if "val_loss" in run.history:
        words.append(
            paragraph(
                "The validation curve shows the same on data kept from the network. Where it turns away from the"
                " training curve, the network begins to learn its examples by heart."
            )
        )
    else:
        words.append(paragraph("No validation data was set aside, so the curves cannot show learning by heart."))
    panels = []
    for index, name in enumerate(panel_names(run.history)[:_MOST_PANELS]):
        picture = curves(run.history, run.epochs, names=[name], titles=False, palette=PAGE)
        label = f"{label_of(name)} of each epoch; the table below has the numbers"
        panels.append(tag("div", tag("h3", label_of(name)), chart(picture, label, f"curve{index}"), class_="panel"))
    content = [
        tag("p", " ".join(remarks(run)), class_="finding"),
        tag("div", panels, class_="panels"),
        details("The curves as a table", _numbers(run)),
    ]
    return section("training", "The training", words, content)


def remarks(run: Run) -> list[str]:
    """What the curves say, in sentences."""
    epochs = run.epochs
    best = best_epoch(run.history, epochs)
    validation = run.history.get("val_loss")
    found = [f"The training ran for {count(len(epochs), 'epoch')}."]
    if run.config.stop_reason:
        found.append(run.config.stop_reason.rstrip(".") + ".")
    if best is None:
        return [*found, "The loss was never a finite number: the training diverged."]
    if validation is None:
        return found
    lowest = validation[epochs.index(best)]
    found.append(f"The validation loss was lowest after epoch {best:,} ({number(lowest)}).")
    last = validation[-1]
    if not math.isfinite(last):
        found.append("After that it ceased to be a finite number: the training diverged.")
    elif best != epochs[-1] and last > _OVERFIT * lowest:
        found.append(f"It then rose to {number(last)}: the network began to learn its training examples by heart.")
    elif best == epochs[-1] and len(epochs) > 1:
        found.append("That was the last epoch: longer training might still help.")
    return found


def _numbers(run: Run) -> Html:
    rows = len(run.epochs)
    places = list(range(rows))
    if rows > _MOST_ROWS:
        chosen = {round(place) for place in np.linspace(0, rows - 1, _MOST_ROWS)}
        best = best_epoch(run.history, run.epochs)
        places = sorted(chosen | ({run.epochs.index(best)} if best is not None else set()))
    body = [[f"{run.epochs[i]:,}", *(number(values[i]) for values in run.history.values())] for i in places]
    caption = (
        "Figures of each epoch"
        if len(places) == rows
        else f"Figures of {len(places)} of {rows:,} epochs; all are in history.csv"
    )
    return table(caption, ["Epoch", *(label_of(name) for name in run.history)], body)
