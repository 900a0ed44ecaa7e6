"""The one place that writes to a screen: it escapes what the screen cannot show or would obey."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# What a terminal obeys or cannot write: control characters, marks that change the direction of
# writing, halves of surrogate pairs.
_OBEYED = (
    "\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
)
_IN_LINES, _IN_ONE_LINE = re.compile(f"[{_OBEYED}]"), re.compile(f"[\n{_OBEYED}]")


class _Going:
    """Whether a program goes on when its output is closed, and the first error of that kind."""

    on = False
    error: OSError | None = None


def shown(name: object) -> str:
    r"""A name from outside (a file, an argument) as one line of text: `a\x1b[31m`, `caf\xe9`."""
    return _IN_ONE_LINE.sub(_escape, str(name))


def fitting(name: object) -> str:
    """`shown`, with what standard output cannot show escaped: for columns of known width."""
    text = shown(name)
    if can_show(text):
        return text
    encoding = sys.stdout.encoding
    return text.encode(encoding, "backslashreplace").decode(encoding)


def say(text: str, stream: Any = None) -> None:
    """Write lines to standard output (or `stream`) at once, control characters escaped."""
    write(_IN_LINES.sub(_escape, text) + "\n", stream)


def write(text: str, stream: Any = None) -> None:
    """Write text with its colors and cursor movements; what the encoding lacks is escaped.

    Raises:
        OSError: The output is closed or full; not within `going_on`.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None:  # the program was started without an output
        return
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            stream.write(text.encode(stream.encoding, "backslashreplace").decode(stream.encoding))
        stream.flush()
    except OSError as error:
        if not _Going.on:
            raise
        _Going.error = _Going.error or error
        _silence(stream)


def can_show(text: str, stream: Any = None) -> bool:
    """Whether standard output (or `stream`) has the characters of `text`."""
    stream = sys.stdout if stream is None else stream
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def is_utf8(name: str) -> bool:
    """Whether a file's name is text: on some systems names can be bytes that are not UTF-8."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def going_on() -> Iterator[None]:
    """Within the block a closed or full output raises nothing: what is written is lost."""
    _Going.on, _Going.error = True, None
    try:
        yield
    finally:
        _Going.on = False


def lost() -> OSError | None:
    """The first error that kept output from being written within `going_on`."""
    return _Going.error


def _silence(stream: Any) -> None:
    """Discard what the stream holds and what follows."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
        stream.flush()
    finally:
        os.close(nowhere)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return found[0].encode("unicode_escape").decode()
