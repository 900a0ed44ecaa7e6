"""The chart of a confusion matrix: one row per true class, one column per predicted class."""

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

MOST_NUMBERED = 20  # classes for which each cell shows its number
MOST_NAMED = 40  # classes for which rows and columns have names
_SIDE = 340.0  # usual side of the matrix, pixels
_LEAST_NUMBERED, _LEAST_PLAIN = 30.0, 15.0  # side of a cell with and without a number, pixels
_LARGEST = 92.0  # side of a cell, pixels
_MANY_COLOR = (24, 132, 138)  # for very many classes: visible on white and on black


def confusion(matrix: Any, class_names: Sequence[str], *, palette: Palette = LIGHT) -> Figure:
    """Draw a confusion matrix; the shade of a cell is its share of the true class.

    Args:
        matrix: `matrix[i][j]`: rows of class i that were predicted as class j, `(classes,
            classes)`.
        class_names: Names of the classes.
        palette: The colors.

    Returns:
        A matplotlib figure.

    Raises:
        DataError: The shape of the matrix does not match the number of names.
    """
    counts = np.asarray(matrix)
    classes = len(class_names)
    if counts.shape != (classes, classes) or not classes:
        raise DataError(
            "The confusion matrix does not match the class names.",
            expected=f"shape ({classes}, {classes})",
            received=f"shape {counts.shape}",
        )
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with drawing():
        names = []
        if classes <= MOST_NAMED:
            names = [fit_text(str(name), 96, TEXT) for name in class_names]
        widest = max((text_width(name, TEXT) for name in names), default=0)
        margin = widest + 36
        cell = _cell_side(classes)
        side = cell * classes
        upright = widest > cell - 6
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
            _hovers(axes, counts, share, class_names)
        else:
            _image(axes, share)
        _names(axes, names, upright, palette)
    return figure


def _cell_side(classes: int) -> float:
    """Side of a cell in pixels."""
    least = 0.0
    if classes <= MOST_NUMBERED:
        least = _LEAST_NUMBERED
    elif classes <= MOST_NAMED:
        least = _LEAST_PLAIN
    return min(max(_SIDE / classes, least), _LARGEST)


def _image(axes: Axes, share: np.ndarray) -> None:
    """The matrix of very many classes as an image, one pixel per cell."""
    classes = len(share)
    rgba = np.zeros((classes, classes, 4), np.uint8)
    rgba[..., :3] = _MANY_COLOR
    rgba[..., 3] = np.round(255 * np.sqrt(share))
    axes.imshow(rgba, extent=(0, classes, classes, 0), interpolation="nearest", aspect="auto")


def _cells(
    axes: Axes, counts: np.ndarray, share: np.ndarray, cell: float, palette: Palette
) -> None:
    """The matrix as rectangles, with numbers if there are few classes."""
    from matplotlib.patches import Rectangle

    classes = len(counts)
    gap = 1.0 / cell  # one pixel
    size = min(TEXT + 1, cell * 0.36)
    for i in range(classes):
        for j in range(classes):
            alpha, is_strong = _shade(float(share[i, j]), i == j)
            face: Any = (palette.muted, 0.07)
            if counts[i, j]:
                face = (palette.accent if i == j else palette.second, alpha)
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
                    color=palette.surface if is_strong else palette.ink,
                )


def _hovers(axes: Axes, counts: np.ndarray, share: np.ndarray, names: Sequence[str]) -> None:
    """What each cell shows on hover."""
    for i, j in zip(*np.nonzero(counts), strict=True):
        text = f"{names[i]}, right" if i == j else f"{names[i]}, predicted as {names[j]}"
        text += f": {counts[i, j]:,} ({100 * share[i, j]:.1f}% of the class)"
        hover(axes, text, j, i, j + 1, i + 1)


def _shade(share: float, right: bool) -> tuple[float, bool]:
    """Opacity of a cell's color, and whether its number must be light.

    Opacities from 0.5 to 0.85 are not used, since neither dark nor light numbers are legible on
    them.
    """
    turn = 0.7 if right else 0.4  # mistakes are rarer, so their color becomes strong earlier
    if share >= turn:
        return round(0.85 + 0.15 * (share - turn) / (1 - turn), 2), True
    return round(0.1 + 0.38 * share / turn, 2), False


def _names(axes: Axes, names: Sequence[str], upright: bool, palette: Palette) -> None:
    """The names of rows and columns."""
    places = np.arange(len(names)) + 0.5
    axes.tick_params(length=0, pad=5, labelsize=TEXT, colors=palette.ink)
    axes.xaxis.tick_top()
    axes.set_xticks(places, names, rotation=90 if upright else 0)
    axes.set_yticks(places, names)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("predicted", color=palette.muted, fontsize=TEXT, labelpad=8)
    axes.set_ylabel("true", color=palette.muted, fontsize=TEXT, labelpad=8)
