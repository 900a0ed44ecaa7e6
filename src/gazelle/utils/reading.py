"""Reading files that may be anything: regular files only, at most so many bytes; words about them that stay short."""

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


def short(value: object, most: int = 120) -> str:
    """A text for a message: one line, control characters spelled out, at most `most` characters."""
    try:
        text = str(value)
    except ValueError:  # a whole number of more digits than Python writes
        text = "a number of thousands of digits"
    if len(text) > 4 * most:
        text = text[: 2 * most] + text[-2 * most :]
    text = " ".join(text.split())
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    if len(text) <= most:
        return text
    tail = most // 4
    return f"{text[: most - tail - 3]}...{text[-tail:]}"


def reason(error: BaseException, most: int = 160) -> str:
    """What an error says, in one short line: of Gazelle's own errors the problem, of a bare KeyError its kind too."""
    if isinstance(error, RecursionError):
        return "parts within parts, too deep"
    if isinstance(error, MemoryError):
        return "more than the memory holds"
    if isinstance(error, OSError) and error.strerror:
        return short(error.strerror, most)
    lines = str(error).splitlines() or [""]
    words = lines[0] if type(error).__module__.startswith("gazelle") else str(error)
    bare = isinstance(error, KeyError | AttributeError | IndexError | AssertionError) or not words
    return short(f"{type(error).__name__}: {words}".rstrip(": ") if bare else words, most)


def _refuse_irregular(mode: int, path: str | os.PathLike[str]) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    kind = next((words for check, words in kinds if check(mode)), "a device")
    raise OSError(errno.EINVAL, f"{kind}, not a regular file", os.fspath(path))
