"""The house rules that a program can check: imports between rooms, docstrings, the README, forbidden texts."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

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

# Put together from parts, so that this file does not hold what it looks for.
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
    """The project's text files: none from environments, caches and run folders."""

    def skipped(path: Path) -> bool:
        folders = path.relative_to(ROOT).parts[:-1]
        return folders[:1] == ("runs",) or any(
            part in SKIPPED or (part.startswith(".") and part != ".ci") for part in folders
        )

    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.suffix in TEXT and path.is_file() and not skipped(path)
    )


def public_definitions(
    tree: ast.Module,
) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    found = []
    for node in tree.body:
        if isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ) and not node.name.startswith("_"):
            found.append(node)
    return found


def test_every_room_imports_only_the_rooms_below_it():
    program = (
        "import sys; from importlinter.cli import lint_imports;"
        " sys.exit(lint_imports(no_cache=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_says_what_it_is_and_so_does_all_that_is_public_in_it():
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

    rooms = [
        getattr(gazelle, name)
        for name in gazelle.__all__
        if inspect.ismodule(getattr(gazelle, name))
    ]
    things = [getattr(room, name) for room in rooms for name in room.__all__]
    missing = set()
    for thing in filter(inspect.isclass, things):
        for name, method in inspect.getmembers(thing, inspect.isfunction):
            own = method.__module__.startswith("gazelle") and not name.startswith("_")
            if own and not inspect.getdoc(
                getattr(thing, name)
            ):  # an override inherits the text of what it overrides
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


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_the_python_blocks_of_a_page_compile_and_name_what_gazelle_has(page):
    import gazelle

    blocks = re.findall(
        r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    for block in blocks:
        tree = ast.parse(block)
        rooms = {}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module == "gazelle":
                rooms.update(
                    {
                        alias.asname or alias.name: getattr(gazelle, alias.name)
                        for alias in node.names
                    }
                )
            elif isinstance(node, ast.Import):
                rooms.update(
                    {
                        alias.asname or alias.name: gazelle
                        for alias in node.names
                        if alias.name == "gazelle"
                    }
                )
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in rooms
            ):
                assert hasattr(rooms[node.value.id], node.attr), f"{node.value.id}.{node.attr}"


def test_the_readme_has_a_python_program():
    assert "```python" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_the_links_of_a_page_lead_to_files_that_are_there(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [
        link for link in links if not link.startswith("http") and not (page.parent / link).exists()
    ]
    assert missing == []


def test_no_file_holds_an_address_of_a_registry_or_a_path_of_a_machine():
    found = []
    for path in texts():
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        ):
            if any(pattern.search(line) for pattern in FORBIDDEN):
                found.append(f"{relative(path)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_the_constraints_are_plain_pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.]+", pin)] == []
    assert pins == sorted(pins, key=str.lower)
