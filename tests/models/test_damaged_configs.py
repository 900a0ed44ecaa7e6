"""Damaged configs: each is refused with one short Gazelle error, whatever is wrong with it."""

import copy
import json
import random

import pytest

import gazelle
from gazelle import layers, losses, metrics, optimizers
from gazelle._core.errors import ArgumentError, GazelleError
from gazelle.layers import Dense
from gazelle.models import model_from_json

JUNK = [
    None,
    1,
    -1,
    "x",
    "",
    [],
    {},
    [1, 2],
    {"a": 1},
    10**400,
    True,
    float("nan"),
    "keras.layers",
    "\x1b[31m",
    "x" * 9999,
]


def chain():
    model = gazelle.Sequential(
        [
            gazelle.Input((4,)),
            Dense(8, activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def graph():
    a, b = gazelle.Input((4,)), gazelle.Input((3,))
    joined = layers.Concatenate()([Dense(3)(a), b])
    return gazelle.Model([a, b], {"out": Dense(2, name="out")(joined)})


def from_json(config):
    return model_from_json(json.dumps(config))


def compiled_from(config):
    gazelle.models.clone_model(graph()).compile_from_config(config)


READERS = {
    "a chain as JSON": (from_json, lambda: json.loads(chain().to_json())),
    "a graph as JSON": (from_json, lambda: json.loads(graph().to_json())),
    "a chain": (gazelle.Sequential.from_config, lambda: chain().get_config()),
    "a graph": (gazelle.Model.from_config, lambda: graph().get_config()),
    "compile": (compiled_from, lambda: chain().get_compile_config()),
    "a layer": (Dense.from_config, lambda: Dense(3, kernel_regularizer="l2").get_config()),
    "an optimizer": (optimizers.deserialize, lambda: optimizers.serialize(optimizers.Adam())),
    "a loss": (losses.deserialize, lambda: losses.serialize(losses.CategoricalCrossentropy())),
    "a metric": (metrics.deserialize, lambda: metrics.serialize(metrics.Precision())),
}


def places(value, path=()):
    """The paths of all values in a config, as tuples of keys and indices."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def damaged(config, rng):
    """A copy of `config` in which one value is replaced or removed."""
    config = copy.deepcopy(config)
    *path, last = rng.choice(list(places(config)))
    inner = config
    for key in path:
        inner = inner[key]
    if rng.random() < 0.7:
        inner[last] = rng.choice(JUNK)
    else:
        del inner[last]
    return config


@pytest.mark.parametrize("what", READERS)
def test_any_damage_to_a_config_gives_one_short_error(what):
    read, written = READERS[what]
    config, rng = written(), random.Random(what)
    read(copy.deepcopy(config))
    errors = []
    for _ in range(60):
        try:
            read(damaged(config, rng))
        except GazelleError as error:
            errors.append(error)
    assert errors
    assert all(len(str(error)) < 2500 and "\x1b" not in str(error) for error in errors)
    assert all(error.__cause__ is None for error in errors)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "3",
        "[]",
        "null",
        None,
        5,
        b"\xff\xfe",
        "9" * 6000,
        '{"a":' * 50_000 + "1" + "}" * 50_000,
    ],
)
def test_a_text_that_is_not_a_model_is_refused(text):
    with pytest.raises(ArgumentError, match=r"not JSON|not a model's config") as raised:
        model_from_json(text)
    assert len(str(raised.value)) < 400


def test_too_deeply_nested_models_are_refused():
    config = {"layers": [], "name": "inner"}
    for _ in range(400):
        config = {
            "layers": [{"module": "keras", "class_name": "Sequential", "config": config}],
            "name": "outer",
        }
    with pytest.raises(ArgumentError, match="too deep"):
        gazelle.Sequential.from_config(config)


class Scale(layers.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor.number

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def test_an_error_in_a_users_own_layer_keeps_its_traceback():
    config = {"class_name": "Scale", "config": {"factor": 3}}
    with pytest.raises(ArgumentError, match="config of Scale") as raised:
        gazelle.saving.deserialize_keras_object(config, custom_objects={"Scale": Scale})
    assert isinstance(raised.value.__cause__, AttributeError)
