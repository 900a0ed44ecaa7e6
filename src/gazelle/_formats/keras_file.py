"""Keras 3's `.keras` files: a config, metadata and weights in a zip archive, or in a folder.

Layers that define `save_assets` add files of their own, below `assets/`.

Gazelle adds to the metadata who wrote the file and the SHA-256 of the config. The weights have
digests of their own. Keras ignores both.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from gazelle._core.errors import ArgumentError, ModelFileError, short
from gazelle._files.reading import open_regular, read_bytes
from gazelle._files.writing import atomic_file, draft_folder, telling_room
from gazelle._formats.archive import (
    ASSETS,
    CONFIG,
    METADATA,
    WEIGHTS,
    Archive,
    is_asset_name,
)
from gazelle._formats.h5 import (
    Tree,
    WeightsFile,
    bytes_in,
    check_target,
    open_weights,
    write_weights,
)
from gazelle._formats.h5_checks import unreadable
from gazelle._formats.strict_json import parse_json

MOST_CONFIG = 64 << 20  # bytes of JSON
_MOST_METADATA = 1 << 20
_ALWAYS_ALLOWED = 64 << 20  # bytes of weights, whatever the size of their member
_MOST_RATIO = 100  # of weights to the bytes of a deflated member
_SMALL_ASSET = 1 << 20  # bytes of an asset, however well it was deflated
_MOST_ASSET = 1 << 30  # bytes of an asset in a folder
_CHUNK = 1 << 20  # bytes whose check sum is computed while they are in the cache
_SHA256 = "config_sha256"
_ASSETS_SHA256 = "assets_sha256"
_NEW_COPY = "get the file again, or save it again"
KERAS_VERSION = "3.15.0"  # whose format this is
_ORBAX = ("_CHECKPOINT_METADATA", "_METADATA", "manifest.ocdbt")  # what its folders have
_DATE = (1980, 1, 1, 0, 0, 0)  # the same state gives the same bytes


@dataclass(frozen=True)
class KerasFile:
    """An open `.keras` file that has been checked, except for the values of the weights.

    Args:
        label: Its name for messages.
        config: The config of the model.
        metadata: Who wrote it; empty where the file does not say.
        weights: The weights.
        assets: The files that layers have written themselves, by their names below `assets/`: how
            to read each.

    Attributes:
        config_name: What the place of the config is called.
    """

    label: str
    config: dict[str, Any]
    metadata: dict[str, Any]
    weights: WeightsFile
    assets: Mapping[str, Callable[[], bytes]] = field(default_factory=dict)
    config_name: ClassVar[str] = CONFIG

    @property
    def is_verified(self) -> bool:
        """Whether all of it is compared with digests; Keras's own files have none."""
        return _SHA256 in self.metadata and self.weights.has_digests

    def assets_of(self, path: str) -> dict[str, bytes]:
        """The assets of a layer by the names of their files, verified if the file has digests.

        Args:
            path: The layer's path in the file.

        Raises:
            ModelFileError: One cannot be read, or is not what was written.
        """
        begin = f"{path}/" if path else ""
        digests = self.metadata.get(_ASSETS_SHA256, {})
        found = {}
        for name, read in self.assets.items():
            if not name.startswith(begin):
                continue
            content = read()
            expected = digests.get(name) if isinstance(digests, dict) else None
            if expected not in (None, hashlib.sha256(content).hexdigest()):
                raise ModelFileError(
                    "asset-checksum",
                    file=self.label,
                    where=f"{ASSETS}/{name}",
                    found="not the content that was written",
                    expected=f"the SHA-256 in {METADATA}",
                    fix=_NEW_COPY,
                )
            found[name.removeprefix(begin)] = content
        return found


