"""gazelle run: programs for Keras, with Keras's modules answered by Gazelle."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from gazelle.compat._running import run_file


def run(program: Path, arguments: Sequence[str]) -> int:
    """Run a program; see `run_file`. Its warnings look as Python's own."""
    with warnings.catch_warnings():
        warnings.showwarning = _as_python
        return run_file(program, arguments)


def _as_python(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    import sys

    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))
