"""Writing HDF5: its library never meets an error of the disk, and a thread computes the digests."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from gazelle._files.early import EarlyFile
from gazelle._formats.digests import DIGESTS, digest_of
from gazelle._formats.h5_checks import BFLOAT16


class H5Draft:
    """An HDF5 file that is being written; created by `h5_draft`.

    Attributes:
        file: The h5py file, for groups and attributes.
    """

    def __init__(self, file: Any, output: _Output, pool: ThreadPoolExecutor):
        self.file = file
        self._output = output
        self._pool = pool
        self._digests: dict[str, Future[bytes]] = {}

    def add(self, where: str, array: np.ndarray) -> Any:
        """Write an array; returns the dataset.

        Args:
            where: Its path in the file.
            array: The array. HDF5 has no bfloat16: like Keras, this writes two opaque bytes and the
                name of the type.

        Raises:
            OSError: Something could not be written, this array or what came before it.
        """
        self.note(where, digest_of, where, array)
        is_bfloat16 = array.dtype == BFLOAT16
        dataset = self.file.create_dataset(where, data=array.view("V2") if is_bfloat16 else array)
        if is_bfloat16:
            dataset.attrs["dtype"] = "bfloat16"
        self._output.check()
        self._output.flush_soon()
        return dataset

    def note(self, where: str, digest: Callable[..., bytes], *args: Any) -> None:
        """Let the thread compute a digest: what `digest(*args)` returns."""
        self._digests[where] = self._pool.submit(digest, *args)

    def write_digests(self) -> None:
        """Write the digests of everything, in the order of the sorted names."""
        rows = b"".join(self._digests[where].result() for where in sorted(self._digests))
        table = np.frombuffer(rows, np.uint8).reshape(len(self._digests), 32)
        self.file.create_dataset(DIGESTS, data=table)


@contextmanager
def h5_draft(file: BinaryIO) -> Iterator[H5Draft]:
    """Write an HDF5 file into an open file, from its place to its end; digests are added.

    Args:
        file: A file that can be written, read and moved in. Its place is its end afterwards.

    Raises:
        OSError: Something could not be written.
    """
    import h5py

    output = _Output(file)
    with ThreadPoolExecutor(1) as pool, h5py.File(output, "w") as opened:
        draft = H5Draft(opened, output, pool)
        yield draft
        draft.write_digests()
    output.check()
    file.seek(0, os.SEEK_END)


class _Output(io.RawIOBase):
    """The part of a file that HDF5 writes.

    HDF5 can crash the process when a write fails. So none fails: the first error is kept, what
    follows is dropped, and `check` raises the error.

    Args:
        file: The file; its place is where the part begins.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self._start = file.tell()
        self._error: BaseException | None = None

    def check(self) -> None:
        """Raise the first error."""
        if self._error is not None:
            raise self._error

    def flush_soon(self) -> None:
        """Let the file go to the disk, if it can while more is written."""
        if isinstance(self._file, EarlyFile):
            self._file.flush_soon()

    # HDF5 calls these; a lock of h5py's is held, so that none of them may wait for a thread.

    def write(self, data: Any) -> int:
        try:
            if self._error is None:
                self._file.write(data)
        except BaseException as error:
            self._error = error
        return len(data)

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = self._start if whence == os.SEEK_SET else 0
        return self._file.seek(start + offset, whence) - self._start

    def tell(self) -> int:
        return self._file.tell() - self._start

    def truncate(self, size: int | None = None) -> int:
        size = self.tell() if size is None else size
        try:
            self._file.truncate(self._start + size)
        except BaseException as error:
            self._error = self._error or error
        return size

    def flush(self) -> None:
        """Nothing: the file is flushed when all of it is written."""