@contextmanager
def open_keras_file(path: str | os.PathLike[str] | BinaryIO) -> Iterator[KerasFile]:
    """Open a `.keras` file, or the folder that Keras writes with `zipped=False`.

    Args:
        path: The file or folder, or a seekable binary file object.

    Raises:
        ModelFileError: It does not exist, is damaged, or has what a model file never has.
    """
    with ExitStack() as stack:
        if isinstance(path, str | os.PathLike):
            label = repr(os.fspath(path))
            if os.path.isdir(path):
                yield stack.enter_context(_open_folder(Path(path), label))
                return
            try:
                file = stack.enter_context(open_regular(path))
            except OSError as error:
                raise unreadable(label, error) from None
        else:
            label, file = "the model file", path
        archive = Archive(file, label)
        config = archive.read(CONFIG, MOST_CONFIG)
        metadata = b"{}"
        if METADATA in archive.members:
            metadata = archive.read(METADATA, _MOST_METADATA)
        most = _ALWAYS_ALLOWED + _MOST_RATIO * archive.members[WEIGHTS].stored
        weights = archive.open(WEIGHTS, most)
        opened = stack.enter_context(open_weights(weights, label))
        assets = {
            name.removeprefix(f"{ASSETS}/"): partial(
                archive.read, name, _SMALL_ASSET + _MOST_RATIO * member.stored
            )
            for name, member in archive.members.items()
            if name.startswith(f"{ASSETS}/")
        }
        yield KerasFile(label, *_described(config, metadata, label), opened, assets)


@contextmanager
def _open_folder(folder: Path, label: str) -> Iterator[KerasFile]:
    contents = {METADATA: b"{}"}
    for name, most in ((CONFIG, MOST_CONFIG), (METADATA, _MOST_METADATA)):
        if name == METADATA and not (folder / name).exists():
            continue
        try:
            contents[name] = read_bytes(folder / name, most)
        except OSError as error:
            is_orbax = any((folder / mark).exists() for mark in _ORBAX)
            raise ModelFileError(
                "file-unreadable",
                file=label,
                where=name,
                found=(
                    "an Orbax checkpoint, which Gazelle does not read"
                    if is_orbax
                    else f"cannot be read: {error.strerror}"
                ),
                expected=f"a folder with {CONFIG} and {WEIGHTS}",
                fix="load it in Keras and save it as .keras" if is_orbax else "check the path",
            ) from None
    described = _described(contents[CONFIG], contents[METADATA], label)
    assets = dict(_folder_assets(folder, label))
    with open_weights(folder / WEIGHTS) as weights:
        yield KerasFile(label, *described, weights, assets)


