"""Decoding of image files on all cores: many files in worker processes, few files in threads.

With small files, threads wait for Python's global lock: on two cores, 60,000 files of 32 x 32 took
two threads twice the time of a single one. So each thread has a worker process to itself: it sends
the worker groups of files and reads the pixels into place. A thread without a worker (too few
files, no worker could be started, or it has ended) decodes the files itself.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np

from gazelle._core.errors import DataError
from gazelle._core.machine import cores
from gazelle._data.images.decoding import (
    BAD,
    READY,
    REPLY,
    REQUEST,
    TRANSPARENT,
    ImageSpec,
    SizeError,
    command,
    decode_into,
)

FILES_PER_WORKER = 500  # at least; with fewer files of 32 x 32, threads were as fast
_MOST_WORKERS = 16  # more were not tried
_GROUP_FILES = 128  # files that a worker is sent at a time, at most
_GROUP_BYTES = 2**20  # of their pixels, at most
_CRASHES = tuple(
    -getattr(signal, name)
    for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE")
    if hasattr(signal, name)
)


class Outcome(NamedTuple):
    """The outcome of decoding.

    Args:
        bad: Number and error of each file that cannot be read, in order.
        transparent: Number of images whose transparency was replaced.
    """

    bad: list[tuple[int, DataError]]
    transparent: int


def decode_all(
    x: np.ndarray, files: Sequence[str], spec: ImageSpec, advance: Callable[[int], Any]
) -> Outcome:
    """Decode all files. The pixels of a file that cannot be read are left undefined.

    Args:
        x: Memory for the pixels, uint8 `(n, height, width, channels)` in C order.
        files: Paths of n files.
        spec: What to decode the images to.
        advance: Called in this thread with the number of files that have been done since the last
            call.

    Raises:
        SizeError: All files can be read, but they do not all have the same size. The message names
            the first one that differs.
    """
    pixels, size = x.reshape(-1).data, x[0].nbytes
    group = max(1, min(_GROUP_FILES, _GROUP_BYTES // size))
    decoders = _Decoders(len(files), spec)

    def decode(start: int) -> int:
        some = files[start : start + group]
        decoders.decode(pixels[start * size : (start + len(some)) * size], some, start)
        return len(some)

    try:
        with ThreadPoolExecutor(decoders.size) as pool:
            try:
                for count in pool.map(decode, range(0, len(files), group)):
                    advance(count)
            except BaseException:
                decoders.stop()  # otherwise the threads would wait for their workers
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        decoders.close()
    refused = sorted(decoders.refused, key=lambda pair: pair[0])
    bad = [(number, error) for number, error in refused if not isinstance(error, SizeError)]
    if refused and not bad:
        raise refused[0][1]
    return Outcome(bad, sum(decoders.transparent))


class _Decoders:
    """What threads decode with: one worker each, or this process.

    A thread takes a free decoder, decodes a group of files with it and puts it back. A decoder is a
    worker, or None for decoding in the thread itself.

    Args:
        files: Number of files.
        spec: What to decode them to.
    """

    def __init__(self, files: int, spec: ImageSpec) -> None:
        self.spec = spec
        self.stopped = False
        self.refused: list[tuple[int, DataError]] = []  # number of the file, error
        self.transparent: list[int] = []  # number of transparent images in each group
        self.workers: list[_Worker] = []
        self.free: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        threads = cores()
        count = min(threads, _MOST_WORKERS, files // FILES_PER_WORKER)
        try:
            if count > 1 and _can_start():
                line = command(spec, _packages())
                for _ in range(count):
                    self.workers.append(_Worker(line))
        except OSError:  # the system allows no more processes
            pass
        except BaseException:
            self.close()
            raise
        self.size = len(self.workers) or threads
        for decoder in self.workers or [None] * threads:
            self.free.put(decoder)

    def decode(self, pixels: memoryview, files: Sequence[str], number: int) -> None:
        """Decode a group of files that begins with file `number`, in a thread."""
        decoder = self.free.get()
        outcomes = bytes([BAD]) * len(files)
        try:
            if decoder is not None:
                outcomes = decoder.decode(pixels, files, number)
        except (OSError, EOFError):
            if self.stopped:
                return
            ended, decoder = cast(_Worker, decoder), None
            _report_end(ended, files)
        finally:
            self.free.put(decoder)
        size, final = len(pixels) // len(files), list(outcomes)
        for i, outcome in enumerate(outcomes):
            if outcome == BAD and not self.stopped:
                memory = pixels[i * size : (i + 1) * size]
                final[i] = self._decode_here(memory, files[i], number + i)
        self.transparent.append(final.count(TRANSPARENT))

    def _decode_here(self, pixels: memoryview, file: str, number: int) -> int:
        try:
            return decode_into(pixels, file, self.spec)
        except DataError as error:
            self.refused.append((number, error))
            return BAD

    def stop(self) -> None:
        """Make all threads return as soon as they can."""
        self.stopped = True
        for worker in self.workers:
            worker.process.kill()

    def close(self) -> None:
        """End the workers; they hold nothing that would need a clean end."""
        self.stop()
        for worker in self.workers:
            worker.close()


class _Worker:
    """A process that runs `decoding.py`."""

    def __init__(self, line: list[str]) -> None:
        self.process = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.requests = cast(IO[bytes], self.process.stdin)
        self.replies = cast(Any, self.process.stdout)  # a BufferedReader
        self.ready = False

    def decode(self, pixels: memoryview, files: Sequence[str], number: int) -> bytes:
        """Have a group of files decoded.

        Returns:
            The outcome of each file, see `decoding.py`.

        Raises:
            OSError: The worker has ended.
            EOFError: The worker has ended, or the process is not a worker.
        """
        names = b"\0".join(map(os.fsencode, files))
        self.requests.write(REQUEST.pack(number, len(names)) + names)
        self.requests.flush()
        self.ready = self.ready or self.replies.read(len(READY)) == READY
        if not self.ready or self.replies.read(REPLY.size) != REPLY.pack(number):
            raise EOFError
        outcomes = self.replies.read(len(files))
        if self.replies.readinto(pixels) != len(pixels):
            raise EOFError
        return outcomes

    def close(self) -> None:
        """Wait for the end of the process, which has been killed, and close its pipes."""
        self.process.wait()
        self.replies.close()
        with suppress(OSError):  # what the worker has not read cannot be flushed
            self.requests.close()


def _report_end(ended: _Worker, files: Sequence[str]) -> None:
    """Report that a worker has ended while it was decoding `files`.

    Nothing is reported of a worker that never started: this process then decodes everything, only
    more slowly.

    Raises:
        DataError: The worker crashed. This process would crash as well if it read these files.
    """
    ended.process.kill()
    status = ended.process.wait()
    if not ended.ready:
        return
    reason = f"signal {-status}" if status < 0 else f"exit status {status}"
    if status in _CRASHES:
        raise DataError(
            "A process that decodes images crashed.",
            expected="images that pillow can read",
            received=f"{reason} at a file from {files[0]} to {files[-1]}",
            fix=(
                "open these files one by one with gazelle.utils.load_img and remove the one that"
                " crashes Python"
            ),
        )
    warnings.warn(
        f"A process that decodes images was ended from outside ({reason}), perhaps because memory"
        " ran out. This process decodes its images, more slowly.",
        RuntimeWarning,
        stacklevel=2,
    )


def _can_start() -> bool:
    """Whether `sys.executable` is a Python that can run `decoding.py`. Windows is untested."""
    name = os.path.basename(sys.executable or "").lower()
    return (
        os.name == "posix"
        and name.startswith(("python", "pypy"))
        and not getattr(sys, "frozen", False)
    )


def _packages() -> list[str]:
    """The folders that a worker imports from."""
    import PIL

    import gazelle

    folders = [Path(str(package.__file__)).parents[1] for package in (gazelle, PIL, np)]
    return list(dict.fromkeys(map(str, folders)))
