"""The section on the training: its curves, remarks on them, and the record of each call of fit."""

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

_FITS_HEAD = [
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
_MOST_PANELS = 6
_MOST_ROWS = 60
_MOST_FITS = 50
_OVERFIT = 1.05  # ratio of the last to the best validation loss that deserves a remark


def training_section(run: Run) -> Html:
    """The figures of each epoch."""
    words = [
        paragraph(
            "One epoch is one pass over the training data. The loss measures how far the"
            " predictions are from the truth; training reduces it step by step."
        )
    ]
    if "val_loss" in run.history:
        words.append(
            paragraph(
                "The validation curve shows the same for data that is not trained on. Where it"
                " moves away from the training curve, the network starts to overfit: it memorizes"
                " its examples."
            )
        )
    else:
        words.append(
            paragraph("No validation was recorded, so the curves cannot show overfitting.")
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
    """Remarks on the training and its curves, as sentences."""
    epochs, fits = run.epochs, run.config.fits
    calls = f" in {len(fits)} calls of fit" if len(fits) > 1 else ""
    found = [f"The training ran for {count(len(epochs), 'epoch')}{calls}."]
    ended = run.config.stop_reason or (fits[-1].ended if fits else "")
    if ended and not ended.startswith("All epochs"):
        found.append(ended.rstrip(".") + ".")
    if kept := _kept_weights(run):
        found.append(kept)
    best = best_epoch(run.history, epochs)
    if best is None:
        return [*found, "The loss was never a finite number: the training diverged."]
    found += _validation_remarks(run, best)
    if not math.isfinite(run.history.get("loss", [0.0])[-1]):
        found.append("At the end the loss was not a finite number: the training diverged.")
    return found


def _kept_weights(run: Run) -> str:
    """Which weights the figures belong to, as a sentence; empty for those of the last epoch."""
    if not run.config.fits or run.config.weights_changed:
        return ""
    last = run.config.fits[-1]
    if last.weights == "epoch" and last.weights_epoch is not None:
        return (
            f"The weights of epoch {last.weights_epoch:,}, the best by {last.monitor}, were"
            " restored: all figures on this page are for these weights."
        )
    if last.weights == "average":
        return "The weights are moving averages over the training, not those of one epoch."
    if last.weights == "last":
        return ""
    return "It was not recorded which epoch the weights are from."


def _validation_remarks(run: Run, best: int) -> list[str]:
    """Remarks on the validation loss, whose lowest value is in epoch `best`."""
    validation = run.history.get("val_loss")
    if validation is None:
        return []
    lowest = validation[run.epochs.index(best)]
    if not math.isfinite(lowest):
        return []
    found = [f"The validation loss was lowest after epoch {best:,} ({number(lowest)})."]
    last = [loss for loss in validation if math.isfinite(loss)][-1]
    is_last = best == run.epochs[-1]
    if not is_last and last > _OVERFIT * lowest:
        found.append(f"It then rose to {number(last)}, a sign of overfitting.")
    elif is_last and len(run.epochs) > 1:
        found.append("That was the last epoch: longer training might still help.")
    return found


def _panels(run: Run) -> list[Html]:
    """The charts of the figures and, if it changed, of the learning rate."""
    history = dict(run.history)
    rates = history.pop("learning_rate", None) or history.pop("lr", None)
    recorded = [rate for fit in run.config.fits for rate in fit.learning_rates]
    if recorded and len(recorded) == len(run.epochs):
        rates = recorded
    names = panel_names(history)[:_MOST_PANELS]
    if rates is not None and len(set(rates)) > 1:
        history["learning_rate"] = rates
        names.append("learning_rate")
    kept = kept_epoch(run)
    mark = {"best": kept, "best_label": "kept epoch"} if kept in run.epochs else {}
    panels = []
    for index, name in enumerate(names):
        values = [*history.get(name, []), *history.get(f"val_{name}", [])]
        if not any(map(math.isfinite, values)):
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
        title = tag("h3", soft(label_of(name)))
        panels.append(tag("div", title, chart(picture, label, f"curve{index}"), class_="panel"))
    return panels


def _starts(run: Run) -> list[int]:
    """The first epochs of the second and later calls of fit; empty if they are unknown."""
    done = list(accumulate(fit.done for fit in run.config.fits))
    if not done or done[-1] != len(run.epochs):
        return []
    return [run.epochs[place] for place in done[:-1] if 0 < place < len(run.epochs)][:_MOST_FITS]


def _fits(run: Run) -> Html:
    """The table of the records of all calls of fit."""
    rows = []
    place = 0
    for index, fit in enumerate(run.config.fits[:_MOST_FITS], start=1):
        epochs = run.epochs[place : place + fit.done]
        place += fit.done
        ended = fit.ended.rstrip(".")
        if fit.continued is False:
            ended += "; it started with other weights"
        rows.append(
            [
                f"{index}",
                moment(fit.started),
                _range(epochs),
                "not recorded" if fit.rows is None else f"{fit.rows:,}",
                MISSING if fit.batch_size is None else f"{fit.batch_size:,}",
                _validation(fit),
                _rates(fit),
                duration(fit.seconds),
                ended,
            ]
        )
    caption = "Record of each call of fit" if len(run.config.fits) > 1 else "Record of fit"
    return table(caption, _FITS_HEAD, rows, class_="fits")


def _range(epochs: list[int]) -> str:
    """Numbers of epochs: `none`, `3` or `3-7` with a dash."""
    if not epochs:
        return "none"
    if len(epochs) == 1:
        return f"{epochs[0]:,}"
    return f"{epochs[0]:,}{MISSING}{epochs[-1]:,}"


def _validation(fit: Fit) -> Html | str:
    """The validation data of a fit, in words."""
    if not fit.validation:
        return "nothing"
    rows = "a generator" if fit.validation_rows is None else f"{fit.validation_rows:,} rows"
    return join(f"{rows} ", tag("small", fit.validation))


def _rates(fit: Fit) -> str:
    """The learning rates of a fit, in words."""
    if not fit.learning_rates:
        return "not recorded"
    first, last = f"{fit.learning_rates[0]:.4g}", f"{fit.learning_rates[-1]:.4g}"
    return first if first == last else f"{first} to {last}"


def _numbers(run: Run) -> Html:
    """The table of the figures; of many epochs only some, including the best one."""
    epochs = len(run.epochs)
    places = set(range(epochs))
    caption = "Figures of each epoch"
    if epochs > _MOST_ROWS:
        places = {round(place) for place in np.linspace(0, epochs - 1, _MOST_ROWS)}
        best = best_epoch(run.history, run.epochs)
        if best is not None:
            places.add(run.epochs.index(best))
        caption = f"Figures of {len(places)} of {epochs:,} epochs; all are in history.csv"
    rows = []
    for place in sorted(places):
        cells = [_cell(values[place]) for values in run.history.values()]
        rows.append([f"{run.epochs[place]:,}", *cells])
    return table(caption, ["Epoch", *(soft(name) for name in run.history)], rows)


def _cell(value: float) -> str:
    return MISSING if math.isnan(value) else number(value)
