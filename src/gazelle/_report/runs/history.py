"""`history.csv`: one line per epoch, one column per figure."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from gazelle._core.errors import DataError
from gazelle._files.reading import read_bytes
from gazelle._report.runs.damage import reporting_damage
from gazelle._report.runs.jsonfile import write_text

HISTORY = "history.csv"
MOST_BYTES = 32 << 20
MOST_CELLS = 2_000_000
MOST_EPOCHS = 10**9


def write_history(
    folder: Path, history: Mapping[str, Sequence[float]], epochs: Sequence[int] | None = None
) -> Path:
    """Write the figures of every epoch.

    Args:
        folder: The run folder.
        history: Name -> one number per epoch, like `History.history`. A figure that was not
            computed in every epoch may be NaN in the others.
        epochs: Numbers of the epochs; None for 1, 2, 3, ...

    Returns:
        Path of the file.

    Raises:
        DataError: The lists differ in length.
    """
    lengths = {name: len(values) for name, values in history.items()}
    rows = len(epochs) if epochs is not None else max(lengths.values(), default=0)
    if any(length != rows for length in lengths.values()):
        raise DataError(
            "The columns of the history have different lengths.",
            expected=f"{rows} values in each column",
            received=lengths,
            fix="pass one value per epoch, NaN where one is missing",
        )
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", *history])
    for index, epoch in enumerate(range(1, rows + 1) if epochs is None else epochs):
        writer.writerow([int(epoch), *(repr(float(values[index])) for values in history.values())])
    return write_text(folder / HISTORY, text.getvalue())


def read_history(folder: Path) -> tuple[list[int], dict[str, list[float]]]:
    """Read the figures of every epoch; an empty cell is read as NaN.

    Returns:
        Numbers of the epochs, and the figures by name.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = folder / HISTORY
    with reporting_damage(path, "a header `epoch,...` and one line of numbers per epoch"):
        text = read_bytes(path, MOST_BYTES).decode("utf-8")
        if text.count(",") > MOST_CELLS:
            raise ValueError(f"more than {MOST_CELLS:,} cells")
        return _parsed(list(csv.reader(io.StringIO(text), strict=True)))


def _parsed(rows: list[list[str]]) -> tuple[list[int], dict[str, list[float]]]:
    if not rows:
        raise ValueError("an empty file")
    head = rows[0]
    if head[:1] != ["epoch"] or len(set(head)) != len(head):
        raise ValueError(f"the header {head}")
    names = head[1:]
    epochs: list[int] = []
    history: dict[str, list[float]] = {name: [] for name in names}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names) + 1:
            raise ValueError(f"{len(row)} cells in line {number}")
        epoch = int(row[0])
        last = epochs[-1] if epochs else 0
        if not last < epoch <= MOST_EPOCHS:
            raise ValueError(
                f"epoch {epoch} in line {number}: epochs must increase, from 1 to {MOST_EPOCHS:,}"
            )
        epochs.append(epoch)
        for name, cell in zip(names, row[1:], strict=True):
            history[name].append(float(cell) if cell else math.nan)
    return epochs, history
