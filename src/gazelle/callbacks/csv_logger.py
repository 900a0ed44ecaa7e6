"""CSVLogger: the logs of every epoch as a line of a CSV file."""

from __future__ import annotations

import csv
import os
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError
from gazelle._files.writing import check_writable
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

    def check_run(self, names: Collection[str] | None) -> None:
        """Refuse, before the first step, a file that cannot be written or continued.

        Raises:
            ArgumentError: It cannot be written, it is no CSV log, or it lacks columns.
        """
        check_writable(self.filename, makes_folders=False)
        self.keys = None
        if self.append:
            self._read_header()
        lacking = (
            []
            if names is None or self.keys is None
            else [name for name in names if name not in self.keys]
        )
        if lacking:
            raise ArgumentError(
                f"CSVLogger cannot continue {self.filename!r}: it has no columns for all values.",
                expected=f"the columns {', '.join(['epoch', *(names or ())])}",
                received=f"the columns {', '.join(['epoch', *(self.keys or ())])}",
                fix="pass another file, or append=False to replace it",
            )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the file."""
        self.keys = None
        self._header = True
        if self.append:
            self._read_header()
        self.csv_file = self._open()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch's line."""
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [
                    f"val_{key}" for key in self.keys
                ]  # validation may come in a later epoch
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
        """Take the columns of a file that is continued.

        Raises:
            ArgumentError: Its first line is not that of a log, so that new lines would not match
                it.
        """
        if not os.path.exists(self.filename) or os.path.getsize(self.filename) == 0:
            return
        with open(self.filename, newline="", encoding="utf-8", errors="replace") as file:
            columns = next(csv.reader(file, delimiter=self.sep), [])
        if columns[:1] != ["epoch"]:
            raise ArgumentError(
                f"CSVLogger cannot continue {self.filename!r}.",
                expected=f"a log: its first line is epoch{self.sep}...",
                received=repr(self.sep.join(columns))[:80],
                fix=(
                    "pass another file, the separator that it was written with, or append=False to"
                    " replace it"
                ),
            )
        self._header = False
        self.keys = columns[1:]

    def _open(self) -> Any:
        """The file; one that is continued gets an end of its last line if that has none."""
        file = open(self.filename, "a+" if self.append else "w", newline="", encoding="utf-8")  # noqa: SIM115
        if self.append and file.tell() > 0:
            with open(self.filename, "rb") as bytes_of_it:
                bytes_of_it.seek(-1, os.SEEK_END)
                if bytes_of_it.read() not in (b"\n", b"\r"):
                    file.write("\n")
        return file


def _cell(value: Any) -> Any:
    if isinstance(value, str) or np.ndim(value) == 0 or not isinstance(value, Iterable):
        return value
    return f'"[{", ".join(map(str, value))}]"'
