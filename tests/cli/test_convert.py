"""gazelle convert: each kind of file holds what it says, and bad names are refused first."""

import numpy as np
import pytest

import gazelle as library

pytestmark = pytest.mark.slow
X = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


@pytest.fixture
def model(tmp_path):
    layers = [library.layers.Dense(3, activation="relu"), library.layers.Dense(2)]
    model = library.Sequential([library.Input((4,)), *layers])
    model.save(tmp_path / "m.keras")
    return model


@pytest.mark.parametrize("ending", [".keras", ".weights.h5", ".safetensors", ".onnx", ".h5"])
def test_a_model_becomes_another_file(gazelle, model, ending, tmp_path):
    target = tmp_path / f"new{ending}"
    result = gazelle("convert", str(tmp_path / "m.keras"), str(target))
    assert (result.status, result.err) == (0, "")
    assert target.name in result.out
    if ending in (".keras", ".h5"):
        found = library.models.load_model(target).predict(X)
    elif ending == ".onnx":
        session = pytest.importorskip("onnxruntime").InferenceSession(target)
        [found] = session.run(None, {session.get_inputs()[0].name: X})
    else:
        other = library.models.clone_model(model)
        other.load_weights(target)
        found = other.predict(X)
    np.testing.assert_allclose(found, model.predict(X), atol=1e-6)


def test_an_old_file_becomes_a_new_one(gazelle, model, tmp_path):
    gazelle("convert", str(tmp_path / "m.keras"), str(tmp_path / "old.hdf5"))
    result = gazelle("convert", str(tmp_path / "old.hdf5"), str(tmp_path / "new.keras"))
    assert (result.status, result.err) == (0, "")
    found = library.models.load_model(tmp_path / "new.keras").predict(X)
    np.testing.assert_allclose(found, model.predict(X), atol=1e-6)


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("m.keras", "new.txt", "ends in"),
        ("m.keras", "new", "no ending"),
        ("gone.keras", "new.onnx", "cannot be opened"),
        ("m.keras", "no/new.keras", "not a folder"),
    ],
)
def test_what_cannot_be_converted_is_refused(gazelle, model, source, target, words, tmp_path):
    result = gazelle("convert", str(tmp_path / source), str(tmp_path / target))
    assert result.status == 1
    assert words in " ".join(result.err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]
