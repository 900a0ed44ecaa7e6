"""Names and configs: serialized in the form of Keras, and no code from a config is ever run."""

import json

import keras
import numpy as np
import pytest

from gazelle._core import registry
from gazelle._core.dtypes import DTypePolicy
from gazelle._core.errors import ArgumentError, ArgumentTypeError, UnknownNameError

catalogue = registry.Catalogue("thing", "test.things")


@catalogue.add("knob", "KNOB")
class RoundThing:
    def __init__(self, size=1.0, inner=None):
        self.size, self.inner = size, inner

    def get_config(self):
        return {"size": self.size, "inner": self.inner}

    @classmethod
    def from_config(cls, config):
        return cls(config["size"], registry.deserialize(config["inner"]))

    def __eq__(self, other):
        return type(self) is type(other) and (self.size, self.inner) == (other.size, other.inner)

    __hash__ = None

    def __repr__(self):  # test names must be the same in every process
        return f"RoundThing({self.size!r}, {self.inner!r})"


@catalogue.add()
def flat_thing(x):
    return x


@pytest.fixture(autouse=True)
def restored():
    kept = dict(registry._custom)
    yield
    registry._custom.clear()
    registry._custom.update(kept)


def through_json(config):
    return json.loads(json.dumps(config, allow_nan=False))


# ---- Names ----


@pytest.mark.parametrize("name", ["RoundThing", "round_thing", "knob", "KNOB", RoundThing])
def test_a_class_is_found_by_its_names_and_an_instance_is_made(name):
    assert catalogue.get(name) == RoundThing()


def test_functions_instances_callables_and_none_are_returned_as_they_are():
    thing = RoundThing(3)
    assert catalogue.get("flat_thing") is flat_thing
    assert catalogue.get(thing) is thing
    assert catalogue.get(len) is len
    assert catalogue.get(None) is None


@pytest.mark.parametrize("identifier", ["round_thng", 5, ["knob"]])
def test_an_identifier_that_nothing_matches_is_refused(identifier):
    with pytest.raises(UnknownNameError, match="Could not interpret thing identifier"):
        catalogue.get(identifier)


def test_a_misspelled_name_is_answered_with_a_similar_one():
    with pytest.raises(UnknownNameError, match="did you mean 'round_thing'"):
        catalogue.get("round_thng")


def test_names_of_the_caller_come_before_the_built_in_ones():
    def mine(x):
        return -x

    assert catalogue.deserialize("flat_thing", {"flat_thing": mine}) is mine
    with registry.custom_object_scope({"mine": mine}):
        assert catalogue.get("mine") is mine
    with pytest.raises(UnknownNameError):
        catalogue.get("mine")


# ---- Round trips ----


def test_an_object_has_the_config_that_keras_would_write():
    node = registry.serialize(RoundThing(2.5))
    assert node == {
        "module": "test.things",
        "class_name": "RoundThing",
        "config": {"size": 2.5, "inner": None},
        "registered_name": None,
    }
    theirs = keras.saving.serialize_keras_object(keras.initializers.Zeros())
    assert set(node) == set(theirs)
    assert (theirs["module"], theirs["registered_name"]) == ("keras.initializers", None)


def test_a_policy_has_the_config_of_keras():
    assert registry.serialize(DTypePolicy("mixed_bfloat16")) == keras.saving.serialize_keras_object(
        keras.DTypePolicy("mixed_bfloat16")
    )


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        2.5,
        "text",
        [1, [2, None]],
        {"a": {"b": 1}},
        RoundThing(2.0, RoundThing(1)),
        {"x": [RoundThing(4)]},
        DTypePolicy("mixed_float16"),
    ],
    ids=str,
)
def test_what_is_serialized_comes_back_equal_after_json(value):
    assert registry.deserialize(through_json(registry.serialize(value))) == value


def test_arrays_and_numpy_numbers_come_back_with_their_type():
    array = np.arange(6, dtype="int8").reshape(2, 3)
    back = registry.deserialize(through_json(registry.serialize(array)))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)
    assert registry.serialize(np.float32(0.5)) == 0.5
    assert type(registry.serialize(np.int64(3))) is int


def test_tuples_become_lists_as_in_json():
    assert registry.serialize((1, (2,))) == [1, [2]]


def test_builtin_functions_are_written_by_name():
    assert registry.serialize(flat_thing) == "flat_thing"
    assert catalogue.get("flat_thing") is flat_thing


# ---- Users' classes and functions ----


def test_a_registered_class_and_function_come_back():
    @registry.register_keras_serializable("pack")
    class Mine(RoundThing):
        pass

    @registry.register_keras_serializable(name="renamed")
    def my_function(x):
        return x

    assert registry.get_registered_name(Mine) == "pack>Mine"
    assert registry.get_registered_object("pack>Mine") is Mine
    node = registry.serialize(Mine(2))
    assert (node["module"], node["registered_name"]) == (None, "pack>Mine")
    assert registry.deserialize(through_json(node)) == Mine(2)
    written = registry.serialize(my_function)
    assert written == {
        "module": "builtins",
        "class_name": "function",
        "config": "Custom>renamed",
        "registered_name": "function",
    }
    assert registry.deserialize(through_json(written)) is my_function


