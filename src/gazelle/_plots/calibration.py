"""The reliability diagram: accuracy against confidence (Guo et al. 2017, arXiv 1706.04599)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gazelle._plots.style import LIGHT, TEXT, Palette, drawing, dress, hover, new_figure, place

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST = 20  # predictions; no accuracy is drawn for fewer


def calibration(bins: Sequence[Mapping[str, Any]], *, palette: Palette = LIGHT) -> Figure:
    """Draw the share of right predictions against confidence, and the number of predictions below.

    Args:
        bins: Intervals of confidence, each with `low`, `high`, `count`, `confidence` and `accuracy`
            (means, in [0, 1], None if `count` is 0), and `interval`, the confidence interval of
            `accuracy`. For fewer than 20 predictions only the bar is drawn.
        palette: The colors.

    Returns:
        A matplotlib figure.
    """
    from matplotlib.ticker import PercentFormatter

    with drawing():
        figure = new_figure(420, 430, palette)
        upper = place(figure, 58, 34, 22, 142)
        lower = place(figure, 58, 316, 22, 46)
        for axes in (upper, lower):
            dress(axes, palette)
            axes.set_xlim(0, 1)
            axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        _accuracies(upper, bins, palette)
        _counts(lower, bins, palette)
    return figure


def _accuracies(axes: Axes, bins: Sequence[Mapping[str, Any]], palette: Palette) -> None:
    """The upper part: accuracy against confidence."""
    axes.set_ylim(0, 1)
    axes.plot(
        [0, 1],
        [0, 1],
        color=palette.muted,
        linewidth=1.1,
        linestyle=(0, (3, 2.5)),
        label="perfectly calibrated",
    )
    _points(axes, [bin_ for bin_ in bins if bin_["count"] >= FEWEST], palette)
    axes.set_ylabel("right predictions", fontsize=TEXT)
    axes.set_xticklabels([])
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
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


def _counts(axes: Axes, bins: Sequence[Mapping[str, Any]], palette: Palette) -> None:
    """The lower part: how often each confidence occurs."""
    from matplotlib.ticker import MaxNLocator

    rows = max(1, sum(bin_["count"] for bin_ in bins))
    axes.bar(
        [bin_["low"] for bin_ in bins],
        [bin_["count"] / rows for bin_ in bins],
        [0.94 * (bin_["high"] - bin_["low"]) for bin_ in bins],
        align="edge",
        color=palette.muted,
        alpha=0.45,
    )
    for bin_ in bins:
        text = (
            f"{bin_['count']:,} predictions with {100 * bin_['low']:.0f}% to"
            f" {100 * bin_['high']:.0f}% confidence"
        )
        hover(axes, text, bin_["low"], 0, bin_["high"], axes.get_ylim()[1])
    axes.set_xlabel("confidence of the model", fontsize=TEXT)
    axes.set_ylabel("share", fontsize=TEXT)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, prune="lower"))


def _points(axes: Axes, bins: Sequence[Mapping[str, Any]], palette: Palette) -> None:
    """The accuracy of each bin with its confidence interval."""
    if not bins:
        return
    x, y = [bin_["confidence"] for bin_ in bins], [bin_["accuracy"] for bin_ in bins]
    intervals = [bin_.get("interval") or (bin_["accuracy"], bin_["accuracy"]) for bin_ in bins]
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
    for bin_ in bins:
        text = (
            f"{100 * bin_['accuracy']:.1f}% of {bin_['count']:,} predictions right, at"
            f" {100 * bin_['confidence']:.1f}% confidence"
        )
        hover(axes, text, bin_["confidence"], bin_["accuracy"])
