"""Unpacking tar and zip archives without trusting them: plain files with plain names, or nothing at all."""

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

_DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError, zlib.error),
    *(EOFError, NotImplementedError, RuntimeError),
)
_MAX_FILES = 1_000_000
_MAX_RATIO = 200  # unpacked bytes to packed ones; text packs about 10 to 1
_ALWAYS_FINE = 64 << 20  # bytes; so small that the ratio does not matter


def unpack(archive: Path, folder: Path, archive_format: str = "auto") -> None:
    """Unpack all of `archive` into `folder`, which is replaced; on any error `folder` is left as it was.

    Args:
        archive: A tar (also gzip, bzip2, xz) or zip file.
        folder: The folder to make.
        archive_format: `"tar"`, `"zip"` or `"auto"`.

    Raises:
        DataError: It is no such archive, is damaged, or holds a link, a device, a name that leads
            out of the folder, the same name twice, or far more bytes than an honest archive of its
            size.
    """
    if archive_format == "auto":
        archive_format = "zip" if zipfile.is_zipfile(archive) else "tar"
    budget = max(_ALWAYS_FINE, archive.stat().st_size * _MAX_RATIO)
    temporary = folder.with_name(f".tmp-{secrets.token_hex(4)}-{folder.name}")
    temporary.mkdir(parents=True)
    try:
        seen: set[str] = set()
        for name, source in _zip_files(archive) if archive_format == "zip" else _tar_files(archive):
            place = temporary / _safe(name, archive)
            key = os.path.normcase(place).casefold()
            if key in seen or len(seen) >= _MAX_FILES:
                raise _refusal(
                    archive,
                    f"the name {name!r} twice" if key in seen else f"more than {_MAX_FILES} files",
                )
            seen.add(key)
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb") as target:
                while chunk := source.read(1 << 20):
                    budget -= len(chunk)
                    if budget < 0:
                        raise _refusal(archive, f"more than {_MAX_RATIO} times its own size")
                    target.write(chunk)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    except _DAMAGE as error:
        raise DataError(
            f"Could not unpack {archive}: it is damaged, cut off or no archive.",
            expected=f"a whole {archive_format} archive",
            received=error,
            fix="delete it and fetch it again",
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _tar_files(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isdir():
                continue
            if not member.isreg():
                raise _refusal(archive, f"{member.name!r}, which is a link or a device")
            source = tar.extractfile(member)
            if source is None:
                raise _refusal(archive, f"{member.name!r}, which has no content")
            yield member.name, source
        while tar.fileobj is not None and tar.fileobj.read(1 << 20):
            pass  # to the end, where the packer's checksum is


def _zip_files(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as files:
        for info in files.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir():
                continue
            if kind not in (0, stat.S_IFREG):
                raise _refusal(archive, f"{info.filename!r}, which is a link or a device")
            with files.open(info) as source:
                yield info.filename, source


def _safe(name: str, archive: Path) -> str:
    """A member's name, when it stays within the folder."""
    parts = name.split("/")
    parts = parts[1:] if parts[0] == "." else parts
    if len(name) > 1000 or any(
        part in ("", ".", "..") or any(c in part for c in "\\:\0") for part in parts
    ):
        raise _refusal(archive, f"the name {name[:100]!r}, which is not safe")
    return os.path.join(*parts)


def _refusal(archive: Path, what: str) -> DataError:
    return DataError(
        f"{archive} is not unpacked: it holds {what}.",
        expected="plain files with different, plain names inside the archive's folder",
        received=what,
        fix="get the archive from a source that you trust; if this is one, unpack it by hand",
    )
