"""Automatic names are the same as in Keras."""

import inspect

import keras
import pytest
from keras.src.utils.naming import to_snake_case

from gazelle._core.names import reset_names, snake_case, unique_name

CLASSES = [
    name
    for room in (keras.layers, keras.losses, keras.metrics, keras.optimizers, keras.initializers)
    for name, value in vars(room).items()
    if inspect.isclass(value)
]


def test_every_class_of_keras_gets_the_snake_case_name_of_keras():
    assert len(CLASSES) > 150
    assert {name: snake_case(name) for name in CLASSES} == {
        name: to_snake_case(name) for name in CLASSES
    }


@pytest.mark.parametrize("name", ["MyLayer2D", "_Hidden", "ABC", "already_snake", "X", "Layer3"])
def test_other_class_names_are_spelled_as_keras_does(name):
    assert snake_case(name) == to_snake_case(name)


def test_names_are_numbered_by_prefix_until_the_session_is_reset():
    reset_names()
    assert [unique_name("dense") for _ in range(3)] == ["dense", "dense_1", "dense_2"]
    assert unique_name("dropout") == "dropout"
    reset_names()
    assert unique_name("dense") == "dense"
