"""gazelle run and gazelle migrate: programs for Keras."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from gazelle._core.console import say
from gazelle._core.errors import ArgumentError
from gazelle._core.packages import need
from gazelle._files.writing import atomic_path
from gazelle.cli.tables import table
from gazelle.compat._running import program_text, run_file

_KINDS = {"old": "old", "outside": "out of scope", "unknown": "unknown"}


def run(program: Path, arguments: Sequence[str]) -> int:
    """Run a program; see `run_file`. Its warnings look as Python's own."""
    with warnings.catch_warnings():
        warnings.showwarning = _as_python
        return run_file(program, arguments)


def check(program: Path) -> int:
    """Say what of a program is old, out of scope or unknown.

    Returns:
        0 if all of it will run, else 1.

    Raises:
        ArgumentError: There is no such file.
        DataError: It is not Python 3.
        PackageError: libcst is not installed.
    """
    need("gazelle run --check", "libcst")
    from gazelle.compat._reading import survey

    findings = survey(program, program_text(program))
    if not findings:
        say(f"{program}: nothing old, nothing out of scope")
        return 0
    rows = [["line", "", "written", "today"]]
    rows += [[str(f.line), _KINDS[f.kind], f.text, f.modern] for f in findings]
    say(table(rows, 60))
    stops = [finding for finding in findings if finding.kind != "old"]
    verdict = "all of it runs" if not stops else f"{len(stops)} places will not run"
    say(f"{program}: {verdict}")
    return 1 if stops else 0


def migrate(program: Path, out: Path | None, target: str) -> int:
    """Write the modern form of a program, to `out` or to the terminal; the notes go to stderr.

    Raises:
        ArgumentError: There is no such file, it is a notebook, or the target is unknown.
        DataError: It is not Python 3.
        PackageError: libcst is not installed.
    """
    need("gazelle migrate", "libcst")
    from gazelle.compat._migrating import TARGETS, written
    from gazelle.compat._migrating import migrate as modern

    if target not in TARGETS:
        raise ArgumentError("Unknown target.", expected=" or ".join(TARGETS), received=target)
    if program.suffix == ".ipynb":
        raise ArgumentError(
            "gazelle migrate takes .py files.",
            received=str(program),
            fix="gazelle run runs notebooks as they are",
        )
    result = modern(program, program_text(program), target)
    if out is None:
        say(result.source.removesuffix("\n"))
    else:
        with atomic_path(out) as temporary:
            Path(temporary).write_text(result.source, encoding="utf-8")
    if result.notes:
        say(written(result.notes), sys.stderr)
    return 0


def _as_python(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))
