"""Compares Gazelle's public names and signatures with Keras's: `python names.py [--docs FILE]`.

Keras's names are found by looking into the package. What is not in Gazelle has its reason in
`names.toml`, as has each signature that differs.
"""

import argparse
import fnmatch
import importlib
import inspect
import os
import re
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

REASONS = Path(__file__).with_name("names.toml")
MISSING = object()
_FEW = 12  # names of a group that the page lists one by one


def keras_names() -> dict[str, Any]:
    """Every public object of Keras by its name without `keras.`; modules are left out."""
    import keras

    found: dict[str, Any] = {}
    seen: set[str] = set()

    def look_into(module: types.ModuleType, path: str) -> None:
        for name in sorted(dir(module)):
            value = getattr(module, name)
            full = f"{path}.{name}" if path else name
            if name.startswith("_"):
                continue
            if not isinstance(value, types.ModuleType):
                found[full] = value
            elif full not in seen and re.match(r"keras\.(?!src)", value.__name__):
                seen.add(full)
                look_into(value, full)

    look_into(keras, "")
    return found


def in_gazelle(name: str) -> Any:
    """Gazelle's object of a name; `MISSING` if there is none."""
    found: Any = importlib.import_module("gazelle")
    parts = name.split(".")
    for count, part in enumerate(parts, 1):
        if hasattr(found, part):
            found = getattr(found, part)
            continue
        try:
            found = importlib.import_module(f"gazelle.{'.'.join(parts[:count])}")
        except ImportError:
            return MISSING
    return found


def reasons() -> dict[str, dict[str, list[str]]]:
    """The reasons of `names.toml`: by section, patterns of names by reason."""
    return tomllib.loads(REASONS.read_text(encoding="utf-8"))


def reason_for(name: str, section: str) -> str:
    """Why a name is missing or differs; empty where no reason is given."""
    for reason, patterns in reasons()[section].items():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            return reason
    return ""


def missing_names() -> dict[str, str]:
    """The names of Keras that Gazelle does not have, with the reasons; empty for none."""
    return {
        name: reason_for(name, "missing")
        for name in keras_names()
        if in_gazelle(name) is MISSING
    }  # fmt: skip


def differing_signatures() -> Iterator[tuple[str, str]]:
    """The functions, classes and methods with other parameters than Keras's, and how."""
    done: set[tuple[int, int]] = set()
    for name, theirs in keras_names().items():
        ours = in_gazelle(name)
        if ours is MISSING or not callable(theirs) or (id(theirs), id(ours)) in done:
            continue
        done.add((id(theirs), id(ours)))
        if difference := _difference(theirs, ours):
            yield name, difference
        if not inspect.isclass(theirs) or not inspect.isclass(ours):
            continue
        for method in sorted(vars(theirs)):
            is_method = callable(getattr(theirs, method))
            if method.startswith("_") or method in ("call", "build") or not is_method:
                continue
            if not hasattr(ours, method):
                yield f"{name}.{method}", "missing"
            elif difference := _difference(getattr(theirs, method), getattr(ours, method)):
                yield f"{name}.{method}", difference


def _difference(theirs: Any, ours: Any) -> str:
    """How the parameters of Gazelle's function differ; empty where a call for Keras fits both."""
    try:
        wanted, found = inspect.signature(theirs).parameters, inspect.signature(ours).parameters
    except (TypeError, ValueError):
        return ""
    takes_any = any(one.kind is one.VAR_KEYWORD for one in found.values())
    wrong: list[str] = []
    for name, parameter in wanted.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if name not in found:
            if not takes_any:
                wrong.append(f"{name} is missing")
            continue
        if not _same_default(parameter.default, found[name].default):
            wrong.append(f"{name}={_shown(found[name].default)}, not {_shown(parameter.default)}")
    return "; ".join(wrong + _wrong_places(wanted, found))


def _wrong_places(wanted: Any, found: Any) -> list[str]:
    """The parameters that a call by position would not reach."""
    positional = [
        [name for name, one in some.items() if one.kind is one.POSITIONAL_OR_KEYWORD]
        for some in (wanted, found)
    ]
    pairs = zip(*positional, strict=False)
    return [f"{theirs} stands where {ours} is" for theirs, ours in pairs if theirs != ours][:1]


def _same_default(theirs: Any, ours: Any) -> bool:
    if theirs is ours:
        return True
    return _shown(theirs) == _shown(ours)


def _shown(default: Any) -> str:
    if default is inspect.Parameter.empty:
        return "required"
    return getattr(default, "__name__", None) or repr(default)


def page() -> str:
    """docs/keras_names.md."""
    by_room: dict[str, list[str]] = {}
    for name in keras_names():
        by_room.setdefault(name.rpartition(".")[0] or "keras", []).append(name)
    missing = missing_names()
    lines = [
        "# Keras's public names",
        "",
        "`python tests/conformance/names.py --docs docs/keras_names.md` writes this page from the",
        "installed Keras. A name that is covered has Keras's parameters and defaults; a test",
        "compares them.",
        "",
        "| Module | Names | Covered | Not covered |",
        "|---|--:|--:|---|",
    ]
    for room, names in sorted(by_room.items()):
        absent = [name for name in names if name in missing]
        parts = []
        for reason in dict.fromkeys(missing[name] for name in absent):
            some = [f"`{n.rpartition('.')[2]}`" for n in absent if missing[n] == reason]
            listed = ", ".join(some) if len(some) <= _FEW else f"{len(some)} names"
            parts.append(f"{reason or 'not done yet'}: {listed}")
        shown = "; ".join(parts)
        lines.append(f"| `{room}` | {len(names)} | {len(names) - len(absent)} | {shown} |")
    lines += ["", "## Signatures that differ", "", "| Name | How | Why |", "|---|---|---|"]
    for name, how in differing_signatures():
        why = reason_for(name, "differing") or "not done yet"
        lines.append(f"| `{name}` | {how.replace('|', ' or ')} | {why} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--docs", type=Path, help="where to write the page")
    options = parser.parse_args()
    if options.docs:
        options.docs.write_text(page(), encoding="utf-8")
    for name, reason in missing_names().items():
        if not reason:
            print(f"missing: {name}")
    for name, how in differing_signatures():
        if not reason_for(name, "differing"):
            print(f"differs: {name}: {how}")
