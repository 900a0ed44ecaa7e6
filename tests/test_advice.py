"""Errors never advise what does not exist: every name of Gazelle's and NumPy's in a fix can be found."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import gazelle

SOURCES = sorted(Path(gazelle.__file__).parent.rglob("*.py"))
ROOMS = [name for name in gazelle.__all__ if name.islower() and not name.startswith("_")]
NAME = re.compile(
    rf"(?<![\w.])(gazelle(?:\.\w+)+|(?:{'|'.join(ROOMS)}|np|pandas)\.[A-Za-z_]\w*(?:\.\w+)*)(?!\.\w*[/\\])"
)
NO_NAMES = {"config.json"}  # files


def texts(tree):
    """All strings of a file but the docstrings, with a blank in the place of what an f-string fills in."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and isinstance(node.body[0], ast.Expr)
    }
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield " ".join(
                part.value if isinstance(part, ast.Constant) else "\0" for part in node.values
            )
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and not {id(node)} & (docs | parts)
        ):
            yield node.value


def advised():
    for path in SOURCES:
        for text in texts(ast.parse(path.read_text(encoding="utf-8"))):
            if " " in text:  # a sentence
                for name in NAME.findall(text):
                    if "\0" not in name and name not in NO_NAMES:
                        yield path.name, name


def exists(name):
    first, *rest = {"np": "numpy"}.get(name.split(".")[0], name.split(".")[0]), *name.split(".")[1:]
    found = importlib.import_module(
        first if first in ("numpy", "pandas", "gazelle") else f"gazelle.{first}"
    )
    for part in rest:
        if not hasattr(found, part):
            try:
                found = importlib.import_module(f"{found.__name__}.{part}")
            except (ImportError, AttributeError):
                return False
        else:
            found = getattr(found, part)
    return True


@pytest.mark.parametrize(("where", "name"), sorted(set(advised())), ids=lambda part: part)
def test_what_a_message_names_is_there(where, name):
    assert exists(name), f"{where} speaks of {name}"


def test_names_that_are_not_there_would_be_found():
    assert not exists("gazelle.layers.StringLookup")
    assert not exists("utils.no_such_thing")
    assert len(set(advised())) > 20
