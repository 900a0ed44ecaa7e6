"""A chart of one figure in several trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gazelle._core.errors import DataError
from gazelle._plots.curves import hover_points, scale_y, thin
from gazelle._plots.style import (
    LIGHT,
    TEXT,
    Palette,
    drawing,
    dress,
    fit_text,
    make_room,
    new_figure,
    place,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LINES = 9
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.6)))
_HOVERED = 25  # points of a line that show their numbers on hover


def compared(
    lines: Mapping[str, tuple[Sequence[int], Sequence[float]]], *, palette: Palette = LIGHT
) -> Figure:
    """Draw one figure of several runs against the epoch.

    Args:
        lines: Epochs and values of each run by name; at most nine runs are drawn.
        palette: The colors.

    Returns:
        A matplotlib figure.

    Raises:
        DataError: No run has a finite value.
    """
    from matplotlib.ticker import MaxNLocator

    finite = {}
    for name, (epochs, values) in list(lines.items())[:MOST_LINES]:
        points = np.asarray(values, np.float64)
        is_finite = np.isfinite(points)
        if is_finite.any():
            finite[name] = np.asarray(epochs)[is_finite], points[is_finite]
    if not finite:
        raise DataError(
            "There are no curves to compare.",
            expected="finite values",
            received=f"{len(lines)} runs",
        )
    colors = (palette.accent, palette.second, palette.muted)
    with drawing():
        figure = new_figure(640, 300 + 18 * len(finite), palette)
        axes = place(figure, 58, 14, 18, 50 + 18 * len(finite))
        dress(axes, palette)
        scale_y(axes, np.concatenate([values for _, values in finite.values()]))
        for index, (name, (epochs, values)) in enumerate(finite.items()):
            x, y = thin(epochs, values)
            axes.plot(
                x,
                y,
                color=colors[index % len(colors)],
                linestyle=_DASHES[index // len(colors)],
                linewidth=1.8,
                marker="o" if len(x) == 1 else "",
                label=fit_text(name, 480, TEXT),
                clip_on=False,
            )
            hover_points(axes, f"{name}, ", x, y, _HOVERED)
        axes.set_xlabel("epoch")
        first = min(epochs.min() for epochs, _ in finite.values())
        last = max(epochs.max() for epochs, _ in finite.values())
        margin = 0.5 if first == last else 0.0
        axes.set_xlim(first - margin, last + margin)
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
