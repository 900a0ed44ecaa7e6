"""Runs a script or notebook for Keras as it stands."""

from __future__ import annotations

import ast
import json
import linecache
import os
import runpy
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from gazelle._core.console import say
from gazelle._core.errors import ArgumentError
from gazelle.compat._install import install
from gazelle.compat._outside import OutOfScopeError

_INTERACTIVE = (
    "gtk3agg", "gtk3cairo", "gtk4agg", "gtk4cairo", "macosx", "nbagg", "qt4agg", "qt5agg", "qtagg",
    "tkagg", "tkcairo", "webagg", "wxagg",
)  # fmt: skip
_SHOWN_NOWHERE = "FigureCanvasAgg is non-interactive"


def run_file(path: Path, arguments: Sequence[str] = ()) -> int:
    """Run a program as `python` does, with Keras's modules answered by Gazelle.

    Args:
        path: A `.py` file, or a notebook (`.ipynb`).
        arguments: What the program finds in `sys.argv[1:]`.

    Returns:
        The exit status: 0, 1 after an error (whose traceback is printed), or what the program
        passed to `sys.exit`.

    Raises:
        ArgumentError: There is no such file.
    """
    _require(path)
    _prepare(path, arguments)
    try:
        if path.suffix == ".ipynb":
            _run_notebook(path)
        else:
            runpy.run_path(str(path), run_name="__main__")
    except SystemExit as end:
        return _status(end.code)
    except OutOfScopeError as error:
        say(f"{_place(error, path)}: {error}", sys.stderr)
        return 1
    except Exception as error:
        _print_traceback(error, path)
        return 1
    return 0


def program_text(path: Path) -> str:
    """The source of a program; the cells of a notebook one after the other.

    Raises:
        ArgumentError: There is no such file, or it is not a notebook.
    """
    _require(path)
    if path.suffix == ".ipynb":
        return "\n\n".join(code_cells(path)) + "\n"
    return path.read_text(encoding="utf-8")


def _require(path: Path) -> None:
    if not path.is_file():
        raise ArgumentError(f"There is no file {path}.", fix="pass a .py or .ipynb file")


def _prepare(path: Path, arguments: Sequence[str]) -> None:
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(path.resolve().parent))
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        # Without a screen, plots are drawn and shown nowhere.
        os.environ.setdefault("MPLBACKEND", "Agg")
        if "matplotlib.use" in path.read_text(encoding="utf-8", errors="replace"):
            _show_nothing()
    warnings.filterwarnings("ignore", _SHOWN_NOWHERE, UserWarning)
    install()


def _show_nothing() -> None:
    """Let `matplotlib.use` of a backend that needs a screen choose the one that draws to files."""
    try:
        import matplotlib
    except ImportError:  # the program says it better
        return
    original = matplotlib.use

    def use(backend: str, *args: Any, **kwargs: Any) -> None:
        on_screen = backend.lower() in _INTERACTIVE
        original("Agg" if on_screen else backend, *args, **kwargs)

    matplotlib.use = use


def _status(code: Any) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    say(str(code), sys.stderr)
    return 1


def _place(error: BaseException, path: Path) -> str:
    """File and line of the program where an error came up."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(str(path))
    ]
    return f"{path}:{lines[-1]}" if lines else str(path)


def _print_traceback(error: Exception, path: Path) -> None:
    """Python's traceback, from the first line of the program on."""
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(str(path)):
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace or error.__traceback__)


# ---- Notebooks ----


def _run_notebook(path: Path) -> None:
    """Run the code of a notebook, cell by cell; the value of a cell's last line is printed."""
    main = ModuleType("__main__")
    main.__file__ = str(path)
    names = vars(main)
    names.update(_names_of_notebooks())
    sys.modules["__main__"] = main
    for number, source in enumerate(code_cells(path), 1):
        label = f"{path}[{number}]"
        linecache.cache[label] = (len(source), None, source.splitlines(keepends=True), label)
        tree = ast.parse(source, label)
        last = tree.body[-1] if tree.body else None
        if not isinstance(last, ast.Expr):
            exec(compile(tree, label, "exec"), names)
            continue
        exec(compile(ast.Module(tree.body[:-1], []), label, "exec"), names)
        value = eval(compile(ast.Expression(last.value), label, "eval"), names)
        if value is not None and not source.rstrip().endswith(";"):
            say(repr(value))


def code_cells(path: Path) -> Iterator[str]:
    """The source of each code cell, without what only a notebook understands.

    Lines that begin with `%`, `!` or `?` become `pass`; a cell that begins with `%%` is left out.

    Raises:
        ArgumentError: The file is not a notebook.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))
        cells = cells["cells"] if "cells" in cells else cells["worksheets"][0]["cells"]
        sources = [
            "".join(cell.get("source", cell.get("input", "")))
            for cell in cells
            if cell["cell_type"] == "code"
        ]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ArgumentError(f"{path} is not a notebook.", received=str(error)[:80]) from None
    for source in sources:
        if not source.lstrip().startswith("%%"):
            yield "\n".join(map(_without_magic, source.split("\n")))


def _without_magic(line: str) -> str:
    """A line of Python; `pass` for what only a notebook understands."""
    start = line.lstrip()
    is_magic = start.startswith(("%", "!", "?")) or start.rstrip().endswith("?")
    return line[: len(line) - len(start)] + "pass" if is_magic else line


def _names_of_notebooks() -> dict[str, Any]:
    """`get_ipython` and `display`, where IPython is installed."""
    try:
        display = import_module("IPython.display").display
        shell = import_module("IPython.core.interactiveshell").InteractiveShell.instance()
    except ImportError:
        return {}
    return {"get_ipython": shell.get_ipython, "display": display}
