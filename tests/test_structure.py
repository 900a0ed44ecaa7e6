"""The structure that a program can check: arrows, private access, sizes, and words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "gazelle"
FILES = sorted(SOURCE.rglob("*.py"))

MOST_LINES = 600  # of a file
MOST_BODY_LINES = 60  # of a function

# Attributes with an underscore that belong to Python or to a protocol of others.
KNOWN = {
    *("_replace", "_asdict", "_fields", "_make"),  # of named tuples
    *("_getframe", "_exit", "_repr_html_", "_keras_mask"),
}

# Words of an English of our own, and what to write instead. Patterns are in lower case.
ODD = {
    r"\banew\b": "again",
    r"\bin the place of\b": "instead of",
    r"\bby lot\b": "at random",
    r"\bcrew\b": "workers",
    r"\bstands? here\b": "is here",
    r"(?<!there )\bis no (int|number|array|string|float|dict|list|layer|dtype|text)\b": "is not",
    r"\b(samples|rows|steps|batches|bytes|values|numbers|one|line|entry) an? "
    r"(step|batch|class|epoch|sample|row|unit|output|line|call|chunk|layer|metric|name)\b": "per",
    r"\bwas used longest ago\b": "least recently used",
    r"\bgo(es)? with the (loss|shape|layer|data)\b": "match",
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {module_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
PATHS = {module_of(path): path for path in FILES}


def nodes_at_run_time(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes but those within `if TYPE_CHECKING:`."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            stack += node.orelse
        else:
            stack += ast.iter_child_nodes(node)


def imports_of(module: str) -> set[str]:
    found = set()
    for node in nodes_at_run_time(TREES[module]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gazelle"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in TREES else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in TREES}
    return found - {module}


def test_no_files_import_each_other_in_a_circle():
    waiting = {module: imports_of(module) for module in TREES}
    while True:
        free = {module for module, needed in waiting.items() if not needed & waiting.keys()}
        if not free:
            break
        waiting = {module: needed for module, needed in waiting.items() if module not in free}
    assert sorted(waiting) == []


def test_only_doors_name_rooms_in_strings():
    found = []
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            is_call = isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func)
            if is_call and "gazelle" in ast.unparse(node) and module != "gazelle":
                found.append(f"{relative(PATHS[module])}:{node.lineno}")
    assert found == []


def names_defined(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.attr if isinstance(node, ast.Attribute) else node.id)
    return found


def private_reads(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of each private attribute of an object that is not `self`, `cls` or super()."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in (
            "self",
            "cls",
            "super()",
        ):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            name = node.args[1]
            if isinstance(name, ast.Constant):
                yield node.lineno, str(name.value)


def test_no_room_reads_the_private_attributes_of_another_rooms_objects():
    rooms: dict[str, list[str]] = {}
    for module in TREES:
        rooms.setdefault(".".join(module.split(".")[:2]), []).append(module)
    found = []
    for modules in rooms.values():
        own = set().union(*(names_defined(TREES[module]) for module in modules))
        for module in modules:
            for line, name in private_reads(TREES[module]):
                is_private = name.startswith("_") and not name.startswith("__")
                if is_private and name not in own and name not in KNOWN:
                    found.append(f"{relative(PATHS[module])}:{line}: {name}")
    assert found == []


def test_no_module_imports_a_private_name_of_another_room():
    found = []
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(
                "gazelle"
            ):
                continue
            same_room = node.module.split(".")[:2] == module.split(".")[:2]
            for alias in node.names:
                is_room = f"{node.module}.{alias.name}" in TREES
                is_private = alias.name.startswith("_") and not alias.name.startswith("__")
                if is_private and not is_room and not same_room:
                    found.append(f"{relative(PATHS[module])}:{node.lineno}: {alias.name}")
    assert found == []


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_file_is_of_a_size_that_can_be_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def length_of_body(function: ast.FunctionDef) -> int:
    statements = function.body[1:] if ast.get_docstring(function) else function.body
    return statements[-1].end_lineno - statements[0].lineno + 1 if statements else 0


def test_functions_are_of_a_size_that_can_be_read():
    found = []
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                length = length_of_body(node)
                if length > MOST_BODY_LINES:
                    found.append(f"{relative(PATHS[module])}: {node.name} has {length} lines")
    assert found == []


TEXTS = [
    *FILES,
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
]


@pytest.mark.parametrize("path", TEXTS, ids=relative)
def test_a_text_is_in_plain_english(path):
    text = path.read_text(encoding="utf-8").lower()
    found = []
    for pattern, better in ODD.items():
        for match in re.finditer(pattern, text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"line {line}: {match[0]!r} (better: {better})")
    assert found == []


def glossary() -> list[str]:
    page = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
    table = page.partition("## Glossary")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([a-z, ]+) \|", table, flags=re.MULTILINE)
    return [row for row in rows if row != "word"]


def test_the_glossary_has_few_words_and_the_code_uses_each():
    words = glossary()
    assert 0 < len(words) <= 12
    engine = "".join(
        path.read_text(encoding="utf-8") for path in (SOURCE / "_engine").rglob("*.py")
    )
    missing = [
        word
        for entry in words
        for word in entry.split(", ")
        if not re.search(rf"\b{word.replace(' ', '[_ ]')}", engine)
    ]
    assert missing == []
