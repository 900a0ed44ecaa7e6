"""What of a program is Keras's, found in its source: for the check and the migration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider, QualifiedNameProvider

from gazelle._core.errors import DataError
from gazelle._formats.old_names import Renamed
from gazelle.compat._forms import CALLS, MEMBERS, MODULES, NAMES
from gazelle.compat._modules import path_of, room
from gazelle.compat._outside import OutOfScope

# Where Keras's names begin.
_STARTS = ("tensorflow.python.keras", "tensorflow.keras", "tf_keras", "keras_core", "keras")


@dataclass(frozen=True)
class Finding:
    """Something of a program that is worth a word.

    Args:
        line: The line, from 1.
        kind: `"old"`, `"outside"` (not for dense networks) or `"unknown"`.
        text: What is written there.
        modern: What is written today, or why it will not run.
    """

    line: int
    kind: str
    text: str
    modern: str


def parsed(source: str, label: str) -> MetadataWrapper:
    """A program with the full names of what it uses.

    Raises:
        DataError: It is not Python 3.
    """
    try:
        return MetadataWrapper(cst.parse_module(source))
    except cst.ParserSyntaxError as error:
        raise DataError(
            f"{label} cannot be read as Python 3.",
            received=f"line {error.raw_line}: {error.message.splitlines()[0]}",
            fix="a program for Python 2 goes through 2to3 first",
        ) from None


def below_keras(name: str) -> str | None:
    """The part of a full name below `keras`; None for a name of something else.

    Args:
        name: `"tensorflow.keras.layers.Dense"`.
    """
    for start in _STARTS:
        if name == start or name.startswith(f"{start}."):
            return name[len(start) :].lstrip(".")
    return None


def split(path: str) -> tuple[str, str, str] | None:
    """The module as it is written, today's room, and the name in it; None if no Keras had it.

    Args:
        path: Below `keras`: `"layers.core.Dense"`.
    """
    place, _, name = path.rpartition(".")
    found = path_of(place) if place else ""
    return None if found is None else (place, found, name)


def today(path: str) -> str | None:
    """The path below `keras` under which a name is known today."""
    parts = split(path)
    if parts is None:
        return None
    _, there, name = parts
    known = f"{there}.{name}" if there else name
    if known in NAMES:
        new = NAMES[known]
        return new if "." in new else f"{there}.{new}"
    return known


def renamed_call(path: str) -> Renamed | None:
    """How the arguments of a class or function are called today."""
    known = today(path)
    if known is None:
        return None
    if known in ("models.Model", "Model"):
        return CALLS["models.Model"]
    if known in ("layers.Input", "Input"):
        return CALLS["Input"]
    return CALLS.get(known, CALLS["optimizers.Optimizer"] if "optimizers." in known else None)


def line_of(visitor: Any, node: cst.CSTNode) -> int:
    """The line of a node, from 1."""
    return visitor.get_metadata(PositionProvider, node).start.line


class Survey(cst.CSTVisitor):
    """Collects the findings of a program."""

    METADATA_DEPENDENCIES = (QualifiedNameProvider, PositionProvider)

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._seen: set[tuple[int, str]] = set()

    def _note(self, node: cst.CSTNode, kind: str, text: str, modern: str) -> None:
        line = line_of(self, node)
        if (line, text) not in self._seen:
            self._seen.add((line, text))
            self.findings.append(Finding(line, kind, text, modern))

    def _paths(self, node: cst.CSTNode) -> Iterator[str]:
        for found in self.get_metadata(QualifiedNameProvider, node, set()):
            path = below_keras(found.name)
            if path:
                yield path

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        """Judge the module, and each name that is imported from it."""
        module = "" if node.module is None else dotted(node.module)
        path = below_keras(module)
        if path is None or node.relative:
            return
        if not isinstance(node.names, cst.ImportStar):
            for alias in node.names:
                name = dotted(alias.name)
                self._judge(alias, f"{path}.{name}" if path else name)

    def visit_Import(self, node: cst.Import) -> None:
        """Judge the modules."""
        for alias in node.names:
            path = below_keras(dotted(alias.name))
            if path:
                self._judge(alias, path)

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        """Judge a full name once, not its parts."""
        paths = list(self._paths(node))
        for path in paths:
            self._judge(node, path)
        return not paths

    def visit_Call(self, node: cst.Call) -> None:
        """Judge the arguments of a call, and old methods."""
        renamed, label = None, ""
        for path in self._paths(node.func):
            renamed, label = renamed_call(path), path.rpartition(".")[2]
        if renamed is None and isinstance(node.func, cst.Attribute):
            label = node.func.attr.value
            renamed = CALLS.get(f"Model.{label}")
            if f"Model.{label}" in MEMBERS:
                self._note(node, "old", f".{label}()", f".{MEMBERS[f'Model.{label}']}")
        if renamed is None:
            return
        for arg in node.args:
            name = arg.keyword.value if arg.keyword else ""
            if name in renamed.arguments:
                new = renamed.arguments[name]
                self._note(arg, "old", f"{label}({name}=)", f"{label}({new}=)")
            elif name in renamed.dropped and name not in ("input_dim", "input_length"):
                self._note(arg, "old", f"{label}({name}=)", f"{label}() without it")

    def _judge(self, node: cst.CSTNode, path: str) -> None:
        parts = split(path)
        if parts is None:
            self._note(node, "unknown", f"keras.{path}", "no Keras had it")
            return
        place, there, name = parts
        if path_of(path) is not None and path not in MODULES:
            return
        new = today(path)
        if path in MODULES:
            self._note(node, "old", f"keras.{path}", f"keras.{MODULES[path]}")
        elif place in MODULES:
            self._note(node, "old", f"keras.{place}", f"keras.{there}")
        try:
            value = getattr(room(there), name)
        except (AttributeError, ImportError) as error:
            said = str(error).splitlines()[0]
            start = said.find("Did you mean")
            self._note(node, "unknown", f"keras.{path}", said[max(start, 0) :])
            return
        if isinstance(type(value), type) and isinstance(value, OutOfScope):
            self._note(node, "outside", f"keras.{path}", "it is not for dense networks")
        elif new is not None and new.rpartition(".")[2] != name:
            self._note(node, "old", f"keras.{path}", f"keras.{new}")


def dotted(node: cst.BaseExpression) -> str:
    """`a.b.c` of a name in an import."""
    if isinstance(node, cst.Attribute):
        return f"{dotted(node.value)}.{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""


def survey(path: Path, source: str) -> list[Finding]:
    """What of a program is old, out of scope or unknown, by line.

    Args:
        path: Its name, for errors.
        source: Its text.

    Raises:
        DataError: It is not Python 3.
    """
    visitor = Survey()
    parsed(source, str(path)).visit(visitor)
    return sorted(visitor.findings, key=lambda finding: finding.line)
