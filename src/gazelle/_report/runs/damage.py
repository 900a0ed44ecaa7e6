"""Errors for missing and damaged files of a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gazelle._core.errors import DataError, reason, short


class DamagedError(DataError):
    """A file of a run folder is missing or damaged."""


@contextmanager
def reporting_damage(path: Path, expected: str) -> Iterator[None]:
    """Turn any failure while a file is read into one short error that names the file.

    Args:
        path: The file that the block reads.
        expected: What the file should contain, for the message.

    Raises:
        DataError: The block raised an exception.
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
    """The error for a missing file."""
    return DamagedError(
        f"The run folder has no {path.name}.",
        expected=f"the file {path}",
        received="no such file",
        fix="pass a folder that was written by gazelle.report()",
    )


def damaged(path: Path, expected: str, received: object) -> DataError:
    """The error for a damaged file."""
    return DamagedError(
        f"The file {path} is damaged or was not written by Gazelle.",
        expected=short(expected, 200),
        received=short(received, 200),
        fix="write the run folder again",
    )
