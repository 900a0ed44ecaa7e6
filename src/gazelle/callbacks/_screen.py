"""Output of the progress: plain lines, a live line in a terminal, or a live notebook output."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import deque
from typing import Any

from gazelle._core.console import can_show, write

# Seconds between two redraws of a notebook's output, and how many finished lines it keeps.
_NOTEBOOK_INTERVAL = 0.1
_NOTEBOOK_LINES = 20


class Screen:
    """Plain lines on standard output: no escape codes, no carriage returns.

    Attributes:
        live: Whether lines can be redrawn.
        color: Whether colors can be shown.
        aligned: Whether finished lines are shown below each other, so that their parts should be
            aligned.
        unicode: Whether the output's encoding has the characters of the bar.
        drawn_at: Time at which a line was last drawn, in seconds of `time.perf_counter`.
    """

    live = False
    color = False
    aligned = False

    def __init__(self) -> None:
        self.drawn_at = 0.0
        self.unicode = can_show("━─")

    def width(self) -> int | None:
        """Maximum number of characters in a line; None for no limit."""
        return None

    def draw(self, text: str, length: int) -> None:
        """Replace the live line with `text`, which has `length` visible characters."""

    def finish(self, text: str) -> None:
        """Replace the live line with one or several finished lines."""
        write(text + "\n")

    def clear(self) -> None:
        """Remove the live line."""

    def close(self) -> None:
        """Show everything that is not shown yet."""


class Terminal(Screen):
    """One live line, rewritten in place."""

    live = True

    def __init__(self) -> None:
        super().__init__()
        self._length = 0  # of the live line on the screen
        has_escape_codes = os.name != "nt" or "WT_SESSION" in os.environ
        self.color = "NO_COLOR" not in os.environ and has_escape_codes

    def width(self) -> int | None:
        """The terminal's width minus one column, because full lines wrap in some terminals."""
        return max(shutil.get_terminal_size((80, 24)).columns - 1, 1)

    def draw(self, text: str, length: int) -> None:
        """Rewrite the live line."""
        # Spaces erase the rest of a longer line without an escape code.
        write(f"\r{text}{' ' * (self._length - length)}")
        self._length = length
        self.drawn_at = time.perf_counter()

    def finish(self, text: str) -> None:
        """Replace the live line with finished lines."""
        write(f"{self._erased()}{text}\n")

    def clear(self) -> None:
        """Remove the live line."""
        if self._length:
            write(self._erased())

    def _erased(self) -> str:
        """The characters that erase the live line."""
        length, self._length = self._length, 0
        return f"\r{' ' * length}\r" if length else ""


class Notebook(Screen):
    """One output below the cell, which is updated: the last finished lines and the live one."""

    live = True
    aligned = True

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=_NOTEBOOK_LINES)
        self._count = 0
        self._handle: Any = None
        self._stale = False

    def width(self) -> int | None:
        """Number of characters that fit between a notebook's margins."""
        return 120

    def draw(self, text: str, length: int) -> None:
        """Show the finished lines and the live one."""
        self._show(text)

    def finish(self, text: str) -> None:
        """Add a finished line; soon after a redraw it is only shown with the next one."""
        self._lines.append(text)
        self._count += 1
        if time.perf_counter() - self.drawn_at >= _NOTEBOOK_INTERVAL:
            self._show()
        else:
            self._stale = True

    def close(self) -> None:
        """Show the last lines."""
        if self._stale:
            self._show()

    def _show(self, *live: str) -> None:
        from IPython.display import display  # pyright: ignore[reportMissingImports]

        hidden = self._count - len(self._lines)
        head = [f"({hidden} earlier lines)"] if hidden else []
        bundle = {"text/plain": "\n".join([*head, *self._lines, *live])}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
        self.drawn_at = time.perf_counter()
        self._stale = False


def open_screen(verbose: int) -> Screen:
    """The screen for a verbosity: live for 1 in a terminal or a notebook, else plain lines."""
    stream = sys.stdout
    if verbose != 1 or stream is None:
        return Screen()
    if "IPython" in sys.modules and type(stream).__module__.partition(".")[0] == "ipykernel":
        return Notebook()
    isatty = getattr(stream, "isatty", None)
    if isatty is not None and isatty() and os.environ.get("TERM") != "dumb":
        return Terminal()
    return Screen()
