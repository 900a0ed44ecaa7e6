"""Writing files so that a crash leaves the old one or the new one; the folder where Gazelle keeps what it fetched."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gazelle._core.errors import ArgumentError

_HOST = f"{zlib.crc32(platform.node().encode()):08x}"
_DRAFT = "draft"
_temporaries: set[Path] = set()  # what this process is writing to now
_STALE_AFTER = (
    24 * 3600.0
)  # seconds; a temporary file of another machine that nobody wrote to for so long is litter


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it takes the place of `path` when the block ends well.

    The temporary name has the ending of `path`'s name, for writers that go by it. Whatever happens,
    `path` is either what it was or what the block wrote, whole: the data is on the disk before the
    name changes. An error in the block removes the temporary file. A link is followed. The folder
    must exist.

    Example:
        >>> with atomic_path("figures.json") as temporary:
        ...     temporary.write_text("{}")

    Args:
        path: The file to make or replace.

    Yields:
        The path to write to.

    Raises:
        OSError: The folder is missing, the disk is full, ...; `path` is then untouched.
    """
    target = Path(os.path.realpath(path))
    _sweep(target)
    temporary = target.with_name(
        f"{_prefix(os.getpid())}{secrets.token_hex(4)}-{target.name[-50:]}"
    )
    _temporaries.add(temporary)
    try:
        yield temporary
        if target.exists():
            shutil.copymode(target, temporary)
        _sync(temporary)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    finally:
        _temporaries.discard(temporary)
    if os.name == "posix":  # other systems have no handle of a folder to flush
        _sync(target.parent)


def check_writable(path: str | os.PathLike[str], *, makes_folders: bool = True) -> None:
    """Refuse a path at which no file could be written, before the work whose result is to go there. Leaves nothing.

    Args:
        path: The file to come; one that is there may be replaced.
        makes_folders: Whether missing folders will be made.

    Raises:
        ArgumentError: It is a folder, lies in what is no folder, or may not be written.
    """
    target = Path(path)
    folder = target.parent
    while makes_folders and not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    problem = fix = None
    if target.is_dir():
        problem, fix = "it is a folder", "name a file in it"
    elif not folder.is_dir():
        problem, fix = f"{str(folder)!r} is not a folder", "make the folder, or name another one"
    elif target.exists() and not os.access(target, os.W_OK):
        problem, fix = "this user may not change it", "change its permissions, or name another file"
    else:
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            problem, fix = (
                f"{error.strerror} in {str(folder)!r}",
                "change its permissions, or name another place",
            )
    if problem is not None:
        raise ArgumentError(
            f"The file {str(path)!r} cannot be written: {problem}.",
            expected="a file in a folder that can be written to",
            received=repr(str(path)),
            fix=fix,
        )


@contextmanager
def draft_folder(root: str | os.PathLike[str]) -> Iterator[Path]:
    """A new hidden folder in `root` to fill and rename; what is left of it at the end of the block is removed.

    `root` is made if missing, and removed again if the block leaves it empty. Drafts whose process
    was killed are removed as well.

    Raises:
        OSError: The folder cannot be made.
    """
    root = Path(root)
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    draft = root / f"{_prefix(os.getpid())}{secrets.token_hex(4)}-{_DRAFT}"
    _temporaries.add(draft)
    try:
        root.mkdir(parents=True, exist_ok=True)
        _sweep(root / _DRAFT)
        draft.mkdir()
        yield draft
        if os.name == "posix":
            _sync(root)
    finally:
        _remove(draft)
        _temporaries.discard(draft)
        for folder in made:
            with suppress(OSError):  # it stays if it holds something
                folder.rmdir()


def remove_temporaries() -> None:
    """Remove what this process is writing to: for one that ends without ado."""
    for path in [*_temporaries]:
        _remove(path)
        with suppress(OSError):  # the folder of runs, if it is empty
            if path.name.endswith(f"-{_DRAFT}"):
                path.parent.rmdir()


def _remove(path: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def cache_folder(*parts: str) -> Path:
    """The folder for fetched and compiled things, not made yet; `parts` are folders within it.

    It is `$GAZELLE_HOME` where that is set, else `gazelle` in the platform's cache folder:
    `$XDG_CACHE_HOME` or `~/.cache` on Linux, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on
    Windows.
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


def _prefix(pid: int | str) -> str:
    return f".tmp-{_HOST}-{pid}-"


def _sync(path: Path) -> None:
    """Wait until what was written to a file (or which names a folder holds) is on the disk."""
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(target: Path) -> None:
    """Remove temporary files and folders for `target` whose writers were killed."""
    now = time.time()
    for litter in target.parent.glob(f".tmp-*-*-*-{_escaped(target.name[-50:])}"):
        with suppress(OSError):
            _, host, pid, _ = litter.name.split("-", 3)
            if (
                host == _HOST and not _alive(int(pid))
            ) or now - litter.stat().st_mtime > _STALE_AFTER:
                shutil.rmtree(litter) if litter.is_dir() else litter.unlink()


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _alive(pid: int) -> bool:
    if os.name != "posix":  # asking would end the process there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
