"""History: the logs of every epoch, as `fit` returns them, and what `fit` knew of itself."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gazelle._core.errors import ArgumentError, StateError, nearest
from gazelle._core.notebook import html_table
from gazelle._core.packages import need
from gazelle._data.fit_record import Fit
from gazelle._files.writing import atomic_path
from gazelle.callbacks.base import Callback, Logs
from gazelle.callbacks.monitor import direction

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure


class History(Callback):
    """Records the logs of every epoch. `fit` adds one by itself and returns it.

    Attributes:
        history: Dict from name to a list with one value an epoch. `val_` names have values only for
            epochs that validated.
        epoch: The epochs that were run, counted from 0.
        fits: What each call of `fit` on this model knew of itself, the last one last: a `Fit` each,
            with `rows`, `batch_size`, `learning_rates`, `seconds`, `ended` (why it stopped),
            `weights` (of which epoch the model was left with) and more. The report tells from it.

    Example:
        >>> history = History()
        >>> history.on_epoch_end(0, {"loss": 0.5})
        >>> history.history
        {'loss': [0.5]}
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        self._rows: list[
            tuple[int, Logs]
        ] = []  # number (from 1) and logs of each epoch that this history recorded
        self._before: list[tuple[int, Logs]] = []  # of the epochs of earlier fits of the model
        self._fits: list[tuple[Fit, Callable[[], list[float]] | None]] = []
        self._left: list[
            tuple[weakref.ref, weakref.ref]
        ] = []  # trained weights, and what the last fit left in them
        self._read_rate: Callable[[], float] | None = None
        self._rates: list[float] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget the epoch numbers of an earlier run; its values stay."""
        self.epoch = []
        self._rates = []

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the learning rate, where a callback may change it."""
        if self._read_rate is not None:
            self._rates.append(self._read_rate())

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Append the epoch's logs."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self._rows.append((self._number(epoch), dict(logs or {})))

    @property
    def fits(self) -> list[Fit]:
        """What each call of `fit` knew of itself; see the class."""
        for place, (fit, rates) in enumerate(self._fits):
            if rates is not None:
                fit.learning_rates, self._fits[place] = rates(), (fit, None)
        return [fit for fit, _ in self._fits]

    def course(self) -> tuple[list[int], dict[str, list[float]]]:
        """The figures of every epoch that the model was trained for, earlier calls of `fit` included.

        Returns:
            Numbers of the epochs, from 1 and rising (a second `fit` goes on where the first ended),
            and a list of one number an epoch by name, NaN where an epoch has none
            (`validation_freq`). What is not a number is left out.
        """
        return _columns([*self._before, *self._rows])

    def weights_changed(self) -> bool | None:
        """Whether the model's weights were set after the last `fit`, by `load_weights` or another way.

        Returns:
            None where no fit was recorded or the model is gone.
        """
        if not self._left or self.model is None:
            return None
        pairs = [(variable(), value()) for variable, value in self._left]
        return any(variable is None or variable.current is not value for variable, value in pairs)

    def plot(
        self, path: str | os.PathLike | None = None, metrics: str | Sequence[str] | None = None
    ) -> Figure:
        """Draw the curves of training, training and validation on one axis for each metric.

        Epochs without a value (`validation_freq`) leave no gap: the line goes on to the next one
        that has it.

        Args:
            path: File to save the picture to; its ending names the format (`.png`, `.svg`, `.pdf`).
            metrics: Names to draw, each with its `val_` curve; all when None.

        Returns:
            The matplotlib figure.

        Raises:
            PackageError: matplotlib is not installed.
            StateError: No epoch was run.
            ArgumentError: A name that was not recorded.
        """
        from gazelle._plots import curves

        need("history.plot", "matplotlib")
        epochs, figures = _columns(self._rows)
        if not figures:
            raise StateError(
                "There is nothing to plot: no epoch was run.", fix="call fit with epochs >= 1 first"
            )
        names = [metrics] if isinstance(metrics, str) else metrics
        figure = curves(figures if names is None else _chosen(figures, names), epochs)
        if path is not None:
            with atomic_path(path) as temporary:
                figure.savefig(temporary)
        return figure

    def _repr_html_(self) -> str:
        """The first, best and last value of each metric, for notebooks."""
        epochs, figures = _columns(self._rows)
        rows = []
        for name, values in figures.items():
            known = [
                (value, epoch)
                for value, epoch in zip(values, epochs, strict=True)
                if math.isfinite(value)
            ]
            if known:
                better = max if direction(name, warn=False) == "max" else min
                best, when = better(known, key=lambda pair: pair[0])
                rows.append(
                    [
                        name,
                        f"{known[0][0]:.4g}",
                        f"{best:.4g} (epoch {when})",
                        f"{known[-1][0]:.4g}",
                    ]
                )
        return html_table(f"History of {len(epochs)} epochs", ["", "first", "best", "last"], rows)

    def __getstate__(self) -> dict[str, Any]:
        """All but what belongs to this very model: a copy cannot tell whether the copy's weights were changed."""
        self.fits  # noqa: B018 (learning rates that are still to be computed)
        return {**vars(self), "_left": [], "_read_rate": None}

    def follow(self, before: History | None) -> None:
        """Take over what an earlier history of the same model recorded; `fit` calls it."""
        if before is not None and before is not self:
            self._before, self._fits = [*before._before, *before._rows], list(before._fits)
            self._left = list(before._left)

    def _number(self, epoch: int) -> int:
        """The number of an epoch, counted over all fits."""
        recorded = self._rows or self._before
        return max(epoch + 1, recorded[-1][0] + 1 if recorded else 1)


def _columns(rows: Sequence[tuple[int, Logs]]) -> tuple[list[int], dict[str, list[float]]]:
    figures: dict[str, list[float]] = {}
    for place, (_, logs) in enumerate(rows):
        for name, value in logs.items():
            number = _number_of(value)
            if number is not None:
                figures.setdefault(name, [math.nan] * len(rows))[place] = number
    return [number for number, _ in rows], figures


def _number_of(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):  # a callback may log texts and arrays
        return None


def _chosen(figures: dict[str, list[float]], names: Sequence[str]) -> dict[str, list[float]]:
    chosen = {}
    for name in names:
        found = [key for key in (name, f"val_{name}") if key in figures]
        if not found:
            raise ArgumentError(
                f"No metric {name!r} was recorded.",
                expected=f"one of {sorted(figures)}",
                received=repr(name),
                fix=f"near names: {nearest(name, figures) or 'none'}",
            )
        chosen.update({key: figures[key] for key in found})
    return chosen
