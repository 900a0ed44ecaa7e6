"""Tables of text for the terminal."""

from __future__ import annotations

import shutil

from gazelle._core.console import fitting

CELL = 28  # columns of a cell, at most


def table(rows: list[list[str]], most: int = CELL) -> str:
    """Lay rows out in columns.

    Args:
        rows: The cells, the head first.
        most: Characters of a cell; longer ones are cut, and so is what does not fit the terminal.
    """
    available = shutil.get_terminal_size((100, 24)).columns
    cells = [[_cut(fitting(cell), most) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    gaps = 2 * (len(widths) - 1)
    while sum(widths) + gaps > available and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in cells:
        padded = [f"{_cut(cell, width):{width}}" for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(width - 3, 0)]}..."
