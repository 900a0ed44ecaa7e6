"""Calibration: how often the model is right when it says how sure it is (Guo et al. 2017, arXiv 1706.04599)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gazelle._plots.style import LIGHT, TEXT, Palette, drawing, dress, hover, new_figure, place

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST = 20  # answers from which a share of right ones is drawn


def calibration(bins: Sequence[Mapping[str, Any]], *, palette: Palette = LIGHT) -> Figure:
    """Draw the share of right answers against confidence, and below it how many answers had that confidence.

    Args:
        bins: Intervals of confidence, each with `low`, `high`, `count`, and `confidence` and
            `accuracy` (means, in [0, 1], None where `count` is 0), and `interval`, the ends of the
            interval of `accuracy`. Of an interval with fewer than 20 answers only the bar is drawn.
        palette: The colours.

    Returns:
        A matplotlib figure.
    """
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    rows = max(1, sum(b["count"] for b in bins))
    with drawing():
        figure = new_figure(420, 430, palette)
        upper = place(figure, 58, 34, 22, 142)
        lower = place(figure, 58, 316, 22, 46)
        for axes in (upper, lower):
            dress(axes, palette)
            axes.set_xlim(0, 1)
            axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        upper.set_ylim(0, 1)
        upper.plot(
            [0, 1],
            [0, 1],
            color=palette.muted,
            linewidth=1.1,
            linestyle=(0, (3, 2.5)),
            label="perfectly calibrated",
        )
        _points(upper, [b for b in bins if b["count"] >= FEWEST], palette)
        upper.set_ylabel("answers that are right", fontsize=TEXT)
        upper.set_xticklabels([])
        handles, labels = upper.get_legend_handles_labels()
        upper.legend(
            handles[::-1],
            labels[::-1],
            loc="lower left",
            bbox_to_anchor=(-0.015, 1.01),
            ncols=2,
            frameon=False,
            borderaxespad=0.2,
            labelcolor=palette.ink,
            fontsize=TEXT,
        )
        lower.bar(
            [b["low"] for b in bins],
            [b["count"] / rows for b in bins],
            [0.94 * (b["high"] - b["low"]) for b in bins],
            align="edge",
            color=palette.muted,
            alpha=0.45,
        )
        for b in bins:
            text = (
                f"{b['count']:,} answers of {100 * b['low']:.0f}% to {100 * b['high']:.0f}%"
                " confidence"
            )
            hover(lower, text, b["low"], 0, b["high"], lower.get_ylim()[1])
        lower.set_xlabel("confidence of the model", fontsize=TEXT)
        lower.set_ylabel("share", fontsize=TEXT)
        lower.yaxis.set_major_locator(MaxNLocator(nbins=3, prune="lower"))
    return figure


def _points(axes: Axes, bins: Sequence[Mapping[str, Any]], palette: Palette) -> None:
    if not bins:
        return
    x, y = [b["confidence"] for b in bins], [b["accuracy"] for b in bins]
    intervals = [b.get("interval") or (b["accuracy"], b["accuracy"]) for b in bins]
    axes.vlines(
        x,
        [low for low, _ in intervals],
        [high for _, high in intervals],
        color=palette.second,
        linewidth=2.2,
        alpha=0.75,
    )
    axes.plot(
        x,
        y,
        color=palette.accent,
        linewidth=1.8,
        marker="o",
        markersize=6.5,
        clip_on=False,
        markeredgecolor=palette.surface,
        markeredgewidth=1,
        label="this model",
    )
    for b in bins:
        text = (
            f"{100 * b['accuracy']:.1f}% of {b['count']:,} answers right, at"
            f" {100 * b['confidence']:.1f}% confidence"
        )
        hover(axes, text, b["confidence"], b["accuracy"])
