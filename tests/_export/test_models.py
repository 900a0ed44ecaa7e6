"""Whole models: onnxruntime computes what Gazelle, and Keras with the same weights, compute."""

import keras
import numpy as np
import pytest
from _export.running import check, random_weights, run, session
from models.graphs import GRAPHS

import gazelle
from gazelle import Input, layers

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("make", GRAPHS)
def test_a_model_of_every_kind(make, tmp_path):
    check(random_weights(make(gazelle)), tmp_path)


@pytest.mark.parametrize("make", GRAPHS)
def test_keras_computes_the_same(make, tmp_path):
    model, other = random_weights(make(gazelle)), make(keras)
    other.set_weights(model.get_weights())
    check(model, tmp_path, other=other)


def test_a_trained_model_predicts_the_same(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(2.0, 3.0, (200, 6)).astype("float32")
    y = (x[:, 0] > x[:, 1]).astype("float32")
    model = gazelle.Sequential(
        [
            layers.Dense(16, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    model.fit(x, y, epochs=3, verbose=0)
    model.export(tmp_path / "model.onnx")
    found = run(tmp_path / "model.onnx", [x])[0]
    np.testing.assert_allclose(found, model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


def test_names_and_shapes_are_those_of_the_model(tmp_path):
    a, b = Input((2,), name="a"), Input((3, None), name="b", dtype="int32")
    model = gazelle.Model([a, b], [layers.Dense(4, name="a_out")(a), b, a])
    model.export(tmp_path / "model.onnx")
    ran = session(tmp_path / "model.onnx")
    inputs = [(given.name, given.shape, given.type) for given in ran.get_inputs()]
    assert inputs == [
        ("a", ["batch", 2], "tensor(float)"),
        ("b", ["batch", 3, None], "tensor(int32)"),
    ]
    assert [given.name for given in ran.get_inputs()] == model.input_names
    outputs = [(given.name, given.shape) for given in ran.get_outputs()]
    assert outputs == [("a_out", ["batch", 4]), ("b_1", ["batch", 3, None]), ("a_1", ["batch", 2])]


def test_an_input_of_a_fixed_batch_size_takes_any(tmp_path):
    x = Input((3,), batch_size=4)
    check(gazelle.Model(x, layers.Flatten()(layers.Reshape((3, 1))(x))), tmp_path)


def test_layers_named_like_the_ports_of_a_model_within(tmp_path):
    p = Input((3,), name="x")
    inner = gazelle.Model(p, layers.Dense(3, name="y")(p), name="inner")
    x = Input((3,), name="x")
    model = gazelle.Model(x, layers.Dense(3, name="y")(inner(inner(x))))
    check(random_weights(model), tmp_path)


def test_a_model_within_gets_a_tensor_with_another_rank(tmp_path):
    p = Input((3, 1))
    inner = gazelle.Model(p, layers.Flatten()(p))
    x = Input((3,))
    check(gazelle.Model(x, inner(x)), tmp_path)
    q = Input((3,))
    inner = gazelle.Model(q, layers.Dense(2)(q))
    y = Input((3, 1))
    check(random_weights(gazelle.Model(y, inner(y))), tmp_path)


def test_models_with_dicts_within_a_model(tmp_path):
    ports = {"p": Input((2,), name="one"), "q": Input((3,), name="two")}
    inner = gazelle.Model(ports, {"s": layers.Dense(2)(ports["q"]), "t": ports["p"]})
    x, y = Input((3,)), Input((2,))
    both = inner({"q": x, "p": y})
    check(
        random_weights(gazelle.Model([x, y], layers.Subtract()([both["t"], both["s"]]))), tmp_path
    )


def test_a_model_within_is_called_with_names(tmp_path):
    ports = [Input((3,), name="second"), Input((3,), name="first")]
    inner = gazelle.Model(ports, layers.Subtract()(ports))
    x, y = Input((3,)), Input((3,))
    check(gazelle.Model([x, y], inner({"first": x, "second": y})), tmp_path)


def test_a_call_in_training_mode_is_refused(tmp_path):
    x = Input((3,))
    inner = gazelle.Sequential([Input((3,)), layers.Dense(2)])
    for outputs in (layers.Dropout(0.5)(x, training=True), inner(x, training=True)):
        with pytest.raises(gazelle.errors.ArgumentError, match="called with training=True"):
            gazelle.Model(x, outputs).export(tmp_path / "model.onnx")
    check(gazelle.Model(x, layers.Dropout(0.5)(x, training=False)), tmp_path)
