import json

import keras
import pytest

import gazelle
from gazelle import layers
from gazelle.utils import Config, get_source_inputs


@pytest.mark.parametrize("library", [keras, gazelle])
def test_a_config_is_a_dict_with_attributes(library):
    config = library.utils.Config(b=1, a=2)
    config.c, config["d"] = 3, 4
    assert (config.c, config["d"], config.d, config.get("e", 5)) == (3, 4, 4, 5)
    assert list(config) == ["a", "b", "c", "d"]
    assert "a" in config
    assert len(config) == 4
    config.update({"a": 6})
    assert config.pop("d") == 4
    del config["c"]
    assert config.as_dict() == {"b": 1, "a": 6}
    assert json.loads(config.to_json()) == {"a": 6, "b": 1}
    assert repr(config) == "<Config {'b': 1, 'a': 6}>"
    with pytest.raises(AttributeError, match="Unknown attribute: 'bb'"):
        config.bb  # noqa: B018


@pytest.mark.parametrize("library", [keras, gazelle])
def test_a_frozen_config_does_not_change(library):
    config = library.utils.Config(a=1)
    config.freeze()
    assert config.frozen

    def set_attribute():
        config.a = 2

    changes = (set_attribute, lambda: config.pop("a"), lambda: config.update(a=2))
    for change in changes:
        with pytest.raises(ValueError, match="frozen"):
            change()
    assert config.as_dict() == {"a": 1}
    config.unfreeze()
    config.a = 2
    assert config.a == 2


def test_methods_are_not_hidden_by_values():
    with pytest.raises(AttributeError, match="method of Config"):
        Config().items = 3


def test_source_inputs_are_found_once_each():
    a, b, c = (gazelle.Input((2,), name=name) for name in "abc")
    both = layers.Add()([layers.Dense(2)(a), b])
    out = layers.Concatenate()([both, layers.Dense(1)(both), c])
    assert [tensor.name for tensor in get_source_inputs(out)] == ["a", "b", "c"]
    assert get_source_inputs(a) == [a]


def test_names_that_are_not_there_say_what_is():
    with pytest.raises(AttributeError, match="Keras 2's"):
        gazelle.optimizers.legacy  # noqa: B018
    with pytest.raises(ImportError, match="plot_model"):
        from gazelle.utils import model_to_dot  # noqa: F401
    with pytest.raises(AttributeError, match="no attribute 'adamm'"):
        gazelle.optimizers.adamm  # noqa: B018
    assert gazelle.version() == gazelle.__version__


def test_lookups_take_keras_arguments():
    objects = {"mine": len}
    assert gazelle.saving.get_registered_object("mine", module_objects=objects) is len
    assert gazelle.saving.get_registered_object("mine", {"mine": max}, objects) is max
    with gazelle.saving.CustomObjectScope(custom_objects=objects):
        assert gazelle.saving.get_registered_object("mine") is len
    config = gazelle.saving.serialize_keras_object(layers.Dense(3))
    assert gazelle.saving.deserialize_keras_object(config, safe_mode=False).units == 3