def test_custom_objects_work_without_registration():
    class Mine(RoundThing):
        pass

    def my_function(x):
        return x

    node = through_json(registry.serialize([Mine(2), my_function]))
    with pytest.raises(UnknownNameError, match="Mine"):
        registry.deserialize(node)
    thing, function = registry.deserialize(node, {"Mine": Mine, "my_function": my_function})
    assert thing == Mine(2)
    assert function is my_function


def test_a_subclass_of_a_registered_class_is_not_mistaken_for_its_parent():
    @registry.register_keras_serializable()
    class Parent(RoundThing):
        pass

    class Child(Parent):
        pass

    assert registry.get_registered_name(Child) == "Child"
    with pytest.raises(UnknownNameError, match="Child"):
        registry.deserialize(registry.serialize(Child(1)))
    assert registry.deserialize(registry.serialize(Child(1)), {"Child": Child}) == Child(1)


def test_a_scope_ends_and_what_was_registered_in_it_stays():
    old, new = RoundThing, type("RoundThing", (RoundThing,), {})
    registry.get_custom_objects()["kept"] = old
    with registry.custom_object_scope({"kept": new, "passing": new}):
        assert registry.get_registered_object("kept") is new
        registry.register_keras_serializable("p", "registered")(flat_thing)
    del flat_thing._registered_name
    assert registry.get_registered_object("kept") is old
    assert registry.get_registered_object("passing") is None
    assert registry.get_registered_object("p>registered") is flat_thing


def test_classes_within_a_config_see_the_callers_objects():
    class Mine(RoundThing):
        pass

    node = registry.serialize(RoundThing(1, Mine(2)))
    assert registry.deserialize(node, {"Mine": Mine}).inner == Mine(2)


# ---- Refused ----


def test_a_class_without_get_config_cannot_be_registered():
    with pytest.raises(ArgumentError, match="get_config"):
        registry.register_keras_serializable()(type("Bare", (), {}))


@pytest.mark.parametrize("value", [lambda x: x, object(), {1, 2}, 1 + 2j])
def test_a_value_that_no_config_can_represent_is_refused(value):
    with pytest.raises(ArgumentTypeError, match="cannot be written into a config"):
        registry.serialize(value)


@pytest.mark.parametrize(
    "config",
    [
        {"module": "os", "class_name": "system", "config": {"command": "true"}},
        {
            "module": "builtins",
            "class_name": "function",
            "config": "eval",
            "registered_name": "function",
        },
        {
            "module": "builtins",
            "class_name": "function",
            "config": "os.system",
            "registered_name": "function",
        },
        {
            "module": "subprocess",
            "class_name": "Popen",
            "config": {"args": ["true"]},
            "registered_name": "Popen",
        },
        {"module": "keras.layers", "class_name": "__lambda__", "config": {"code": "4wAAAAA="}},
        {
            "module": "keras.utils",
            "class_name": "function",
            "config": "get_file",
            "registered_name": "function",
        },
        {"class_name": "Code", "config": {}, "registered_name": "builtins.eval"},
        {"class_name": None, "config": {}},
    ],
)
def test_a_config_that_names_something_unknown_is_refused(config):
    with pytest.raises((UnknownNameError, ArgumentTypeError)):
        registry.deserialize(config)
    with pytest.raises(UnknownNameError):
        catalogue.get(config)


@pytest.mark.parametrize("key", ["class_name", "module", "registered_name"])
@pytest.mark.parametrize("name", [5, [], {"a": 1}])
def test_a_name_that_is_not_text_is_a_damaged_config(key, name):
    config = {"class_name": "round_thing", "config": {}, key: name}
    with pytest.raises(ArgumentError, match=f"(?s)damaged.*a name as {key}"):
        catalogue.get(config)


@pytest.mark.parametrize(
    "config",
    [
        {"module": "test.things", "class_name": "RoundThing", "config": None},
        {"module": "test.things", "class_name": "RoundThing"},
        {"module": "test.things", "class_name": "RoundThing", "config": [1]},
        {"module": "test.things", "class_name": "flat_thing", "config": {}},
        {"class_name": "__numpy__", "config": {}},
        {"class_name": "__numpy__", "config": {"value": [1], "dtype": "float13"}},
        {"class_name": "DTypePolicy", "config": {"name": "float13"}},
        {"class_name": "DTypePolicy", "config": {"title": "float32"}},
    ],
)
def test_a_damaged_config_is_refused(config):
    with pytest.raises((ArgumentError, ArgumentTypeError)):
        registry.deserialize(config)
