"""Safe unpacking of untrusted tar and zip archives: plain files with plain names, or nothing."""

from __future__ import annotations

import gzip
import lzma
import os
import secrets
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from gazelle._core.errors import DataError

_DAMAGE_ERRORS = (  # what reading a damaged archive may raise
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
_MAX_FILES = 1_000_000
_MAX_RATIO = 200  # of unpacked to packed bytes; for text it is about 10
_ALWAYS_ALLOWED = 64 << 20  # unpacked bytes, whatever the ratio


def unpack(archive: Path, folder: Path, archive_format: str = "auto") -> None:
    """Unpack an archive into `folder`, which is replaced. On an error, `folder` is left unchanged.

    Args:
        archive: A tar file (also with gzip, bzip2 or xz) or a zip file.
        folder: The folder to create.
        archive_format: `"tar"`, `"zip"` or `"auto"`.

    Raises:
        DataError: The file is not such an archive or is damaged. Or it contains a link, a device, a
            path outside the folder, the same name twice, or far more bytes than usual for its size.
    """
    if archive_format == "auto":
        archive_format = "zip" if zipfile.is_zipfile(archive) else "tar"
    members = _zip_files(archive) if archive_format == "zip" else _tar_files(archive)
    temporary = folder.with_name(f".tmp-{secrets.token_hex(4)}-{folder.name}")
    temporary.mkdir(parents=True)
    try:
        _write_members(members, archive, temporary)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    except _DAMAGE_ERRORS as error:
        raise DataError(
            f"Could not unpack {archive}: it is damaged, incomplete or not an archive.",
            expected=f"a complete {archive_format} archive",
            received=error,
            fix="delete it and download it again",
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_members(
    members: Iterator[tuple[str, int, IO[bytes]]], archive: Path, folder: Path
) -> None:
    """Write the files of an archive into a folder, within limits on their number and size."""
    bytes_left = max(_ALWAYS_ALLOWED, archive.stat().st_size * _MAX_RATIO)
    seen: set[str] = set()
    for name, size, source in members:
        if size > bytes_left:
            raise _refusal(archive, f"more than {_MAX_RATIO} times its own size")
        path = folder / _safe(name, archive)
        key = os.path.normcase(path).casefold()  # some file systems ignore case
        if key in seen:
            raise _refusal(archive, f"the name {name!r} twice")
        if len(seen) >= _MAX_FILES:
            raise _refusal(archive, f"more than {_MAX_FILES} files")
        seen.add(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as target:
            while chunk := source.read(1 << 20):
                bytes_left -= len(chunk)
                if bytes_left < 0:
                    raise _refusal(archive, f"more than {_MAX_RATIO} times its own size")
                target.write(chunk)


def _tar_files(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """The name, declared size and content of each file."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isdir():
                continue
            if not member.isreg():
                raise _refusal(archive, f"{member.name!r}, which is a link or a device")
            if member.size < 0:
                raise _refusal(archive, f"{member.name!r} of {member.size} bytes")
            source = tar.extractfile(member)
            if source is None:
                raise _refusal(archive, f"{member.name!r}, which has no content")
            yield member.name, member.size, source
        # Read to the end, where the checksum of the compressed file is.
        while tar.fileobj.read(1 << 20):
            pass


def _zip_files(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """The name, declared size and content of each file."""
    with zipfile.ZipFile(archive) as files:
        for info in files.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir():
                continue
            if kind not in (0, stat.S_IFREG):
                raise _refusal(archive, f"{info.filename!r}, which is a link or a device")
            with files.open(info) as source:
                yield info.filename, info.file_size, source


def _safe(name: str, archive: Path) -> str:
    """The name of a member as a relative path; a name that leads out of the folder is refused."""
    parts = name.split("/")
    if parts[0] == ".":
        parts = parts[1:]
    if len(name) > 1000 or not all(map(_is_plain, parts)):
        raise _refusal(archive, f"the name {name[:100]!r}, which is not safe")
    return os.path.join(*parts)


def _is_plain(part: str) -> bool:
    """Whether a part of a path is an ordinary name on every system."""
    return part not in ("", ".", "..") and not any(letter in part for letter in "\\:\0")


def _refusal(archive: Path, what: str) -> DataError:
    return DataError(
        f"{archive} is not unpacked: it holds {what}.",
        expected="plain files with unique, plain names inside the archive's folder",
        received=what,
        fix="get the archive from a source that you trust; if it is one, unpack it by hand",
    )
