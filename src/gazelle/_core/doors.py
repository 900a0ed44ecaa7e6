"""Doors of rooms: names that are loaded on first use, and clear errors for missing ones."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

_IMPORT_FROM = dis.opmap["IMPORT_FROM"]
_loaders: list[Callable[[], Any]] = []


def lazy(
    room: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` for a room whose names are loaded on first use.

    Args:
        room: The module's name.
        homes: The module that each name comes from. A name whose home ends in `.name` itself is
            that module.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise missing(room, name)
        home = import_module(homes[name])
        value = home if homes[name] == f"{room}.{name}" else getattr(home, name)
        setattr(sys.modules[room], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[room]), *homes})

    return get, names


def set_loader(load: Callable[[], Any]) -> None:
    """Set the function that loads every room with classes; the top door calls this."""
    _loaders[:] = [load]


def load_rooms() -> None:
    """Load every room with classes, so that configs find them."""
    for load in _loaders:
        load()


def missing(room: str, name: str, sentence: str | None = None) -> Exception:
    """The error for `__getattr__` of a room to raise.

    Python answers an AttributeError within `from room import name` with its own "cannot import
    name", which says nothing; an ImportError that is raised there reaches the user.

    Args:
        room: The module's name.
        name: What was asked for.
        sentence: What there is to say of it; Python's own words when None.
    """
    if sentence is None:
        return AttributeError(f"module {room!r} has no attribute {name!r}")
    asking = sys._getframe(2)  # the code that uses the module
    if asking.f_code.co_code[asking.f_lasti] == _IMPORT_FROM:
        return ImportError(sentence, name=room)
    return AttributeError(sentence, name=name)
