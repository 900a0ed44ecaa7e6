"""One figure of several trainings on the same axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gazelle._core.errors import DataError
from gazelle._plots.curves import thin
from gazelle._plots.style import (
    LIGHT,
    TEXT,
    Palette,
    drawing,
    dress,
    fit_text,
    hover,
    make_room,
    new_figure,
    place,
    plain,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LINES = 9
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.6)))
_HOVERED = 25  # points of a line that say their numbers
_LOG_FROM = 40.0


def compared(
    lines: Mapping[str, tuple[Sequence[int], Sequence[float]]], *, palette: Palette = LIGHT
) -> Figure:
    """Draw the course of one figure in several runs.

    Args:
        lines: Epochs and values of each run, by its name; at most nine are drawn.
        palette: The colours.

    Returns:
        A matplotlib figure.

    Raises:
        DataError: No run has a finite value.
    """
    from matplotlib.ticker import MaxNLocator, NullFormatter

    finite = {}
    for name, (epochs, values) in list(lines.items())[:MOST_LINES]:
        points = np.asarray(values, np.float64)
        if np.isfinite(points).any():
            finite[name] = (np.asarray(epochs)[np.isfinite(points)], points[np.isfinite(points)])
    if not finite:
        raise DataError(
            "There are no curves to compare.",
            expected="finite values",
            received=f"{len(lines)} runs",
        )
    colours = (palette.accent, palette.second, palette.muted)
    every = np.concatenate([values for _, values in finite.values()])
    with drawing():
        figure = new_figure(640, 300 + 18 * len(finite), palette)
        axes = place(figure, 58, 14, 18, 50 + 18 * len(finite))
        dress(axes, palette)
        if every.min() > 0 and every.max() / every.min() > _LOG_FROM:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(plain)
            axes.yaxis.set_minor_formatter(NullFormatter())
        for index, (name, (epochs, values)) in enumerate(finite.items()):
            x, y = thin(epochs, values)
            dash, colour = _DASHES[index // len(colours)], colours[index % len(colours)]
            marker = "o" if len(x) == 1 else ""
            label = fit_text(name, 480, TEXT)
            axes.plot(
                x,
                y,
                color=colour,
                linestyle=dash,
                linewidth=1.8,
                marker=marker,
                label=label,
                clip_on=False,
            )
            for i in np.unique(np.linspace(0, len(x) - 1, _HOVERED).astype(int)):
                hover(axes, f"{name}, epoch {x[i]:g}: {plain(float(f'{y[i]:.4g}'))}", x[i], y[i])
        axes.set_xlabel("epoch")
        first, last = (end(end(epochs) for epochs, _ in finite.values()) for end in (min, max))
        axes.set_xlim(first - 0.5 * (first == last), last + 0.5 * (first == last))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(-0.02, -0.17),
            ncols=1,
            frameon=False,
            labelcolor=palette.ink,
            fontsize=TEXT,
            handlelength=2.6,
            labelspacing=0.35,
        )
        make_room(axes, 58, 12)
    return figure
