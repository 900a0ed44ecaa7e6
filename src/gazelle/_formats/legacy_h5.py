"""Whole models, or weights alone, in the HDF5 files of Keras 1, Keras 2 and tf.keras.

A whole model has its config and the arguments of `compile` as JSON in the attributes `model_config`
and `training_config`, its weights in the group `model_weights` and the state of the optimizer in
`optimizer_weights`. The group of the weights lists its layers in the attribute `layer_names`, and
the group of each layer its arrays in `weight_names`. A file of weights alone has the layers at the
top. Long lists are divided: `layer_names0`, `layer_names1`, ...

Files are not trusted, and the HDF5 library can crash or never end when it reads the attributes of a
damaged file (33 of 10,000 at random). So attributes are read by `h5_attributes`, which does without
the library; groups and arrays are checked and read as those of `.weights.h5` files. Gazelle's own
files have a SHA-256 digest of every array and of every attribute; Keras ignores them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gazelle._core.errors import ArgumentError, ModelFileError, short
from gazelle._files.writing import atomic_file, telling_room
from gazelle._formats.digests import DIGESTS, check_digest, digest_of, read_digests
from gazelle._formats.h5 import check_target, read_array
from gazelle._formats.h5_attributes import AttributeReader, Text
from gazelle._formats.h5_checks import (
    BFLOAT16,
    datasets,
    opened_h5,
    refused,
    spec_of,
)
from gazelle._formats.h5_draft import H5Draft, h5_draft
from gazelle._formats.keras_file import KERAS_VERSION
from gazelle._formats.strict_json import parse_json

ENDINGS = (".h5", ".hdf5")
OPTIMIZER = "optimizer_weights"
TOP_LEVEL = "top_level_model_weights"  # the weights of a model that are in none of its layers
_WEIGHTS = "model_weights"
_MOST_IN_A_LIST = 64_000  # bytes of an attribute: the header of an object has no room for more


def is_legacy_name(path: str) -> bool:
    """Whether a file of this name is read and written as in this module."""
    return path.endswith(ENDINGS) and not path.endswith(".weights.h5")


class LegacyFile:
    """An open, checked file; created by `open_legacy`.

    Groups have the names that they have in the file, such as `model_weights/dense`.

    Attributes:
        label: Name of the file for messages.
        version: The version of Keras that wrote it; `"1"` where it does not say.
        writer: Who wrote it, if that is not Keras; `""` otherwise.
        layers: The group of each layer, by its name, in the order of the file.
        keys: Group -> names of its arrays, in order; also of the top level and the optimizer.
        specs: Group -> specs of its arrays.
    """

    def __init__(self, file: Any, attributes: AttributeReader, label: str):
        """Check everything except the values.

        Args:
            file: The h5py file.
            attributes: Reads its attributes.
            label: Its name for messages.
        """
        self.label = label
        addresses: dict[str, int] = {}
        self._sets = dict(datasets(file, label, addresses))
        digests = self._sets.pop(DIGESTS, None)
        self._reader, self._addresses = attributes, addresses
        self._attributes: dict[str, dict[str, Text | None]] = {}
        root = self._attributes_of("")
        base = "" if "layer_names" in root or "layer_names0" in root else _WEIGHTS
        if base not in addresses:
            raise self._missing(_WEIGHTS, "no group of weights", "a whole model, or old weights")
        self.version = self._text("", "keras_version") or self._text(base, "keras_version") or "1"
        self.writer = self._text("", "written_by") or ""
        self.layers = {
            name: f"{base}/{name}".lstrip("/") for name in self._list(base, "layer_names")
        }
        groups = list(self.layers.values())
        groups += [g for g in (f"{base}/{TOP_LEVEL}".lstrip("/"),) if g in addresses]
        groups += [OPTIMIZER] if base and OPTIMIZER in addresses else []
        self.keys = {group: self._list(group, "weight_names") for group in groups}
        named = self._checked_names(base)
        self._specs = {where: spec_of(self._sets[where], where, label) for where in named}
        self.specs = {
            group: [self._specs[f"{group}/{name}"] for name in names]
            for group, names in self.keys.items()
        }
        found = self._attribute_digests()
        self._digests = read_digests(digests, [*self._sets, *found], label)
        if self._digests is not None:
            for where, digest in found.items():
                check_digest(self._digests, where, digest, label)

    @property
    def has_digests(self) -> bool:
        """Whether everything is verified when it is read; Keras's files have no digests."""
        return self._digests is not None

    def top_level(self) -> str | None:
        """The group of the weights that are in no layer, if the file has it."""
        return next((g for g in self.keys if g.split("/")[-1] == TOP_LEVEL), None)

    def config(self, name: str = "model_config") -> Any:
        """The values of the JSON in an attribute of the whole file; None without it.

        Raises:
            ModelFileError: It is not JSON.
        """
        text = self._text("", name)
        return None if text is None else parse_json(text.encode(), self.label, name)

    def read(self, group: str) -> list[np.ndarray]:
        """The arrays of one group, verified if the file has digests.

        Raises:
            ModelFileError: The values cannot be read, or differ from those that were written.
        """
        return [self._read(f"{group}/{name}") for name in self.keys[group]]

    def _read(self, where: str) -> np.ndarray:
        value = read_array(self._sets[where], self._specs[where], where, self.label)
        if self._digests is not None:
            check_digest(self._digests, where, digest_of(where, value), self.label)
        return value

    def _checked_names(self, base: str) -> list[str]:
        """The places of the arrays, of which each has one name, and each name one array."""
        named: dict[str, None] = {}
        for group, names in self.keys.items():
            for name in names:
                where = f"{group}/{name}"
                if where not in self._sets:
                    raise self._missing(where, "no array", "an array for each name")
                if where in named:
                    raise refused(self.label, where, "named twice", "one array for each name")
                named[where] = None
        # Users keep data of their own beside a model, but not among its weights.
        among = tuple(f"{group}/" for group in (base, OPTIMIZER)) if base else ""
        for where in self._sets:
            if where not in named and where.startswith(among):
                expected = "only arrays that weight_names lists"
                raise refused(self.label, where, "an array without a name", expected, "extra")
        return list(named)

    # ---- Attributes ----

    def _attributes_of(self, group: str) -> dict[str, Text | None]:
        if group not in self._attributes:
            if group not in self._addresses:
                raise self._missing(group, "no group", "a group for each layer")
            self._attributes[group] = self._reader.read(self._addresses[group], group)
        return self._attributes[group]

    def _text(self, group: str, name: str) -> str | None:
        attributes = self._attributes_of(group)
        if name not in attributes:
            return None
        value = attributes[name]
        if not isinstance(value, str):
            raise refused(self.label, f"{group or '/'}, {name}", "not text", "text", "attribute")
        return value

    def _list(self, group: str, name: str) -> list[str]:
        """A list of names, which may be divided."""
        attributes = self._attributes_of(group)
        divided = (f"{name}{number}" for number in count())
        parts = [name] if name in attributes else takewhile(attributes.__contains__, divided)
        names: list[str] = []
        for part in parts:
            value = attributes[part]
            if not isinstance(value, list):
                where = f"{group or '/'}, {part}"
                raise refused(self.label, where, "not a list of names", "names", "attribute")
            names += value
        if len(set(names)) < len(names):
            twice = short(max(names, key=names.count), 30)
            where = f"{group or '/'}, {name}"
            raise refused(self.label, where, f"{twice!r} twice", "names that differ", "attribute")
        return names

    def _attribute_digests(self) -> dict[str, bytes]:
        return {
            f"{group}@{name}": attribute_digest(f"{group}@{name}", value)
            for group, attributes in self._attributes.items()
            for name, value in attributes.items()
            if value is not None
        }

    def _missing(self, where: str, found: str, expected: str) -> ModelFileError:
        return ModelFileError(
            "h5-missing",
            file=self.label,
            where=where,
            found=found,
            expected=expected,
            fix="new weights of Keras 3 are in files named *.weights.h5",
        )


