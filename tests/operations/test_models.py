"""Functional models made of operations: they train, are saved and loaded, copied and described."""

import json

import keras
import numpy as np
import pytest

import gazelle
from gazelle import Operation, ops
from gazelle._core.fingerprint import fingerprint
from gazelle.errors import ArgumentError, UnknownNameError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")

X = np.random.default_rng(0).uniform(-1, 1, (64, 4)).astype("float32")


def everything(lib):
    """A model with many kinds of operations."""
    ops = lib.ops
    x = lib.Input((4,))
    h = lib.layers.Dense(4, activation="tanh")(x)
    parts = [
        ops.where(h > 0, h, 1.0),
        ops.mean(h * 2, axis=1, keepdims=True),
        ops.clip(h, -0.5, 0.5),
        lib.activations.relu(h, negative_slope=0.1),
        lib.activations.gelu(h),
        ops.reshape(h, (-1, 2, 2))[:, 0],
        ops.cast(h >= x, "float32"),
        ops.split(h, 2, axis=1)[1],
        ops.full_like(h, 0.5) + np.arange(4, dtype="float32"),
        ops.transpose(ops.stack([h, x], axis=1), (0, 2, 1))[:, :, 1],
    ]
    z = ops.layer_normalization(ops.concatenate(parts, axis=-1)) // 0.5 % 3
    z = z + ops.einsum("ij,ij->i", h, h)[:, None] + h[:, :1] ** 2 - abs(-h[:, 1:2])
    return lib.Model(x, lib.layers.Dense(1)(z))


def outputs(model):
    return np.asarray(model.predict(X, verbose=0))


