"""gazelle inspect: what is in a file, in words; bad files in one line."""

import json
import zipfile

import keras
import numpy as np
import pytest

import gazelle as library

# Keras reads its variables in a way that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")


@pytest.fixture
def model():
    layers = [library.layers.Dense(3, name="first", activation="relu"), library.layers.Dense(1)]
    model = library.Sequential([library.Input((4,), name="inp"), *layers], name="net")
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(np.ones((4, 4)), np.ones((4, 1)), verbose=0)
    return model


def test_a_whole_model_is_described(gazelle, model, tmp_path):
    model.save(tmp_path / "m.keras")
    result = gazelle("inspect", str(tmp_path / "m.keras"))
    assert (result.status, result.err) == (0, "")
    words = " ".join(result.out.split())
    assert f"Written by gazelle {library.__version__}" in words
    assert "Verified: everything is as it was written." in words
    assert "Compiled: optimizer SGD, loss mse, metrics [mae]." in words
    assert "first Dense units 3, activation relu" in words
    assert "layers/dense/0 (4, 3) float32 48 bytes" in words
    assert words.index("layers/dense_1/0") < words.index("optimizer/0")


def test_weights_and_files_of_keras_are_described(gazelle, model, tmp_path):
    model.save_weights(tmp_path / "m.weights.h5")
    result = gazelle("inspect", str(tmp_path / "m.weights.h5"))
    assert result.status == 0
    assert "weights" in result.out.splitlines()[0]
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    other.save(tmp_path / "k.keras")
    other = gazelle("inspect", str(tmp_path / "k.keras"))
    assert f"Written by Keras {keras.__version__}." in other.out
    assert "Not verified" in other.out
    assert "Not compiled." in other.out


def test_old_files_are_described(gazelle, model, tmp_path):
    with pytest.warns(library.errors.CheckWarning, match="old format"):
        model.save(tmp_path / "m.h5")
    words = " ".join(gazelle("inspect", str(tmp_path / "m.h5")).out.split())
    assert "a whole model in the old format of Keras" in words
    assert f"Written by gazelle {library.__version__}" in words
    assert "Verified: everything is as it was written." in words
    assert "Compiled: optimizer SGD, loss mean_squared_error, metrics" in words
    assert "first Dense units 3, activation relu" in words
    assert "first/kernel (4, 3) float32 48 bytes" in words
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="d")])
    other.save(tmp_path / "k.h5")
    words = " ".join(gazelle("inspect", str(tmp_path / "k.h5")).out.split())
    assert f"Written by Keras {keras.__version__}. Not verified" in words
    assert "d/kernel (4, 2)" in words


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04" + bytes(90)]
)
def test_bad_files_are_named_in_one_line(gazelle, content, tmp_path):
    (tmp_path / "m.keras").write_bytes(content)
    result = gazelle("inspect", str(tmp_path / "m.keras"))
    assert result.status == 1
    assert result.out == ""
    assert len(result.err.splitlines()) == 1
    assert "m.keras" in result.err


def test_names_in_a_file_cannot_write_to_the_terminal(gazelle, model, tmp_path):
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["config"]["name"] = "\x1b[31mred"
    parts.update({"config.json": json.dumps(config).encode(), "metadata.json": b"{}"})
    with zipfile.ZipFile(tmp_path / "bad.keras", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    result = gazelle("inspect", str(tmp_path / "bad.keras"))
    assert "\x1b" not in result.out
    assert r"\x1b[31mred" in result.out
