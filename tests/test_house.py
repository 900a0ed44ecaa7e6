"""House rules that a program can check: imports, docstrings, pages, forbidden texts."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src" / "gazelle").rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = {
    "",
    ".css",
    ".csv",
    ".html",
    ".js",
    ".json",
    ".md",
    ".py",
    ".svg",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
}
SKIPPED = {"__pycache__", "build", "dist", "results"}

# Split into parts, so that this file does not contain what it looks for.
REGISTRIES = [
    r"pypi\." + "org",
    r"pythonhosted\." + "org",
    r"npmjs\." + "org",
    "index" + "-url",
    "find" + "-links",
]
FORBIDDEN = [
    re.compile("|".join(REGISTRIES)),
    re.compile(r"https?://[^\s)\"']*/(simple" + "|packages)/"),
    re.compile("(^|[^A-Za-z0-9_.])(/" + "work/|/" + "root/|/home/[a-z])"),
]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def texts() -> list[Path]:
    """The project's text files, except in environments, caches and run folders."""

    def is_skipped(path: Path) -> bool:
        folders = path.relative_to(ROOT).parts[:-1]
        hidden = [name for name in folders if name.startswith(".") and name != ".ci"]
        return folders[:1] == ("runs",) or bool(hidden) or not SKIPPED.isdisjoint(folders)

    files = [path for path in ROOT.rglob("*") if path.suffix in TEXT and path.is_file()]
    return sorted(path for path in files if not is_skipped(path))


def public_definitions(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    definitions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [node for node in definitions if not node.name.startswith("_")]


def test_every_room_imports_only_the_rooms_below_it():
    program = (
        "import sys; from importlinter.cli import lint_imports;"
        " sys.exit(lint_imports(no_cache=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_and_every_public_definition_has_a_docstring():
    missing = []
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if not ast.get_docstring(tree):
            missing.append(relative(path))
        missing += [
            f"{relative(path)}: {node.name}"
            for node in public_definitions(tree)
            if not ast.get_docstring(node)
        ]
    assert missing == []


def test_every_public_method_of_the_exported_classes_has_a_docstring():
    import gazelle

    names = [getattr(gazelle, name) for name in gazelle.__all__]
    rooms = [room for room in names if inspect.ismodule(room)]
    exported = [getattr(room, name) for room in rooms for name in room.__all__]
    missing = set()
    for cls in filter(inspect.isclass, exported):
        for name, method in inspect.getmembers(cls, inspect.isfunction):
            is_own = method.__module__.startswith("gazelle") and not name.startswith("_")
            # `getdoc` gives an override the text of the method that it overrides.
            if is_own and not inspect.getdoc(getattr(cls, name)):
                missing.add(f"{method.__module__}.{method.__qualname__}")
    assert sorted(missing) == []


def test_the_package_never_asserts():
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    found = [
        f"{relative(path)}:{node.lineno}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
    ]
    assert found == []


def imported_rooms(tree: ast.Module) -> dict[str, ModuleType]:
    """Gazelle and its rooms by the names under which a program imports them."""
    import gazelle

    rooms = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "gazelle":
            for alias in node.names:
                rooms[alias.asname or alias.name] = getattr(gazelle, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "gazelle":
                    rooms[alias.asname or alias.name] = gazelle
    return rooms


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_the_python_blocks_of_a_page_compile_and_use_existing_names(page):
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        tree = ast.parse(block)
        rooms = imported_rooms(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                room = node.value.id
                assert room not in rooms or hasattr(rooms[room], node.attr), f"{room}.{node.attr}"


def test_the_readme_has_a_python_program():
    assert "```python" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_the_links_of_a_page_lead_to_existing_files(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith("http")]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_no_file_contains_a_registry_address_or_a_machine_path():
    found = []
    for path in texts():
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if any(pattern.search(line) for pattern in FORBIDDEN):
                found.append(f"{relative(path)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_the_constraints_are_plain_pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    pattern = re.compile(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.]+")
    assert [pin for pin in pins if not pattern.fullmatch(pin)] == []
    assert pins == sorted(pins, key=str.lower)
