"""CSVLogger: the logs of every epoch as a line of a CSV file."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from gazelle.callbacks.base import Callback, Logs


class CSVLogger(Callback):
    """Writes one line an epoch: `epoch` (counted from 0), then the logs by name; `NA` where there is no value.

    Each line is on the disk when its epoch has ended.

    Args:
        filename: The file.
        separator: What stands between the columns.
        append: Continue a file that is there (its columns are kept) instead of replacing it.
    """

    def __init__(self, filename: str | os.PathLike, separator: str = ",", append: bool = False):
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self.keys: list[str] | None = None
        self.csv_file: Any = None
        self._header = True

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the file."""
        self.keys = None
        self._header = True
        if self.append:
            self._read_header()
        self.csv_file = open(self.filename, "a" if self.append else "w", newline="", encoding="utf-8")  # noqa: SIM115

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch's line."""
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]  # validation may come in a later epoch
        writer = csv.writer(self.csv_file, delimiter=self.sep, lineterminator="\n")
        if self._header:
            writer.writerow(["epoch", *self.keys])
            self._header = False
        writer.writerow([epoch, *(_cell(logs.get(key, "NA")) for key in self.keys)])
        self.csv_file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the file."""
        if self.csv_file is not None:
            self.csv_file.close()
            self.csv_file = None

    def _read_header(self) -> None:
        """Take the columns of a file that is continued."""
        if not os.path.exists(self.filename) or os.path.getsize(self.filename) == 0:
            return
        with open(self.filename, newline="", encoding="utf-8") as file:
            columns = next(csv.reader(file, delimiter=self.sep), [])
        self._header = False
        if columns[:1] == ["epoch"]:
            self.keys = columns[1:]


def _cell(value: Any) -> Any:
    if isinstance(value, str) or np.ndim(value) == 0 or not isinstance(value, Iterable):
        return value
    return f'"[{", ".join(map(str, value))}]"'
