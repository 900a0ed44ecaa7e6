"""A model file is the old one or the new one, whatever happens while it is written.

`python tests/models/kills.py --count 1000` kills a thousand saves of each format.
"""

import errno
import json
import os
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import kills
from kills import make, value_in, write

pytestmark = pytest.mark.slow

KILLS = Path(kills.__file__)
FORMATS = ["m.keras", "m.weights.h5"]


def is_temporary(name):
    return name.startswith(".tmp-")


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_save_leaves_the_old_file_or_the_new_one():
    command = [sys.executable, str(KILLS), "--count", "6", "--seed", "0"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    figures = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["format"] for one in figures] == list(kills.FORMATS)
    for one in figures:
        assert one["old"] + one["new"] == one["kills"], one["errors"]
        assert one["temporary files left"] == 0  # what the killed have left is gone
    assert sum(one["inside a save"] for one in figures) > 1


def test_files_of_killed_saves_are_removed_by_a_later_one(tmp_path):
    """Of weights in several files, whose names are never used again."""
    index = tmp_path / "m.weights.json"
    write(make(1.0), str(index))
    old = tmp_path / "m-0123456789ab_00000.weights.h5"
    new = tmp_path / "m-ba9876543210_00000.weights.h5"
    other = tmp_path / "mm-0123456789ab_00000.weights.h5"
    for path in (old, new, other):
        path.write_bytes(b"")
        os.utime(path, (0, 0) if path != new else None)
    os.utime(index, (1, 1))
    write(make(2.0), str(index))
    assert not old.exists()
    assert new.exists()  # younger than the index: perhaps of a save that goes on
    assert other.exists()
    assert value_in(str(index)) == 2.0


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_every_failing_call_leaves_the_old_file(name, call, tmp_path, monkeypatch):
    """The n-th call fails for n = 1, 2, ... until the save succeeds."""
    path = str(tmp_path / name)
    write(make(1.0), path)
    model = make(2.0)
    for number in range(1, 200):
        count, is_written = failing(monkeypatch, call, number), False
        with suppress(OSError):
            write(model, path)
            is_written = True
        monkeypatch.undo()
        if is_written:
            assert count[0] < number
            break
        # The last fsync, of the folder, comes when the new file is in its place.
        assert value_in(path) in ((1.0, 2.0) if call == "fsync" else (1.0,))
        assert not [p for p in tmp_path.iterdir() if is_temporary(p.name)]
    assert number > 1
    assert value_in(path) == 2.0


def failing(monkeypatch, call, number):
    """Make the `number`-th call of a kind fail; returns the count of calls."""
    count = [0]

    def checked(function):
        def inner(*args, **kwargs):
            count[0] += 1
            if count[0] == number:
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*args, **kwargs)

        return inner

    if call in ("fsync", "replace"):
        monkeypatch.setattr(os, call, checked(getattr(os, call)))
        return count
    real = open

    def opened(file, mode="r", *args, **kwargs):
        if not is_temporary(os.path.basename(str(file))):
            return real(file, mode, *args, **kwargs)
        if call == "open":
            return checked(real)(file, mode, *args, **kwargs)
        result = real(file, mode, *args, **kwargs)
        return Failing(result, checked(result.write))

    monkeypatch.setattr("builtins.open", opened)
    monkeypatch.setattr("io.open", opened)
    return count


class Failing:
    """A file whose writes are counted and may fail."""

    def __init__(self, file, write):
        self._file, self.write = file, write

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()


@pytest.mark.skipif(not os.path.exists("/dev/shm"), reason="needs a file system in memory")
def test_a_full_disk_leaves_the_old_file(tmp_path):
    """A limit on the size of files stands for the disk."""
    path = tmp_path / "m.keras"
    write(make(1.0), str(path))
    script = f"""
        import resource, signal, sys
        sys.path[:0] = {[os.path.dirname(__file__)]!r}
        from kills import make, write
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        model = make(2.0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            write(model, {str(path)!r})
        except OSError as error:
            sys.exit(7)
    """
    child = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert child.returncode == 7
    assert value_in(str(path)) == 1.0
    assert [p.name for p in tmp_path.iterdir()] == ["m.keras"]
