"""The confusion matrix as a picture: one row for each true class, one column for each answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gazelle._core.errors import DataError
from gazelle._plots.style import (
    LIGHT,
    TEXT,
    Palette,
    drawing,
    fit_text,
    hover,
    new_figure,
    place,
    text_width,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NUMBERED = 20  # classes up to which each cell has its number
MOST_NAMED = 40  # classes up to which rows and columns have their names
_SIDE = 340.0  # of the matrix itself, pixels
_LEAST, _MOST = (30.0, 15.0), 92.0  # of a cell with and without a number, pixels
_MIXTURE = (24, 132, 138)  # for the picture of very many classes: seen on white and on black


def confusion(matrix: Any, class_names: Sequence[str], *, palette: Palette = LIGHT) -> Figure:
    """Draw a confusion matrix; each row's shade is the share of that true class.

    Args:
        matrix: `matrix[i][j]` rows of class i were taken for class j, `(classes, classes)`.
        class_names: Names of the classes.
        palette: The colours.

    Returns:
        A matplotlib figure.

    Raises:
        DataError: The matrix is not square, or has another number of classes than there are names.
    """
    counts = np.asarray(matrix)
    classes = len(class_names)
    if counts.shape != (classes, classes) or not classes:
        raise DataError(
            "The confusion matrix does not fit the class names.",
            expected=f"shape ({classes}, {classes})",
            received=f"shape {counts.shape}",
        )
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with drawing():
        names = (
            [fit_text(str(name), 96, TEXT) for name in class_names] if classes <= MOST_NAMED else []
        )
        margin = max((text_width(name, TEXT) for name in names), default=0) + 36
        cell = min(max(_SIDE / classes, _LEAST[classes > MOST_NUMBERED] if names else 0.0), _MOST)
        side = cell * classes
        upright = max((text_width(name, TEXT) for name in names), default=0) > cell - 6
        top = margin if upright else 52.0
        figure = new_figure(margin + side + 8, top + side + 8, palette)
        axes = place(figure, margin, top, 8, 8)
        axes.set_xlim(0, classes)
        axes.set_ylim(classes, 0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set_facecolor("none")
        if names:
            _cells(axes, counts, share, cell, palette)
        else:
            rgba = np.zeros((classes, classes, 4), np.uint8)
            rgba[..., :3] = _MIXTURE
            rgba[..., 3] = np.round(255 * np.sqrt(share))
            axes.imshow(
                rgba, extent=(0, classes, classes, 0), interpolation="nearest", aspect="auto"
            )
        _names(axes, names, upright, palette)
        if classes <= MOST_NAMED:
            for i, j in zip(*np.nonzero(counts), strict=True):
                text = (
                    f"{class_names[i]}, taken for {class_names[j]}"
                    if i != j
                    else f"{class_names[i]}, right"
                )
                hover(
                    axes,
                    f"{text}: {counts[i, j]:,} ({100 * share[i, j]:.1f}% of the class)",
                    j,
                    i,
                    j + 1,
                    i + 1,
                )
    return figure


def _cells(
    axes: Axes, counts: np.ndarray, share: np.ndarray, cell: float, palette: Palette
) -> None:
    from matplotlib.patches import Rectangle

    classes = len(counts)
    gap = 1.0 / cell  # one pixel
    size = min(TEXT + 1, cell * 0.36)
    for i in range(classes):
        for j in range(classes):
            alpha, strong = _shade(float(share[i, j]), i == j)
            face: Any = (
                (palette.accent if i == j else palette.second, alpha)
                if counts[i, j]
                else (palette.muted, 0.07)
            )
            axes.add_patch(
                Rectangle((j + gap, i + gap), 1 - 2 * gap, 1 - 2 * gap, fc=face, ec="none")
            )
            if classes <= MOST_NUMBERED and counts[i, j]:
                text = f"{counts[i, j]:,}"
                fitted = size * min(1.0, 0.86 * cell / max(text_width(text, size), 1))
                axes.text(
                    j + 0.5,
                    i + 0.5,
                    text,
                    ha="center",
                    va="center_baseline",
                    fontsize=round(fitted, 1),
                    color=palette.surface if strong else palette.ink,
                )


def _shade(share: float, right: bool) -> tuple[float, bool]:
    """Strength of a cell's colour, and whether its number must be light.

    Strengths from 0.5 to 0.85, on which neither dark nor light numbers can be read well, are left
    out.
    """
    turn = 0.7 if right else 0.4  # mistakes are rarer: their shade rises faster
    if share >= turn:
        return round(0.85 + 0.15 * (share - turn) / (1 - turn), 2), True
    return round(0.1 + 0.38 * share / turn, 2), False


def _names(axes: Axes, names: Sequence[str], upright: bool, palette: Palette) -> None:
    places = np.arange(len(names)) + 0.5
    axes.tick_params(length=0, pad=5, labelsize=TEXT, colors=palette.ink)
    axes.xaxis.tick_top()
    axes.set_xticks(places, names, rotation=90 if upright else 0)
    axes.set_yticks(places, names)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("predicted", color=palette.muted, fontsize=TEXT, labelpad=8)
    axes.set_ylabel("true", color=palette.muted, fontsize=TEXT, labelpad=8)
