"""The figures of each epoch as columns of equal length."""

from __future__ import annotations

import math
from typing import Any


def columns(history: Any) -> tuple[list[int], dict[str, list[float]]]:
    """Arrange the figures of a history in columns, with one value per epoch.

    A figure that was not computed in every epoch (`validation_freq`) is NaN in the others. The
    `History` of a `fit` records which epochs these are, and those of earlier calls of `fit`; for a
    dict they are inferred from the number of values.

    Args:
        history: The return value of `fit`, a dict of lists like its `history`, or None.

    Returns:
        Numbers of the epochs, from 1, and the columns by name; both empty without a history.
    """
    if history is None:
        return [], {}
    if hasattr(history, "course"):
        epochs, columns_of_fits = history.course()
        if epochs:
            return epochs, columns_of_fits
    lists = history if isinstance(history, dict) else history.history
    figures = {name: [float(value) for value in values] for name, values in lists.items()}
    rows = max(map(len, figures.values()), default=0)
    epochs = [int(number) + 1 for number in getattr(history, "epoch", [])]
    if len(epochs) != rows:  # several calls of fit in one history
        epochs = list(range(1, rows + 1))
    return epochs, {name: _spread(values, epochs) for name, values in figures.items()}


def _spread(values: list[float], epochs: list[int]) -> list[float]:
    """Put the values of every n-th epoch in their places; if no n fits, at the end."""
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
