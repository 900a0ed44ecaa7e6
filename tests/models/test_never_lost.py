"""A model file is the old one or the new one, whatever happens while it is written.

`python tests/models/kills.py --count 1000` kills a thousand saves of each format.
"""

import json
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from h5py._objects import phil

sys.path.insert(0, str(Path(__file__).parent))
import failing
import kills
from kills import make, value_in, write

pytestmark = pytest.mark.slow

KILLS = Path(kills.__file__)


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


@pytest.mark.parametrize("name", failing.FORMATS)
@pytest.mark.parametrize("call", failing.CALLS)
def test_every_failing_call_leaves_the_old_file(name, call):
    outcomes = list(failing.failing_calls(name, call))
    assert outcomes
    assert [one for one in outcomes if not one.is_intact or one.temporaries] == []


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


@pytest.mark.parametrize("ending", [".keras", ".weights.h5", ".h5"])
def test_saving_takes_no_memory_of_the_size_of_the_model(tmp_path, ending):
    program = f"""
import sys, warnings
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from peak_memory import peak, start_of_peak
import gazelle
from gazelle import layers
warnings.simplefilter("ignore")
model = gazelle.Sequential([layers.Input((1000,)), layers.Dense(16_000)])  # 64 MB
small = gazelle.Sequential([layers.Input((1,)), layers.Dense(1)])
save = (lambda model, name: model.save_weights(name)) if {ending!r} == ".weights.h5" else (
    lambda model, name: model.save(name))
save(small, {str(tmp_path / "small")!r} + {ending!r})
begun = start_of_peak()
save(model, {str(tmp_path / "large")!r} + {ending!r})
print(peak() - begun)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 16


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.h5"])
def test_no_thread_is_waited_for_while_the_lock_of_h5py_is_held(tmp_path, monkeypatch, name):
    """Such a thread may free objects of h5py's, for which it needs that lock."""
    held = []
    submit = ThreadPoolExecutor.submit

    def noted(self, *args, **kwargs):
        held.append(phil._is_owned())
        return submit(self, *args, **kwargs)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", noted)
    monkeypatch.setattr("gazelle._files.early._STEP", 1)
    write(make(1.0), str(tmp_path / name))
    assert len(held) > 2  # digests and flushes
    assert not any(held)
