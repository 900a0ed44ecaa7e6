"""Saves in which one call fails: the n-th open, write, fsync or replace, for every n."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))
from kills import make, value_in, write

from gazelle._files import early

FORMATS = ("m.keras", "m.weights.h5", "m.weights.json", "m.safetensors", "m.onnx", "m.h5")
CALLS = ("open", "write", "fsync", "replace")
_MOST = 200


@dataclass(frozen=True)
class Outcome:
    """What a save has left in which a call failed.

    Args:
        name: The file.
        call: The kind of call.
        number: The number of the call that failed, from 1.
        value: The value in the file afterwards: 1 of the old one, 2 of the new one.
        temporaries: Temporary files that are left.
    """

    name: str
    call: str
    number: int
    value: float
    temporaries: int

    @property
    def is_intact(self) -> bool:
        """Whether the file is the old one, or the new one if only the last flush failed."""
        return self.value == 1.0 or (self.call == "fsync" and self.value == 2.0)


def all_calls() -> list[Outcome]:
    """Every call of every kind fails once, in every format."""
    return [outcome for name in FORMATS for call in CALLS for outcome in failing_calls(name, call)]


def failing_calls(name: str, call: str) -> Iterator[Outcome]:
    """The n-th call fails for n = 1, 2, ... until a save succeeds."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name)
        write(make(1.0), path)
        model = make(2.0)
        for number in range(1, _MOST):
            try:
                with _failing(call, number), mock.patch.object(early, "_STEP", 1):
                    write(model, path)
            except OSError:
                left = [other for other in os.listdir(folder) if _is_temporary(other)]
                yield Outcome(name, call, number, _value(path), len(left))
            else:
                break
        if number == _MOST - 1 or _value(path) != 2.0:
            raise RuntimeError(f"{name} cannot be saved")


def _value(path: str) -> float:
    try:
        return value_in(path)
    except ValueError:  # it cannot be read
        return 0.0


def _is_temporary(name: str) -> bool:
    return name.startswith(".tmp-")


@contextmanager
def _failing(call: str, number: int) -> Iterator[None]:
    """Within the block, the `number`-th call of a kind fails."""
    count = 0

    def checked(function: Callable[..., Any]) -> Callable[..., Any]:
        def inner(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*args, **kwargs)

        return inner

    if call in ("fsync", "replace"):
        with mock.patch.object(os, call, checked(getattr(os, call))):
            yield
        return
    real = open

    def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if not _is_temporary(os.path.basename(str(file))):
            return real(file, mode, *args, **kwargs)
        if call == "open":
            return checked(real)(file, mode, *args, **kwargs)
        result = real(file, mode, *args, **kwargs)
        return _Failing(result, checked(result.write))

    with mock.patch("builtins.open", opened), mock.patch("io.open", opened):
        yield


class _Failing:
    """A file whose writes are counted and may fail."""

    def __init__(self, file: Any, write: Callable[..., Any]):
        self._file, self.write = file, write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _Failing:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
