"""Worker processes: they decode and fail as this process would, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from gazelle._core.errors import DataError
from gazelle._data.images import workers as module
from gazelle._data.images.decoding import ImageSpec
from gazelle.utils import image_dataset_from_directory

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="workers need POSIX"),
    pytest.mark.filterwarnings("ignore:[0-9]+ of [0-9]+ images are transparent"),
]
SPEC = ImageSpec(4, 4, "rgb", "bilinear", "stretch", "")
FILES = 400


@pytest.fixture
def folder(tmp_path):
    """400 images of noise, in many formats and two sizes."""
    rng = np.random.default_rng(0)
    (tmp_path / "a").mkdir()
    for i in range(FILES):
        x = rng.integers(0, 256, (7, 9 if i % 2 else 5, 4), dtype=np.uint8)
        kind = ("jpg", "png", "gif", "bmp", "webp")[i % 5]
        image = Image.fromarray(x[..., :3] if kind in ("jpg", "bmp") else x if i % 3 else x[..., 0])
        if kind == "png" and i % 7 == 0:
            image = Image.fromarray(x[..., 0].astype(np.uint16) * 257)  # 16 bits
        image.save(tmp_path / "a" / f"\u00e9 {i:03}.{kind}")
    return tmp_path


@pytest.fixture
def two(monkeypatch):
    """Two workers even for few files; returns those that were started."""
    started = []

    class Recorded(module._Worker):
        def __init__(self, line):
            super().__init__(line)
            started.append(self)

    monkeypatch.setattr(module, "FILES_PER_WORKER", 1)
    monkeypatch.setattr(module, "cores", lambda: 2)
    monkeypatch.setattr(module, "_GROUP_FILES", 20)
    monkeypatch.setattr(module, "_Worker", Recorded)
    yield started
    assert all(worker.process.returncode is not None for worker in started)  # no zombies


def read(folder, **arguments):
    arguments = {"image_size": (4, 4), "shuffle": False, "verbose": False, **arguments}
    return image_dataset_from_directory(folder, **arguments).x


def read_by_threads(folder, **arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_can_start", lambda: False)
        return read(folder, **arguments)


def files_of(folder):
    return sorted(str(file) for file in (folder / "a").iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"color_mode": "rgba", "interpolation": "lanczos", "crop_to_aspect_ratio": True},
        {"color_mode": "grayscale", "interpolation": "nearest", "pad_to_aspect_ratio": True},
        {"image_size": (7, 9)},
    ],
)
def test_workers_give_the_pixels_of_threads_and_decode_all_of_them(
    arguments, folder, two, monkeypatch
):
    expected = read_by_threads(folder, **arguments)
    assert not two
    monkeypatch.setattr(module, "decode_into", None)  # this process decodes nothing
    np.testing.assert_array_equal(read(folder, **arguments), expected)
    assert [worker.ready for worker in two] == [True, True]


@pytest.mark.parametrize("harm", ["cut", "empty", "missing", "text", "size", "32 bits"])
def test_errors_are_those_of_this_process_and_name_the_files(harm, folder, two):
    files = files_of(folder)
    arguments = {"image_size": None} if harm == "size" else {}
    if harm == "size":
        for file in files[1::2]:
            os.unlink(file)
        Image.new("RGB", (8, 8)).save(folder / "a" / "zz.png")
    for file in files[300:320:10]:
        if harm == "missing":
            os.unlink(file)
            os.symlink("nowhere", file)
        elif harm == "32 bits":
            Image.fromarray(np.zeros((4, 4), np.float32)).save(file, format="TIFF")
        elif harm != "size":
            data = Path(file).read_bytes()
            Path(file).write_bytes(
                {"cut": data[: len(data) * 2 // 3], "empty": b"", "text": b"no image" * 9}[harm]
            )
    caught = []
    for way in (read_by_threads, read):
        with pytest.raises(DataError) as info:
            way(folder, **arguments)
        caught.append((str(info.value), type(info.value)))
    assert caught[0] == caught[1]
    assert all(
        file in caught[0][0] for file in (files[300:320:10] if harm != "size" else ["zz.png"])
    )
    assert len(two) == 2


def test_transparent_images_are_counted_the_same(folder, two):
    said = []
    for way in (read_by_threads, read):
        with pytest.warns(UserWarning, match="images are transparent") as caught:
            way(folder)
        said.append([str(warning.message) for warning in caught])
    assert said[0] == said[1]
    assert len(two) == 2


def warning_jpeg(path):
    """A JPEG that pillow warns about: its list of several pictures is damaged."""
    Image.new("RGB", (6, 6), (9, 99, 200)).save(path)
    data, list_ = path.read_bytes(), b"MPF\0garbage!"
    path.write_bytes(
        data[:2] + b"\xff\xe2" + (len(list_) + 2).to_bytes(2, "big") + list_ + data[2:]
    )


def test_warnings_come_from_this_process_and_its_filters_hold(folder, two):
    for i in range(60):
        warning_jpeg(folder / "a" / f"p{i}.jpg")
    with pytest.warns(UserWarning, match="malformed MPO"):
        x = read(folder)
    with pytest.warns(UserWarning, match="malformed MPO"):
        np.testing.assert_array_equal(x, read_by_threads(folder))
    with pytest.raises(UserWarning, match="malformed MPO"):
        read(folder)  # warnings are errors in these tests


def test_settings_of_pillow_in_this_process_hold(folder, two, monkeypatch):
    file = next(file for file in files_of(folder) if file.endswith(".jpg"))
    Path(file).write_bytes(Path(file).read_bytes()[:-40])
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    np.testing.assert_array_equal(read(folder), read_by_threads(folder))


def end_at(number, how):
    """A `_Worker.decode` that ends its process before batch `number`, once it is ready."""
    decode = module._Worker.decode

    def ending(self, pixels, files, at):
        if at == number:
            self.ready = (
                self.replies.read(len(module.READY)) == module.READY if not self.ready else True
            )
            self.process.send_signal(how)
            self.process.wait()
        return decode(self, pixels, files, at)

    return ending


@pytest.mark.parametrize("number", [0, 200])
def test_when_a_worker_is_killed_this_process_decodes_its_files_and_warns(
    number, folder, two, monkeypatch
):
    expected = read_by_threads(folder)
    monkeypatch.setattr(module._Worker, "decode", end_at(number, signal.SIGKILL))
    with pytest.warns(RuntimeWarning, match=r"ended from outside \(signal 9\)"):
        np.testing.assert_array_equal(read(folder), expected)


def test_when_a_worker_crashes_its_files_are_named(folder, two, monkeypatch):
    monkeypatch.setattr(module._Worker, "decode", end_at(200, signal.SIGSEGV))
    with pytest.raises(
        DataError, match=r"crashed[\s\S]*signal 11 at a file from .*200.*to .*219[\s\S]*fix: open"
    ):
        read(folder)


@pytest.mark.parametrize("executable", [None, "", "/nowhere/python3", "uwsgi", "mute"])
def test_where_no_worker_can_be_started_threads_decode(executable, folder, two, monkeypatch):
    expected = read_by_threads(folder)
    if executable == "mute":  # named like Python, but is not
        executable = folder / "python3"
        executable.write_text("#!/bin/sh\nexit 3\n")
        executable.chmod(0o755)
    monkeypatch.setattr(sys, "executable", executable and str(executable))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        np.testing.assert_array_equal(read(folder), expected)


def test_workers_are_started_for_many_files_on_more_than_one_core(monkeypatch):
    counts = {}
    for cores in (1, 2, 4):
        monkeypatch.setattr(module, "cores", lambda cores=cores: cores)
        for files in (
            module.FILES_PER_WORKER,
            2 * module.FILES_PER_WORKER - 1,
            2 * module.FILES_PER_WORKER,
            3 * module.FILES_PER_WORKER,
        ):
            decoders = module._Decoders(files, SPEC)
            counts[cores, files // module.FILES_PER_WORKER] = (len(decoders.workers), decoders.size)
            decoders.close()
    assert counts == {
        (1, 1): (0, 1), (1, 2): (0, 1), (1, 3): (0, 1),
        (2, 1): (0, 2), (2, 2): (2, 2), (2, 3): (2, 2),
        (4, 1): (0, 4), (4, 2): (2, 2), (4, 3): (3, 3),
    }  # fmt: skip


def test_progress_is_reported_in_the_calling_thread(folder, two):
    files, reported = files_of(folder), []
    x = np.empty((FILES, *SPEC.shape), np.uint8)
    module.decode_all(
        x, files, SPEC, lambda count: reported.append((count, threading.current_thread()))
    )
    assert reported == [(20, threading.current_thread())] * 20


SCRIPT = """
import sys, time
from gazelle._data.images import workers as module
from gazelle._data.images.decoding import ImageSpec
import numpy as np

