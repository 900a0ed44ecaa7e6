"""atomic_path leaves the old file or the new one, and cleans up after writers that were killed."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gazelle
from gazelle._files.writing import draft_folder, remove_temporaries
from gazelle.utils import atomic_path, cache_folder

KILLED = """
import sys, time
from gazelle._files.writing import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("written", flush=True)
    time.sleep(60)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_new_content_replaces_the_old(tmp_path):
    target = tmp_path / "a b[1].weights.h5"
    for content in ("one", "two"):
        with atomic_path(target) as temporary:
            assert temporary.parent == tmp_path
            assert temporary.name.endswith(".weights.h5")
            temporary.write_text(content)
        assert target.read_text() == content
    assert names(tmp_path) == [target.name]


def test_an_error_leaves_the_old_content_and_no_temporary_file(tmp_path):
    target = tmp_path / "data.json"
    target.write_text("old")

    def fail(error):
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise error

    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            fail(error)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["data.json"]


def test_a_block_that_writes_nothing_is_an_error_and_leaves_the_old_content(tmp_path):
    target = tmp_path / "data.json"
    target.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_path(target):
        pass
    assert target.read_text() == "old"


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_the_mode_is_kept_and_a_link_followed(tmp_path):
    target = tmp_path / "real.txt"
    target.write_text("old")
    target.chmod(0o640)
    (tmp_path / "link.txt").symlink_to(target)
    with atomic_path(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link.txt").is_symlink()


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_killed_writer_leaves_the_old_content_and_the_next_one_cleans_up(tmp_path):
    target = tmp_path / "data.bin"
    target.write_text("old")
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(target)], stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert target.read_text() == "old"
    assert len(names(tmp_path)) == 2
    with atomic_path(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert names(tmp_path) == ["data.bin"]


def test_temporary_files_of_living_writers_and_other_machines_stay_for_a_day(tmp_path):
    mine, fresh, old = (tmp_path / f".tmp-00000000-{n}-00000000-a.txt" for n in (os.getpid(), 8, 9))
    for path in (mine, fresh, old):
        path.write_text("")
    os.utime(old, (0, time.time() - 25 * 3600))
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("")
    assert names(tmp_path) == sorted([mine.name, fresh.name, "a.txt"])


def test_the_content_is_on_the_disk_before_the_name_changes(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (calls.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b)))
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("")
    assert calls[:2] == ["fsync", "replace"]


def test_the_cache_folder_follows_gazelle_home(monkeypatch):
    monkeypatch.setenv("GAZELLE_HOME", "/some/where")
    assert cache_folder("datasets") == Path("/some/where/datasets")
    monkeypatch.delenv("GAZELLE_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    if sys.platform == "linux":
        assert cache_folder() == Path("/cache/gazelle")


def test_a_draft_that_was_renamed_stays_and_anything_else_is_removed(tmp_path):
    root = tmp_path / "a" / "b"
    with draft_folder(root) as draft:
        assert draft.name.startswith(".")
        (draft / "note").write_text("x")
        draft.rename(root / "kept")
    assert [path.name for path in root.iterdir()] == ["kept"]
    with pytest.raises(ZeroDivisionError), draft_folder(root) as draft:
        (draft / "note").write_text(str(1 / 0))
    assert [path.name for path in root.iterdir()] == ["kept"]
    with draft_folder(tmp_path / "c" / "d"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(os.name != "posix", reason="killing a process")
def test_the_draft_of_a_killed_process_is_removed_by_the_next(tmp_path):
    program = f"""
import os
import gazelle
from gazelle._files.writing import draft_folder, remove_temporaries
with draft_folder({str(tmp_path)!r}) as draft:
    (draft / "half").write_text("x")
    os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", program], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    with draft_folder(tmp_path) as draft:
        assert list(tmp_path.iterdir()) == [draft]
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_ends_abruptly_can_remove_what_it_was_writing_to(tmp_path):
    with (
        draft_folder(tmp_path / "runs") as draft,
        atomic_path(draft / "a") as one,
        atomic_path(tmp_path / "b") as two,
    ):
        one.write_text("x")
        two.write_text("x")
        remove_temporaries()
        assert list(tmp_path.iterdir()) == []
        two.write_text("whole")
        draft.mkdir(parents=True)
        one.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.safetensors", "m.onnx"])
def test_a_full_disk_says_how_much_room_is_needed(tmp_path, monkeypatch, name):
    model = gazelle.Sequential([gazelle.Input((64,)), gazelle.layers.Dense(1000)])
    path = tmp_path / name
    path.write_text("old")
    real = os.fsync

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    save = {"m.keras": model.save, "m.onnx": model.export}.get(name, model.save_weights)
    with pytest.raises(OSError, match=r"No space left on device: 0\.3 MB are needed, .* are free"):
        save(path)
    monkeypatch.setattr(os, "fsync", real)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [name]
