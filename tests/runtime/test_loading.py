"""Files and data that cannot be used are refused, with what was wrong; nothing needs JAX."""

import copy
import json
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

import gazelle
from gazelle._core.operation import KnownOperation
from gazelle.errors import ArgumentError, ArgumentTypeError, DataError, ShapeError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation")]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The path of the weights of a small network, and its config."""
    x = gazelle.Input((4,), name="data")
    h = gazelle.layers.Dense(3, activation="relu", name="first")(x)
    double = KnownOperation("multiply", name="double")(h, 2.0)
    model = gazelle.Model(x, gazelle.layers.Dense(2, name="second")(double))
    path = tmp_path_factory.mktemp("runtime") / "m.weights.h5"
    model.save_weights(path)
    return path, json.loads(model.to_json())


def changed(config, change):
    config = copy.deepcopy(config)
    layers = {layer["name"]: layer for layer in config["config"]["layers"]}
    change(layers, config)
    return config


# ---- What load takes ----


def test_the_config_may_be_a_dict_text_or_a_file(saved, tmp_path):
    path, config = saved
    (tmp_path / "model.json").write_text(json.dumps(config))
    x = np.ones((1, 4), np.float32)
    expected = gazelle.runtime.load(path, config=config)(x)
    for given in (json.dumps(config), tmp_path / "model.json", str(tmp_path / "model.json")):
        np.testing.assert_array_equal(gazelle.runtime.load(str(path), config=given)(x), expected)


def test_a_weights_file_needs_a_config_and_a_keras_file_none(saved):
    path, config = saved
    with pytest.raises(ArgumentError, match="has no config"):
        gazelle.runtime.load(path)
    with pytest.raises(ArgumentError, match="its own config"):
        gazelle.runtime.load("m.keras", config=config)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_file_that_is_not_an_archive_is_refused(content, tmp_path):
    (tmp_path / "m.keras").write_bytes(content)
    with pytest.raises(DataError, match=r"m\.keras.*zip"):
        gazelle.runtime.load(tmp_path / "m.keras")


def test_missing_files_are_refused(saved, tmp_path):
    path, config = saved
    with pytest.raises(DataError):
        gazelle.runtime.load(tmp_path / "m.keras")
    with pytest.raises(DataError):
        gazelle.runtime.load(tmp_path / "m.weights.h5", config=config)
    with pytest.raises(DataError, match="Cannot read the config"):
        gazelle.runtime.load(path, config=tmp_path / "model.json")


def test_an_archive_without_weights_is_refused(saved, tmp_path):
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(saved[1]))
    with pytest.raises(DataError, match=r"model\.weights\.h5"):
        gazelle.runtime.load(tmp_path / "m.keras")


# ---- What a config may name ----


def refused(saved, change, match):
    path, config = saved
    with pytest.raises(DataError, match=match) as caught:
        gazelle.runtime.load(path, config=changed(config, change))
    return str(caught.value)


def test_an_unknown_layer_is_named(saved):
    def change(layers, config):
        layers["first"]["class_name"] = "Conv2D"

    assert "named 'first'" in refused(saved, change, "no layer or model 'Conv2D'")


def test_a_class_of_a_user_is_named(saved):
    def change(layers, config):
        layers["first"] |= {"module": None, "registered_name": "Custom>Dense"}

    assert "registered as 'Custom>Dense'" in refused(saved, change, "no layer or model 'Dense'")


def test_a_subclassed_model_is_refused(saved):
    def change(layers, config):
        config |= {"module": "mine", "class_name": "Net", "registered_name": "Custom>Net"}

    refused(saved, change, "no layer or model 'Net'")


def test_an_unknown_operator_is_named(saved):
    def change(layers, config):
        layers["double"]["class_name"] = "Kron"

    refused(saved, change, "no operator 'Kron'")


@pytest.mark.parametrize(
    "activation",
    [
        "mine",
        {"module": "builtins", "class_name": "function", "config": "mine"},
        {"module": None, "class_name": "mine", "config": {}, "registered_name": "Custom>mine"},
    ],
)
def test_an_unknown_activation_is_named(activation, saved):
    def change(layers, config):
        layers["first"]["config"]["activation"] = activation

    assert "'first'" in refused(saved, change, "no activation 'mine'")


