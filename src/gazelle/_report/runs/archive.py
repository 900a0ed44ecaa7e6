"""Safe reading of `.npz` archives: declared sizes are checked before memory is allocated."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gazelle._files.reading import open_regular

_ALWAYS_ALLOWED = 128 << 20  # unpacked bytes, whatever the ratio
_MOST_RATIO = 20  # of unpacked to packed bytes beyond that
_MOST_FILE_BYTES = 4 << 30
_MOST_AXES = 5


def most_unpacked(size: int) -> int:
    """The largest allowed size of the arrays in a file of `size` bytes: 128 MiB + 20 * `size`."""
    return _ALWAYS_ALLOWED + _MOST_RATIO * size


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read the arrays of an archive.

    Args:
        path: The archive.
        names: Names of the arrays that it must contain, no more and no less.

    Raises:
        OSError: The file cannot be read, or is not a regular file.
        ValueError: It contains something else, or more than `most_unpacked` allows.
        zipfile.BadZipFile: It is damaged.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > _MOST_FILE_BYTES:
            raise ValueError(f"a file of more than {_MOST_FILE_BYTES:,} bytes")
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            found = [member.filename for member in members]
            if sorted(found) != sorted(f"{name}.npy" for name in names):
                raise ValueError(f"{len(members)} members, among them {found[:4]}")
            total = sum(member.file_size for member in members)
            if total > most_unpacked(size):
                raise ValueError(f"{total:,} bytes of arrays in a file of {size:,}")
            return {
                member.filename.removesuffix(".npy"): _array(archive, member) for member in members
            }


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Read one `.npy` member, an array of numbers."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member.filename} is packed by method {member.compress_type}")
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"{member.filename} has the format {version}")
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
        if len(content) != size or stream.read(1):  # reading to the end verifies the checksum
            raise ValueError(f"{member.filename} is truncated")
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)