@contextmanager
def open_legacy(
    path: str | os.PathLike[str] | BinaryIO, label: str = "the model file"
) -> Iterator[LegacyFile]:
    """Open a file and check everything except the values.

    Args:
        path: The file, or a seekable binary file object.
        label: The name of a file object for messages.

    Raises:
        ModelFileError: The file does not exist, is damaged, or has what such a file never has.
    """
    with opened_h5(path, label) as (file, content, name):
        yield LegacyFile(file, AttributeReader(content, name), name)


def attribute_digest(where: str, value: Text) -> bytes:
    """The SHA-256 of an attribute's place and text."""
    return hashlib.sha256(f"{where} {json.dumps(value)}".encode()).digest()


# ---- Writing ----

Arrays = Mapping[str, Any]  # by their names


def write_legacy(
    path: str | os.PathLike[str],
    model_config: dict[str, Any] | None,
    training_config: dict[str, Any] | None,
    layers: Mapping[str, Arrays],
    top_level: Arrays,
    optimizer: Arrays,
    *,
    writer: str,
    overwrite: bool = True,
) -> None:
    """Write a whole model, which Keras 3 opens too; an old file is replaced at the very end.

    The same model gives the same bytes.

    Args:
        path: The file.
        model_config: `{"class_name", "config"}` of the model; None for the weights alone.
        training_config: The arguments of `compile`, as Keras writes them; None before it.
        layers: The arrays of each layer, in the order of the layers.
        top_level: The model's own arrays.
        optimizer: The state of the optimizer.
        writer: Who writes it: `"gazelle 1.0"`.
        overwrite: Whether an existing file may be replaced.

    Raises:
        ArgumentError: The file exists and `overwrite` is false, its folder does not exist, or a
            layer has a name that a group cannot have.
        OSError: Writing failed; an old file is unchanged.
    """
    target = Path(path)
    check_target(target, overwrite)
    for name in layers:
        _check_group_name(name)
    texts = {"keras_version": KERAS_VERSION, "backend": "jax", "written_by": writer}
    if model_config is not None:
        texts["model_config"] = json.dumps(model_config)
    if training_config is not None:
        texts["training_config"] = json.dumps(training_config)
    groups = [*layers.values(), top_level, optimizer]
    size = sum(np.asarray(value).nbytes for arrays in groups for value in arrays.values())
    with telling_room(target, size), atomic_file(target) as file, h5_draft(file) as opened:
        draft = _Draft(opened)
        draft.set_attributes("", texts)
        draft.set_attributes(_WEIGHTS, {"keras_version": KERAS_VERSION, "backend": "jax"})
        draft.set_list(_WEIGHTS, "layer_names", list(layers))
        for name in sorted(layers):
            draft.add_group(f"{_WEIGHTS}/{name}", layers[name])
        draft.add_group(f"{_WEIGHTS}/{TOP_LEVEL}", top_level)
        if optimizer:
            draft.add_group(OPTIMIZER, optimizer)


