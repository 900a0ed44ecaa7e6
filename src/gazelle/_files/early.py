"""A new file that goes to the disk while more of it is written, so that the last wait is short."""

from __future__ import annotations

import io
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

_STEP = 4 << 20  # bytes that are worth a flush of their own


class EarlyFile(io.RawIOBase):
    """A new file, open for writing and reading, which a thread flushes to the disk on request.

    The thread's flush may leave out the last bytes, so the file is flushed once more after it is
    closed. An error of the thread is raised by `close`, or by a later request.

    Args:
        path: The file to create.
    """

    def __init__(self, path: Path):
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115, closed by `close`
        self._pool = ThreadPoolExecutor(1)
        self._flush: Future[None] | None = None
        self._unflushed = 0

    def write(self, data: Any) -> int:
        """Write all of the data; large data takes the system several calls."""
        view = memoryview(data).cast("B")
        written = 0
        while written < len(view):
            written += self._file.write(view[written:]) or 0
        self._unflushed += written
        return written

    def flush_soon(self) -> None:
        """Let the thread flush the file, if there is enough to flush and it is not at work.

        This waits for a lock, so `write` does not do it: h5py calls `write` with a lock of its own
        held, for which a thread may wait that frees objects of h5py's.

        Raises:
            OSError: An earlier flush failed.
        """
        if self._unflushed >= _STEP and (self._flush is None or self._flush.done()):
            self._wait()
            self._flush = self._pool.submit(os.fsync, self._file.fileno())
            self._unflushed = 0

    def _wait(self) -> None:
        """Wait for the thread, and raise its error."""
        flush, self._flush = self._flush, None
        if flush is not None:
            flush.result()

    def close(self) -> None:
        """Wait for the thread and close the file."""
        if self.closed:
            return
        try:
            self._wait()
        finally:
            self._pool.shutdown()
            self._file.close()
            super().close()

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; returns the number of bytes."""
        return self._file.readinto(buffer) or 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place; returns it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place in the file."""
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        """Set the size in bytes."""
        return self._file.truncate(size)

    def readable(self) -> bool:
        """True."""
        return True

    def writable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True
