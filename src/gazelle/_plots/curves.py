"""The course of a training: each figure against the epoch, training and validation on the same axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gazelle._core.errors import DataError
from gazelle._plots.style import (
    LIGHT,
    TEXT,
    Palette,
    drawing,
    dress,
    hover,
    make_room,
    new_figure,
    place,
    plain,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RATES = ("learning_rate", "lr")
MOST_HOVERED = 50  # points of a line that say their numbers
_SHORT = {
    word: word.upper() for word in ("mae", "mse", "rmse", "mape", "msle", "auc", "r2", "pr", "roc")
}
_LONG = {
    "mean_absolute_error": "MAE",
    "mean_squared_error": "MSE",
    "root_mean_squared_error": "RMSE",
}
MOST_POINTS = 400  # on one line; more cannot be told apart
PANEL = (400, 264)  # width and height of one panel, pixels
_LEFT = 52.0  # left of the axes, pixels
_LOG_FROM = 40.0  # largest by smallest value from which the axis is logarithmic


def curves(
    history: Mapping[str, Sequence[float]],
    epochs: Sequence[int] | None = None,
    *,
    names: Sequence[str] | None = None,
    best: int | None = None,
    best_label: str = "best epoch",
    starts: Sequence[int] = (),
    titles: bool = True,
    palette: Palette = LIGHT,
) -> Figure:
    """Draw one panel for each figure of a training: the training's line, the validation's, the best epoch marked.

    Args:
        history: A list of one number an epoch under each name; `val_x` belongs to `x`.
        epochs: Numbers of the epochs; 1, 2, 3, ... when None.
        names: What to draw, in this order; the loss first and then all the rest when None.
        best: The epoch to mark; that of `best_epoch` when None.
        best_label: What the mark is called.
        starts: Epochs with which later calls of `fit` began; a thin line stands before each.
        titles: Whether each panel is headed by its name.
        palette: The colours.

    Returns:
        A matplotlib figure; `figure.savefig("curves.png")` writes it.

    Raises:
        DataError: There is nothing to draw, or a list has not one value an epoch.
    """
    count = max((len(values) for values in history.values()), default=0)
    epochs = list(range(1, count + 1)) if epochs is None else list(epochs)
    names = panel_names(history) if names is None else list(names)
    wrong = {name: len(values) for name, values in history.items() if len(values) != len(epochs)}
    if not names or not epochs or wrong:
        raise DataError(
            "There are no curves to draw." if not wrong else "A curve has not one value an epoch.",
            expected=(
                f"lists of {len(epochs)} numbers" if wrong else "a history of at least one epoch"
            ),
            received=wrong or dict.fromkeys(history, 0),
            fix="call fit first",
        )
    best = best_epoch(history, epochs) if best is None else best
    columns = min(len(names), 2)
    rows = math.ceil(len(names) / columns)
    head = 34 if titles else 12
    width, height = PANEL[0], PANEL[1] + head
    with drawing():
        figure = new_figure(width * columns, height * rows, palette)
        for index, name in enumerate(names):
            row, column = divmod(index, columns)
            axes = place(
                figure,
                left=width * column + _LEFT,
                top=height * row + head + 22,
                right=width * (columns - 1 - column) + 16,
                bottom=height * (rows - 1 - row) + 44,
            )
            _panel(axes, name, history, epochs, best, best_label, palette)
            for start in starts:
                axes.axvline(start - 0.5, color=palette.rule, linewidth=1.4, zorder=0)
            make_room(axes, _LEFT, 12)
            if titles:
                axes.set_title(
                    label_of(name),
                    loc="left",
                    color=palette.ink,
                    fontsize=TEXT + 2,
                    weight="bold",
                    pad=30,
                )
    return figure


def best_epoch(history: Mapping[str, Sequence[float]], epochs: Sequence[int]) -> int | None:
    """The epoch of the lowest validation loss, of the lowest loss without validation; None where neither is finite."""
    values = history.get("val_loss", history.get("loss"))
    if values is None or len(values) != len(epochs):
        return None
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).any():
        return None
    return int(epochs[int(np.nanargmin(np.where(np.isfinite(array), array, np.nan)))])


def panel_names(history: Mapping[str, Sequence[float]]) -> list[str]:
    """The figures of a history that get a panel: the loss, accuracies, then the rest in their own order."""
    names = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    names = [name for name in names if name not in ("epoch", *RATES, "time", "seconds")]
    return sorted(names, key=lambda name: 0 if name == "loss" else 1 if "acc" in name else 2)


def label_of(name: str) -> str:
    """A figure's name as a heading: `sparse_categorical_accuracy` becomes `Sparse categorical accuracy`.

    What has a usual short name is called by it: `mae` is `MAE`, `root_mean_squared_error` ends in
    `(RMSE)`.
    """
    words = [_SHORT.get(word, word) for word in name.split("_") if word]
    text = " ".join(words)
    long = _LONG.get(name.removeprefix("val_"))
    return text[:1].upper() + text[1:] + (f" ({long})" if long else "")


def thin(x: Any, y: Any, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` points of a line that look like all: of each stretch the lowest and the highest one stay.

    Args:
        x: Places, `(points,)`, rising.
        y: Values, `(points,)`; NaN leaves a gap.
        most: How many points may stay.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(x) <= most:
        return x, y
    keep = {0, len(x) - 1}
    for stretch in np.array_split(np.arange(len(x)), max(1, (most - 2) // 2)):
        finite = stretch[np.isfinite(y[stretch])]
        if len(finite):
            keep.update((int(finite[np.argmin(y[finite])]), int(finite[np.argmax(y[finite])])))
        else:
            keep.add(int(stretch[0]))
    places = sorted(keep)
    return x[places], y[places]


def _panel(
    axes: Axes,
    name: str,
    history: Mapping,
    epochs: Sequence[int],
    best: int | None,
    best_label: str,
    palette: Palette,
) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter

    dress(axes, palette)
    lines = [(key, history[key]) for key in (name, f"val_{name}") if key in history]
    every = np.concatenate([np.asarray(values, np.float64) for _, values in lines])
    every = every[np.isfinite(every)]
    if every.size and every.min() > 0 and every.max() / every.min() > _LOG_FROM:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(plain)
        axes.yaxis.set_minor_formatter(NullFormatter())
    for key, values in lines:
        validation = key.startswith("val_")
        first = validation or len(lines) == 1
        points = np.asarray(values, np.float64)
        there = np.isfinite(
            points
        )  # a figure may be missing in some epochs: its line goes on to the next
        x, y = thin(np.asarray(epochs)[there], points[there])
        sparse = there.sum() < len(epochs) or len(x) == 1
        axes.plot(
            x,
            y,
            color=palette.accent if first else palette.second,
            linewidth=2.0 if first else 1.5,
            linestyle="-" if first else (0, (4, 1.6)),
            marker="o" if sparse and len(x) <= MOST_HOVERED else "",
            markersize=6 if len(x) == 1 else 4,
            solid_capstyle="round",
            solid_joinstyle="round",
            label=None if name in RATES else "validation" if validation else "training",
            clip_on=False,
        )
        kind = "" if name in RATES else "validation, " if validation else "training, "
        for i in np.unique(np.linspace(0, len(x) - 1, MOST_HOVERED).astype(int)) if len(x) else []:
            hover(axes, f"{kind}epoch {x[i]:g}: {plain(float(f'{y[i]:.4g}'))}", x[i], y[i])
    alone = len(epochs) == 1
    axes.set_xlabel("epoch")
    if axes.get_yscale() == "log":
        corner = {"transform": axes.transAxes, "ha": "right", "va": "top"}
        axes.text(0.99, 0.98, "logarithmic", color=palette.muted, fontsize=TEXT - 1, **corner)
    first, last = epochs[0], epochs[-1]
    axes.set_xlim(first - (0.5 if alone else 0), last + (0.5 if alone else 0))
    axes.xaxis.set_major_locator(
        FixedLocator([first]) if alone else MaxNLocator(nbins=7, integer=True)
    )
    if axes.get_yscale() == "linear":
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    if best in epochs and not alone and name not in RATES:
        _mark(axes, lines[-1][1], epochs, int(best or 0), best_label, palette)
    if not axes.get_legend_handles_labels()[0]:
        return
    legend = axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.012, 1.0),
        ncols=3,
        frameon=False,
        handlelength=1.8,
        columnspacing=1.4,
        borderaxespad=0.2,
        labelcolor=palette.ink,
        fontsize=TEXT,
    )
    legend.set_zorder(5)


def _mark(
    axes: Axes,
    values: Sequence[float],
    epochs: Sequence[int],
    best: int,
    label: str,
    palette: Palette,
) -> None:
    """A dot on the line and a thin line down at the best epoch."""
    height = values[list(epochs).index(best)]
    axes.axvline(best, color=palette.muted, linewidth=0.9, linestyle=(0, (1.5, 2)))
    if math.isfinite(height):
        axes.plot(
            [best],
            [height],
            linestyle="",
            marker="o",
            markersize=7,
            color=palette.surface,
            markeredgewidth=2,
            markeredgecolor=palette.ink,
            zorder=4,
            clip_on=False,
            label=f"{label}: {best}",
        )
