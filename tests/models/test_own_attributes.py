"""Attributes of a user's model that have the names of properties."""

import copy

import numpy as np
import pytest

import gazelle

NAMES = [
    "loss", "compiled", "inputs", "outputs", "operations", "input_shape", "output_shape",
    "input_names", "output_names",
]  # fmt: skip


class Own(gazelle.Model):
    def __init__(self):
        super().__init__()
        for name in NAMES:
            setattr(self, name, [name])
        self.dense = gazelle.layers.Dense(1)

    def call(self, inputs):
        return self.dense(inputs)


def test_a_subclass_may_use_the_names_of_properties():
    model = Own()
    assert [getattr(model, name) for name in NAMES] == [[name] for name in NAMES]
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 2)), np.ones(8), epochs=1, verbose=0)
    assert model.loss == ["loss"]
    assert copy.copy(model).loss == ["loss"]
    del model.loss
    assert model.loss == "mse"


def test_another_optimizer():
    x, y = np.ones((8, 2)), np.ones(8)
    model = gazelle.Sequential([gazelle.Input((2,)), gazelle.layers.Dense(1)])
    model.optimizer = "kept"
    assert model.optimizer == "kept"
    model.compile("adam", "mse")
    model.fit(x, y, epochs=1, verbose=0)
    before = model.get_weights()
    model.optimizer = gazelle.optimizers.SGD(0.0)
    model.fit(x, y, epochs=1, verbose=0)
    assert isinstance(model.optimizer, gazelle.optimizers.SGD)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    model.optimizer = "sgd"
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
