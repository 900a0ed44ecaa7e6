"""Reading `.npz` archives that may be hostile: what is declared is held against what is there first."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gazelle._files.reading import open_regular

_ALWAYS_FINE = 128 << 20  # bytes
_MOST_RATIO = 20  # of unpacked to packed bytes, beyond what is always fine
_MOST_FILE = 4 << 30  # bytes
_MOST_AXES = 5


def most_unpacked(size: int) -> int:
    """How many bytes of arrays a file of `size` bytes may hold: 128 MiB and 20 times its size."""
    return _ALWAYS_FINE + _MOST_RATIO * size


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays of an archive, which must be exactly `names`, of numbers only.

    Raises:
        OSError: It cannot be read, or is not a regular file.
        ValueError: It holds something else, or more than `most_unpacked` allows.
        zipfile.BadZipFile: It is damaged.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > _MOST_FILE:
            raise ValueError(f"a file of more than {_MOST_FILE:,} bytes")
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if sorted(member.filename for member in members) != sorted(
                f"{name}.npy" for name in names
            ):
                raise ValueError(
                    f"{len(members)} members, among them"
                    f" {[member.filename for member in members[:4]]}"
                )
            total = sum(member.file_size for member in members)
            if total > most_unpacked(size):
                raise ValueError(f"{total:,} bytes of arrays in a file of {size:,}")
            return {
                member.filename.removesuffix(".npy"): _array(archive, member) for member in members
            }


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member.filename} is packed by method {member.compress_type}")
    with archive.open(member) as stream:
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        version = np.lib.format.read_magic(stream)
        if version not in readers:
            raise ValueError(f"{member.filename} has the format {version}")
        shape, fortran, dtype = readers[version](stream)
        if dtype.kind not in "iufb" or dtype.itemsize > 8 or dtype.shape:
            raise ValueError(f"{member.filename} holds {dtype}, not numbers")
        if len(shape) > _MOST_AXES or any(type(n) is not int or n < 0 for n in shape):
            raise ValueError(f"{member.filename} has the shape {shape}")
        size = math.prod(shape) * dtype.itemsize
        if size != member.file_size - stream.tell():
            raise ValueError(
                f"{member.filename} has the shape {shape} and {member.file_size:,} bytes"
            )
        content = stream.read(size)
        if len(content) != size or stream.read(1):  # the end is where the checksum is looked at
            raise ValueError(f"{member.filename} is cut")
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)
