"""Layers that are left out when weights are saved and loaded."""

import numpy as np
import pytest

import gazelle
from gazelle import layers, saving


def network(seed):
    gazelle.utils.set_random_seed(seed)
    inner = gazelle.Sequential([layers.Input((4,)), layers.Dense(4), layers.Dense(4)])
    model = gazelle.Sequential([layers.Input((4,)), layers.Dense(4), inner, layers.Dense(2)])
    model.compile("adam", "mse")
    model.train_on_batch(np.ones((2, 4)), np.ones((2, 2)))
    return model


def loaded(model, one, other, skipped):
    """Whether each weight is that of `one` or of `other`, as the layers say."""
    for layer in model.layers:
        place = model.layers.index(layer)
        source = other if place in skipped else one
        for got, expected in zip(
            layer.get_weights(), source.layers[place].get_weights(), strict=True
        ):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("skipped", [[0], [1], [0, 2], []])
@pytest.mark.parametrize("when", ["saving", "loading", "both"])
def test_layers_that_are_left_out_stay(tmp_path, skipped, when):
    one, other, model = network(1), network(2), network(2)
    path = tmp_path / "m.weights.h5"
    left_out = [one.layers[place] for place in skipped]
    saving.save_weights(one, path, objects_to_skip=None if when == "loading" else left_out)
    model.load_weights(path, objects_to_skip=[model.layers[place] for place in skipped])
    loaded(model, one, other, skipped)


def test_what_was_left_out_is_missed_by_a_model_that_wants_it(tmp_path):
    one = network(1)
    path = tmp_path / "m.weights.h5"
    saving.save_weights(one, path, objects_to_skip=[one.layers[0], one.optimizer])
    assert "optimizer" not in saving.KerasFileEditor(path).weights_dict
    with pytest.raises(ValueError, match="could not be"):
        network(2).load_weights(path)


@pytest.mark.filterwarnings("ignore:__array__")  # Keras's own
def test_keras_reads_the_same(tmp_path):
    import keras

    def build(library):
        make = library.layers.Dense
        return library.Sequential([library.layers.Input((4,)), make(4), make(4)])

    theirs, ours = build(keras), build(gazelle)
    path = str(tmp_path / "m.weights.h5")
    keras.saving.save_weights(theirs, path, objects_to_skip=[theirs.layers[0]])
    before = ours.get_weights()
    ours.load_weights(path, objects_to_skip=[ours.layers[0]])
    np.testing.assert_array_equal(ours.get_weights()[0], before[0])
    np.testing.assert_array_equal(ours.get_weights()[2], np.asarray(theirs.weights[2].value))
    saving.save_weights(ours, path, objects_to_skip=[ours.layers[1]])
    keras.saving.load_weights(theirs, path, objects_to_skip=[theirs.layers[1]])
    np.testing.assert_array_equal(np.asarray(theirs.weights[0].value), ours.get_weights()[0])


def test_other_files_have_no_such_option(tmp_path):
    model = network(1)
    with pytest.raises(ValueError, match=r"weights\.h5"):
        saving.save_weights(model, tmp_path / "m.safetensors", objects_to_skip=[model.layers[0]])
    with pytest.warns(UserWarning, match="legacy|old"):
        model.save(tmp_path / "m.h5")
    with pytest.raises(ValueError, match=r"weights\.h5"):
        model.load_weights(tmp_path / "m.h5", objects_to_skip=[])
