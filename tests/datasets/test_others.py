"""The other data sets: small files in the official layout, beside what Keras makes of them."""

import gzip
import hashlib
import io
import json
import os
import pickle
import sys
import tarfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
import pytest

from gazelle import datasets
from gazelle.datasets import _sources as sources
from gazelle.errors import ArgumentError, DataError, DownloadError

sys.path.insert(0, str(Path(__file__).parent))
from cifar10_data import as_python_2

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("GAZELLE_HOME", str(tmp_path / "gazelle"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def official(path, folder=""):
    """A made file in an official one's place."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return sources.File(path.name, path.as_uri(), {"sha256": digest}, folder)


def ragged(count):
    """Sequences of word numbers, as the official files hold them."""
    found = np.empty(count, object)
    found[:] = [RANDOM.integers(1, 50, RANDOM.integers(2, 20)).tolist() for _ in range(count)]
    return found


IMAGES = {
    "x_train": RANDOM.integers(0, 256, (30, 28, 28), np.uint8),
    "y_train": RANDOM.integers(0, 10, 30, np.uint8),
    "x_test": RANDOM.integers(0, 256, (10, 28, 28), np.uint8),
    "y_test": RANDOM.integers(0, 10, 10, np.uint8),
}
TABLE = {"x": RANDOM.normal(size=(50, 4)), "y": RANDOM.normal(size=50)}
NEWS = {"x": ragged(40), "y": RANDOM.integers(0, 46, 40)}
REVIEWS = {
    "x_train": ragged(30),
    "y_train": RANDOM.integers(0, 2, 30),
    "x_test": ragged(20),
    "y_test": RANDOM.integers(0, 2, 20),
}
FILES = {
    "mnist": IMAGES,
    "boston_housing": TABLE,
    "california_housing": TABLE,
    "reuters": NEWS,
    "imdb": REVIEWS,
}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Writes a data set's file, in which Gazelle then believes and which Keras reads too."""

    def make(name):
        path = tmp_path / f"{name}.npz"
        np.savez(path, **FILES[name])
        monkeypatch.setattr(getattr(datasets, name), "FILE", official(path))
        inner = __import__(f"keras.src.datasets.{name}", fromlist=["get_file"])
        monkeypatch.setattr(inner, "get_file", lambda *_, **__: str(path))
        return path

    return make


def equal(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            assert one.tolist() == other.tolist()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mnist", {}),
        ("boston_housing", {}),
        ("boston_housing", {"test_split": 0.5, "seed": 7}),
        ("california_housing", {}),
        ("california_housing", {"version": "small", "test_split": 0.1}),
        ("reuters", {}),
        ("reuters", {"num_words": 30, "skip_top": 5, "maxlen": 12, "test_split": 0.4}),
        ("reuters", {"start_char": None, "oov_char": None, "num_words": 20, "seed": 1}),
        ("imdb", {}),
        ("imdb", {"num_words": 30, "skip_top": 5, "maxlen": 15}),
        ("imdb", {"start_char": None, "index_from": 0, "oov_char": None, "num_words": 40}),
    ],
    ids=str,
)
def test_the_data_is_that_of_keras(made, name, options):
    made(name)
    expected = getattr(keras.datasets, name).load_data(**options)
    equal(getattr(datasets, name).load_data(**options), expected)


def test_a_file_is_downloaded_once_and_found_again(made, tmp_path):
    path = made("mnist")
    expected = datasets.mnist.load_data()
    path.unlink()
    equal(datasets.mnist.load_data(), expected)
    own = tmp_path / "gazelle" / "datasets" / "mnist.npz"
    own.write_bytes(b"damaged")
    with pytest.raises(DataError, match="delete it"):
        datasets.mnist.load_data()
    own.unlink()
    with pytest.raises(DownloadError, match="with a browser"):
        datasets.mnist.load_data()


def test_the_copy_of_keras_and_a_file_of_the_user_are_used(made, tmp_path):
    path = made("mnist")
    expected = datasets.mnist.load_data(path)
    assert not (tmp_path / "gazelle").exists()
    folder = tmp_path / "keras" / "datasets"
    folder.mkdir(parents=True)
    path.rename(folder / "mnist.npz")
    equal(datasets.mnist.load_data(), expected)
    assert not (tmp_path / "gazelle" / "datasets" / "mnist.npz").exists()


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch executed",)


def test_pickles_in_a_file_are_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hostile = np.empty(1, object)
    hostile[0] = Evil()
    path = tmp_path / "imdb.npz"
    np.savez(path, **REVIEWS | {"x_train": hostile})
    with pytest.raises(DataError, match="refers to"):
        datasets.imdb.load_data(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY"])
def test_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "any.npz"
    path.write_bytes(content)
    for name in FILES:
        with pytest.raises(DataError, match="does not hold the data set"):
            getattr(datasets, name).load_data(path=path)


def test_fashion_mnist(tmp_path, monkeypatch):
    files = []
    for wanted, key in zip(
        datasets.fashion_mnist.FILES, ("x_train", "y_train", "x_test", "y_test"), strict=True
    ):
        array = IMAGES[key]
        sizes = np.array(array.shape, ">u4").tobytes()
        path = tmp_path / wanted.name
        path.write_bytes(gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()))
        files.append(official(path, "fashion-mnist"))
    monkeypatch.setattr(datasets.fashion_mnist, "FILES", tuple(files))
    (x_train, y_train), (x_test, y_test) = datasets.fashion_mnist.load_data()
    for found, key in zip((x_train, y_train, x_test, y_test), IMAGES, strict=True):
        np.testing.assert_array_equal(found, IMAGES[key])
    assert len(datasets.fashion_mnist.CLASS_NAMES) == 10
    (tmp_path / "gazelle" / "datasets" / files[0].name).write_bytes(b"\x1f\x8b damaged")
    with pytest.raises(DataError):
        datasets.fashion_mnist.load_data()


@pytest.mark.parametrize("mode", ["fine", "coarse"])
def test_cifar100_from_its_archive_and_from_keras(tmp_path, monkeypatch, mode):
    records = RANDOM.integers(0, 256, (2, 12, 3074), np.uint8)
    records[:, :, 0] = RANDOM.integers(0, 20, (2, 12))
    records[:, :, 1] = RANDOM.integers(0, 100, (2, 12))
    path = tmp_path / "cifar-100-binary.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, part in zip(("train.bin", "test.bin"), records, strict=True):
            member = tarfile.TarInfo(f"cifar-100-binary/{name}")
            member.size = part.nbytes
            tar.addfile(member, io.BytesIO(part.tobytes()))
    monkeypatch.setattr(datasets.cifar100, "FILE", official(path))
    from_archive = datasets.cifar100.load_data(mode)
    for (x, y), part in zip(from_archive, records, strict=True):
        assert y[:, 0].tolist() == part[:, int(mode == "fine")].tolist()
        np.testing.assert_array_equal(x[3, 5, 7], part[3, 2 + 5 * 32 + 7 :: 1024][:3])

    folder = tmp_path / "keras/datasets/cifar-100-python-target/cifar-100-python"
    folder.mkdir(parents=True)
    digests = {}
    for name, part in zip(("train", "test"), records, strict=True):
        batch = {
            b"data": part[:, 2:].copy(),
            b"fine_labels": part[:, 1].tolist(),
            b"coarse_labels": part[:, 0].tolist(),
        }
        content = as_python_2(pickle.dumps(batch, 3))
        (folder / name).write_bytes(content)
        digests[name] = hashlib.md5(content).hexdigest()
    monkeypatch.setattr(datasets.cifar100, "PYTHON_MD5", digests)
    path.unlink()
    from_keras = datasets.cifar100.load_data(mode)
    for (x, y), (x_keras, y_keras) in zip(from_archive, from_keras, strict=True):
        np.testing.assert_array_equal(x, x_keras)
        np.testing.assert_array_equal(y, y_keras)


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_word_indices(tmp_path, monkeypatch, name):
    path = tmp_path / f"{name}_word_index.json"
    path.write_text(json.dumps({"the": 1, "a": 2}), encoding="utf-8")
    monkeypatch.setattr(getattr(datasets, name), "WORDS", official(path))
    assert getattr(datasets, name).get_word_index() == {"the": 1, "a": 2}


def test_names_of_topics():
    assert datasets.reuters.get_label_names() == keras.datasets.reuters.get_label_names()


@pytest.mark.parametrize(
    ("action", "error", "words"),
    [
        (lambda: datasets.cifar100.load_data("both"), ArgumentError, "label_mode"),
        (lambda: datasets.california_housing.load_data("huge"), ArgumentError, "version"),
        (lambda: datasets.boston_housing.load_data(test_split=2), DataError, "test_split"),
        (lambda: datasets.imdb.load_data(words=3), TypeError, "words"),
    ],
)
def test_wrong_arguments(action, error, words):
    with pytest.raises(error, match=words):
        action()


def test_no_sequence_is_short_enough(made):
    made("reuters")
    with pytest.raises(ArgumentError, match="shorter than maxlen=1"):
        datasets.reuters.load_data(maxlen=1)


def test_the_steps_of_old_pickles_are_known():
    from gazelle.datasets._pickles import array_of_lists

    values = ragged(3)
    for protocol in range(3, 6):
        assert array_of_lists(pickle.dumps(values, protocol)) == values.tolist()