workers, module.FILES_PER_WORKER, module.cores = [], 1, lambda: 2
class Recorded(module._Worker):
    def __init__(self, line):
        super().__init__(line)
        workers.append(self)
module._Worker = Recorded
def advance(count):
    print(*(worker.process.pid for worker in workers), flush=True)
    time.sleep(60)
files = sys.argv[1:]
x = np.empty((len(files), 4, 4, 3), np.uint8)
module.decode_all(x, files, ImageSpec(4, 4, "rgb", "nearest", "stretch", ""), advance)
"""


def ended(pid):
    """Whether the process has ended, waited for or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_workers_of_a_script_from_stdin_end_with_it(how, folder):
    script = subprocess.Popen(
        [sys.executable, "-", *files_of(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    with script:
        script.stdin.write(SCRIPT)
        script.stdin.close()
        pids = [int(pid) for pid in script.stdout.readline().split()]
        assert len(pids) == 2
        assert not any(ended(pid) for pid in pids)
        if how == signal.SIGINT:
            os.killpg(script.pid, how)  # to all processes, as a terminal does
        else:
            script.send_signal(how)
        errors = script.stderr.read()
    if how == signal.SIGINT:
        assert errors.count("Traceback") == 1
        assert errors.endswith("KeyboardInterrupt\n")
    else:  # the workers end by themselves when no more requests can come
        until = time.monotonic() + 20
        while time.monotonic() < until and not all(ended(pid) for pid in pids):
            time.sleep(0.01)
    assert all(ended(pid) for pid in pids)
