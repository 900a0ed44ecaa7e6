"""CIFAR-10 is found in every place; damaged, wrong or hostile files are refused by name."""

import hashlib
import io
import pickle
import sys
import tarfile
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gazelle._core.errors import DataError, DownloadError
from gazelle.datasets import cifar10

sys.path.insert(0, str(Path(__file__).parent))
import cifar10_data
from cifar10_data import as_python_2

ROWS = 20


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("GAZELLE_HOME", str(tmp_path / "gazelle"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv(cifar10.VARIABLE, raising=False)


@pytest.fixture(scope="module")
def made():
    """Records in the layout of the official files, and their images and labels."""
    rng = np.random.default_rng(0)
    records = rng.integers(0, 256, (6, ROWS, 3073), np.uint8)
    records[:, :, 0] = rng.integers(0, 10, (6, ROWS))
    images = np.empty((6 * ROWS, 32, 32, 3), np.uint8)
    for i, record in enumerate(records.reshape(-1, 3073)):  # the layout as the CIFAR page states it
        for channel in range(3):
            images[i, :, :, channel] = record[1 + 1024 * channel : 1025 + 1024 * channel].reshape(
                32, 32
            )
    return records, images, records[:, :, 0].reshape(-1, 1)


@pytest.fixture(scope="module")
def archive(made, tmp_path_factory):
    return write_archive(made[0], tmp_path_factory.mktemp("archive") / cifar10.ARCHIVE)


@pytest.fixture
def source(archive):
    """The made archive instead of the official one."""
    data = archive.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return cifar10.Source(archive.as_uri(), digest, len(data), ROWS)


def write_folder(records, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in zip(cifar10.FILES, records, strict=True):
        part.tofile(folder / name)
    return folder


def write_archive(records, path, names=cifar10.FILES):
    with tarfile.open(path, "w:gz") as tar:
        for name, part in zip(names, records, strict=True):
            info = tarfile.TarInfo(f"{cifar10.FOLDER}/{name}")
            info.size = part.nbytes
            tar.addfile(info, io.BytesIO(part.tobytes()))
    return path


def write_pickles(records, folder, payload=None):
    """Write the Python version as Python 2 did; returns the hashes of its files."""
    folder.mkdir(parents=True)
    hashes = {}
    for name, part in zip(cifar10.Source().python_md5, records, strict=True):
        batch = {
            b"batch_label": name.encode(),
            b"labels": part[:, 0].tolist(),
            b"data": part[:, 1:].copy(),
        }
        data = as_python_2(pickle.dumps(payload or batch, protocol=3))
        (folder / name).write_bytes(data)
        hashes[name] = hashlib.md5(data).hexdigest()
    return hashes


def assert_made(split, made):
    (x_train, y_train), (x_test, y_test) = split
    _, images, labels = made
    np.testing.assert_array_equal(np.concatenate([x_train, x_test]), images)
    np.testing.assert_array_equal(np.concatenate([y_train, y_test]), labels)
    assert x_train.dtype == y_train.dtype == np.uint8
    assert y_train.shape == (5 * ROWS, 1)
    assert x_train.flags.c_contiguous


def test_a_folder_is_read_under_its_own_path_and_its_parents(made, source, tmp_path):
    folder = write_folder(made[0], tmp_path / cifar10.FOLDER)
    assert_made(cifar10.load_from(folder, source), made)
    assert_made(cifar10.load_from(str(tmp_path), source), made)


def test_the_archive_is_read_without_unpacking(made, source, archive):
    before = sorted(archive.parent.iterdir())
    assert_made(cifar10.load_from(archive, source), made)
    assert sorted(archive.parent.iterdir()) == before


def test_the_environment_variable_names_the_data(made, source, tmp_path, monkeypatch):
    monkeypatch.setenv(cifar10.VARIABLE, str(write_folder(made[0], tmp_path / "elsewhere")))
    assert_made(cifar10.load_from(None, source), made)


def test_a_download_is_kept_in_the_cache_and_not_repeated(made, source, tmp_path):
    assert_made(cifar10.load_from(None, source), made)
    folder = tmp_path / "gazelle" / "datasets" / cifar10.FOLDER
    assert sorted(path.name for path in folder.parent.rglob("*") if path.is_file()) == sorted(
        cifar10.FILES
    )
    assert_made(cifar10.load_from(None, replace(source, url="file:///nowhere")), made)


def test_an_archive_in_the_cache_is_read(made, source, archive, tmp_path):
    cache = tmp_path / "gazelle" / "datasets"
    cache.mkdir(parents=True)
    (cache / cifar10.ARCHIVE).write_bytes(archive.read_bytes())
    assert_made(cifar10.load_from(None, replace(source, url="file:///nowhere")), made)


def test_a_folder_half_unpacked_by_a_killed_run_is_not_used(made, source, tmp_path):
    folder = write_folder(made[0], tmp_path / "gazelle" / "datasets" / cifar10.FOLDER)
    (folder / "test_batch.bin").unlink()
    (folder / "data_batch_5.bin").write_bytes(b"half")
    assert_made(cifar10.load_from(None, source), made)


@pytest.mark.parametrize(
    "where", ["cifar-10-batches-py-target/cifar-10-batches-py", "cifar-10-batches-py"]
)
def test_the_copy_in_the_cache_of_keras_is_read(where, made, source, tmp_path):
    hashes = write_pickles(made[0], tmp_path / "keras" / "datasets" / where)
    assert_made(
        cifar10.load_from(None, replace(source, url="file:///nowhere", python_md5=hashes)), made
    )


def test_the_pickles_of_the_test_are_those_that_python_2_wrote(made, tmp_path):
    write_pickles(made[0], tmp_path / "p")
    batch = pickle.loads((tmp_path / "p" / "data_batch_1").read_bytes(), encoding="latin1")
    np.testing.assert_array_equal(batch["data"], made[0][0][:, 1:])


def test_a_changed_pickle_in_the_cache_of_keras_is_ignored_with_a_warning(made, source, tmp_path):
    hashes = write_pickles(made[0], tmp_path / "keras" / "datasets" / "cifar-10-batches-py")
    source = replace(source, python_md5={**hashes, "data_batch_2": "0" * 32})
    with pytest.warns(UserWarning, match=r"is ignored[\s\S]*data_batch_2"):
        assert_made(cifar10.load_from(None, source), made)


class Harmful:
    def __reduce__(self):
        return Path.touch, (Path("harm"),)


HARMFUL = {
    "runs code": {b"data": Harmful(), b"labels": [1]},
    "other global": {b"data": Path, b"labels": [1]},
    "no dict": [1, 2],
    "no labels": {b"data": np.zeros((ROWS, 3072), np.uint8)},
    "wrong shape": {b"data": np.zeros((ROWS, 5), np.uint8), b"labels": [1] * ROWS},
    "wrong type": {b"data": np.zeros((ROWS, 3072)), b"labels": [1] * ROWS},
    "too many labels": {b"data": np.zeros((ROWS, 3072), np.uint8), b"labels": [1] * 9},
    "label 999": {b"data": np.zeros((ROWS, 3072), np.uint8), b"labels": [999] * ROWS},
    "label -1": {b"data": np.zeros((ROWS, 3072), np.uint8), b"labels": [-1] * ROWS},
    "label of text": {b"data": np.zeros((ROWS, 3072), np.uint8), b"labels": ["a"] * ROWS},
}


@pytest.mark.parametrize("name", HARMFUL)
def test_a_pickle_that_is_not_a_batch_is_refused_and_runs_nothing(
    name, made, source, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    hashes = write_pickles(made[0], tmp_path / "p", HARMFUL[name])
    with pytest.raises(DataError, match="data_batch_1"):
        cifar10.load_from(tmp_path / "p", replace(source, python_md5=hashes))
    assert not Path("harm").exists()


@pytest.mark.parametrize("name", ["data_batch_3.bin", "test_batch.bin"])
def test_a_missing_or_truncated_file_is_named_with_both_sizes(name, made, source, tmp_path):
    file = write_folder(made[0], tmp_path) / name
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(
        DataError,
        match=rf"{name}[\s\S]*expected: 61460 bytes[\s\S]*received: 61459 bytes[\s\S]*fix",
    ):
        cifar10.load_from(tmp_path, source)
    file.unlink()
    with pytest.raises(DataError, match=rf"{name} is missing"):
        cifar10.load_from(tmp_path, source)


def test_a_label_that_is_not_a_class_is_refused(made, source, tmp_path):
    records = made[0].copy()
    records[2, 5, 0] = 10
    with pytest.raises(DataError, match=r"data_batch_3.bin[\s\S]*received: 10"):
        cifar10.load_from(write_folder(records, tmp_path), source)


def test_a_path_that_is_not_there_is_refused(source, tmp_path):
    with pytest.raises(DataError, match=r"There is no CIFAR-10 at .*nowhere"):
        cifar10.load_from(tmp_path / "nowhere", source)


def test_an_archive_with_another_hash_or_size_is_refused(made, source, archive, tmp_path):
    data = bytearray(archive.read_bytes())
    (tmp_path / "short.tar.gz").write_bytes(data[:-10])
    with pytest.raises(
        DataError, match=rf"short.tar.gz[\s\S]*expected: {len(data)} bytes[\s\S]*{len(data) - 10}"
    ):
        cifar10.load_from(tmp_path / "short.tar.gz", source)
    data[5000] ^= 1
    (tmp_path / "flipped.tar.gz").write_bytes(data)
    found = hashlib.sha256(data).hexdigest()
    with pytest.raises(DataError, match=rf"flipped.tar.gz[\s\S]*{source.sha256}[\s\S]*{found}"):
        cifar10.load_from(tmp_path / "flipped.tar.gz", source)


@pytest.mark.parametrize("case", ["missing member", "no tar", "cut gzip"])
def test_a_file_of_the_right_hash_that_is_not_such_an_archive_is_refused(
    case, made, source, archive, tmp_path
):
    path = tmp_path / "a.tar.gz"
    if case == "missing member":
        write_archive(made[0], path, (*cifar10.FILES[:5], "../test_batch.bin"))
    else:
        path.write_bytes(b"no tar" * 100 if case == "no tar" else archive.read_bytes()[:2000])
    data = path.read_bytes()
    source = replace(source, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(DataError, match=r"a\.tar\.gz"):
        cifar10.load_from(path, source)


def test_without_a_network_the_error_says_where_to_put_the_file(source, tmp_path):
    with pytest.raises(
        DownloadError, match=rf"{cifar10.ARCHIVE}[\s\S]*{tmp_path}[\s\S]*GAZELLE_CIFAR10"
    ) as info:
        cifar10.load_from(None, replace(source, url="http://127.0.0.1:9/cifar-10-binary.tar.gz"))
    assert "another exception" not in "".join(traceback.format_exception(info.value)), (
        "the message is buried"
    )
    assert not [path for path in (tmp_path / "gazelle").rglob("*") if path.is_file()]


def test_a_download_that_is_another_file_is_refused_and_not_kept(source, tmp_path):
    with pytest.raises(DataError, match=r"wrong hash[\s\S]*sha256"):
        cifar10.load_from(None, replace(source, sha256="0" * 64))
    assert not [path for path in (tmp_path / "gazelle").rglob("*") if path.is_file()]


def test_the_converter_of_the_images_writes_the_official_layout(source, tmp_path):
    colors = np.arange(10) * 25
    write_images(tmp_path / "images.tar.xz", colors)
    folder = cifar10_data.binary_folder(tmp_path, tmp_path / "images.tar.xz", rows=ROWS)
    (x_train, y_train), (x_test, y_test) = cifar10.load_from(folder, source)
    np.testing.assert_array_equal(np.bincount(y_train[:, 0]), [10] * 10)
    np.testing.assert_array_equal(np.bincount(y_test[:, 0]), [2] * 10)
    # The red value tells the class; green is 255 minus red, and blue is 0.
    for x, y in ((x_train, y_train), (x_test, y_test)):
        np.testing.assert_allclose(x[:, 3, 4, 0], colors[y[:, 0]], atol=3)
        np.testing.assert_allclose(x[:, 3, 4, 1], 255 - colors[y[:, 0]], atol=3)
    assert np.any(np.diff(y_train[:, 0].astype(int)) < 0)


def write_images(path, colors):
    from PIL import Image

    with tarfile.open(path, "w:xz") as tar:
        for part, count in (("train", 10), ("test", 2)):
            for name, color in zip(cifar10.CLASS_NAMES, colors, strict=True):
                buffer = io.BytesIO()
                Image.new("RGB", (32, 32), (int(color), 255 - int(color), 0)).save(
                    buffer, "JPEG", subsampling=0
                )
                for i in range(count):
                    info = tarfile.TarInfo(f"{part}/{name}/{i:04}.jpg")
                    info.size = buffer.tell()
                    tar.addfile(info, io.BytesIO(buffer.getvalue()))
