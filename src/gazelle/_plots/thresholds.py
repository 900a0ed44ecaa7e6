"""Two classes: what each threshold gives, as a ROC curve (Fawcett 2006) and as precision against recall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gazelle._plots.style import LIGHT, TEXT, Palette, drawing, dress, hover, new_figure, place

if TYPE_CHECKING:
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
    """Draw the share of positives that are found against the share of negatives that are taken for positives.

    Args:
        x: False positive rates.
        y: True positive rates.
        thresholds: The threshold of each point, None for above all.
        palette: The colours.

    Returns:
        A matplotlib figure; the dashed line is what guessing gives.
    """
    names = ("negatives taken for positives", "positives found")
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
        thresholds: The threshold of each point, None for above all.
        share: Share of the positive class: the precision of guessing, the dashed line.
        palette: The colours.
    """
    names = ("positives found (recall)", "right among them (precision)")
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
        axes.tick_params(axis="x", pad=8)  # so that the two zeros do not meet
        axes.plot(*guess, color=palette.muted, linewidth=1.1, linestyle=(0, (3, 2.5)))
        axes.plot(x, y, color=palette.accent, linewidth=2.0, solid_joinstyle="round", clip_on=False)
        _mark(axes, x, y, thresholds, palette)
        step = max(1, len(x) // MOST_HOVERED)
        for i in range(0, len(x), step):
            cut = "" if thresholds[i] is None else f" at threshold {thresholds[i]:.3f}"
            hover(
                axes, f"{names[1]} {100 * y[i]:.1f}%, {names[0]} {100 * x[i]:.1f}%{cut}", x[i], y[i]
            )
        axes.set_xlabel(names[0], fontsize=TEXT)
        axes.set_ylabel(names[1], fontsize=TEXT)
    return figure


def _mark(
    axes: object, x: Sequence[float], y: Sequence[float], thresholds: Sequence, palette: Palette
) -> None:
    """A dot where the threshold is one half, if a point is near."""
    known = [(abs(cut - _HALF), i) for i, cut in enumerate(thresholds) if cut is not None]
    if not known:
        return
    _, i = min(known)
    axes.plot(  # type: ignore[attr-defined]
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
