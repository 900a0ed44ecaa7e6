"""Downloads: into a temporary file that is checked and renamed, so that no partial file remains."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import urllib.parse
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from gazelle._core.checks import one_of
from gazelle._core.console import say, shown
from gazelle._core.errors import ArgumentError, DataError, DownloadError
from gazelle._files.writing import atomic_path, cache_folder

_CHUNK = 1 << 20  # bytes
_TIMEOUT = 60.0  # seconds without a byte
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS)
_ALGORITHMS = {32: "md5", 64: "sha256", 128: "sha512"}  # by the number of hexadecimal digits


def get_file(
    fname: str | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """Download a file unless it is in the cache already, and return its path.

    Args:
        fname: Name of the file in the cache, without folders; None for the last part of `origin`.
        origin: URL of the file: `https://`, `http://` or `file://`.
        untar: Deprecated name of `extract`.
        md5_hash: Deprecated name of `file_hash`.
        file_hash: Expected hash of the file, as hexadecimal digits. Pass it if you can: only the
            hash proves that the file is the right one.
        cache_subdir: Subfolder of the cache.
        hash_algorithm: `"md5"`, `"sha256"`, `"sha512"`, or `"auto"` to infer it from the number of
            digits.
        extract: Whether to unpack a tar or zip archive and return the path of the folder.
        archive_format: `"auto"`, `"tar"`, `"zip"`, or None not to unpack.
        cache_dir: The cache folder; None for Gazelle's own.
        force_download: Whether to download the file even if it is in the cache.

    Raises:
        ArgumentError: There is no origin, or the name leads out of the folder.
        DownloadError: The file could not be downloaded.
        DataError: The file has another hash, or is a damaged or unsafe archive.
    """
    if not origin:
        raise ArgumentError(
            'Please specify the "origin" argument (URL of the file to download).',
            received=repr(origin),
        )
    name = fname or os.path.basename(urllib.parse.unquote(urllib.parse.urlsplit(origin).path))
    if name in ("", ".", "..") or any(letter in name for letter in "/\\:\0"):
        raise ArgumentError(
            "get_file: the file name must be a plain name without folders.",
            expected="fname='data.csv'",
            received=repr(name),
            fix="pass fname; for a folder pass cache_subdir",
        )
    one_of("archive_format", archive_format, ("auto", "tar", "zip", None), "get_file")
    digest = file_hash or md5_hash
    hashes = {_algorithm(digest, hash_algorithm): digest} if digest else {}
    folder = (Path(cache_dir).expanduser() if cache_dir else cache_folder()) / cache_subdir
    target = folder / name
    if force_download or not target.is_file() or (hashes and mismatch(target, hashes)):
        fetch(origin, target, hashes)
    if not (extract or untar) or archive_format is None:
        return str(target)
    from gazelle._files.archives import unpack

    unpacked = folder / f"{name}_extracted"
    if not unpacked.is_dir() or unpacked.stat().st_mtime < target.stat().st_mtime:
        unpack(target, unpacked, archive_format)
    return str(unpacked)


def fetch(
    url: str, target: Path, hashes: Mapping[str, str], *, size: int | None = None, advice: str = ""
) -> None:
    """Download `url` to the file `target`, which is written only if it is complete and checked.

    Args:
        url: `https://`, `http://` or `file://`.
        target: The file to create; its folder is created too.
        hashes: Expected hashes by algorithm, as hexadecimal digits: `{"sha256": "c4a3..."}`.
        size: Expected size in bytes; None if unknown.
        advice: What to do if the download fails, for the message.

    Raises:
        ArgumentError: Another kind of URL.
        DownloadError: There is no network or no such file, or the connection was lost.
        DataError: The file that came does not have the expected size or hash.
    """
    from http.client import HTTPException
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    scheme = urllib.parse.urlsplit(url).scheme.lower()
    one_of("the URL's scheme", scheme, ("https", "http", "file"), "download")
    _make_folder(target.parent)
    with atomic_path(target) as temporary:
        try:
            with (
                temporary.open("wb") as file,
                urlopen(
                    Request(url, headers={"User-Agent": "gazelle"}), timeout=_TIMEOUT
                ) as source,
            ):
                if scheme == "https" and not hashes and not source.url.startswith("https:"):
                    raise URLError(f"redirected to the unprotected {source.url}")
                announced = source.headers.get("Content-Length")
                received = _copy(source, file, int(announced) if announced else size, target.name)
            if announced and received != int(announced):
                raise URLError(f"the connection was lost after {received} of {announced} bytes")
        except (OSError, HTTPException) as error:
            if getattr(error, "errno", None) in _DISK_ERRORS:
                raise  # not the network's fault
            raise DownloadError(
                f"Could not download {url}.",
                expected=f"the file {target.name}" + (f" of {size} bytes" if size else ""),
                received=getattr(error, "reason", None) or error,
                fix=advice
                or f"check the URL and the network, or save the file yourself as {target}",
            ) from None
        check(temporary, hashes, size=size, name=f"The file from {url}", advice=advice)


def _make_folder(folder: Path) -> None:
    """Create the folder of a file.

    Raises:
        ArgumentError: That is not possible. No other folder is used instead, which might be one
            that other users can write to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        is_cache = folder.is_relative_to(cache_folder())
        raise ArgumentError(
            f"The folder {str(folder)!r} for downloaded files cannot be created.",
            expected="a folder that this user can write to",
            received=error.strerror,
            fix=(
                "set the environment variable GAZELLE_HOME to such a folder"
                if is_cache
                else "pass another folder"
            ),
        ) from None


