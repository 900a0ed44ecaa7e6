"""Keras reads Gazelle's weights files and the other way round; nothing is half written or read."""

import keras
import numpy as np
import pytest
from models.graphs import chain_in_chain, model_in_model
from models.test_subclassed import blocks, functional_subclass

import gazelle
from gazelle._formats.h5 import read_weights

# Keras reads its variables in a way that NumPy 2 warns about.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation")]
X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
MAKERS = [chain_in_chain, model_in_model, blocks, functional_subclass]


def built(maker, library):
    model = maker(library)
    model(X)
    return model


def randomized(model, seed):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.1, 1, v.shape) for v in model.weights])
    return model


@pytest.mark.parametrize("maker", MAKERS)
def test_each_library_reads_the_weights_of_the_other(maker, tmp_path):
    ours, theirs = randomized(built(maker, gazelle), 1), randomized(built(maker, keras), 2)
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    read, given = built(maker, gazelle), built(maker, keras)
    read.load_weights(tmp_path / "theirs.weights.h5")
    given.load_weights(tmp_path / "ours.weights.h5")
    for model, source in ((read, theirs), (given, ours)):
        for a, b in zip(model.get_weights(), source.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    names = [set(read_weights(tmp_path / f"{who}.weights.h5")) for who in ("ours", "theirs")]
    assert names[0] == names[1]


def small(K, optimizer="adam"):
    model = K.Sequential([K.Input((4,)), K.layers.Dense(3, activation="tanh"), K.layers.Dense(1)])
    model.compile(optimizer, "mse")
    return model


def test_the_optimizer_continues_where_it_was(tmp_path):
    y = X[:, :1]
    ours, theirs = small(gazelle), small(keras)
    ours.set_weights(theirs.get_weights())
    for model in (ours, theirs):
        model.fit(X, y, batch_size=6, epochs=3, shuffle=False, verbose=0)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    ours.save_weights(tmp_path / "ours.weights.h5")
    read, given = small(gazelle), small(keras)
    read.optimizer.build(read.trainable_variables)
    given.optimizer.build(given.trainable_variables)
    read.load_weights(tmp_path / "theirs.weights.h5")
    given.load_weights(tmp_path / "ours.weights.h5")
    assert int(read.optimizer.iterations) == int(given.optimizer.iterations.value) == 3
    results = [
        model.fit(X, y, batch_size=6, epochs=3, shuffle=False, verbose=0).history["loss"]
        for model in (ours, theirs, read, given)
    ]
    for losses in results[1:]:
        np.testing.assert_allclose(losses, results[0], rtol=1e-4)


def test_weights_that_do_not_fit_change_nothing(tmp_path):
    path = tmp_path / "m.weights.h5"
    randomized(small(gazelle), 1).save_weights(path)
    other = gazelle.Sequential(
        [gazelle.Input((4,)), gazelle.layers.Dense(3), gazelle.layers.Dense(2)]
    )
    before = other.get_weights()
    with pytest.raises(ValueError, match="objects could not be loaded"):
        other.load_weights(path)
    for a, b in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.warns(UserWarning, match="skipped"):
        other.load_weights(path, skip_mismatch=True)
    assert (other.get_weights()[0] != before[0]).all()
    np.testing.assert_array_equal(other.get_weights()[2], before[2])


def test_a_file_is_complete_or_unchanged(tmp_path, monkeypatch):
    path = tmp_path / "m.weights.h5"
    model = randomized(small(gazelle), 1)
    model.save_weights(path)
    complete = path.read_bytes()
    randomized(model, 2)

    def fail(self, *args, **kwargs):
        raise OSError("the disk is full")

    monkeypatch.setattr("h5py.Group.create_dataset", fail)
    with pytest.raises(OSError, match="full"):
        model.save_weights(path)
    assert path.read_bytes() == complete
    assert [p.name for p in tmp_path.iterdir()] == ["m.weights.h5"]


def unbuilt():
    return gazelle.Sequential([gazelle.layers.Dense(1)])


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda m, p: m.save_weights(p / "m.h5"), r"must end in `.weights.h5`"),
        (lambda m, p: m.save_weights(p / "m"), r"must end in `.weights.h5`"),
        (lambda m, p: m.save_weights(p / "no" / "m.weights.h5"), "folder does not exist"),
        (lambda m, p: m.load_weights(p / "no.weights.h5"), "cannot be opened"),
        (lambda m, p: unbuilt().save_weights(p / "m.weights.h5"), "not built"),
        (lambda m, p: unbuilt().load_weights(p / "m.weights.h5"), "not built"),
    ],
)
def test_files_that_cannot_be_saved_or_loaded_are_refused(action, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        action(small(gazelle), tmp_path)


def test_an_existing_file_can_be_protected(tmp_path):
    path = tmp_path / "m.weights.h5"
    model = small(gazelle)
    model.save_weights(str(path))
    with pytest.raises(ValueError, match="already exists"):
        model.save_weights(path, overwrite=False)
