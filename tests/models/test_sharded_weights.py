"""Weights in several files with an index: both ways with Keras, complete or absent, checked."""

import json

import keras
import numpy as np
import pytest

import gazelle
from gazelle.errors import ModelFileError

# Keras reads its variables in a way that NumPy 2 warns about.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation")]
KIB = 1 / 2**20  # of a GiB


def make(K, value=None):
    layers = [K.layers.Dense(16), K.layers.BatchNormalization(), K.layers.Dense(16)]
    model = K.Sequential([K.Input((16,)), *layers, K.layers.Dense(2)])
    model.compile("adam", "mse")
    model.fit(np.ones((8, 16), "float32"), np.ones((8, 2), "float32"), verbose=0)
    if value is not None:
        model.set_weights([np.full(w.shape, value) for w in model.get_weights()])
    return model


def check_equal(found, expected):
    for a, b in zip(found.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    pairs = zip(found.optimizer.variables, expected.optimizer.variables, strict=True)
    for a, b in pairs:
        np.testing.assert_array_equal(np.asarray(a.value), np.asarray(b.value))


@pytest.mark.parametrize("writer", ["keras", "gazelle"])
def test_sharded_weights_go_both_ways(writer, tmp_path):
    source, reader = (keras, gazelle) if writer == "keras" else (gazelle, keras)
    model = make(source)
    model.save_weights(tmp_path / "m.weights.json", max_shard_size=1.2 * KIB)
    assert len(list(tmp_path.iterdir())) > 3
    other = make(reader)
    other.load_weights(tmp_path / "m.weights.json")
    check_equal(other, model)


def test_the_same_state_gives_the_same_files(tmp_path):
    model = make(gazelle)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        model.save_weights(tmp_path / folder / "m.weights.json", max_shard_size=2 * KIB)
    contents = [
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("a", "b")
    ]
    assert contents[0] == contents[1]


def test_a_save_that_fails_leaves_the_old_files_and_a_later_one_removes_them(tmp_path, monkeypatch):
    path = tmp_path / "m.weights.json"
    make(gazelle, 1.0).save_weights(path, max_shard_size=2 * KIB)
    before = {p.name for p in tmp_path.iterdir()}
    model = make(gazelle, 2.0)
    with monkeypatch.context() as patch:
        real = gazelle._formats.sharded.write_weights
        targets = []

        def fail(target, part, names=None):
            targets.append(target)
            if len(targets) == 3:
                raise OSError(28, "No space left on device")
            real(target, part, names=names)

        patch.setattr("gazelle._formats.sharded.write_weights", fail)
        with pytest.raises(OSError, match="No space"):
            model.save_weights(path, max_shard_size=2 * KIB)
    assert {p.name for p in tmp_path.iterdir()} == before
    other = make(gazelle)
    other.load_weights(path)
    assert (other.get_weights()[0] == 1.0).all()
    model.save_weights(path, max_shard_size=2 * KIB)
    assert before & {p.name for p in tmp_path.iterdir()} == {path.name, "m_00000.weights.h5"}
    other.load_weights(path)
    assert (other.get_weights()[0] == 2.0).all()


def test_wrong_names_and_sizes_are_refused(tmp_path):
    model = make(gazelle)
    with pytest.raises(ValueError, match=r"\.weights\.json"):
        model.save_weights(tmp_path / "m.h5", max_shard_size=1)
    with pytest.raises(ValueError, match="larger than max_shard_size"):
        model.save_weights(tmp_path / "m.weights.json", max_shard_size=0.5 * KIB)
    assert list(tmp_path.iterdir()) == []
    with pytest.warns(UserWarning, match=r"m\.weights\.json"):
        model.save_weights(tmp_path / "m.weights.h5", max_shard_size=1)
    assert (tmp_path / "m.weights.json").exists()


def listed(name):
    return lambda index: index["weight_map"].update({"/layers/dense/vars": name})


BAD = {
    "S1": (listed("../x.weights.h5"), "shard-name"),
    "S2": (listed("/etc/x.weights.h5"), "shard-name"),
    "S3": (listed("gone.weights.h5"), "file-unreadable"),
    "S4": (lambda index: index.update(weight_map=[]), "shard-index"),
    "S5": (lambda index: index.pop("weight_map"), "shard-index"),
    "S6": (listed(5), "shard-name"),
    "S7": (lambda index: listed([index["weight_map"]["/layers/dense/vars"]] * 9)(index), "shard-"),
    "S8": (lambda index: index["weight_map"].pop("/layers/dense/vars"), "shard-index"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_indexes_are_refused(name, tmp_path):
    change, code = BAD[name]
    path = tmp_path / "m.weights.json"
    model = make(gazelle)
    model.save_weights(path, max_shard_size=1)
    index = json.loads(path.read_text())
    change(index)
    path.write_text(json.dumps(index))
    with pytest.raises(ModelFileError) as caught:
        model.load_weights(path)
    assert caught.value.code.startswith(code)
    assert len(str(caught.value)) <= 300


def test_a_link_in_place_of_a_file_is_refused(tmp_path):
    path = tmp_path / "m.weights.json"
    model = make(gazelle)
    model.save_weights(path, max_shard_size=1)
    [shard] = tmp_path.glob("m-*.h5")
    shard.rename(tmp_path / "other")
    shard.symlink_to(tmp_path / "other")
    with pytest.raises(ModelFileError, match="a link"):
        model.load_weights(path)
