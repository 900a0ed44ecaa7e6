"""Weights in several files: Keras 3's `.weights.json`, an index of `.weights.h5` files beside it.

The names of new files hold a digest of what is in them. So the files of an older save stay as they
are until the new index replaces the old one.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError, ModelFileError, short
from gazelle._files.reading import read_bytes
from gazelle._files.writing import atomic_path, remove_leftovers
from gazelle._formats.h5 import Tree, WeightsFile, check_target, keyed, open_weights, write_weights
from gazelle._formats.h5_checks import Spec, unreadable
from gazelle._formats.strict_json import parse_json

ENDING = ".weights.json"
_MOST_INDEX = 64 << 20  # bytes
_MOST_SHARDS = 10_000
_SHARD = re.compile(r"[^/\\\x00-\x1f:]{1,200}\.weights\.h5")


class ShardedWeights:
    """The open files of an index; used like a `WeightsFile`.

    Args:
        label: Name of the index for messages.
        shards: The open files.
    """

    def __init__(self, label: str, shards: Sequence[WeightsFile]):
        self.label = label
        self._shards = shards
        self._homes: dict[tuple[str, str], tuple[WeightsFile, int]] = {}
        for shard in shards:
            for group, keys in shard.keys.items():
                for place, key in enumerate(keys):
                    if (group, key) in self._homes:
                        found = f"{group}/{key} in two files"
                        raise _refused("twice", label, group, found, "each array once")
                    self._homes[group, key] = shard, place
        found_keys: dict[str, list[str]] = {}
        for group, key in self._homes:
            found_keys.setdefault(group, []).append(key)
        self.keys = {group: _in_order(keys) for group, keys in found_keys.items()}
        self.specs = {
            group: [self._spec(group, key) for key in keys] for group, keys in self.keys.items()
        }
        self.has_digests = all(shard.has_digests for shard in shards)

    def _spec(self, group: str, key: str) -> Spec:
        shard, place = self._homes[group, key]
        return shard.specs[group][place]

    def names(self) -> dict[str, str]:
        """The names of the layers, as `WeightsFile.names`."""
        return {path: name for shard in self._shards for path, name in shard.names().items()}

    def read(self, path: str) -> list[np.ndarray]:
        """The arrays of one group, as `WeightsFile.read`."""
        return [self._homes[path, key][0].read_one(path, key) for key in self.keys[path]]


@contextmanager
def open_sharded(path: str | os.PathLike[str]) -> Iterator[ShardedWeights]:
    """Open an index and the files that it names, and check everything except the values.

    Raises:
        ModelFileError: A file is missing or damaged, or the index names something else than files
            beside it.
    """
    label = repr(os.fspath(path))
    try:
        content = read_bytes(path, _MOST_INDEX)
    except OSError as error:
        raise unreadable(label, error) from None
    names = _named_files(parse_json(content, label, "the index"), label)
    with ExitStack() as stack:
        shards = []
        for name in sorted(names):
            shard = Path(path).with_name(name)
            if shard.is_symlink():
                raise _refused("link", label, name, "a link", "a file beside the index")
            opened = stack.enter_context(open_weights(shard, is_part=True))
            if set(opened.keys) != names[name]:
                groups = sorted(set(opened.keys) ^ names[name])
                raise _refused("index", label, name, f"{groups[0]} at another place", "the index")
            shards.append(opened)
        yield ShardedWeights(label, shards)


def write_sharded(
    path: str | os.PathLike[str],
    tree: Tree,
    most: float,
    overwrite: bool = True,
    *,
    names: Mapping[str, str] | None = None,
) -> None:
    """Write an index and its files, which Keras 3 also reads.

    The old index and its files stay until the new ones are complete; then its files are removed.

    Args:
        path: The index; ends in `.weights.json`.
        tree: As in `write_weights`.
        most: Bytes of arrays per file, at most.
        overwrite: Whether an existing index may be replaced.
        names: As in `write_weights`.

    Raises:
        ArgumentError: An array is larger than `most`, or the index exists and `overwrite` is false.
        OSError: Writing failed; the old index and its files, or the new ones, are complete.
    """
    target = Path(path)
    check_target(target, overwrite)
    parts, total = _divided(tree, most)
    # Keras opens a file of this name before it reads the index.
    first = target.with_name(f"{target.name.removesuffix(ENDING)}_00000.weights.h5")
    has_first = first.exists() and first.name not in _names_in(target)
    before = _files_of(target) | _orphans(target)
    digest = hashlib.sha256(repr([list(part) for part in parts]).encode())
    for part in parts:
        for group, arrays in part.items():
            for key, array in arrays.items():
                digest.update(f"{group} {key} {array.shape} {array.dtype}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
    stem = f"{target.name.removesuffix(ENDING)}-{digest.hexdigest()[:12]}"
    files = [f"{stem}_{number:05}.weights.h5" for number in range(len(parts))]
    try:
        for file, part in zip(files, parts, strict=True):
            write_weights(target.with_name(file), part, names=names)
        index = {"metadata": {"total_size": total}, "weight_map": _weight_map(files, parts)}
        with atomic_path(target) as temporary:
            temporary.write_text(json.dumps(index, indent=4))
    except BaseException:
        # If the last flush failed, the new index is there and names them.
        _remove(target, set(files) - before - _names_in(target))
        raise
    if not has_first:
        write_weights(first, {})
    _remove(target, before - set(files))


def _weight_map(names: list[str], parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The file of each group, or a list of them."""
    weight_map: dict[str, Any] = {}
    for name, part in zip(names, parts, strict=True):
        for group in part:
            where = f"/{group}/vars" if group else "/vars"
            known = weight_map.get(where)
            weight_map[where] = name if known is None else [*_listed(known), name]
    return weight_map


