"""Schedules against Keras, their configs and their errors."""

import json

import jax
import keras
import numpy as np
import pytest

from gazelle._core.errors import ArgumentError
from gazelle._core.registry import register_keras_serializable
from gazelle.optimizers import SGD, schedules

CASES = [
    ("ExponentialDecay", {"initial_learning_rate": 0.5, "decay_steps": 7, "decay_rate": 0.6}),
    (
        "ExponentialDecay",
        {"initial_learning_rate": 0.5, "decay_steps": 3, "decay_rate": 0.6, "staircase": True},
    ),
    ("InverseTimeDecay", {"initial_learning_rate": 0.5, "decay_steps": 7, "decay_rate": 2.0}),
    (
        "InverseTimeDecay",
        {"initial_learning_rate": 0.5, "decay_steps": 3, "decay_rate": 2, "staircase": True},
    ),
    ("PiecewiseConstantDecay", {"boundaries": [2, 4, 15], "values": [1.0, 0.1, 0.5, 0.01]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.5, "decay_steps": 13}),
    (
        "PolynomialDecay",
        {"initial_learning_rate": 0.5, "decay_steps": 6, "power": 0.5, "cycle": True},
    ),
    (
        "PolynomialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 9, "end_learning_rate": 0.3, "power": 2.0},
    ),
    ("CosineDecay", {"initial_learning_rate": 0.5, "decay_steps": 13, "alpha": 0.1}),
    (
        "CosineDecay",
        {"initial_learning_rate": 0.0, "decay_steps": 9, "warmup_target": 1.0, "warmup_steps": 5},
    ),
    ("CosineDecay", {"initial_learning_rate": 0.2, "decay_steps": 9, "warmup_target": 1.0}),
    ("CosineDecay", {"initial_learning_rate": 0.2, "decay_steps": 9, "warmup_steps": 5}),
    # Restarts between whole steps, so that rounding cannot move one by a step.
    ("CosineDecayRestarts", {"initial_learning_rate": 0.5, "first_decay_steps": 3.5}),
    (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.5, "first_decay_steps": 5, "t_mul": 1.0, "alpha": 0.2},
    ),
    (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.5, "first_decay_steps": 4.1, "t_mul": 1.5, "m_mul": 0.7},
    ),
]


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_twenty_steps_are_those_of_keras(name, arguments):
    ours, theirs = (
        getattr(schedules, name)(**arguments),
        getattr(keras.optimizers.schedules, name)(**arguments),
    )
    steps = np.arange(20, dtype=np.int32)
    expected = jax.jit(jax.vmap(theirs))(steps)
    np.testing.assert_allclose(
        [float(ours(step)) for step in range(20)], expected, rtol=1e-6, atol=1e-7
    )
    np.testing.assert_allclose(jax.jit(jax.vmap(ours))(steps), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_configs_make_equal_schedules_and_are_those_of_keras(name, arguments):
    ours, theirs = (
        getattr(schedules, name)(**arguments),
        getattr(keras.optimizers.schedules, name)(**arguments),
    )
    config = schedules.serialize(ours)
    assert config == keras.optimizers.schedules.serialize(theirs)
    again = schedules.deserialize(json.loads(json.dumps(config)))
    assert type(again) is type(ours)
    assert again.get_config() == ours.get_config()
    optimizer = SGD.from_config(SGD(ours).get_config())
    assert float(optimizer.learning_rate) == float(ours(0))


def test_a_users_schedule_is_evaluated_at_the_steps_done():
    @register_keras_serializable("tests")
    class Halving(schedules.LearningRateSchedule):
        def __init__(self, start):
            self.start = start

        def __call__(self, step):
            return self.start * 0.5**step

        def get_config(self):
            return {"start": self.start}

    optimizer = SGD.from_config(json.loads(json.dumps(SGD(Halving(0.5)).get_config())))
    assert float(optimizer.learning_rate) == 0.5
    optimizer.iterations.assign(2)
    assert float(optimizer.learning_rate) == 0.125


def test_a_method_that_a_subclass_must_define_is_named():
    with pytest.raises(NotImplementedError, match="__call__"):
        schedules.LearningRateSchedule()(0)
    with pytest.raises(NotImplementedError, match="get_config"):
        schedules.LearningRateSchedule().get_config()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "decay_steps"),
        (lambda: schedules.InverseTimeDecay(0.1, -1, 0.5), "decay_steps"),
        (lambda: schedules.PolynomialDecay(0.1, 0), "decay_steps"),
        (lambda: schedules.CosineDecay(0.1, 0), "decay_steps"),
        (lambda: schedules.CosineDecayRestarts(0.1, 0), "first_decay_steps"),
        (lambda: schedules.PiecewiseConstantDecay([1, 2], [1.0]), "1 less than"),
        (lambda: schedules.PiecewiseConstantDecay([2, 1], [1.0, 2.0, 3.0]), "ascending order"),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()