def test_a_lambda_is_refused(tmp_path):
    @gazelle.saving.register_keras_serializable()
    def double(x):
        return 2 * x

    layers = gazelle.layers
    model = gazelle.Sequential([gazelle.Input((4,)), layers.Lambda(double), layers.Dense(2)])
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(DataError, match="no layer or model 'Lambda'"):
        gazelle.runtime.load(tmp_path / "m.weights.h5", config=model.to_json())


@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have")
def test_a_quantized_model_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.quantize("int8")
    model.save(tmp_path / "m.keras")
    with pytest.raises(DataError, match=r"quantized|dtype policy"):
        gazelle.runtime.load(tmp_path / "m.keras")


def test_random_layers_that_are_called_in_training_mode_are_refused(tmp_path):
    x = keras.Input((4,))
    model = keras.Model(x, keras.layers.Dropout(0.5)(x, training=True))
    model.save(tmp_path / "m.keras")
    with pytest.raises(DataError, match="training=True"):
        gazelle.runtime.load(tmp_path / "m.keras")


def test_a_model_without_an_input_shape_is_refused(tmp_path):
    config = json.loads(gazelle.Sequential([gazelle.layers.Dense(2)]).to_json())
    model = gazelle.Sequential([gazelle.Input((4,)), gazelle.layers.Dense(2)])
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(DataError, match="no shape of the input"):
        gazelle.runtime.load(tmp_path / "m.weights.h5", config=config)


# ---- Weights ----


def test_weights_of_another_shape_are_named_with_both_shapes(saved):
    def change(layers, config):
        layers["second"]["config"]["units"] = 5

    text = refused(saved, change, "'second'")
    assert "kernel (3, 5), bias (5,)" in text
    assert "(3, 2), (2,)" in text


def test_weights_for_another_input_are_refused(saved):
    def change(layers, config):
        layers["data"]["config"]["batch_shape"] = [None, 6]

    assert r"kernel (6, 3)" in refused(saved, change, "'first'")


def test_missing_weights_are_refused(saved):
    def change(layers, config):
        layers["first"]["class_name"] = "PReLU"

    refused(saved, change, "layers/p_re_lu.*do not match")


def test_weights_that_no_layer_takes_are_refused(saved):
    def change(layers, config):
        layers["second"]["class_name"] = "Identity"

    assert "layers/dense_1: arrays of shape (3, 2), (2,)" in refused(saved, change, "no layer")


# ---- Damaged configs ----


def test_layers_whose_inputs_do_not_match_are_refused(saved):
    def change(layers, config):
        layers["double"]["inbound_nodes"][0]["args"][1] = {
            "class_name": "__numpy__",
            "config": {"value": [1.0, 2.0], "dtype": "float32"},
        }

    refused(saved, change, "cannot be computed")


def test_a_reshape_to_another_number_of_elements_is_refused(saved):
    def change(layers, config):
        layers["second"] |= {"class_name": "Reshape"}
        layers["second"]["config"] = {"name": "second", "target_shape": [2, 2]}

    refused(saved, change, "cannot be computed")


def test_models_that_repeat_each_other_without_end_are_refused(saved):
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}
    source = {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"name": "x", "batch_shape": [None, 4]},
        "inbound_nodes": [],
    }
    inner = {"module": "keras.layers", "class_name": "Identity", "config": {"name": "layer"}}
    for _ in range(30):
        calls = [{"args": [tensor], "kwargs": {}}] * 2
        config = {
            "name": "layer",
            "layers": [source, {**inner, "inbound_nodes": calls}],
            "input_layers": ["x", 0, 0],
            "output_layers": ["layer", 1, 0],
        }
        inner = {"module": "keras", "class_name": "Functional", "config": config}
    with pytest.raises(DataError, match="too many layers"):
        gazelle.runtime.load(saved[0], config=inner)


def test_a_circle_of_calls_is_refused(saved):
    def change(layers, config):
        tensor = layers["first"]["inbound_nodes"][0]["args"][0]
        tensor["config"]["keras_history"] = ["second", 0, 0]

    refused(saved, change, "nothing gives")


