"""Atomic writing: after a crash, a file is either the old one or the new one. And the cache folder.

Everything is first written under a temporary name beside its target and then renamed. Temporary
names hold the machine and the process, so that what a killed process has left is found and removed.
"""

from __future__ import annotations

import errno
import glob
import os
import platform
import secrets
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import BinaryIO, cast

from gazelle._core.errors import ArgumentError
from gazelle._files.early import EarlyFile

_HOST = f"{zlib.crc32(platform.node().encode()):08x}"
_DRAFT = "draft"
_LONGEST_NAME = 50  # characters of the target's name in a temporary name
_LARGE = 4 << 20  # bytes of a file that is freed by a thread
_STALE_AFTER = 24 * 3600.0  # seconds without a change, for a temporary file of another machine
_temporaries: set[Path] = set()  # what this process is writing to now


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Generator[Path, None, None]:
    """Give a temporary path to write to, which replaces `path` when the block ends.

    Whatever happens, `path` is either unchanged or has all that the block wrote: the data is on the
    disk before the file is renamed. If the block raises, the temporary file is removed. The
    temporary name ends like `path`, for writers that infer the format from it. Links are followed.
    The folder must exist.

    Example:
        >>> with atomic_path("figures.json") as temporary:
        ...     temporary.write_text("{}")

    Args:
        path: The file to create or replace.

    Yields:
        The path to write to.

    Raises:
        OSError: The folder is missing, the disk is full, ...; `path` is then unchanged.
    """
    target = Path(os.path.realpath(path))
    _remove_leftovers(target)
    temporary = target.with_name(f"{_prefix()}{target.name[-_LONGEST_NAME:]}")
    _temporaries.add(temporary)
    try:
        yield temporary
        if target.exists():
            shutil.copymode(target, temporary)
        _sync(temporary)
        _replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    finally:
        _temporaries.discard(temporary)
    if os.name == "posix":  # other systems cannot flush a folder
        _sync(target.parent)


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Generator[BinaryIO, None, None]:
    """As `atomic_path`, with an open file, which is stored on the disk while it is written."""
    with atomic_path(path) as temporary, EarlyFile(temporary) as file:
        yield cast(BinaryIO, file)


def write_atomically(path: str | os.PathLike[str], content: bytes | memoryview) -> None:
    """Write a file by `atomic_path`.

    Raises:
        OSError: As there; if the disk is full, the message says how much room is needed.
    """
    with telling_room(path, len(content)), atomic_file(path) as file:
        file.write(content)


@contextmanager
def telling_room(path: str | os.PathLike[str], size: int) -> Generator[None, None, None]:
    """Within the block the error of a full disk says how much room is needed and left.

    Args:
        path: The file that the block writes.
        size: Its size in bytes.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = shutil.disk_usage(Path(path).parent).free
        problem = f"{os.strerror(error.errno)}: {_mb(size)} are needed, {_mb(free)} are free"
        raise OSError(error.errno, problem, os.fspath(path)) from None


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def check_writable(path: str | os.PathLike[str], *, makes_folders: bool = True) -> None:
    """Check that a file can be written later, before the work whose result it will hold.

    Args:
        path: The file to write; an existing file may be replaced.
        makes_folders: Whether missing folders will be created.

    Raises:
        ArgumentError: The path is a folder, is not inside a folder, or is not writable.
    """
    target = Path(path)
    folder = target.parent
    if makes_folders:
        while not os.path.lexists(folder) and folder != folder.parent:
            folder = folder.parent
    problem = fix = None
    if target.is_dir():
        problem, fix = "it is a folder", "pass a file in it"
    elif not folder.is_dir():
        problem, fix = f"{str(folder)!r} is not a folder", "create the folder, or pass another one"
    elif target.exists() and not os.access(target, os.W_OK):
        problem, fix = "this user may not change it", "change its permissions, or pass another file"
    else:
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            problem = f"{error.strerror} in {str(folder)!r}"
            fix = "change its permissions, or pass another path"
    if problem is not None:
        raise ArgumentError(
            f"The file {str(path)!r} cannot be written: {problem}.",
            expected="a file in a writable folder",
            received=repr(str(path)),
            fix=fix,
        )


@contextmanager
def draft_folder(root: str | os.PathLike[str]) -> Generator[Path, None, None]:
    """Create a hidden folder in `root`, which the block fills and renames.

    A folder that was not renamed is removed when the block ends. `root` is created if it is
    missing, and removed again if the block leaves it empty. Drafts of killed processes are removed
    as well.

    Yields:
        The folder to fill.

    Raises:
        OSError: The folder cannot be created.
    """
    root = Path(root)
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    draft = root / f"{_prefix()}{_DRAFT}"
    _temporaries.add(draft)
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(root / _DRAFT)
        draft.mkdir()
        yield draft
        if os.name == "posix":
            _sync(root)
    finally:
        _remove(draft)
        _temporaries.discard(draft)
        for folder in made:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def remove_temporaries() -> None:
    """Remove everything that this process is writing to, before the process is ended abruptly."""
    for path in [*_temporaries]:
        _remove(path)
        with suppress(OSError):  # the folder of runs is not empty
            if path.name.endswith(f"-{_DRAFT}"):
                path.parent.rmdir()


def _remove(path: Path) -> None:
    """Remove a file or folder if possible."""
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def cache_folder(*parts: str) -> Path:
    """The folder for downloaded and compiled files; it may not exist yet.

    It is `$GAZELLE_HOME` if that is set, else `gazelle` in the platform's cache folder:
    `$XDG_CACHE_HOME` or `~/.cache` on Linux, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on
    Windows.

    Args:
        *parts: Names of nested folders in it.
    """
    if home := os.environ.get("GAZELLE_HOME"):
        return Path(home).expanduser().joinpath(*parts)
    if sys.platform == "darwin":
        base = Path("~/Library/Caches").expanduser()
    elif os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path("~/AppData/Local").expanduser())
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return base.joinpath("gazelle", *parts)


def _prefix() -> str:
    """The beginning of a new temporary name of this process."""
    return f".tmp-{_HOST}-{os.getpid()}-{secrets.token_hex(4)}-"


def _sync(path: Path) -> None:
    """Wait until the content of a file, or the list of names of a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(temporary: Path, target: Path) -> None:
    """Replace a file. A large old one is freed by a thread, because that takes the system a while.

    It is freed when the last descriptor of it is closed.
    """
    old = None
    with suppress(OSError):
        if os.name == "posix" and target.stat().st_size >= _LARGE:
            old = os.open(target, os.O_RDONLY)
    try:
        os.replace(temporary, target)
    finally:
        if old is not None:
            Thread(target=os.close, args=(old,)).start()


def _remove_leftovers(target: Path) -> None:
    """Remove temporary files and folders for `target` whose writers were killed."""
    remove_leftovers(target.parent, glob.escape(target.name[-_LONGEST_NAME:]))


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove temporary files and folders whose writers were killed.

    Args:
        folder: Where they are.
        pattern: What the last 50 characters of their targets' names match, as in `glob`.
    """
    now = time.time()
    for leftover in folder.glob(f".tmp-*-*-*-{pattern}"):
        with suppress(OSError):
            _, host, pid, _ = leftover.name.split("-", 3)
            is_orphan = host == _HOST and not _alive(int(pid))
            if is_orphan or now - leftover.stat().st_mtime > _STALE_AFTER:
                _remove(leftover)


def _alive(pid: int) -> bool:
    if os.name != "posix":  # elsewhere os.kill would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