@pytest.mark.slow
def test_a_model_of_operations_trains_and_is_saved_for_both_libraries(tmp_path):
    gazelle.utils.set_random_seed(0)
    model = everything(gazelle)
    model.compile("sgd", "mse")
    y = X.sum(1, keepdims=True)
    history = model.fit(X, y, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert model.evaluate(X, y, verbose=0) > 0
    expected = outputs(model)
    model.save(tmp_path / "m.keras")
    loaded = gazelle.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(outputs(loaded), expected, atol=1e-6)
    theirs = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(outputs(theirs), expected, atol=1e-5)


@pytest.mark.slow
def test_a_file_of_keras_s_is_loaded(tmp_path):
    model = everything(keras)
    model.save(tmp_path / "m.keras")
    loaded = gazelle.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(outputs(loaded), outputs(model), atol=1e-5)
    ours = everything(gazelle).get_config()["layers"]
    theirs = json.loads(model.to_json())["config"]["layers"]
    kinds = [(entry["module"], entry["class_name"]) for entry in ours]
    assert kinds == [(entry["module"], entry["class_name"]) for entry in theirs]


@pytest.mark.parametrize("is_policy_new", [False, True])
def test_a_clone_has_the_operations_and_shares_programs(is_policy_new):
    if is_policy_new:  # an equal one, which is another object
        gazelle.config.set_dtype_policy(gazelle.dtype_policies.DTypePolicy("float32"))
    model = everything(gazelle)
    clone = gazelle.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(outputs(clone), outputs(model))
    prints = [fingerprint(m._graph, m.variables) for m in (model, clone)]
    assert prints[0] is not None
    assert prints[0] == prints[1]


def test_a_summary_names_operations_as_keras_does():
    lines = []
    everything(gazelle).summary(print_fn=lambda line, **_: lines.append(line), line_length=120)
    text = "\n".join(lines)
    for name in ("FloorDivide", "LayerNorm", "GetItem", "ReLU", "Einsum"):
        assert f"({name})" in text


RUNTIME = {
    "where": lambda K, x: K.ops.where(x > 0, x, 0.5),
    "mean": lambda K, x: K.ops.mean(x, axis=1, keepdims=True) + K.ops.max(x, axis=-1)[:, None],
    "concatenate": lambda K, x: K.ops.concatenate([x, x[:, :2] * 2, x], axis=-1),
    "shapes": lambda K, x: K.ops.reshape(K.ops.expand_dims(x, 1), (-1, 2, 2))[:, 1],
    "relu": lambda K, x: K.activations.relu(x, negative_slope=0.2) + K.ops.sigmoid(x),
    "einsum": lambda K, x: K.ops.einsum("ij,ij->i", x, x)[:, None],
    "clip": lambda K, x: K.ops.clip(x, -0.1, 0.2) // 0.05,
}


@pytest.mark.parametrize("name", RUNTIME)
def test_the_runtime_computes_operations(name, tmp_path):
    x = gazelle.Input((4,))
    model = gazelle.Model(x, RUNTIME[name](gazelle, gazelle.layers.Dense(4)(x)))
    model.save(tmp_path / "m.keras")
    found = gazelle.runtime.load(tmp_path / "m.keras")(X)
    np.testing.assert_allclose(found, outputs(model), atol=1e-5)


def changed(model, class_name, **config):
    """The config of a model whose last operation has another class or other options."""
    described = model.get_config()
    entry = described["layers"][-1]
    entry["class_name"] = class_name
    entry["config"].update(config)
    return gazelle.Model.from_config(described)


def test_the_table_of_operations_is_closed():
    x = gazelle.Input((4,))
    model = gazelle.Model(x, ops.sum(x, axis=1))
    assert changed(model, "Mean", axis=0).output_shape == (4,)
    with pytest.raises(UnknownNameError, match="Means"):
        changed(model, "Means")
    with pytest.raises(ArgumentError, match="damaged"):
        changed(model, "Sum", path="/etc/passwd")
    with pytest.raises(ArgumentError, match="damaged"):
        changed(model, "Sum", x=3)
    parts = gazelle.Model(x, ops.split(x, 2, axis=1)[0])
    assert changed(parts, "Split", indices_or_sections=4).output_shape == (None, 1)
    with pytest.raises(ArgumentError, match="moderate"):
        changed(parts, "Split", indices_or_sections=10**9)


def test_losses_and_metrics_of_symbolic_tensors_are_steps(tmp_path):
    x = gazelle.Input((4,))
    p = gazelle.layers.Dense(4, activation="softmax")(x)
    steps = [
        gazelle.losses.mean_squared_error(x, p),
        gazelle.losses.categorical_crossentropy(x, p),
        gazelle.metrics.categorical_accuracy(x, p),
    ]
    model = gazelle.Model(x, steps)
    model.save(tmp_path / "m.keras")
    loaded = gazelle.models.load_model(tmp_path / "m.keras")
    for found, expected in zip(
        loaded.predict(X, verbose=0), model.predict(X, verbose=0), strict=True
    ):
        assert found.shape == (64,)
        np.testing.assert_allclose(found, expected, atol=1e-6)


# ---- Operations of the user's ----


@gazelle.saving.register_keras_serializable()
class Scale(Operation):
    def __init__(self, factor, *, name=None):
        super().__init__(name=name)
        self.factor = factor

    def call(self, x, y=None):
        return x * self.factor + (0 if y is None else y)


def test_an_operation_of_the_user_s_is_a_step(tmp_path):
    x = gazelle.Input((4,))
    scale = Scale(3.0)
    out = scale(x, y=x)
    assert out.shape == (None, 4)
    assert scale.input == [x, x]
    assert scale.output is out
    model = gazelle.Model(x, out)
    np.testing.assert_allclose(outputs(model), 4 * X, rtol=1e-6)
    model.save(tmp_path / "m.keras")
    np.testing.assert_allclose(
        outputs(gazelle.models.load_model(tmp_path / "m.keras")), 4 * X, rtol=1e-6
    )
    np.testing.assert_allclose(scale(X), 3 * X)


def test_the_config_of_an_operation_is_found_by_its_constructor():
    assert Scale(2.0, name="s").get_config() == {"factor": 2.0, "name": "s"}
    assert Scale.from_config(Scale(2.0).get_config()).factor == 2.0
    with pytest.raises(NotImplementedError, match="get_config"):
        Scale(object()).get_config()
    with pytest.raises(ArgumentError, match="cannot contain character `/`"):
        Scale(1, name="a/b")


def test_a_function_computes_from_any_tensors():
    x = gazelle.Input((4,))
    hidden = ops.square(x)
    function = gazelle.Function({"h": hidden}, [hidden + 1, ops.sum(hidden, axis=1)], name="f")
    assert [step.operation for step in function.operations] == ["add", "sum"]
    first, second = function({"h": X})
    np.testing.assert_allclose(first, X + 1)
    np.testing.assert_allclose(second, X.sum(1), rtol=1e-5)
    assert function.compute_output_shape({"h": (3, 4)}) == [(3, 4), (3,)]
    with pytest.raises(ArgumentError, match="invalid input structure"):
        function(X)
    with pytest.raises(ArgumentError, match="incompatible inputs"):
        function({"h": X[:, :3]})
    with pytest.raises(ArgumentError, match="cannot be empty"):
        gazelle.Function(x, [])
    with pytest.raises(ArgumentError, match="not connected to `inputs`"):
        gazelle.Function(gazelle.Input((4,)), hidden)
