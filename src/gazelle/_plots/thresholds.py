"""Curves over the threshold for two classes: ROC (Fawcett 2006), and precision against recall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gazelle._plots.style import LIGHT, TEXT, Palette, drawing, dress, hover, new_figure, place

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_HOVERED = 40
_HALF = 0.5


def roc_curve(
    x: Sequence[float],
    y: Sequence[float],
    thresholds: Sequence[float | None],
    *,
    palette: Palette = LIGHT,
) -> Figure:
    """Draw the true positive rate against the false positive rate.

    Args:
        x: False positive rates.
        y: True positive rates.
        thresholds: The threshold of each point; None for one above all values.
        palette: The colors.

    Returns:
        A matplotlib figure; the dashed line is the result of guessing.
    """
    names = ("false positive rate", "true positive rate")
    return _draw(x, y, thresholds, names, [(0, 1), (0, 1)], palette)


def precision_recall_curve(
    x: Sequence[float],
    y: Sequence[float],
    thresholds: Sequence[float | None],
    share: float,
    *,
    palette: Palette = LIGHT,
) -> Figure:
    """Draw precision against recall; see `roc_curve`.

    Args:
        x: Recalls.
        y: Precisions.
        thresholds: The threshold of each point; None for one above all values.
        share: Share of the positive class. This is the precision of guessing, the dashed line.
        palette: The colors.
    """
    names = ("recall", "precision")
    return _draw(x, y, thresholds, names, [(0, 1), (share, share)], palette)


def _draw(
    x: Sequence[float],
    y: Sequence[float],
    thresholds: Sequence[float | None],
    names: tuple[str, str],
    guess: list[tuple[float, float]],
    palette: Palette,
) -> Figure:
    from matplotlib.ticker import MultipleLocator, PercentFormatter

    with drawing():
        figure = new_figure(400, 360, palette)
        axes = place(figure, 62, 16, 22, 50)
        dress(axes, palette, grid="both")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.0)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            axis.set_major_locator(MultipleLocator(0.2))
        axes.tick_params(axis="x", pad=8)  # keeps the two zeros apart
        axes.plot(*guess, color=palette.muted, linewidth=1.1, linestyle=(0, (3, 2.5)))
        axes.plot(x, y, color=palette.accent, linewidth=2.0, solid_joinstyle="round", clip_on=False)
        _mark(axes, x, y, thresholds, palette)
        step = max(1, len(x) // MOST_HOVERED)
        for i in range(0, len(x), step):
            text = f"{names[1]} {100 * y[i]:.1f}%, {names[0]} {100 * x[i]:.1f}%"
            if thresholds[i] is not None:
                text += f" at threshold {thresholds[i]:.3f}"
            hover(axes, text, x[i], y[i])
        axes.set_xlabel(names[0], fontsize=TEXT)
        axes.set_ylabel(names[1], fontsize=TEXT)
    return figure


def _mark(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    thresholds: Sequence[float | None],
    palette: Palette,
) -> None:
    """Draw a dot at the point whose threshold is closest to 0.5."""
    distances = [(abs(cut - _HALF), i) for i, cut in enumerate(thresholds) if cut is not None]
    if not distances:
        return
    _, i = min(distances)
    axes.plot(
        [x[i]],
        [y[i]],
        marker="o",
        markersize=7,
        color=palette.surface,
        markeredgecolor=palette.ink,
        markeredgewidth=2,
        linestyle="",
        clip_on=False,
        zorder=4,
    )
