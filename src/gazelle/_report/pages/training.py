"""The section on the training: the curves, what they say, what each call of fit recorded, and the table behind them."""

from __future__ import annotations

import math
from itertools import accumulate

import numpy as np

from gazelle._plots import PAGE, best_epoch, curves, label_of, panel_names
from gazelle._report.pages.charts import chart
from gazelle._report.pages.markup import Html, details, join, paragraph, section, soft, table, tag
from gazelle._report.pages.overview import kept_epoch
from gazelle._report.pages.words import MISSING, count, duration, moment, number
from gazelle._report.runs import Run
from gazelle._report.schema import Fit

_MOST_PANELS = 6
_MOST_ROWS = 60
_MOST_FITS = 50
_OVERFIT = 1.05  # last by best validation loss from which it is worth a word


def training_section(run: Run) -> Html:
    """How the figures went from epoch to epoch."""
    words = [
        paragraph(
            "One epoch is one pass over the training data. The loss measures how far the answers"
            " are from the truth; training makes it smaller step by step."
        )
    ]
    if "val_loss" in run.history:
        words.append(
            paragraph(
                "The validation curve shows the same on data that is not trained on. Where it turns"
                " away from the training curve, the network begins to learn its examples by heart."
            )
        )
    else:
        words.append(
            paragraph("No validation was recorded, so the curves cannot show learning by heart.")
        )
    content = [
        tag("p", " ".join(remarks(run)), class_="finding"),
        tag("div", _panels(run), class_="panels"),
    ]
    if run.config.fits:
        content.append(_fits(run))
    content.append(details("The curves as a table", _numbers(run)))
    return section("training", "The training", words, content)


def remarks(run: Run) -> list[str]:
    """What was recorded of the training and what the curves say, in sentences."""
    epochs, fits = run.epochs, run.config.fits
    best = best_epoch(run.history, epochs)
    calls = f" by {len(fits)} calls of fit" if len(fits) > 1 else ""
    found = [f"The training ran for {count(len(epochs), 'epoch')}{calls}."]
    ended = run.config.stop_reason or (fits[-1].ended if fits else "")
    if ended and not ended.startswith("All epochs"):
        found.append(ended.rstrip(".") + ".")
    found.append(_whose_weights(run))
    if best is None:
        return [*filter(None, found), "The loss was never a finite number: the training diverged."]
    validation = run.history.get("val_loss")
    if validation is not None and math.isfinite(lowest := validation[epochs.index(best)]):
        found.append(f"The validation loss was lowest after epoch {best:,} ({number(lowest)}).")
        last = next(value for value in reversed(validation) if math.isfinite(value))
        if best != epochs[-1] and last > _OVERFIT * lowest:
            found.append(
                f"It then rose to {number(last)}: a sign of learning the training examples by"
                " heart."
            )
        elif best == epochs[-1] and len(epochs) > 1:
            found.append("That was the last epoch: longer training might still help.")
    if not math.isfinite(run.history.get("loss", [0.0])[-1]):
        found.append("In the end the loss was not a finite number: the training diverged.")
    return [*filter(None, found)]


def _whose_weights(run: Run) -> str:
    """Whose weights the figures belong to, as the last fit recorded it."""
    if not run.config.fits or run.config.weights_changed:
        return ""
    last = run.config.fits[-1]
    if last.weights == "epoch" and last.weights_epoch is not None:
        return (
            f"The weights of epoch {last.weights_epoch:,}, the best by {last.monitor}, were put"
            " back: all figures of this page are theirs."
        )
    if last.weights == "average":
        return "The weights are moving averages over the training, not those of one epoch."
    if last.weights == "last":
        return ""
    return "Of which epoch the weights are was not recorded."


