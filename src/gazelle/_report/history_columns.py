"""The figures of each epoch as columns of equal length."""

from __future__ import annotations

import math
from typing import Any


def columns(history: Any) -> tuple[list[int], dict[str, list[float]]]:
    """Numbers of the epochs, from 1, and the figures of each.

    A figure that was not taken in every epoch (`validation_freq`) is NaN in the others. A `History`
    that `fit` has filled knows which, and the epochs of earlier calls of `fit` too; of a dict the
    places are found by counting.

    Args:
        history: What `fit` returned, a dict of lists as its `history` is, or None.

    Returns:
        The numbers and the columns; both empty without a history.
    """
    if history is None:
        return [], {}
    if hasattr(history, "course") and (course := history.course())[0]:
        return course
    figures: dict[str, list[float]] = {
        name: [float(value) for value in values]
        for name, values in (history if isinstance(history, dict) else history.history).items()
    }
    rows = max(map(len, figures.values()), default=0)
    epochs = [int(number) + 1 for number in getattr(history, "epoch", [])]
    if len(epochs) != rows:  # several calls of fit in one history
        epochs = list(range(1, rows + 1))
    return epochs, {name: _spread(values, epochs) for name, values in figures.items()}


def _spread(values: list[float], epochs: list[int]) -> list[float]:
    """Values of every n-th epoch in their places; where no n fits, at the end."""
    missing = len(epochs) - len(values)
    if not missing:
        return values
    for every in range(2, len(epochs) + 1):
        places = [place for place, epoch in enumerate(epochs) if epoch % every == 0]
        if len(places) == len(values):
            column = [math.nan] * len(epochs)
            for place, value in zip(places, values, strict=True):
                column[place] = value
            return column
    return [math.nan] * missing + values
