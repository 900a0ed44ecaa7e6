"""SHA-256 digests in HDF5 files of every array, which show damage when the file is read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from gazelle._core.errors import ModelFileError
from gazelle._formats.h5_checks import BFLOAT16, guarded, spec_of

DIGESTS = "gazelle_sha256"  # the dataset that holds them
_LARGE = 1 << 20  # bytes that are worth threads
_NEW_COPY = f"get a new copy, or delete {DIGESTS} in it"


def digest_of(where: str, array: np.ndarray) -> bytes:
    """The SHA-256 of an array's path, shape, dtype and little-endian bytes."""
    little_endian = array.dtype.newbyteorder("<")
    if array.dtype != BFLOAT16:
        array = array.astype(little_endian, copy=False)
    digest = hashlib.sha256(f"{where} {array.shape} {little_endian}".encode() + b"\0")
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.digest()


def digests_of(names: Sequence[str], arrays: Sequence[np.ndarray]) -> Sequence[bytes]:
    """`digest_of` each array; several large ones at the same time."""
    if len(arrays) < 2 or sum(array.nbytes for array in arrays) < _LARGE:
        return [digest_of(name, array) for name, array in zip(names, arrays, strict=True)]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return [*pool.map(digest_of, names, arrays)]


def read_digests(dataset: Any, names: Iterable[str], label: str) -> dict[str, bytes] | None:
    """The digests by the names of what they are of; None without a dataset.

    Args:
        dataset: The dataset, whose rows are in the order of the sorted names; or None.
        names: What the file holds, in any order.
        label: The file, for messages.

    Raises:
        ModelFileError: There is not one digest for each of `names`.
    """
    import h5py

    if dataset is None:
        return None
    names = sorted(names)
    spec = spec_of(dataset, DIGESTS, label)
    if spec.shape != (len(names), 32) or spec.dtype != np.uint8:
        found, expected = f"{spec}, which does not match the file", f"({len(names)}, 32) uint8"
        raise _changed(label, DIGESTS, found, expected)
    with guarded(label, DIGESTS):
        rows = h5py.Dataset(dataset)[()]
    return {where: row.tobytes() for where, row in zip(names, rows, strict=True)}


def check_digest(digests: Mapping[str, bytes], where: str, digest: bytes, label: str) -> None:
    """Compare a digest with that in the file.

    Raises:
        ModelFileError: They differ.
    """
    if digest != digests[where]:
        found, expected = "not the values that were written", "the SHA-256 digest in the file"
        raise _changed(label, where, found, expected)


def _changed(label: str, where: str, found: str, expected: str) -> ModelFileError:
    return ModelFileError(
        "h5-checksum", file=label, where=where, found=found, expected=expected, fix=_NEW_COPY
    )