def check(
    path: Path, hashes: Mapping[str, str], *, size: int | None, name: str, advice: str = ""
) -> None:
    """Check the size and the hashes of a file.

    Args:
        path: The file.
        hashes: Expected hashes by algorithm, as hexadecimal digits.
        size: Expected size in bytes; None if unknown.
        name: Name of the file in messages, as the beginning of a sentence.
        advice: What to do if a check fails, for the message.

    Raises:
        DataError: A check fails. The message shows the expected and the found value.
    """
    found = path.stat().st_size
    if size is not None and found != size:
        raise DataError(
            f"{name} has the wrong size: it is damaged, incomplete or another file.",
            expected=f"{size} bytes",
            received=f"{found} bytes{_web_page(path)}",
            fix=advice or "delete it and download it again",
        )
    if wrong := mismatch(path, hashes):
        algorithm, digest = wrong
        raise DataError(
            f"{name} has the wrong hash: it is damaged or another file.",
            expected=f"{algorithm} {hashes[algorithm]}",
            received=f"{algorithm} {digest}{_web_page(path)}",
            fix=advice or "delete it and download it again, or correct the hash",
        )


def mismatch(path: Path, hashes: Mapping[str, str]) -> tuple[str, str] | None:
    """The first algorithm whose hash of the file differs, and that hash; None if all match."""
    for algorithm, expected in hashes.items():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, algorithm).hexdigest()
        if digest != expected.lower():
            return algorithm, digest
    return None


def _algorithm(digest: str, algorithm: str) -> str:
    """The algorithm of a digest; `"auto"` infers it from the number of digits."""
    one_of("hash_algorithm", algorithm, ("auto", *_ALGORITHMS.values()), "get_file")
    if algorithm != "auto":
        return algorithm
    if len(digest) not in _ALGORITHMS:
        raise ArgumentError(
            "get_file: file_hash has an unknown length.",
            expected="32 (md5), 64 (sha256) or 128 (sha512) digits",
            received=repr(digest),
        )
    return _ALGORITHMS[len(digest)]


def _web_page(path: Path) -> str:
    """A remark for messages if a file is a web page, such as a login form, else nothing."""
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    return "; it is a web page" if start.startswith((b"<!doctype html", b"<html")) else ""


def _copy(source: Any, file: IO[bytes], total: int | None, name: str) -> int:
    """Copy a stream to a file and return the number of bytes."""
    copied = 0
    with _progress(name, total) as advance:
        while chunk := source.read(_CHUNK):
            file.write(chunk)
            copied += len(chunk)
            advance(len(chunk))
    return copied


@contextmanager
def _progress(name: str, total: int | None) -> Generator[Callable[[int], object], None, None]:
    """A progress bar on a terminal; one plain line elsewhere."""
    if sys.stderr is None or not sys.stderr.isatty():
        say(f"Downloading {name}" + (f" ({total / 1e6:.1f} MB)" if total else ""), sys.stderr)
        yield _ignore
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("Downloading {task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(shown(name), total=total)
        yield partial(progress.advance, task)


def _ignore(count: int) -> None:
    """Show nothing."""
