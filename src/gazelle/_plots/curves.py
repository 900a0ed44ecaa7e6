"""Training curves: each figure against the epoch, with training and validation on the same axes."""

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
MOST_HOVERED = 50  # points of a line that show their numbers on hover
_SHORT = {
    word: word.upper() for word in ("mae", "mse", "rmse", "mape", "msle", "auc", "r2", "pr", "roc")
}
_LONG = {
    "mean_absolute_error": "MAE",
    "mean_squared_error": "MSE",
    "root_mean_squared_error": "RMSE",
}
MOST_POINTS = 400  # on one line; more would not be visible
PANEL = (400, 264)  # width and height of one panel, pixels
_LEFT = 52.0  # left of the axes, pixels
_LOG_FROM = 40.0  # ratio of the largest to the smallest value for a logarithmic axis


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
    """Draw the figures of a training, one panel each, with the best epoch marked.

    Args:
        history: Name -> one number per epoch; `val_x` is drawn together with `x`.
        epochs: Numbers of the epochs; None for 1, 2, 3, ...
        names: Names of the figures to draw, in order; None for all, the loss first.
        best: The epoch to mark; None for that of `best_epoch`.
        best_label: Label of the mark.
        starts: First epochs of later calls of `fit`; a thin line is drawn before each.
        titles: Whether each panel has its name as a title.
        palette: The colors.

    Returns:
        A matplotlib figure; `figure.savefig("curves.png")` writes it.

    Raises:
        DataError: There is nothing to draw, or a list does not have one value per epoch.
    """
    count = max((len(values) for values in history.values()), default=0)
    epochs = list(range(1, count + 1)) if epochs is None else list(epochs)
    names = panel_names(history) if names is None else list(names)
    wrong = {name: len(values) for name, values in history.items() if len(values) != len(epochs)}
    if wrong:
        raise DataError(
            "A curve does not have one value per epoch.",
            expected=f"lists of {len(epochs)} numbers",
            received=wrong,
            fix="call fit first",
        )
    if not names or not epochs:
        raise DataError(
            "There are no curves to draw.",
            expected="a history of at least one epoch",
            received=dict.fromkeys(history, 0),
            fix="call fit first",
        )
    if best is None:
        best = best_epoch(history, epochs)
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
    """The epoch with the lowest validation loss, or without validation the lowest loss.

    Returns None if that loss is missing or never finite.
    """
    values = history.get("val_loss", history.get("loss"))
    if values is None or len(values) != len(epochs):
        return None
    array = np.asarray(values, np.float64)
    finite = np.isfinite(array)
    if not finite.any():
        return None
    return int(epochs[int(np.argmin(np.where(finite, array, np.inf)))])


def panel_names(history: Mapping[str, Sequence[float]]) -> list[str]:
    """The figures of a history that get a panel: the loss, accuracies, then the others."""
    names = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    names = [name for name in names if name not in ("epoch", *RATES, "time", "seconds")]

    def rank(name: str) -> int:
        if name == "loss":
            return 0
        return 1 if "acc" in name else 2

    return sorted(names, key=rank)


def label_of(name: str) -> str:
    """The name of a figure as a heading: `binary_accuracy` becomes `Binary accuracy`.

    Usual short names are used: `mae` becomes `MAE`, `root_mean_squared_error` ends in `(RMSE)`.
    """
    text = " ".join(_SHORT.get(word, word) for word in name.split("_") if word)
    text = text[:1].upper() + text[1:]
    long = _LONG.get(name.removeprefix("val_"))
    return f"{text} ({long})" if long else text


def thin(x: Any, y: Any, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Reduce a line to at most `most` points that look the same.

    Of each stretch of the line, the lowest and the highest point are kept.

    Args:
        x: Increasing positions, `(points,)`.
        y: Values, `(points,)`; NaN leaves a gap.
        most: Largest number of points.
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
    history: Mapping[str, Sequence[float]],
    epochs: Sequence[int],
    best: int | None,
    best_label: str,
    palette: Palette,
) -> None:
    """Draw one figure, and its validation if there is one."""
    dress(axes, palette)
    lines = [(key, history[key]) for key in (name, f"val_{name}") if key in history]
    scale_y(axes, np.concatenate([np.asarray(values, np.float64) for _, values in lines]))
    for key, values in lines:
        label = "validation" if key.startswith("val_") else "training"
        is_main = label == "validation" or len(lines) == 1
        _line(axes, epochs, values, "" if name in RATES else label, is_main, palette)
    _scales(axes, epochs, palette)
    if best is not None and best in epochs and len(epochs) > 1 and name not in RATES:
        _mark(axes, lines[-1][1], epochs, best, best_label, palette)
    if axes.get_legend_handles_labels()[0]:
        _legend(axes, palette)


def scale_y(axes: Axes, values: np.ndarray) -> None:
    """Make the y axis logarithmic if the values are positive and differ a lot."""
    from matplotlib.ticker import NullFormatter

    finite = values[np.isfinite(values)]
    if finite.size and finite.min() > 0 and finite.max() / finite.min() > _LOG_FROM:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(plain)
        axes.yaxis.set_minor_formatter(NullFormatter())


def hover_points(axes: Axes, prefix: str, x: np.ndarray, y: np.ndarray, most: int) -> None:
    """Let up to `most` points of a line show their numbers on hover."""
    if not len(x):
        return
    for i in np.unique(np.linspace(0, len(x) - 1, most).astype(int)):
        hover(axes, f"{prefix}epoch {x[i]:g}: {plain(float(f'{y[i]:.4g}'))}", x[i], y[i])


def _line(
    axes: Axes,
    epochs: Sequence[int],
    values: Sequence[float],
    label: str,
    is_main: bool,
    palette: Palette,
) -> None:
    """Draw one line; a figure that is missing in some epochs has dots."""
    points = np.asarray(values, np.float64)
    finite = np.isfinite(points)
    x, y = thin(np.asarray(epochs)[finite], points[finite])
    has_dots = (finite.sum() < len(epochs) or len(x) == 1) and len(x) <= MOST_HOVERED
    axes.plot(
        x,
        y,
        color=palette.accent if is_main else palette.second,
        linewidth=2.0 if is_main else 1.5,
        linestyle="-" if is_main else (0, (4, 1.6)),
        marker="o" if has_dots else "",
        markersize=6 if len(x) == 1 else 4,
        solid_capstyle="round",
        solid_joinstyle="round",
        label=label or None,
        clip_on=False,
    )
    hover_points(axes, f"{label}, " if label else "", x, y, MOST_HOVERED)


def _scales(axes: Axes, epochs: Sequence[int], palette: Palette) -> None:
    """Set the limits and ticks of the axes."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    first, last = epochs[0], epochs[-1]
    axes.set_xlabel("epoch")
    if len(epochs) == 1:
        axes.set_xlim(first - 0.5, last + 0.5)
        axes.xaxis.set_major_locator(FixedLocator([first]))
    else:
        axes.set_xlim(first, last)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    if axes.get_yscale() == "log":
        corner = {"transform": axes.transAxes, "ha": "right", "va": "top"}
        axes.text(0.99, 0.98, "logarithmic", color=palette.muted, fontsize=TEXT - 1, **corner)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))


def _legend(axes: Axes, palette: Palette) -> None:
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
    """Mark the best epoch with a dot and a vertical line."""
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
