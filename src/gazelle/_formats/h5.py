"""The HDF5 format of Keras 3's weights files.

Variable i of the layer at `path` is the dataset `path/vars/i`. A file may be damaged or malicious.
Before a value is read, all objects in the file are checked without following links: only groups and
plain, fully stored arrays of numbers are allowed. Of the attributes only the names of layers are
read, without the HDF5 library. Gazelle adds one
dataset, `gazelle_sha256`, with a digest of each array, and to a file that is saved during a fit the
group `gazelle_training`, from which the fit can be resumed; Keras ignores both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gazelle._core.errors import ArgumentError, ModelFileError
from gazelle._files.writing import atomic_file, telling_room
from gazelle._formats.digests import DIGESTS, check_digest, digests_of, read_digests
from gazelle._formats.h5_attributes import AttributeReader
from gazelle._formats.h5_checks import (
    BFLOAT16,
    Spec,
    datasets,
    guarded,
    opened_h5,
    refused,
    spec_of,
)
from gazelle._formats.h5_draft import h5_draft

TRAINING = "gazelle_training"
LORA = "lora"  # behind the path of a layer: its weight and the low-rank addition to it, apart
_NUMBER = re.compile("0|[1-9][0-9]{0,5}")  # without leading zeros, as Keras writes it
_KEY = re.compile(r"[A-Za-z_][\w.\- ]{0,99}")  # what a layer may call an array that it saves itself


Tree = Mapping[str, Sequence[Any] | Mapping[str, Any]]


class WeightsFile:
    """An open, checked weights file; created by `open_weights`.

    Attributes:
        label: Name of the file for messages.
        specs: Group path (`""` for the model itself, `layers/dense`, `optimizer`) -> specs of its
            arrays, in order.
        keys: Group path -> names of its arrays, in the same order: `"0"`, `"1"`, ..., unless a
            layer has saved its state itself.
    """

    def __init__(self, file: Any, content: BinaryIO, label: str, is_part: bool = False):
        """Check everything in an h5py file except the values.

        Args:
            file: The h5py file.
            content: The same file as bytes.
            label: Its name for messages.
            is_part: Whether other files may have the rest of a group.
        """
        self.label = label
        self._content = content
        self._addresses: dict[str, int] = {}
        self._sets = dict(datasets(file, label, self._addresses))
        digests = self._sets.pop(DIGESTS, None)
        self._specs = {
            where: spec_of(dataset, where, label) for where, dataset in self._sets.items()
        }
        grouped = _grouped(self._specs, label, is_part)
        self._training = grouped.pop(TRAINING, {})
        self.specs = {path: list(found.values()) for path, found in grouped.items()}
        self.keys = {path: list(found) for path, found in grouped.items()}
        self._digests = read_digests(digests, self._specs, label)

    def names(self) -> dict[str, str]:
        """The names of the layers, by group path, as far as the file says them."""
        found = {}
        with suppress(ModelFileError):  # they are not needed to load the values
            reader = AttributeReader(self._content, self.label)
            for path in self.specs:
                where = _joined(path)
                name = reader.read(self._addresses[where], where).get("name")
                if isinstance(name, str):
                    found[path] = name
        return found

    @property
    def has_digests(self) -> bool:
        """Whether values are verified when they are read; Keras's files have no digests."""
        return self._digests is not None

    @property
    def has_training_state(self) -> bool:
        """Whether a fit can be resumed from the file."""
        return bool(self._training)

    def read_training_state(self) -> list[np.ndarray]:
        """The arrays of the state of a fit, verified if the file has digests; empty for none."""
        return [self.read_one(TRAINING, key) for key in self._training]

    def read(self, path: str) -> list[np.ndarray]:
        """The arrays of one group, verified if the file has digests.

        Raises:
            ModelFileError: The values cannot be read, or differ from those that were written.
        """
        return self._read([_joined(path, key) for key in self.keys[path]])

    def read_one(self, path: str, key: str) -> np.ndarray:
        """As `read`, one array of a group."""
        return self._read([_joined(path, key)])[0]

    def _read(self, places: Sequence[str]) -> list[np.ndarray]:
        values = [
            read_array(self._sets[where], self._specs[where], where, self.label) for where in places
        ]
        if self._digests is not None:
            for where, digest in zip(places, digests_of(places, values), strict=True):
                check_digest(self._digests, where, digest, self.label)
        return values


def write_weights(
    path: str | os.PathLike[str] | BinaryIO,
    tree: Tree,
    overwrite: bool = True,
    *,
    names: Mapping[str, str] | None = None,
) -> None:
    """Write a weights file that Keras 3 can also read; an old file is replaced at the very end.

    Args:
        path: The file, or a binary file object open for reading and writing, which is written from
            its place to its end.
        tree: Group path (`""`, `layers/dense`, `optimizer`) -> its arrays, JAX arrays or variables,
            in order, or by names of the layer's own.
        overwrite: Whether an existing file may be replaced.
        names: Group path -> name of the layer, which the group says in an attribute.

    Raises:
        ArgumentError: The file exists and `overwrite` is false, or its folder does not exist.
        OSError: Writing failed, for example because the disk is full; an old file is unchanged.
    """
    names = names or {}
    if not isinstance(path, str | os.PathLike):
        _write(path, tree, names)
        return
    target = Path(path)
    check_target(target, overwrite)
    with telling_room(target, bytes_in(tree)), atomic_file(target) as file:
        _write(file, tree, names)


def bytes_in(tree: Tree) -> int:
    """The size of all arrays."""
    return sum(np.asarray(value).nbytes for values in tree.values() for _, value in keyed(values))


