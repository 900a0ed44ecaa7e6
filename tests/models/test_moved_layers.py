"""Weights go by position, so layers that have changed places are refused by their names."""

import os
import subprocess
import sys

import numpy as np
import pytest

import gazelle
from gazelle import layers

NAMED = ("encoder", "decoder")
ENDINGS = (".weights.h5", ".keras", ".weights.json")


def network(*names, seed=0):
    gazelle.utils.set_random_seed(seed)
    return gazelle.Sequential([layers.Input((4,)), *[layers.Dense(4, name=name) for name in names]])


def save(model, folder, ending):
    path = str(folder / f"m{ending}")
    if ending == ".keras":
        model.save(path)
    else:
        model.save_weights(path, max_shard_size=1.0 if ending == ".weights.json" else None)
    return path


@pytest.mark.parametrize("ending", [".weights.h5", ".weights.json"])
def test_layers_that_changed_places_are_refused_and_nothing_changes(tmp_path, ending):
    path = save(network(*NAMED), tmp_path, ending)
    model = network(*NAMED[::-1], seed=1)
    before = model.get_weights()
    with pytest.raises(gazelle.errors.DataError, match="'encoder' in the file, of 'decoder'"):
        model.load_weights(path)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "names",
    [NAMED, ("encoder", "head"), (None, None), ("dense_1", "dense"), ("decoder_", "encoder_")],
    ids=str,
)
def test_the_same_layers_and_other_names_are_loaded(tmp_path, ending, names):
    saved = network(*NAMED)
    model = network(*names, seed=1)
    model.load_weights(save(saved, tmp_path, ending))
    for old, new in zip(saved.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_automatic_names_say_nothing_about_places(tmp_path):
    path = save(network("dense", "dense_1"), tmp_path, ".weights.h5")
    network("dense_1", "dense", seed=1).load_weights(path)


def test_with_skip_mismatch_the_others_are_loaded(tmp_path):
    saved = network("first", *NAMED)
    model = network("first", *NAMED[::-1], seed=1)
    with pytest.warns(UserWarning, match="skipped"):
        model.load_weights(save(saved, tmp_path, ".weights.h5"), skip_mismatch=True)
    kernels = [layer.kernel.numpy() for layer in saved.layers]
    loaded = [layer.kernel.numpy() for layer in model.layers]
    equal = [np.array_equal(*pair) for pair in zip(kernels, loaded, strict=True)]
    assert equal == [True, False, False]


def test_it_holds_for_a_file_of_keras(tmp_path):
    path = str(tmp_path / "keras.weights.h5")
    program = f"""
import keras
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="encoder"),
                          keras.layers.Dense(4, name="decoder")])
model.save_weights({path!r})
"""
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    network(*NAMED).load_weights(path)
    with pytest.raises(gazelle.errors.DataError, match="'encoder' in the file"):
        network(*NAMED[::-1]).load_weights(path)
