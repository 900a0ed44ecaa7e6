"""History: the logs of every epoch, as `fit` returns them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gazelle._core.errors import ArgumentError, StateError, nearest
from gazelle.callbacks.base import Callback, Logs
from gazelle.utils.files import atomic_path

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure


class History(Callback):
    """Records the logs of every epoch. `fit` adds one by itself and returns it.

    Attributes:
        history: Dict from name to a list with one value an epoch. `val_` names have values only for epochs that
            validated.
        epoch: The epochs that were run, counted from 0.

    Example:
        >>> history = History()
        >>> history.on_epoch_end(0, {"loss": 0.5})
        >>> history.history
        {'loss': [0.5]}
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget the epoch numbers of an earlier run; its values stay."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Append the epoch's logs."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def plot(self, path: str | os.PathLike | None = None, metrics: str | Sequence[str] | None = None) -> Figure:
        """Draw the curves of training, training and validation on one axis for each metric.

        Args:
            path: File to save the picture to; its ending names the format (`.png`, `.svg`, `.pdf`).
            metrics: Names to draw, each with its `val_` curve; all when None.

        Returns:
            The matplotlib figure.

        Raises:
            StateError: No epoch was run.
            ArgumentError: A name that was not recorded.
        """
        from gazelle.plots import curves

        if not self.history:
            raise StateError("There is nothing to plot: no epoch was run.", fix="call fit with epochs >= 1 first")
        names = [metrics] if isinstance(metrics, str) else metrics
        chosen = self.history if names is None else self._chosen(names)
        figure = curves(chosen, [epoch + 1 for epoch in self.epoch])
        if path is not None:
            with atomic_path(path) as temporary:
                figure.savefig(temporary)
        return figure

    def _chosen(self, names: Sequence[str]) -> dict[str, list[Any]]:
        chosen = {}
        for name in names:
            found = [key for key in (name, f"val_{name}") if key in self.history]
            if not found:
                raise ArgumentError(
                    f"No metric {name!r} was recorded.",
                    expected=f"one of {sorted(self.history)}",
                    received=repr(name),
                    fix=f"near names: {nearest(name, self.history) or 'none'}",
                )
            chosen.update({key: self.history[key] for key in found})
        return chosen