def _write(file: BinaryIO, tree: Tree, names: Mapping[str, str]) -> None:
    with h5_draft(file) as draft:
        for path, values in tree.items():
            group = draft.file.create_group(_joined(path))
            if path in names:
                group.attrs["name"] = names[path]
            for key, value in keyed(values):
                draft.add(_joined(path, key), np.asarray(value, order="C"))


def check_target(target: Path, overwrite: bool) -> None:
    """Refuse a file that cannot be written, before work is spent.

    Raises:
        ArgumentError: It exists and `overwrite` is false, or its folder does not exist.
    """
    if target.exists() and not overwrite:
        raise ArgumentError(
            f"{str(target)!r} already exists.", fix="pass overwrite=True or choose another name"
        )
    if not target.parent.is_dir():
        raise ArgumentError(
            f"Cannot write {str(target)!r}: its folder does not exist.",
            fix=f"create it first: os.makedirs({str(target.parent)!r})",
        )


@contextmanager
def open_weights(
    path: str | os.PathLike[str] | BinaryIO,
    label: str = "the weights file",
    *,
    is_part: bool = False,
) -> Iterator[WeightsFile]:
    """Open a weights file and check everything except the values.

    Args:
        path: The file, or a seekable binary file object.
        label: The name of a file object for messages.
        is_part: Whether other files may have the rest of a group.

    Yields:
        The file, from which single groups can be read.

    Raises:
        ModelFileError: The file does not exist, is truncated, is not a weights file, or contains
            objects that are not allowed.
    """
    with opened_h5(path, label) as (file, content, name):
        yield WeightsFile(file, content, name, is_part)


def read_weights(
    path: str | os.PathLike[str] | BinaryIO, *, max_bytes: int | None = None
) -> dict[str, list[np.ndarray]]:
    """All arrays of a weights file: group path -> arrays in order.

    Args:
        path: The file, or a seekable binary file object.
        max_bytes: Maximum memory for the arrays; None for 64 MiB plus 100 times the size of the
            file, which only compressed files can exceed.

    Raises:
        ModelFileError: The file fails a check, cannot be read, or holds more than `max_bytes`.
    """
    with open_weights(path) as file:
        check_total(file, _size(path), max_bytes)
        return {group: file.read(group) for group in file.specs}


def check_total(file: WeightsFile, size: int, max_bytes: int | None = None) -> None:
    """Refuse a file whose arrays need too much memory, before it is taken.

    Args:
        file: The file.
        size: Its size in bytes.
        max_bytes: Maximum memory; None for 64 MiB plus 100 times `size`.

    Raises:
        ModelFileError: They need more.
    """
    total = sum(spec.nbytes for specs in file.specs.values() for spec in specs)
    limit = (64 << 20) + 100 * size if max_bytes is None else max_bytes
    if total > limit:
        raise ModelFileError(
            "h5-size",
            file=file.label,
            where="the arrays",
            found=f"{total:,} bytes, more memory than allowed",
            expected=f"at most {limit:,} bytes",
            fix="pass max_bytes= if you trust the file",
        )


def keyed(values: Sequence[Any] | Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Arrays with their names, which must be ones that can be read again."""
    if not isinstance(values, Mapping):
        return ((str(index), value) for index, value in enumerate(values))
    for key in values:
        if not _NUMBER.fullmatch(str(key)) and not _KEY.fullmatch(str(key)):
            raise ArgumentError(
                "save_own_variables gave an array a name that a file cannot have.",
                expected="letters, digits, '_', '-', '.' and spaces, at most 100",
                received=repr(key),
            )
    return ((str(key), value) for key, value in values.items())


def _joined(path: str, key: str | None = None) -> str:
    """The path in the file of a group's variables, or of one of them."""
    group = f"{path}/vars" if path else "vars"
    return group if key is None else f"{group}/{key}"


def read_array(dataset: Any, spec: Spec, where: str, label: str) -> np.ndarray:
    """The values of a dataset of h5py's low-level interface, after `spec_of` has checked it.

    Args:
        dataset: The dataset.
        spec: What `spec_of` returned.
        where: Its path, for messages.
        label: The file, for messages.
    """
    import h5py

    with guarded(label, where):
        value = np.asarray(h5py.Dataset(dataset)[()])
    if spec.dtype == BFLOAT16:
        return value.view(BFLOAT16)
    return value.astype(spec.dtype, copy=False)


def _size(path: str | os.PathLike[str] | BinaryIO) -> int:
    if isinstance(path, str | os.PathLike):
        return os.path.getsize(path)
    return path.seek(0, os.SEEK_END)


def _grouped(specs: Mapping[str, Spec], label: str, is_part: bool) -> dict[str, dict[str, Spec]]:
    """Specs by group and name; numbers come first, without gaps in a whole file."""
    grouped: dict[str, dict[str, Spec]] = {}
    for where, spec in specs.items():
        *group, last = where.split("/")
        is_key = _NUMBER.fullmatch(last) or _KEY.fullmatch(last)
        if group[-1:] != ["vars"] or not is_key:
            if where.startswith(("model_weights/", "optimizer_weights/")):
                found = "a whole model in the old .h5 format"
                raise refused(label, where, found, "a name that ends in .h5 alone", "whole-model")
            expected = "arrays named <layer>/vars/0, 1, ..."
            raise refused(label, where, "an array at this path", expected)
        grouped.setdefault("/".join(group[:-1]), {})[last] = spec
    for path, found in grouped.items():
        numbers = sorted(int(key) for key in found if key.isdigit())
        missing = sorted(set(range(len(numbers))) - set(numbers))
        if missing and not is_part:
            raise refused(
                label, _joined(path), f"arrays {numbers[:8]}", f"also number {missing[0]}"
            )
        names = sorted(key for key in found if not key.isdigit())
        grouped[path] = {key: found[key] for key in [*map(str, numbers), *names]}
    return grouped
