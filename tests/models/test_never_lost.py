"""A model file is the old one or the new one, whatever happens while it is written.

`python tests/models/test_never_lost.py 1000` kills a thousand saves of each format.
"""

import errno
import os
import subprocess
import sys
import tempfile
import textwrap
import time
import warnings
from contextlib import suppress

import numpy as np
import pytest

import gazelle
from gazelle._formats import h5, keras_file, legacy_h5

pytestmark = pytest.mark.slow

FORMATS = ["m.keras", "m.weights.h5", "m.h5"]


def make(value):
    model = gazelle.Sequential([gazelle.Input((64,)), gazelle.layers.Dense(300, name="d")])
    model.set_weights([np.full(w.shape, value) for w in model.get_weights()])
    return model


def write(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # .h5 is an old format
        (model.save_weights if path.endswith(".weights.h5") else model.save)(path)


def value_in(path):
    """The one value that all weights of a file have."""
    opened = {
        "m.keras": keras_file.open_keras_file,
        "m.weights.h5": h5.open_weights,
        "m.h5": legacy_h5.open_legacy,
    }[os.path.basename(path)]
    with opened(path) as file:
        weights = file.weights if path.endswith(".keras") else file
        values = {float(v) for group in weights.specs for a in weights.read(group) for v in a.flat}
    assert len(values) == 1
    return values.pop()


def is_temporary(name):
    return name.startswith(".tmp-")


def killed_saves(path, count, seed):
    """Kill a process that saves again and again, `count` times; yields the values in the file."""
    script = f"""
        import sys
        sys.path[:0] = {[os.path.dirname(__file__)]!r}
        from test_never_lost import make, write
        import numpy as np
        model, value = make(1.0), 1.0
        write(model, {path!r})
        print("ready", flush=True)
        while True:
            value += 1
            model.set_weights([np.full(w.shape, value) for w in model.get_weights()])
            write(model, {path!r})
    """
    rng = np.random.default_rng(seed)
    for _ in range(count):
        command = [sys.executable, "-c", textwrap.dedent(script)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.001, 0.1))
        child.kill()
        child.wait()
        child.stdout.close()
        yield value_in(path)


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("name", FORMATS)
def test_a_killed_save_leaves_the_old_file_or_the_new_one(name, tmp_path):
    path = str(tmp_path / name)
    values = list(killed_saves(path, 8, seed=0))
    assert max(values) > 1  # some of the kills came after the first file
    write(make(0.0), path)
    assert [p.name for p in tmp_path.iterdir()] == [name]  # what the killed have left is gone


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
        from test_never_lost import make, write
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


if __name__ == "__main__":
    for name in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            values = list(killed_saves(os.path.join(folder, name), int(sys.argv[1]), seed=1))
            print(f"{name}: {len(values)} kills, every file whole; the last save was {values[-1]}")
