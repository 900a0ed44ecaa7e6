"""Every public name of Gazelle with its signature, one per line, as `public_names.txt` lists them.

`python tests/public_names.py` writes that file again.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import gazelle

LISTING = Path(__file__).with_name("public_names.txt")


def listing() -> list[str]:
    """One line per public function, class, method, property and constant, sorted."""
    found = set()
    for name in gazelle.__all__:
        value = getattr(gazelle, name)
        of = _of_module if inspect.ismodule(value) else _of
        found.update(of(f"gazelle.{name}", value))
    return sorted(found)


def _of_module(path: str, module: ModuleType) -> Iterator[str]:
    for name in getattr(module, "__all__", None) or _own(module):
        value = getattr(module, name)
        if inspect.ismodule(value):
            yield from _of_module(f"{path}.{name}", value)
        else:
            yield from _of(f"{path}.{name}", value)


def _own(module: ModuleType) -> list[str]:
    """The public names that a module without `__all__` defines itself."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def _of(path: str, value: Any) -> Iterator[str]:
    if not inspect.isclass(value):
        yield path + _signature(value) if callable(value) else path
        return
    yield path + _signature(value)
    for name in dir(value):
        if not name.startswith("_") and _is_own(value, name):
            static = inspect.getattr_static(value, name)
            yield from _of_member(f"{path}.{name}", getattr(value, name), static)


def _of_member(path: str, member: Any, static: Any) -> Iterator[str]:
    if isinstance(static, property) or not callable(member):
        yield path
    else:
        yield path + _signature(member)


def _is_own(kind: type, name: str) -> bool:
    """Whether an attribute is defined by a class of Gazelle, not by one of Python."""
    owner = next(base for base in kind.__mro__ if name in vars(base))
    return owner.__module__.startswith("gazelle")


def _signature(value: Any) -> str:
    """The parameters with their kinds and defaults, without types."""
    if inspect.isclass(value) and not _is_own(value, "__init__"):
        return "(...)"
    parameters = inspect.signature(value).parameters.values()
    plain = [parameter.replace(annotation=parameter.empty) for parameter in parameters]
    return str(inspect.Signature(plain))


if __name__ == "__main__":
    LISTING.write_text("\n".join(listing()) + "\n", encoding="utf-8")
