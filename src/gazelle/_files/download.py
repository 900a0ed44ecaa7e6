"""Fetching a file: into a temporary one, checked, then renamed, so that a killed download is never taken for a file."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from gazelle._core.checks import one_of
from gazelle._core.console import say, shown
from gazelle._core.errors import ArgumentError, DataError, DownloadError
from gazelle._files.writing import atomic_path, cache_folder

_CHUNK = 1 << 20  # bytes
_TIMEOUT = 60.0  # seconds without a byte
_DISK_ERRORS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EACCES,
    errno.EROFS,
)  # no fault of the network
_DIGITS = {32: "md5", 64: "sha256", 128: "sha512"}


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
    """The path of a file on this machine, fetched from `origin` unless it is there already.

    Args:
        fname: Name to keep the file under, without folders; the last part of `origin` when None.
        origin: Where it comes from, `https://`, `http://` or `file://`.
        untar: An older word for `extract`.
        md5_hash: An older word for `file_hash`.
        file_hash: What its hash must be, hexadecimal digits. Give it: it is the only proof that
            this is the file.
        cache_subdir: Folder within the cache.
        hash_algorithm: `"md5"`, `"sha256"`, `"sha512"`, or `"auto"`, which goes by the number of
            digits.
        extract: Whether to unpack a tar or zip archive; the folder's path is returned then.
        archive_format: `"auto"`, `"tar"`, `"zip"`, or None for not unpacking.
        cache_dir: The cache; Gazelle's own when None.
        force_download: Fetch it even if it is there.

    Raises:
        ArgumentError: No origin, or a name that leads out of the folder.
        DownloadError: It could not be fetched.
        DataError: What came has another hash, or is a damaged or unsafe archive.
    """
    if not origin:
        raise ArgumentError(
            'Please specify the "origin" argument (URL of the file to download).',
            received=repr(origin),
        )
    name = fname or os.path.basename(urllib.parse.unquote(urllib.parse.urlsplit(origin).path))
    if name in ("", ".", "..") or any(letter in name for letter in "/\\:\0"):
        raise ArgumentError(
            "get_file: the file's name must be a plain name without folders.",
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
    """Fetch `url` into the file `target`, whole and checked or not at all.

    Args:
        url: `https://`, `http://` or `file://`.
        target: The file to make; its folder is made too.
        hashes: Hexadecimal digits by algorithm: `{"sha256": "c4a3..."}`.
        size: What its size must be, bytes.
        advice: What to do when there is no way to fetch it.

    Raises:
        ArgumentError: Another kind of URL.
        DownloadError: No network, no such file, a connection that broke off.
        DataError: What came is not the file that was meant.
    """
    from http.client import HTTPException
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    scheme = urllib.parse.urlsplit(url).scheme.lower()
    one_of("the URL's scheme", scheme, ("https", "http", "file"), "download")
    target.parent.mkdir(parents=True, exist_ok=True)
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
                raise URLError(f"the connection broke off after {received} of {announced} bytes")
        except (OSError, HTTPException) as error:
            if getattr(error, "errno", None) in _DISK_ERRORS:
                raise
            raise DownloadError(
                f"Could not download {url}.",
                expected=f"the file {target.name}" + (f" of {size} bytes" if size else ""),
                received=getattr(error, "reason", None) or error,
                fix=advice
                or f"check the address and the network, or put the file there yourself: {target}",
            ) from None
        check(temporary, hashes, size=size, name=f"The file that came from {url}", advice=advice)


def check(
    path: Path, hashes: Mapping[str, str], *, size: int | None, name: str, advice: str = ""
) -> None:
    """Compare a file's size and hashes with what they must be.

    Raises:
        DataError: They differ; the text holds both.
    """
    found = path.stat().st_size
    if size is not None and found != size:
        raise DataError(
            f"{name} has the wrong size: it is damaged, cut off or another file.",
            expected=f"{size} bytes",
            received=f"{found} bytes{_web_page(path)}",
            fix=advice or "delete it and fetch it again",
        )
    if wrong := mismatch(path, hashes):
        algorithm, digest = wrong
        raise DataError(
            f"{name} has the wrong hash: it is damaged or another file.",
            expected=f"{algorithm} {hashes[algorithm]}",
            received=f"{algorithm} {digest}{_web_page(path)}",
            fix=advice or "delete it and fetch it again, or correct the hash",
        )


def mismatch(path: Path, hashes: Mapping[str, str]) -> tuple[str, str] | None:
    """The first algorithm whose hash of the file is another, and that hash; None when all agree."""
    for algorithm, expected in hashes.items():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, algorithm).hexdigest()
        if digest != expected.lower():
            return algorithm, digest
    return None


def _algorithm(digest: str, algorithm: str) -> str:
    one_of("hash_algorithm", algorithm, ("auto", *_DIGITS.values()), "get_file")
    found = _DIGITS.get(len(digest)) if algorithm == "auto" else algorithm
    if found is None:
        raise ArgumentError(
            "get_file: file_hash has an unknown length.",
            expected="32 (md5) or 64 (sha256) digits",
            received=repr(digest),
        )
    return found


def _web_page(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    return "; it is a web page" if start.startswith((b"<!doctype html", b"<html")) else ""


def _copy(source: Any, file: IO[bytes], total: int | None, name: str) -> int:
    """Copy a stream into a file; the number of bytes."""
    copied = 0
    with _progress(name, total) as advance:
        while chunk := source.read(_CHUNK):
            file.write(chunk)
            copied += len(chunk)
            advance(len(chunk))
    return copied


@contextmanager
def _progress(name: str, total: int | None) -> Iterator[Any]:
    """A bar on a terminal, one plain line elsewhere."""
    if sys.stderr is None or not sys.stderr.isatty():
        say(f"Downloading {name}" + (f" ({total / 1e6:.1f} MB)" if total else ""), sys.stderr)
        yield lambda count: None
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
        yield lambda count: progress.advance(task, count)