class _Draft:
    """A file of this format that is being written."""

    def __init__(self, draft: H5Draft):
        self._draft = draft

    def set_attributes(self, group: str, texts: Mapping[str, str]) -> None:
        attributes = self._group(group).attrs
        for name, text in texts.items():
            attributes[name] = text
            self._note(group, name, text)

    def set_list(self, group: str, name: str, names: Sequence[str]) -> None:
        """Write a list of names, divided if it is long."""
        encoded = [text.encode() for text in names]
        width = max(map(len, encoded), default=1)
        most = max(1, _MOST_IN_A_LIST // width)
        parts = range(0, len(names), most)
        for number, start in enumerate(parts or [0]):
            part = name if len(parts) < 2 else f"{name}{number}"
            values = np.array(encoded[start : start + most], f"S{width}")
            self._group(group).attrs[part] = values
            self._note(group, part, list(names[start : start + most]))

    def add_group(self, group: str, arrays: Arrays) -> None:
        """Write arrays and their names."""
        self._group(group)
        self.set_list(group, "weight_names", list(arrays))
        for name, value in arrays.items():
            array = np.asarray(value, order="C")
            if array.dtype == BFLOAT16:  # such files have no type for it; float32 holds its values
                array = array.astype(np.float32)
            self._draft.add(f"{group}/{name}", array)

    def _group(self, group: str) -> Any:
        file = self._draft.file
        return file.require_group(group) if group else file

    def _note(self, group: str, name: str, value: Text) -> None:
        where = f"{group}@{name}"
        self._draft.note(where, attribute_digest, where, value)


def named(values: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
    """Values by names that can stand beside each other in a group of HDF5.

    Args:
        values: The values.
        names: Paths such as `model/dense/kernel`; where two are equal, or one goes on below
            another, a number is added.
    """
    arrays: dict[str, Any] = {}
    parents: set[str] = set()  # paths that are groups, so that no array can have them
    for path, value in zip(names, values, strict=True):
        parts = [part if part not in ("", ".", "..") else "_" for part in path.split("/")]
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        if arrays.keys() & set(above):
            above, parts = [], ["_".join(parts)]
        start = name = "/".join(parts)
        number = 0
        while name in arrays or name in parents:
            number += 1
            name = f"{start}_{number}"
        arrays[name] = value
        parents.update(above)
    return arrays


def _check_group_name(name: str) -> None:
    if name in ("", ".", "..", TOP_LEVEL) or "/" in name or "\0" in name:
        raise ArgumentError(
            "A layer has a name that a .h5 file cannot hold.",
            received=repr(name),
            fix="give the layer another name, or save to a path that ends in .keras",
        )
