"""Pictures of a regression: what was predicted against what is true, and what is left over (residuals)."""

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
_HOVERED = 40  # dots that say their numbers
_LEFT = 64.0  # left of the axes, pixels


def predicted_against_true(y_true: Any, y_pred: Any, *, palette: Palette = LIGHT) -> Figure:
    """Draw one dot a row, the truth to the right and the prediction upwards; right answers lie on the line.

    Args:
        y_true: Targets, any shape.
        y_pred: Predictions of the same shape.
        palette: The colours.

    Returns:
        A matplotlib figure; of more than 1,500 rows a fixed choice is drawn.

    Raises:
        DataError: The shapes differ or nothing is finite.
    """
    true, predicted = _pairs(y_true, y_pred)
    low, high = _limits(np.concatenate([true, predicted]))
    with drawing():
        figure = new_figure(*_SIZE, palette)
        axes = _axes(figure, palette, "true value", "predicted value")
        axes.plot(
            [low, high], [low, high], color=palette.muted, linewidth=1.1, linestyle=(0, (3, 2.5))
        )
        _dots(axes, *_few(true, predicted), palette)
        for i in _farthest(true, predicted):
            hover(
                axes,
                f"true {plain(float(true[i]))}, predicted {plain(float(predicted[i]))}",
                true[i],
                predicted[i],
            )
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        make_room(axes, _LEFT, 36)
    return figure


def residuals(y_true: Any, y_pred: Any, *, palette: Palette = LIGHT) -> Figure:
    """Draw the error (prediction minus truth) of each row against the prediction; see `predicted_against_true`."""
    true, predicted = _pairs(y_true, y_pred)
    errors = predicted - true
    with drawing():
        figure = new_figure(*_SIZE, palette)
        axes = _axes(figure, palette, "predicted value", "prediction \N{MINUS SIGN} truth")
        axes.axhline(0, color=palette.muted, linewidth=1.1, linestyle=(0, (3, 2.5)))
        _dots(axes, *_few(predicted, errors), palette)
        for i in _farthest(true, predicted):
            hover(
                axes,
                f"predicted {plain(float(predicted[i]))}, off by {plain(float(errors[i]))}",
                predicted[i],
                errors[i],
            )
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
    true, predicted = (np.asarray(values, np.float64).reshape(-1) for values in (y_true, y_pred))
    if true.shape != predicted.shape:
        raise DataError(
            "y_true and y_pred differ in shape.",
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


def _few(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(x) <= MOST_POINTS:
        return x, y
    chosen = np.sort(np.random.default_rng(0).choice(len(x), MOST_POINTS, replace=False))
    return x[chosen], y[chosen]


def _farthest(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Places of the largest errors, whose numbers can be read."""
    return np.argsort(-np.abs(predicted - true), kind="stable")[:_HOVERED]


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.04 * (high - low) or max(abs(high), 1.0) * 0.1
    return low - room, high + room


def _dots(axes: Axes, x: np.ndarray, y: np.ndarray, palette: Palette) -> None:
    """All dots in one path, strokes of hardly any length with round ends: a tenth of the bytes of markers."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points = np.repeat(np.stack([x, y], axis=1), 2, axis=0)
    points[1::2, 0] += 1e-5 * (np.ptp(x) or 1.0)  # Agg leaves out strokes of no length at all
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
