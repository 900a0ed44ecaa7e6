"""Rooms' doors: a good sentence for a name that is not there, by attribute and by `from ... import` alike."""

from __future__ import annotations

import dis
import sys

_IMPORT_FROM = dis.opmap["IMPORT_FROM"]


def missing(room: str, name: str, sentence: str | None = None) -> Exception:
    """The error for `__getattr__` of a room to raise.

    Python answers an AttributeError within `from room import name` with its own "cannot import name", which says
    nothing; an ImportError that is raised there reaches the user.

    Args:
        room: The module's name.
        name: What was asked for.
        sentence: What there is to say of it; Python's own words when None.
    """
    if sentence is None:
        return AttributeError(f"module {room!r} has no attribute {name!r}")
    asking = sys._getframe(2)  # who uses the module, behind its __getattr__
    if asking.f_code.co_code[asking.f_lasti] == _IMPORT_FROM:
        return ImportError(sentence, name=room)
    return AttributeError(sentence, name=name)