def _folder_assets(folder: Path, label: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The assets in a folder; a link among them is refused."""
    for path in sorted((folder / ASSETS).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not is_asset_name(name):
            raise ModelFileError(
                "file-asset",
                file=label,
                where=name,
                found="a link, or a name that no asset has",
                expected="plain files with names of letters, digits, '_', '-', '.' and spaces",
                fix="save the model again",
            )
        if path.is_file():
            yield name.removeprefix(f"{ASSETS}/"), partial(read_bytes, path, _MOST_ASSET)


def write_keras_file(
    path: str | os.PathLike[str] | BinaryIO,
    config: dict[str, Any],
    tree: Tree,
    assets: Mapping[str, bytes],
    *,
    writer: str,
    overwrite: bool = True,
    zipped: bool = True,
) -> None:
    """Write a `.keras` file, which Keras 3 opens too. An old file is replaced at the very end.

    The same config and weights give the same bytes.

    Args:
        path: The file, a new folder if not `zipped`, or a binary file object.
        config: The config of the model.
        tree: Its weights, as in `write_weights`.
        assets: Path of a layer, `/` and name of a file -> its content.
        writer: Who writes it: `"gazelle 1.0"`.
        overwrite: Whether an existing file may be replaced.
        zipped: Whether to write one file instead of a folder.

    Raises:
        ArgumentError: The file exists and `overwrite` is false, its folder does not exist, or
            `path` is an existing folder.
        OSError: Writing failed; an old file is unchanged.
    """
    text = json.dumps(config).encode()
    metadata: dict[str, Any] = {
        "keras_version": KERAS_VERSION,
        "written_by": writer,
        _SHA256: hashlib.sha256(text).hexdigest(),
    }
    if assets:
        _check_assets(assets)
        metadata[_ASSETS_SHA256] = {
            name: hashlib.sha256(content).hexdigest() for name, content in assets.items()
        }
    head = {METADATA: json.dumps(metadata).encode(), CONFIG: text}
    if not isinstance(path, str | os.PathLike):
        content = io.BytesIO()
        _write_archive(content, head, tree, assets)
        path.write(content.getbuffer())
        return
    target = Path(path)
    check_target(target, overwrite)
    if zipped:
        small = sum(map(len, [*head.values(), *assets.values()]))
        with telling_room(target, small + bytes_in(tree)), atomic_file(target) as file:
            _write_archive(file, head, tree, assets)
        return
    if target.exists():
        raise ArgumentError(
            f"{str(target)!r} already exists, and a folder cannot be replaced safely.",
            fix="choose another name, or write one file that ends in .keras",
        )
    with draft_folder(target.parent) as draft:
        for name, content in head.items():
            (draft / name).write_bytes(content)
        write_weights(draft / WEIGHTS, tree)
        for name, content in assets.items():
            asset = draft / ASSETS / name
            asset.parent.mkdir(parents=True, exist_ok=True)
            asset.write_bytes(content)
        os.replace(draft, target)


def _check_assets(assets: Mapping[str, bytes]) -> None:
    """Refuse names that could not be read again."""
    for name in assets:
        if not is_asset_name(f"{ASSETS}/{name}"):
            raise ArgumentError(
                "save_assets wrote a file with a name that a model file cannot have.",
                expected="letters, digits, '_', '-', '.' and spaces",
                received=repr(name),
            )


def _write_archive(
    file: BinaryIO, head: Mapping[str, bytes], tree: Tree, assets: Mapping[str, bytes]
) -> None:
    output = _Around(file)
    with zipfile.ZipFile(output, "w") as archive:
        for name, content in head.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content)
        weights = zipfile.ZipInfo(WEIGHTS, _DATE)
        weights.file_size = bytes_in(tree)  # from 2 GB on the archive needs wider fields
        with archive.open(weights, "w") as member:
            start = file.tell()
            write_weights(file, tree)  # HDF5 goes back and forth, `member` only forth
            file.seek(start)
            output.is_passing = True
            while chunk := file.read(_CHUNK):
                member.write(chunk)
            output.is_passing = False
        for name, content in assets.items():
            archive.writestr(zipfile.ZipInfo(f"{ASSETS}/{name}", _DATE), content)


class _Around(io.RawIOBase):
    """A file for `zipfile`, which writes around what is in it already.

    Attributes:
        is_passing: Whether what is written is there already, so that `zipfile` only counts it.
    """

    is_passing = False

    def __init__(self, file: BinaryIO):
        self._file = file

    def write(self, data: Any) -> int:
        return len(data) if self.is_passing else self._file.write(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def _described(config: bytes, metadata: bytes, label: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The config and the metadata, both dicts."""
    about = parse_json(metadata, label, METADATA)
    described = parse_json(config, label, CONFIG)
    for value, member in ((about, METADATA), (described, CONFIG)):
        if not isinstance(value, dict):
            raise ModelFileError(
                "config-json",
                file=label,
                where=member,
                found=short(value, 64),
                expected="an object",
                fix="get the file again, or save it again",
            )
    expected = about.get(_SHA256)
    if expected is not None and expected != hashlib.sha256(config).hexdigest():
        raise ModelFileError(
            "config-checksum",
            file=label,
            where=CONFIG,
            found="not the config that was written",
            expected=f"the SHA-256 in {METADATA}",
            fix=f"get a new copy, or delete {_SHA256} in {METADATA}",
        )
    return described, about
