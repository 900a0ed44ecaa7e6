"""CSVLogger: writes the logs of every epoch to a CSV file."""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError, CheckWarning
from gazelle._files.writing import check_writable
from gazelle.callbacks._base import Callback, Logs


class CSVLogger(Callback):
    """Writes one line per epoch: `epoch` (counted from 0), then the logs; `NA` for missing values.

    Each line is written at the end of its epoch. If an interrupted fit is resumed, lines after the
    place where it is resumed are removed, so that no epoch is there twice.

    Args:
        filename: The file.
        separator: Separator between columns.
        append: Continue an existing file and keep its columns, instead of replacing it.
    """

    _only_reads_logs = True
    _keeps_learning_rate = True
    _runs_no_user_code = True

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ):
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self.keys: list[str] | None = None
        self.csv_file: Any = None
        self._header = True

    def check_run(self, names: Collection[str] | None) -> None:
        """Check before the first step that the file can be written or continued.

        Raises:
            ArgumentError: It cannot be written, it is not a CSV log, or columns are missing.
        """
        check_writable(self.filename, makes_folders=False)
        keys = self._existing_keys()
        if names is None or keys is None:
            return
        if not set(names) <= set(keys):
            raise ArgumentError(
                f"CSVLogger cannot continue {self.filename!r}: columns are missing.",
                expected=f"the columns {', '.join(['epoch', *names])}",
                received=f"the columns {', '.join(['epoch', *keys])}",
                fix="pass another file, or append=False to replace it",
            )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the file."""
        resumes = (self.params or {}).get("resumed", False)
        self.keys = None if resumes else self._existing_keys()
        self._header = self.keys is None
        self.csv_file = self._open(self.append or resumes)

    def get_state(self) -> dict[str, Any]:
        """The columns, and how long the file is; it is on the disk then."""
        size = 0
        if self.csv_file is not None:
            self.csv_file.flush()
            os.fsync(self.csv_file.fileno())
            size = os.fstat(self.csv_file.fileno()).st_size
        return {"keys": self.keys, "header": self._header, "size": size}

    def set_state(self, state: dict[str, Any]) -> None:
        """Remove the lines that were written after the fit was saved."""
        self.keys, self._header = state["keys"], state["header"]
        size = os.fstat(self.csv_file.fileno()).st_size
        if size >= state["size"]:
            self.csv_file.truncate(state["size"])
            self.csv_file.seek(0, os.SEEK_END)
            return
        self._header = self._header or size == 0
        warnings.warn(
            f"CSVLogger: {self.filename!r} has lost lines since the fit was saved; it goes on after"
            " those that are left.",
            CheckWarning,
            stacklevel=2,
        )

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch's line."""
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                # Validation may start in a later epoch.
                self.keys += [f"val_{key}" for key in self.keys]
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

    def _existing_keys(self) -> list[str] | None:
        """The columns after `epoch` of the file to continue; None for a new file.

        Raises:
            ArgumentError: Its first line is not the header of a log.
        """
        if not self.append:
            return None
        if not os.path.exists(self.filename) or os.path.getsize(self.filename) == 0:
            return None
        with open(self.filename, newline="", encoding="utf-8", errors="replace") as file:
            columns = next(csv.reader(file, delimiter=self.sep), [])
        if columns[:1] != ["epoch"]:
            raise ArgumentError(
                f"CSVLogger cannot continue {self.filename!r}.",
                expected=f"a log: its first line is epoch{self.sep}...",
                received=repr(self.sep.join(columns))[:80],
                fix=(
                    "pass another file, the separator of this file, or append=False to replace it"
                ),
            )
        return columns[1:]

    def _open(self, append: bool) -> Any:
        """Open the file; the last line of one that is continued is terminated if necessary."""
        mode = "a+" if append else "w"
        file = open(self.filename, mode, newline="", encoding="utf-8")  # noqa: SIM115
        if append and file.tell() > 0:
            with open(self.filename, "rb") as existing:
                existing.seek(-1, os.SEEK_END)
                if existing.read() not in (b"\n", b"\r"):
                    file.write("\n")
        return file


def _cell(value: Any) -> Any:
    if isinstance(value, str) or np.ndim(value) == 0 or not isinstance(value, Iterable):
        return value
    return f'"[{", ".join(map(str, value))}]"'
