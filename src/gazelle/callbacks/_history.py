"""History: the logs of every epoch, which `fit` returns, and a record of each call of `fit`."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gazelle._core.errors import ArgumentError, StateError, nearest
from gazelle._core.notebook import html_table
from gazelle._core.packages import need
from gazelle._core.variable import Variable
from gazelle._data.fit_record import Fit
from gazelle._files.writing import atomic_path
from gazelle.callbacks._base import Callback, Logs
from gazelle.callbacks._monitor import direction

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure


class History(Callback):
    """Records the logs of every epoch. `fit` adds one automatically and returns it.

    Attributes:
        history: Dict from name to a list with one value per epoch. `val_` names have values only
            for epochs with validation.
        epoch: The epochs that were run, counted from 0.
        fits: A record of each call of `fit` on this model, the latest one last: a `Fit` with
            `rows`, `batch_size`, `learning_rates`, `seconds`, `ended` (why it stopped), `weights`
            (the epoch whose weights the model has at the end) and more. The report uses it.

    Example:
        >>> history = History()
        >>> history.on_epoch_end(0, {"loss": 0.5})
        >>> history.history
        {'loss': [0.5]}
    """

    _only_reads_logs = True
    _keeps_learning_rate = True
    _runs_no_user_code = True

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        # Number (from 1) and logs of each epoch recorded here, and in earlier fits of the model.
        self._rows: list[tuple[int, Logs]] = []
        self._before: list[tuple[int, Logs]] = []
        # Each fit, and a function that computes its learning rates when they are first needed.
        self._fits: list[tuple[Fit, Callable[[], list[float]] | None]] = []
        # The trained variables, and their values at the end of the last fit.
        self._left: list[tuple[weakref.ref, weakref.ref]] = []
        # How to read the learning rate at the beginning of each epoch, and the rates read so far.
        self._read_rate: Callable[[], float] | None = None
        self._rates: list[float] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Reset the epoch numbers of an earlier run; its values are kept."""
        self.epoch = []
        self._rates = []

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Record the learning rate, if a callback may change it."""
        if self._read_rate is not None:
            self._rates.append(self._read_rate())

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Append the epoch's logs."""
        logs = logs or {}
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        self._rows.append((self._number(epoch), dict(logs)))

    def get_state(self) -> dict[str, Any]:
        """The logs of the epochs so far, also of earlier fits, and the learning rates."""
        return {
            "history": self.history,
            "epoch": self.epoch,
            "rows": self._rows,
            "before": self._before,
            "rates": self._rates,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on after the epochs of an interrupted fit."""
        self.history, self.epoch = state["history"], state["epoch"]
        self._rows, self._before, self._rates = state["rows"], state["before"], state["rates"]

    @property
    def fits(self) -> list[Fit]:
        """A record of each call of `fit`; see the class."""
        for index, (fit, rates) in enumerate(self._fits):
            if rates is not None:
                fit.learning_rates = rates()
                self._fits[index] = (fit, None)
        return [fit for fit, _ in self._fits]

    def course(self) -> tuple[list[int], dict[str, list[float]]]:
        """The values of all epochs of the model, including earlier calls of `fit`.

        Returns:
            The ascending numbers of the epochs, from 1 (another `fit` continues the count), and for
            each name a list of one number per epoch, NaN for epochs without a value
            (`validation_freq`). Values that are not numbers are omitted.
        """
        return _columns([*self._before, *self._rows])

    def weights_changed(self) -> bool | None:
        """Whether the model's weights were set after the last `fit`, for example by `load_weights`.

        Returns:
            None if no fit was recorded or the model no longer exists.
        """
        if not self._left or self.model is None:
            return None
        for variable_ref, value_ref in self._left:
            variable = variable_ref()
            if variable is None or variable.current is not value_ref():
                return True
        return False

    def plot(
        self, path: str | os.PathLike[str] | None = None, metrics: str | Sequence[str] | None = None
    ) -> Figure:
        """Plot the training curves, with training and validation in one panel per metric.

        Epochs without a value (`validation_freq`) leave no gap in the line.

        Args:
            path: File to save the figure to; its ending gives the format (`.png`, `.svg`, `.pdf`).
            metrics: Names to plot, each with its `val_` curve; None for all.

        Returns:
            The matplotlib figure.

        Raises:
            PackageError: matplotlib is not installed.
            StateError: No epoch was run.
            ArgumentError: A name was not recorded.
        """
        from gazelle._plots import curves

        need("history.plot", "matplotlib")
        epochs, figures = _columns(self._rows)
        if not figures:
            raise StateError(
                "There is nothing to plot: no epoch was run.", fix="call fit with epochs >= 1 first"
            )
        if isinstance(metrics, str):
            metrics = [metrics]
        if metrics is not None:
            figures = _chosen(figures, metrics)
        figure = curves(figures, epochs)
        if path is not None:
            with atomic_path(path) as temporary:
                figure.savefig(temporary)
        return figure

    def _repr_html_(self) -> str:
        """The first, best and last value of each metric, for notebooks."""
        epochs, figures = _columns(self._rows)
        rows = []
        for name, values in figures.items():
            pairs = zip(values, epochs, strict=True)
            finite = [(value, epoch) for value, epoch in pairs if math.isfinite(value)]
            if not finite:
                continue
            first, last = finite[0][0], finite[-1][0]
            better = max if direction(name, warn=False) == "max" else min
            best, epoch = better(finite, key=lambda pair: pair[0])
            rows.append([name, f"{first:.4g}", f"{best:.4g} (epoch {epoch})", f"{last:.4g}"])
        return html_table(f"History of {len(epochs)} epochs", ["", "first", "best", "last"], rows)

    def __getstate__(self) -> dict[str, Any]:
        """Everything except references to the model, whose weights a copy cannot observe."""
        self.fits  # noqa: B018 (computes learning rates that are still missing)
        return {**vars(self), "_left": [], "_read_rate": None}

    def follow(self, before: History | None) -> None:
        """Continue an earlier history of the same model; `fit` calls it."""
        if before is None or before is self:
            return
        self._before = [*before._before, *before._rows]
        self._fits = list(before._fits)
        self._left = list(before._left)

    def _number(self, epoch: int) -> int:
        """The number of an epoch, counted over all fits."""
        recorded = self._rows or self._before
        if not recorded:
            return epoch + 1
        last_number, _ = recorded[-1]
        return max(epoch + 1, last_number + 1)


# For the recorder of `fit`, which completes a history:


def recorded_epochs(history: History) -> list[int]:
    """The numbers (from 1) of all epochs that this history itself has recorded."""
    return [number for number, _ in history._rows]


def record_rates(history: History, read_rate: Callable[[], float] | None) -> None:
    """Call `read_rate` at the beginning of each epoch from now on; None to stop."""
    history._read_rate = read_rate


def recorded_rates(history: History) -> list[float]:
    """The learning rates read at the beginning of each epoch of this fit."""
    return list(history._rates)


def add_fit(history: History, fit: Fit, rates: Callable[[], list[float]] | None) -> None:
    """Add the record of a fit; `rates` computes its learning rates when they are first needed."""
    history._fits.append((fit, rates))


def remember_weights(history: History, weights: Sequence[Variable]) -> None:
    """Store weak references to the trained weights, so that later changes can be detected."""
    history._left = [(weakref.ref(weight), weakref.ref(weight.current)) for weight in weights]


def _columns(rows: Sequence[tuple[int, Logs]]) -> tuple[list[int], dict[str, list[float]]]:
    """The numbers of the epochs, and the values of each name, as `History.course` returns them."""
    figures: dict[str, list[float]] = {}
    for index, (_, logs) in enumerate(rows):
        for name, value in logs.items():
            number = _as_float(value)
            if number is not None:
                values = figures.setdefault(name, [math.nan] * len(rows))
                values[index] = number
    return [number for number, _ in rows], figures


def _as_float(value: Any) -> float | None:
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