def _remove(index: Path, names: Iterable[str]) -> None:
    for name in names:
        with suppress(OSError):
            index.with_name(name).unlink()


def _divided(tree: Tree, most: float) -> tuple[list[dict[str, dict[str, np.ndarray]]], int]:
    """The arrays in the parts for each file, and their bytes in all."""
    parts: list[dict[str, dict[str, np.ndarray]]] = [{}]
    size = total = 0
    for group, values in tree.items():
        for key, value in keyed(values):
            array = np.asarray(value)
            if array.nbytes > most:
                raise ArgumentError(
                    f"An array of {group} is larger than max_shard_size.",
                    expected=f"arrays of at most {most:,.0f} bytes",
                    received=f"{array.nbytes:,} bytes",
                    fix="pass a larger max_shard_size",
                )
            if size + array.nbytes > most:
                parts.append({})
                size = 0
            parts[-1].setdefault(group, {})[key] = array
            size += array.nbytes
            total += array.nbytes
    return parts, total


def _names_in(index: Path) -> set[str]:
    """The names in an index; none if it cannot be read."""
    try:
        return set(_named_files(parse_json(read_bytes(index, _MOST_INDEX), "", ""), ""))
    except (OSError, ModelFileError):
        return set()


def _files_of(index: Path) -> set[str]:
    """The files of an index that Gazelle or Keras wrote."""
    index_stem = index.name.removesuffix(ENDING)
    stem = re.escape(index_stem)
    usual = re.compile(stem + r"(-[0-9a-f]{12})?_\d{5}\.weights\.h5")
    return {name for name in _names_in(index) if usual.fullmatch(name)} - {
        f"{index_stem}_00000.weights.h5"
    }


def _orphans(index: Path) -> set[str]:
    """Files of saves that were killed: named like the index's files, and older than the index.

    Temporary files of such saves are removed here. Their names hold digests, so that no later save
    has the same.
    """
    stem, any_digest = index.name.removesuffix(ENDING), f"-{'?' * 12}_{'?' * 5}.weights.h5"
    remove_leftovers(index.parent, f"{glob.escape(stem[-20:])}{any_digest}")
    with suppress(OSError):
        written = index.stat().st_mtime_ns
        found = index.parent.glob(f"{glob.escape(stem)}{any_digest}")
        return {path.name for path in found if path.lstat().st_mtime_ns < written}
    return set()


def _named_files(index: Any, label: str) -> dict[str, set[str]]:
    """The files that an index names, with the groups that each has."""
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict):
        raise _refused("index", label, "weight_map", short(weight_map), "an object")
    names: dict[str, set[str]] = {}
    for where, files in weight_map.items():
        for name in _listed(files):
            if not isinstance(name, str) or not _SHARD.fullmatch(name) or len(names) > _MOST_SHARDS:
                raise _refused("name", label, where, short(name), "the name of a file beside it")
            group = where.removeprefix("/").removesuffix("vars").removesuffix("/")
            if group in names.setdefault(name, set()):
                raise _refused("index", label, where, f"{name} twice", "each file once")
            names[name].add(group)
    return names


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _in_order(keys: list[str]) -> list[str]:
    """Numbers first, in their order, then names."""
    return sorted(keys, key=lambda key: (not key.isdigit(), int(key) if key.isdigit() else 0, key))


def _refused(code: str, label: str, where: str, found: str, expected: str) -> ModelFileError:
    return ModelFileError(
        f"shard-{code}",
        file=label,
        where=where,
        found=found,
        expected=expected,
        fix="get all the files again, or save them again",
    )
