"""Reading files that may be anything: regular files only, at most so many bytes."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def open_regular(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a regular file for reading; a pipe, device or folder is refused and never waited for.

    A link is followed.

    Raises:
        OSError: There is no such file, it cannot be read, or it is not a regular file.
    """
    _refuse_irregular(os.stat(path).st_mode, path)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        _refuse_irregular(os.fstat(file.fileno()).st_mode, path)  # it may have been exchanged since
        yield file


def read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    """The content of a regular file of at most `most` bytes.

    Raises:
        OSError: It cannot be read, is not a regular file, or is larger.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"{size:,} bytes, more than {most:,}", os.fspath(path))
        content = file.read(size + 1)
    if len(content) > size:
        raise OSError(errno.EFBIG, "a file that grows while it is read", os.fspath(path))
    return content


def _refuse_irregular(mode: int, path: str | os.PathLike[str]) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    kind = next((words for check, words in kinds if check(mode)), "a device")
    raise OSError(errno.EINVAL, f"{kind}, not a regular file", os.fspath(path))
