"""Weights in `.safetensors` files: names for people, both ways with the safetensors package."""

import sys

import numpy as np
import pytest
from models import graphs
from safetensors.numpy import load_file, save_file

import gazelle
from gazelle.errors import ModelFileError, PackageError

pytestmark = pytest.mark.slow


def named(folder, model):
    model.save_weights(folder / "m.safetensors")
    return load_file(folder / "m.safetensors")


def test_the_names_are_those_of_the_layers(tmp_path):
    inner = gazelle.Sequential([gazelle.layers.Dense(3, name="a")], name="inner")
    model = gazelle.Sequential(
        [gazelle.Input((4,)), inner, gazelle.layers.BatchNormalization(name="norm")]
    )
    found = named(tmp_path, model)
    assert sorted(found) == [
        "inner/a/bias", "inner/a/kernel", "norm/beta", "norm/gamma", "norm/moving_mean",
        "norm/moving_variance",
    ]  # fmt: skip
    np.testing.assert_array_equal(found["inner/a/kernel"], model.get_weights()[0])


@pytest.mark.parametrize("maker", graphs.GRAPHS, ids=lambda maker: maker.__name__)
def test_every_kind_of_model_comes_back(maker, tmp_path):
    model, other = maker(gazelle), maker(gazelle)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    for layer, twin in zip(model.layers, other.layers, strict=True):
        twin.name = layer.name
        for inner, inner_twin in zip(
            getattr(layer, "layers", []), getattr(twin, "layers", []), strict=True
        ):
            inner_twin.name = inner.name
    named(tmp_path, model)
    other.load_weights(tmp_path / "m.safetensors")
    for a, b in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_other_float_types_come_back(dtype, tmp_path):
    def make():
        layer = gazelle.layers.Dense(3, name="d", dtype=dtype)
        return gazelle.Sequential([gazelle.Input((4,)), layer])

    model, other = make(), make()
    model.save_weights(tmp_path / "m.safetensors")
    other.load_weights(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    assert str(other.get_weights()[0].dtype) == dtype


def make():
    return gazelle.Sequential([gazelle.Input((4,)), gazelle.layers.Dense(3, name="d")])


def test_what_does_not_match_changes_nothing(tmp_path):
    model = make()
    before = model.get_weights()
    kernel = np.ones((4, 3), "float32")
    save_file({"d/kernel": kernel, "d/bias": np.zeros(4, "float32")}, tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match=r"d/bias.*shape \(4,\)"):
        model.load_weights(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    with pytest.warns(UserWarning, match="skipped"):
        model.load_weights(tmp_path / "m.safetensors", skip_mismatch=True)
    np.testing.assert_array_equal(model.get_weights()[0], kernel)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff" * 64, b"\x10" + bytes(7) + b"{" * 16])
def test_damaged_files_are_refused(content, tmp_path):
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        make().load_weights(tmp_path / "m.safetensors")
    assert caught.value.code == "safetensors-damaged"
    assert len(str(caught.value)) <= 300


def test_a_truncated_file_is_refused_at_every_length(tmp_path):
    path = tmp_path / "m.safetensors"
    model = make()
    model.save_weights(path)
    content = path.read_bytes()
    for size in range(0, len(content), 7):
        path.write_bytes(content[:size])
        with pytest.raises(ModelFileError):
            model.load_weights(path)


def test_the_same_weights_give_the_same_bytes_and_a_missing_package_is_asked_for(
    tmp_path, monkeypatch
):
    model = make()
    for name in ("a", "b"):
        model.save_weights(tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for action in (model.save_weights, model.load_weights):
        with pytest.raises(PackageError, match=r"gazelle\[safetensors\]"):
            action(tmp_path / "c.safetensors")
    assert not (tmp_path / "c.safetensors").exists()
