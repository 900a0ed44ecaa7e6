"""Charts of a regression: predictions against true values, and residuals."""

from __future__ import annotations

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

MOST_POINTS = 1500
_SIZE = (440, 360)
_HOVERED = 40  # dots that show their numbers on hover
_LEFT = 64.0  # left of the axes, pixels


def predicted_against_true(y_true: Any, y_pred: Any, *, palette: Palette = LIGHT) -> Figure:
    """Draw the prediction of each row against its true value; right predictions are on the line.

    Args:
        y_true: Targets, any shape.
        y_pred: Predictions of the same shape.
        palette: The colors.

    Returns:
        A matplotlib figure; of more than 1,500 rows a random but fixed selection is drawn.

    Raises:
        DataError: The shapes differ, or no values are finite.
    """
    true, predicted = _pairs(y_true, y_pred)
    low, high = _limits(np.concatenate([true, predicted]))
    with drawing():
        figure = new_figure(*_SIZE, palette)
        axes = _axes(figure, palette, "true value", "predicted value")
        axes.plot(
            [low, high], [low, high], color=palette.muted, linewidth=1.1, linestyle=(0, (3, 2.5))
        )
        _dots(axes, *_selection(true, predicted), palette)
        for i in _largest_errors(true, predicted):
            text = f"true {plain(float(true[i]))}, predicted {plain(float(predicted[i]))}"
            hover(axes, text, true[i], predicted[i])
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        make_room(axes, _LEFT, 36)
    return figure


def residuals(y_true: Any, y_pred: Any, *, palette: Palette = LIGHT) -> Figure:
    """Draw the error (prediction minus true value) of each row against its prediction.

    The arguments are those of `predicted_against_true`.
    """
    true, predicted = _pairs(y_true, y_pred)
    errors = predicted - true
    with drawing():
        figure = new_figure(*_SIZE, palette)
        axes = _axes(figure, palette, "predicted value", "predicted \N{MINUS SIGN} true value")
        axes.axhline(0, color=palette.muted, linewidth=1.1, linestyle=(0, (3, 2.5)))
        _dots(axes, *_selection(predicted, errors), palette)
        for i in _largest_errors(true, predicted):
            text = f"predicted {plain(float(predicted[i]))}, off by {plain(float(errors[i]))}"
            hover(axes, text, predicted[i], errors[i])
        axes.set_xlim(*_limits(predicted))
        most = max(float(np.abs(errors).max()), 1e-12) * 1.08
        axes.set_ylim(-most, most)
        make_room(axes, _LEFT, 36)
    return figure


def _axes(figure: Figure, palette: Palette, x: str, y: str) -> Axes:
    axes = place(figure, _LEFT, 14, 20, 48)
    dress(axes, palette, grid="both")
    axes.locator_params(nbins=5)
    axes.set_xlabel(x, fontsize=TEXT)
    axes.set_ylabel(y, fontsize=TEXT)
    return axes


def _pairs(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """The finite pairs of true and predicted values, each `(rows,)`."""
    true = np.asarray(y_true, np.float64).reshape(-1)
    predicted = np.asarray(y_pred, np.float64).reshape(-1)
    if true.shape != predicted.shape:
        raise DataError(
            "y_true and y_pred have different shapes.",
            expected=str(np.shape(y_true)),
            received=str(np.shape(y_pred)),
        )
    finite = np.isfinite(true) & np.isfinite(predicted)
    if not finite.any():
        raise DataError(
            "There is nothing to draw.",
            expected="finite values",
            received=f"{len(true)} rows, none finite",
        )
    return true[finite], predicted[finite]


def _selection(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A random but fixed selection of the points, if there are many."""
    if len(x) <= MOST_POINTS:
        return x, y
    chosen = np.sort(np.random.default_rng(0).choice(len(x), MOST_POINTS, replace=False))
    return x[chosen], y[chosen]


def _largest_errors(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Numbers of the rows with the largest errors, which show their values on hover."""
    return np.argsort(-np.abs(predicted - true), kind="stable")[:_HOVERED]


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Limits of an axis, with a margin."""
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * (high - low) or max(abs(high), 1.0) * 0.1
    return low - margin, high + margin


def _dots(axes: Axes, x: np.ndarray, y: np.ndarray, palette: Palette) -> None:
    """Draw dots as one path of very short strokes with round ends.

    As SVG this takes a tenth of the bytes of markers.
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points = np.repeat(np.stack([x, y], axis=1), 2, axis=0)
    points[1::2, 0] += 1e-5 * (np.ptp(x) or 1.0)  # Agg does not draw strokes of length 0
    codes = np.tile([Path.MOVETO, Path.LINETO], len(x))
    width = 5.0 if len(x) < 400 else 3.6
    axes.add_patch(
        PathPatch(
            Path(points, codes),
            fc="none",
            ec=palette.accent,
            alpha=0.55,
            linewidth=width,
            capstyle="round",
        )
    )