def test_every_part_of_a_config_may_be_missing_or_of_another_type(saved):
    """Each damage gives a predictor, where the part is not needed, or a DataError."""
    path, config = saved
    outcomes = {"loaded": 0, "refused": 0}

    def paths(value, path=()):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            if isinstance(inner, dict | list):
                yield from paths(inner, (*path, key))

    for place in list(paths(config)):
        for damage in (None, 7, -1, "x", [], {}, [[[]]], 10**30):
            damaged = copy.deepcopy(config)
            part = damaged
            for key in place[:-1]:
                part = part[key]
            part[place[-1]] = damage
            try:
                gazelle.runtime.load(path, config=damaged)
                outcomes["loaded"] += 1
            except DataError:
                outcomes["refused"] += 1
    assert min(outcomes.values()) > 100


@pytest.mark.parametrize("text", ["{", "{" * 100_000, "[1]", '{"class_name": 1}', "{}"])
def test_text_that_is_not_a_config_is_refused(text, saved, tmp_path):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(DataError):
        gazelle.runtime.load(saved[0], config=tmp_path / "model.json")


# ---- Data ----


@pytest.fixture(scope="module")
def predictor(saved):
    return gazelle.runtime.load(saved[0], config=saved[1])


@pytest.mark.parametrize("shape", [(4,), (3, 5), (2, 4, 4), ()])
def test_data_of_another_shape_is_refused(shape, predictor):
    with pytest.raises(ShapeError) as caught:
        predictor(np.zeros(shape, np.float32))
    assert "expected: shape (None, 4)" in str(caught.value)
    assert f"received: shape {shape}" in str(caught.value)
    assert ("numpy.newaxis" in str(caught.value)) == (shape == (4,))


def test_rows_of_different_lengths_are_refused(predictor):
    with pytest.raises(ShapeError, match="not an array"):
        predictor([[1.0, 2.0], [1.0]])


def test_data_that_does_not_hold_numbers_is_refused(predictor):
    with pytest.raises(ArgumentTypeError, match="does not hold numbers"):
        predictor(np.array([["a", "b", "c", "d"]]))


def test_numbers_that_are_too_large_are_refused(predictor):
    with pytest.raises(DataError, match="float32 cannot hold"):
        predictor(np.array([[1e300, 0, 0, 0]]))
    assert not np.isfinite(predictor(np.array([[np.inf, 0, 0, 0]]))).all()


def test_the_number_of_inputs_and_of_rows_is_checked(tmp_path):
    a, b = gazelle.Input((4,), name="a"), gazelle.Input((2,), name="b")
    model = gazelle.Model([a, b], gazelle.layers.Dense(1)(gazelle.layers.Concatenate()([a, b])))
    model.save_weights(tmp_path / "m.weights.h5")
    predictor = gazelle.runtime.load(tmp_path / "m.weights.h5", config=model.to_json())
    x, y = np.zeros((3, 4)), np.zeros((3, 2))
    for wrong in (x, [x], [x, y, y]):
        with pytest.raises(ShapeError, match="wrong number of inputs"):
            predictor(wrong)
    with pytest.raises(ShapeError, match="different numbers of rows"):
        predictor([x, y[:2]])
    with pytest.raises(ArgumentError, match="misses the inputs"):
        predictor({"a": x})


# ---- Alone ----

BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"jax", "jaxlib", "ml_dtypes", "scipy", "keras"}:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocked())
"""

ALONE = """
import sys
import numpy as np
import gazelle.runtime

predictor = gazelle.runtime.load(sys.argv[1])
np.save(sys.argv[2], predictor(np.ones((2, 4), np.float32)))
rooms = {name.split(".")[1] for name in sys.modules if name.startswith("gazelle.")}
assert rooms == {"_core", "_files", "_formats", "runtime"}, rooms
assert not {"jax", "jaxlib", "scipy"} & set(sys.modules)
"""


@pytest.mark.parametrize("start", ["", BLOCKED], ids=["watched", "blocked"])
def test_loading_and_predicting_need_no_jax(start, tmp_path):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, activation="gelu", dtype="bfloat16"),
            layers.BatchNormalization(),
            layers.Dense(3, activation="softmax", dtype="float32"),
        ]
    )
    model.save(tmp_path / "m.keras")
    command = [sys.executable, "-c", start + ALONE, tmp_path / "m.keras", tmp_path / "y.npy"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = model.predict(np.ones((2, 4), np.float32), verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=0.01)  # bfloat16
