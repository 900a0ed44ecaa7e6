"""Decoding image files on all cores: in worker processes where they are many, in threads where they are few.

Threads wait for Python's lock where the files are small: on two cores, 60,000 of 32 x 32 took them
twice the time of one thread alone. A thread here has a worker process to itself, hands it batches
and puts the pixels where they belong; where it has none (too few files, none could be started, it
ended), it decodes the batch itself.
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
    SizeError,
    Wanted,
    command,
    decode_into,
)

FILES_EACH = 500  # what a worker must have to do: with fewer of 32 x 32, threads were as fast
_MOST = 16  # workers; more were not tried
_BATCH_FILES = 128
_BATCH_BYTES = 2**20
_CRASHES = tuple(
    -getattr(signal, name)
    for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE")
    if hasattr(signal, name)
)


class Outcome(NamedTuple):
    """What came of the files.

    Args:
        bad: For each file that cannot be read its number and the error, in order.
        transparent: How many images were transparent and laid on a ground.
    """

    bad: list[tuple[int, DataError]]
    transparent: int


def decode_all(
    x: np.ndarray, files: Sequence[str], wanted: Wanted, advance: Callable[[int], Any]
) -> Outcome:
    """Decode all files; those that cannot be read leave their places in `x` undefined.

    Args:
        x: Takes the pixels, uint8 `(n, height, width, channels)` in C order.
        files: The paths of n files.
        wanted: How the images are to be.
        advance: Called in this thread with numbers of files that are done.

    Raises:
        SizeError: All can be read; the first one that has another size than the others is named.
    """
    pixels, size = x.reshape(-1).data, x[0].nbytes
    batch = max(1, min(_BATCH_FILES, _BATCH_BYTES // size))
    crew = _Crew(len(files), wanted)

    def decode(start: int) -> int:
        some = files[start : start + batch]
        crew.decode(pixels[start * size : (start + len(some)) * size], some, start)
        return len(some)

    try:
        with ThreadPoolExecutor(crew.size) as pool:
            try:
                for count in pool.map(decode, range(0, len(files), batch)):
                    advance(count)
            except BaseException:
                crew.stop()  # the threads wait for the workers
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        crew.close()
    refused = sorted(crew.refused, key=lambda pair: pair[0])
    bad = [(number, error) for number, error in refused if not isinstance(error, SizeError)]
    if refused and not bad:
        raise refused[0][1]
    return Outcome(bad, sum(crew.transparent))


class _Crew:
    """A place for each core; in a place is a worker process or, for decoding in this process, None."""

    def __init__(self, files: int, wanted: Wanted) -> None:
        self.wanted = wanted
        self.stopped = False
        self.refused: list[tuple[int, DataError]] = []
        self.transparent: list[int] = []  # how many, of each batch
        self.workers: list[_Worker] = []
        self.places: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        most = cores()
        count = min(most, _MOST, files // FILES_EACH)
        try:
            if count > 1 and _can_start():
                line = command(wanted, _packages())
                for _ in range(count):
                    self.workers.append(_Worker(line))
        except OSError:  # no more processes are allowed
            pass
        except BaseException:
            self.close()
            raise
        self.size = len(self.workers) or most
        for worker in self.workers or [None] * most:
            self.places.put(worker)

    def decode(self, pixels: memoryview, files: Sequence[str], number: int) -> None:
        """Decode a batch that begins with file `number`, in a thread."""
        place = self.places.get()
        try:
            flags = place.decode(pixels, files, number) if place else bytes(len(files))
        except (OSError, EOFError):
            if self.stopped:
                return
            place, ended, flags = None, cast(_Worker, place), bytes(len(files))
            _tell(ended, files)
        finally:
            self.places.put(place)
        size, kinds = len(pixels) // len(files), list(flags)
        for i, kind in enumerate(flags):
            if kind == BAD and not self.stopped:
                kinds[i] = self._decode_here(
                    pixels[i * size : (i + 1) * size], files[i], number + i
                )
        self.transparent.append(kinds.count(TRANSPARENT))

    def _decode_here(self, pixels: memoryview, file: str, number: int) -> int:
        try:
            return decode_into(pixels, file, self.wanted)
        except DataError as error:
            self.refused.append((number, error))
            return BAD

    def stop(self) -> None:
        """Have all threads return as soon as they can."""
        self.stopped = True
        for worker in self.workers:
            worker.process.kill()

    def close(self) -> None:
        """End the workers; they hold nothing that needs an orderly end."""
        self.stop()
        for worker in self.workers:
            worker.close()


class _Worker:
    """A process that runs `decoding.py`."""

    def __init__(self, line: list[str]) -> None:
        self.process = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.ask = cast(IO[bytes], self.process.stdin)
        self.answer = cast(Any, self.process.stdout)  # a BufferedReader
        self.ready = False

    def decode(self, pixels: memoryview, files: Sequence[str], number: int) -> bytes:
        """Has a batch decoded; a byte for each file says whether it was.

        Raises:
            OSError: The worker has ended.
            EOFError: It has ended, or is no worker of ours.
        """
        names = b"\0".join(map(os.fsencode, files))
        self.ask.write(REQUEST.pack(number, len(names)) + names)
        self.ask.flush()
        self.ready = self.ready or self.answer.read(len(READY)) == READY
        if not self.ready or self.answer.read(REPLY.size) != REPLY.pack(number):
            raise EOFError
        flags = self.answer.read(len(files))
        if self.answer.readinto(pixels) != len(pixels):
            raise EOFError
        return flags

    def close(self) -> None:
        """Waits for its end, after it was killed."""
        self.process.wait()
        self.answer.close()
        with suppress(OSError):  # what it never read
            self.ask.close()


def _tell(ended: _Worker, files: Sequence[str]) -> None:
    """Says that a worker ended at its work. One that never started is no news: this process does all, more slowly.

    Raises:
        DataError: It crashed, as this process would if it read the same files.
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
                "open these files one by one with gazelle.utils.load_img, remove the one that"
                " crashes Python"
            ),
        )
    warnings.warn(
        f"A process that decodes images was ended from outside ({reason}), which systems do that"
        " lack memory; its images are read by this process, more slowly.",
        RuntimeWarning,
        stacklevel=2,
    )


def _can_start() -> bool:
    """Whether `sys.executable` is a Python that can run a file of ours. Windows is untested."""
    name = os.path.basename(sys.executable or "").lower()
    return (
        os.name == "posix"
        and name.startswith(("python", "pypy"))
        and not getattr(sys, "frozen", False)
    )


def _packages() -> list[str]:
    import PIL

    folders = [os.path.dirname(os.path.dirname(str(file))) for file in (PIL.__file__, np.__file__)]
    gazelle = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    return list(dict.fromkeys([gazelle, *folders]))
