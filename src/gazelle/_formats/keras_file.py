"""Keras 3's `.keras` files: a config, metadata and weights in a zip archive, or in a folder.

Gazelle adds to the metadata who wrote the file and the SHA-256 of the config. The weights have
digests of their own. Keras ignores both.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from gazelle._core.errors import ArgumentError, ModelFileError, short
from gazelle._files.reading import open_regular, read_bytes
from gazelle._files.writing import atomic_path, draft_folder
from gazelle._formats.archive import CONFIG, METADATA, WEIGHTS, Archive
from gazelle._formats.h5 import Tree, WeightsFile, check_target, open_weights, write_weights
from gazelle._formats.h5_checks import unreadable
from gazelle._formats.strict_json import parse_json

MOST_CONFIG = 64 << 20  # bytes of JSON
_MOST_METADATA = 1 << 20
_ALWAYS_ALLOWED = 64 << 20  # bytes of weights, whatever the size of their member
_MOST_RATIO = 100  # of weights to the bytes of a deflated member
_SHA256 = "config_sha256"
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

    Attributes:
        config_name: What the place of the config is called.
    """

    label: str
    config: dict[str, Any]
    metadata: dict[str, Any]
    weights: WeightsFile
    config_name: ClassVar[str] = CONFIG

    @property
    def is_verified(self) -> bool:
        """Whether all of it is compared with digests; Keras's own files have none."""
        return _SHA256 in self.metadata and self.weights.has_digests


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
        weights = io.BytesIO(archive.read(WEIGHTS, most))
        opened = stack.enter_context(open_weights(weights, label))
        yield KerasFile(label, *_described(config, metadata, label), opened)


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
    with open_weights(folder / WEIGHTS) as weights:
        yield KerasFile(label, *described, weights)


def write_keras_file(
    path: str | os.PathLike[str] | BinaryIO,
    config: dict[str, Any],
    tree: Tree,
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
        writer: Who writes it: `"gazelle 1.0"`.
        overwrite: Whether an existing file may be replaced.
        zipped: Whether to write one file instead of a folder.

    Raises:
        ArgumentError: The file exists and `overwrite` is false, its folder does not exist, or
            `path` is an existing folder.
        OSError: Writing failed; an old file is unchanged.
    """
    text = json.dumps(config).encode()
    metadata = {
        "keras_version": KERAS_VERSION,
        "written_by": writer,
        _SHA256: hashlib.sha256(text).hexdigest(),
    }
    head = {METADATA: json.dumps(metadata).encode(), CONFIG: text}
    if not isinstance(path, str | os.PathLike):
        _write_archive(path, head, tree)
        return
    target = Path(path)
    check_target(target, overwrite)
    if zipped:
        with atomic_path(target) as temporary, open(temporary, "wb") as file:
            _write_archive(file, head, tree)
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
        os.replace(draft, target)


def _write_archive(file: BinaryIO, head: Mapping[str, bytes], tree: Tree) -> None:
    weights = io.BytesIO()
    write_weights(weights, tree)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in [*head.items(), (WEIGHTS, weights.getbuffer())]:
            archive.writestr(zipfile.ZipInfo(name, _DATE), content)


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
