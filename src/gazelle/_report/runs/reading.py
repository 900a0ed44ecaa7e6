"""How every file of a run folder is read: within a budget, and each failure becomes one short error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gazelle._core.errors import DataError, reason, short


class DamagedError(DataError):
    """A file of a run folder that cannot be what it should be."""


@contextmanager
def reading(path: Path, expected: str) -> Iterator[None]:
    """Within the block a file is read; whatever goes wrong becomes one short error that names it.

    Args:
        path: The file.
        expected: What it should hold.

    Raises:
        DataError: The block failed.
    """
    try:
        yield
    except DamagedError:
        raise
    except FileNotFoundError:
        raise missing(path) from None
    except Exception as error:
        raise damaged(path, expected, reason(error)) from None


def missing(path: Path) -> DataError:
    """The error for a file that is not there."""
    return DamagedError(
        f"The run folder has no {path.name}.",
        expected=f"the file {path}",
        received="no such file",
        fix="pass a folder that gazelle.report() has written",
    )


def damaged(path: Path, expected: str, received: object) -> DataError:
    """The error for a file that cannot be what it should be."""
    return DamagedError(
        f"The file {path} is damaged or was not written by Gazelle.",
        expected=short(expected, 200),
        received=short(received, 200),
        fix="write the run folder again",
    )
