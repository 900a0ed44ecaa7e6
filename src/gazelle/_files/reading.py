"""Safe reading of untrusted files: regular files only, up to a size limit."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def open_regular(path: str | os.PathLike[str]) -> Generator[BinaryIO, None, None]:
    """Open a regular file for reading; links are followed.

    A pipe, device or folder is refused: reading it could block or never end.

    Raises:
        OSError: There is no such file, it cannot be read, or it is not a regular file.
    """
    _refuse_irregular(os.stat(path).st_mode, path)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        # Checked again, since the file may have been replaced in the meantime.
        _refuse_irregular(os.fstat(file.fileno()).st_mode, path)
        yield file


def read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    """Read a regular file of at most `most` bytes.

    Raises:
        OSError: The file cannot be read, is not a regular file, or is larger.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"{size:,} bytes, more than {most:,}", os.fspath(path))
        content = file.read(size + 1)
    if len(content) > size:
        raise OSError(errno.EFBIG, "the file grew while it was read", os.fspath(path))
    return content


def _refuse_irregular(mode: int, path: str | os.PathLike[str]) -> None:
    if stat.S_ISREG(mode):
        return
    kind = "a device"
    if stat.S_ISDIR(mode):
        kind = "a folder"
    elif stat.S_ISFIFO(mode):
        kind = "a pipe"
    elif stat.S_ISSOCK(mode):
        kind = "a socket"
    raise OSError(errno.EINVAL, f"{kind}, not a regular file", os.fspath(path))
