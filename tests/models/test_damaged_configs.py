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


def at(value, path):
    for key in path:
        value = value[key]
    return value


def damaged(config, rng):
    """A copy of `config` in which one value is replaced or removed."""
    config = copy.deepcopy(config)
    *path, last = rng.choice(list(places(config)))
    inner = at(config, path)
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


def compile_config(**changes):
    return {**chain().get_compile_config(), **changes}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"jit_compile": "x"}, {"jit_compile": None}),
        ({"jit_compile": [True]}, {"jit_compile": False}),
        ({"steps_per_execution": "3"}, {"steps_per_execution": None}),
        ({"steps_per_execution": 0}, {"steps_per_execution": 3}),
        ({"metrics": [3]}, {"metrics": ["mae"]}),
        ({"metrics": [["mae", 0.5]]}, {"metrics": [["mae", None]]}),
        ({"weighted_metrics": {"out": True}}, {"weighted_metrics": {"out": "mae"}}),
    ],
)
def test_a_damaged_argument_of_compile_is_refused(wrong, right):
    compiled_from(compile_config(**right))
    with pytest.raises(GazelleError, match=next(iter(wrong))):
        compiled_from(compile_config(**wrong))


SCHEDULES = [
    optimizers.schedules.CosineDecay(0.1, 10, warmup_target=0.2, warmup_steps=2),
    optimizers.schedules.CosineDecayRestarts(0.1, 10),
    optimizers.schedules.ExponentialDecay(0.1, 10, 0.5),
    optimizers.schedules.InverseTimeDecay(0.1, 10, 0.5),
    optimizers.schedules.PolynomialDecay(0.1, 10),
    optimizers.schedules.PiecewiseConstantDecay([3], [0.1, 0.2]),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: type(schedule).__name__)
def test_a_schedule_of_texts_is_refused(schedule):
    written = optimizers.schedules.serialize(schedule)
    assert optimizers.schedules.deserialize(written)(3) == schedule(3)
    numbers = [path for path in places(written) if isinstance(at(written, path), int | float)]
    for path in numbers:
        if path[-1] in ("staircase", "cycle"):
            continue
        config = copy.deepcopy(written)
        at(config, path[:-1])[path[-1]] = "0.5"
        with pytest.raises(GazelleError, match="must be a number"):
            optimizers.schedules.deserialize(config)


@pytest.mark.parametrize(
    ("argument", "right"),
    [
        ("kernel_constraint", gazelle.constraints.MaxNorm(2)),
        ("kernel_regularizer", gazelle.regularizers.L2(0.1)),
        ("kernel_initializer", gazelle.initializers.Constant(0.1)),
    ],
)
def test_a_model_is_not_a_constraint(argument, right):
    config = Dense(3).get_config()
    Dense.from_config({**config, argument: gazelle.saving.serialize_keras_object(right)})
    for wrong in (gazelle.Sequential([Dense(1)]), Dense(1), optimizers.Adam()):
        damaged = {**config, argument: gazelle.saving.serialize_keras_object(wrong)}
        with pytest.raises(GazelleError, match="is damaged"):
            Dense.from_config(damaged)


def test_a_layer_may_be_an_activation():
    config = Dense(3, activation=layers.PReLU()).get_config()
    assert isinstance(Dense.from_config(config).activation, layers.PReLU)


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