def _panels(run: Run) -> list[Html]:
    history = dict(run.history)
    rates = history.pop("learning_rate", None) or history.pop("lr", None)
    told = [rate for fit in run.config.fits for rate in fit.learning_rates]
    if len(told) == len(run.epochs) and len(told) > 0:
        rates = told
    names = panel_names(history)[:_MOST_PANELS]
    if rates is not None and len(set(rates)) > 1:
        history["learning_rate"] = rates
        names.append("learning_rate")
    kept = kept_epoch(run)
    mark = {"best": kept, "best_label": "kept epoch"} if kept in run.epochs else {}
    panels = []
    for index, name in enumerate(names):
        if name not in history and f"val_{name}" not in history:
            continue
        if not np.isfinite(
            [v for key in (name, f"val_{name}") for v in history.get(key, [])]
        ).any():
            continue
        picture = curves(
            history,
            run.epochs,
            names=[name],
            titles=False,
            palette=PAGE,
            starts=_starts(run),
            **mark,
        )
        label = f"{label_of(name)} of each epoch; the table below has the numbers"
        panels.append(
            tag(
                "div",
                tag("h3", soft(label_of(name))),
                chart(picture, label, f"curve{index}"),
                class_="panel",
            )
        )
    return panels


def _starts(run: Run) -> list[int]:
    """The epochs with which later calls of fit began."""
    done = list(accumulate(fit.done for fit in run.config.fits))
    if not done or done[-1] != len(run.epochs):
        return []
    return [run.epochs[place] for place in done[:-1] if 0 < place < len(run.epochs)][:_MOST_FITS]


def _fits(run: Run) -> Html:
    """What each call of fit recorded of itself."""
    rows = []
    place = 0
    for index, fit in enumerate(run.config.fits[:_MOST_FITS], start=1):
        numbers = run.epochs[place : place + fit.done]
        place += fit.done
        epochs = (
            f"{numbers[0]:,}{MISSING}{numbers[-1]:,}"
            if len(numbers) > 1
            else f"{numbers[0]:,}"
            if numbers
            else "none"
        )
        rows.append(
            [
                f"{index}",
                moment(fit.started),
                epochs,
                "not recorded" if fit.rows is None else f"{fit.rows:,}",
                MISSING if fit.batch_size is None else f"{fit.batch_size:,}",
                _validation(fit),
                _rates(fit),
                duration(fit.seconds),
                fit.ended.rstrip(".")
                + ("; it began with other weights" if fit.continued is False else ""),
            ]
        )
    head = [
        "Fit",
        "Started (UTC)",
        "Epochs",
        "Rows",
        "Batch",
        "Validated on",
        "Learning rate",
        "Time",
        "End",
    ]
    caption = "What each call of fit recorded" if len(run.config.fits) > 1 else "What fit recorded"
    return table(caption, head, rows, class_="fits")


def _validation(fit: Fit) -> Html | str:
    if not fit.validation:
        return "nothing"
    rows = "a generator" if fit.validation_rows is None else f"{fit.validation_rows:,} rows"
    return join(f"{rows} ", tag("small", fit.validation))


def _rates(fit: Fit) -> str:
    if not fit.learning_rates:
        return "not recorded"
    first, last = (f"{rate:.4g}" for rate in (fit.learning_rates[0], fit.learning_rates[-1]))
    return first if first == last else f"{first} to {last}"


def _numbers(run: Run) -> Html:
    rows = len(run.epochs)
    places = list(range(rows))
    if rows > _MOST_ROWS:
        chosen = {round(place) for place in np.linspace(0, rows - 1, _MOST_ROWS)}
        best = best_epoch(run.history, run.epochs)
        places = sorted(chosen | ({run.epochs.index(best)} if best is not None else set()))
    body = [
        [f"{run.epochs[i]:,}", *(_cell(values[i]) for values in run.history.values())]
        for i in places
    ]
    caption = (
        "Figures of each epoch"
        if len(places) == rows
        else f"Figures of {len(places)} of {rows:,} epochs; all are in history.csv"
    )
    return table(caption, ["Epoch", *(soft(name) for name in run.history)], body)


def _cell(value: float) -> str:
    return MISSING if math.isnan(value) else number(value)
