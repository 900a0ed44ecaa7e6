"""One warning per old form."""

from __future__ import annotations

import os
import sys
import warnings

import gazelle

_told: set[str] = set()
_HOME = os.path.dirname(gazelle.__file__) + os.sep
_IMPORTING = "<frozen importlib"


class OldFormWarning(UserWarning):
    """An old form of Keras's was used; the text names the modern one."""


def tell(old: str, modern: str) -> None:
    """Warn of an old form, once.

    Args:
        old: The form as it is written: `"Dense(output_dim=)"`.
        modern: What is written today, or what happens: `"Dense(units=)"`.
    """
    if old in _told:
        return
    _told.add(old)
    warnings.warn(f"{old} is an old form; today: {modern}", OldFormWarning, _users_level())


def forget() -> None:
    """Warn of every form again."""
    _told.clear()


def _users_level() -> int:
    """The `stacklevel` of the line in the user's code that is running."""
    level, frame = 1, sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((_HOME, _IMPORTING)):
        # `warn` itself does not count the frames of the import system.
        level += not frame.f_code.co_filename.startswith(_IMPORTING)
        frame = frame.f_back
    return level
