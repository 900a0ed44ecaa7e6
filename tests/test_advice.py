"""Messages name only what exists: every name of Gazelle, NumPy and pandas in a text is found."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import gazelle

# What answers for TensorFlow speaks of TensorFlow's names.
SOURCES = sorted(
    path for path in Path(gazelle.__file__).parent.rglob("*.py") if "_tensorflow" not in path.parts
)
ROOMS = [name for name in gazelle.__all__ if name.islower() and not name.startswith("_")]
NAME = re.compile(
    rf"(?<![\w.])(gazelle(?:\.\w+)+|(?:{'|'.join(ROOMS)}|np|pandas)\.[A-Za-z_]\w*(?:\.\w+)*)(?!\.\w*[/\\])"
)
NO_NAMES = {"config.json"}  # a file


def texts(tree):
    """All strings of a file except docstrings, with "\\0" for the values in an f-string."""
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            if isinstance(node.body[0], ast.Expr):
                skipped.add(node.body[0].value)
        elif isinstance(node, ast.JoinedStr):
            skipped.update(node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
            yield " ".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            yield node.value


def advised():
    for path in SOURCES:
        for text in texts(ast.parse(path.read_text(encoding="utf-8"))):
            if " " in text:  # a sentence
                for name in NAME.findall(text):
                    if "\0" not in name and name not in NO_NAMES:
                        yield path.name, name


def exists(name):
    first, *rest = name.split(".")
    packages = {"np": "numpy", "pandas": "pandas", "gazelle": "gazelle"}
    found = importlib.import_module(packages.get(first, f"gazelle.{first}"))
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
def test_the_names_in_a_message_exist(where, name):
    assert exists(name), f"{where} names {name}, which does not exist"


def test_names_that_do_not_exist_are_detected():
    assert not exists("gazelle.layers.LSTM")
    assert not exists("utils.no_such_thing")
    assert len(set(advised())) > 20
