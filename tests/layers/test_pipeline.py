"""Pipeline: layers one after another, alone, in models, in files, and on text."""

import keras
import numpy as np
import pytest

import gazelle
from gazelle import layers

# Keras's variables have an `__array__` from before NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROWS = np.ones((5, 4), np.float32)


class Spy(layers.Layer):
    """Notes what it is called with."""

    def call(self, inputs, training=False, mask=None):
        self.training, self.mask = training, mask
        return inputs

    def compute_mask(self, inputs, mask=None):
        return mask


def test_the_layers_come_in_order():
    pipeline = layers.Pipeline([layers.Rescaling(2.0), layers.Rescaling(1.0, offset=1.0)])
    assert pipeline(ROWS).tolist() == (2 * ROWS + 1).tolist()
    assert [type(layer).__name__ for layer in pipeline.layers] == ["Rescaling", "Rescaling"]


def test_training_and_masks_reach_every_layer():
    spies = [Spy(), Spy()]
    mask = np.array([True, False, True, True, False])
    layers.Pipeline(spies)(ROWS, training=True, mask=mask)
    for spy in spies:
        assert spy.training is True
        assert spy.mask.tolist() == mask.tolist()


@pytest.mark.parametrize("training", [None, True, False])
def test_outside_of_a_model_it_counts_as_training_as_in_keras(training):
    for library in (keras, gazelle):
        pipeline = library.layers.Pipeline([library.layers.Dropout(0.5)])
        given = {} if training is None else {"training": training}
        dropped = (np.asarray(pipeline(np.ones((50, 4)), **given)) == 0).any()
        assert dropped == (training is not False), library


def test_in_a_model_it_goes_by_the_model():
    inputs = layers.Input((4,))
    model = gazelle.Model(inputs, layers.Pipeline([layers.Dropout(0.5)])(inputs))
    assert model.predict(ROWS, verbose=0).tolist() == ROWS.tolist()
    assert (np.asarray(model(ROWS, training=True)) == 0).any()


@pytest.mark.parametrize("reader", [keras, gazelle])
@pytest.mark.parametrize("writer", [keras, gazelle])
def test_files_both_ways(tmp_path, reader, writer):
    inner = writer.layers
    pipeline = inner.Pipeline([inner.Dense(3), inner.Dropout(0.5), inner.Dense(2)])
    model = writer.Sequential([writer.Input((4,)), pipeline])
    model.compile("sgd", "mse")
    model.fit(ROWS, np.ones((5, 2)), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = reader.models.load_model(tmp_path / "model.keras")
    expected = model.predict(ROWS, verbose=0)
    assert loaded.predict(ROWS, verbose=0) == pytest.approx(expected, abs=1e-6)


def test_config():
    pipeline = layers.Pipeline([layers.Dense(3)], name="mine")
    config = pipeline.get_config()
    assert layers.Pipeline.from_config(config).get_config() == config
    assert config["name"] == "mine"


@pytest.mark.parametrize("wrong", [None, [], layers.Dense, [layers.Dense(1), "relu"]])
def test_what_is_not_a_list_of_layers_is_refused(wrong):
    with pytest.raises(gazelle.errors.ArgumentError, match="layers"):
        layers.Pipeline(wrong)
    with pytest.raises(gazelle.errors.ArgumentError, match="layers"):
        layers.Pipeline.from_config({"name": "a"})


def test_layers_of_text():
    pipeline = layers.Pipeline(
        [layers.StringLookup(vocabulary=["a", "b"]), layers.CategoryEncoding(3, "one_hot")]
    )
    expected = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    words = np.array([["a"], ["b"], ["c"]])
    assert pipeline(words).tolist() == expected
    inputs = layers.Input((1,), dtype="string")
    model = gazelle.Model(inputs, pipeline(inputs))
    assert model.predict(words, verbose=0).tolist() == expected


@pytest.mark.parametrize("training", [None, True, False])
def test_training_with_layers_of_text(training):
    pipeline = layers.Pipeline([layers.Hashing(3, output_mode="one_hot"), layers.Dropout(0.9)])
    dropped = (np.asarray(pipeline(["a"] * 50, training=training)).sum(1) == 0).any()
    assert dropped == (training is not False)
    inputs = layers.Input((1,), dtype="string")
    outputs = pipeline(inputs) if training is None else pipeline(inputs, training=training)
    found = gazelle.Model(inputs, outputs).predict(np.array([["a"]] * 50), verbose=0)
    assert (found.sum(1) == 0).any() == (training is True)
