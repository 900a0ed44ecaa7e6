"""Subclassed models: layers are created in the constructor and used in call."""

import copy
import json
import pickle

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import gazelle

# Keras reads its variables in a way that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")
X = np.ones((3, 4), "float32")


def blocks(K):
    """A model with layers in lists and dicts, an inner model and a custom layer."""

    class Gate(K.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = K.layers.Dense(3)

        def build(self, input_shape):
            self.scale = self.add_weight(shape=(3,), initializer="ones", name="scale")
            self.dense.build(input_shape)

        def call(self, inputs):
            return self.dense(inputs) * self.scale

    class Blocks(K.Model):
        def __init__(self):
            super().__init__(name="blocks")
            self.zlast = K.layers.Dense(2, name="z")
            self.blocks = [
                [K.layers.Dense(4, name=f"d{i}"), K.layers.BatchNormalization(name=f"n{i}")]
                for i in (0, 1)
            ]
            self.named = {"q": K.layers.Dense(4, name="q"), "p": Gate(name="gate")}
            self.inner = K.Sequential([K.layers.Dense(5, name="i")], name="inner")
            self.drop = K.layers.Dropout(0.1, name="drop")

        def call(self, inputs, training=None):
            for dense, norm in self.blocks:
                inputs = norm(dense(inputs), training=training)
            return self.zlast(self.drop(self.inner(self.named["p"](self.named["q"](inputs)))))

    return Blocks()


def functional_subclass(K):
    class Mine(K.Model):
        def __init__(self, width=3, name="mine"):
            x = K.Input((4,), name="x")
            second, first = K.layers.Dense(width, name="b"), K.layers.Dense(2, name="a")
            super().__init__(inputs=x, outputs=second(first(x)), name=name)
            self.width = width
            self.keep = [second, first]

        def twice(self, x):
            return 2 * self(x)

    return Mine()


@pytest.fixture(scope="module")
def both():
    pair = blocks(gazelle), blocks(keras)
    for model in pair:
        model(X)
    return pair


def test_weights_and_their_order_are_those_of_keras(both):
    ours, theirs = both
    for variables in ("weights", "trainable_variables"):
        names_and_shapes = [
            [(v.name, tuple(v.shape)) for v in getattr(model, variables)] for model in both
        ]
        assert names_and_shapes[0] == names_and_shapes[1]
    assert len(ours.variables) == len(theirs.variables)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]


def test_paths_are_those_of_keras(both):
    # Keras leaves the model out of the paths of weights that a layer's own build creates.
    ours, theirs = [[v.path for v in model.weights] for model in both]
    assert [p for p in ours if "gate" not in p] == [p for p in theirs if "gate" not in p]


def test_a_graph_in_a_subclass_has_the_weights_of_keras_in_order():
    ours, theirs = functional_subclass(gazelle), functional_subclass(keras)
    assert [v.path for v in ours.weights] == [v.path for v in theirs.weights]
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours.twice(X), theirs.twice(X), rtol=1e-5)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert ours.input_shape == (None, 4)


def test_a_graph_in_a_subclass_may_use_attributes_that_were_set_before():
    class Mine(gazelle.Model):
        def __init__(self):
            x = gazelle.Input((4,))
            self.late = gazelle.layers.Dense(3)
            self.early = gazelle.layers.Dense(2)
            super().__init__(x, self.late(self.early(x)))

    assert [v.shape for v in Mine().weights] == [(4, 2), (2,), (2, 3), (3,)]


def test_a_model_is_built_by_data_by_a_shape_or_by_a_symbolic_tensor():
    class Plain(gazelle.Model):
        def __init__(self):
            super().__init__()
            self.dense = gazelle.layers.Dense(2)

        def call(self, inputs):
            return self.dense(inputs)

    by_data, by_shape, symbolic = Plain(), Plain(), Plain()
    assert by_data.weights == []
    assert not by_data.built
    by_data(X)
    by_shape.build((None, 4))
    out = symbolic(gazelle.Input((4,)))
    assert out.shape == (None, 2)
    for model in (by_data, by_shape, symbolic):
        assert model.built
        assert [v.shape for v in model.weights] == [(4, 2), (2,)]
        assert not hasattr(model, "inputs")
    assert by_shape.compute_output_shape((None, 4)) == (None, 2)
    with pytest.raises(AttributeError, match="input"):
        _ = by_data.input_shape


def test_call_may_take_and_return_dicts_and_take_more_arguments():
    class Heads(gazelle.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = gazelle.layers.Dense(1), gazelle.layers.Dense(2)

        def call(self, inputs, scale=1.0, training=None):
            return {"a": self.a(inputs["x"]) * scale, "b": [self.b(inputs["y"])]}

    model = Heads()
    first = model({"x": X, "y": X[:, :2]})
    double = model({"x": X, "y": X[:, :2]}, scale=2.0)
    np.testing.assert_allclose(double["a"], 2 * first["a"], rtol=1e-6)
    assert first["b"][0].shape == (3, 2)
    late = Heads()
    late.build({"x": (None, 4), "y": (None, 2)})
    assert [v.shape for v in late.weights if v.name == "kernel"] == [(4, 1), (2, 2)]


def test_a_missing_call_or_a_layer_created_in_call_raises_a_clear_error():
    class Empty(gazelle.Model):
        pass

    class Late(gazelle.Model):
        def call(self, inputs):
            return gazelle.layers.Dense(1)(inputs)

    with pytest.raises(NotImplementedError, match=r"has no call\(\)"):
        Empty()(X)
    with pytest.raises(ValueError, match="would never be trained"):
        Late()(X)


def test_losses_added_in_call_belong_to_the_model():
    class Adds(gazelle.Model):
        def __init__(self):
            super().__init__()
            self.dense = gazelle.layers.Dense(1, kernel_regularizer="l2")

        def call(self, inputs):
            self.add_loss(jnp.sum(inputs))
            return self.dense(inputs)

    model = Adds()
    model(X)
    model(X)
    assert float(model.losses[0]) == 12
    assert len(model.losses) == 2


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_and_pickles_of_a_trained_model_are_independent(again):
    model = gazelle.Sequential(
        [gazelle.Input((4,)), gazelle.layers.Dense(3), gazelle.layers.Dropout(0.2)]
    )
    model.compile("adam", "mse")
    model.fit(X, X[:, :3], verbose=0)
    twin = again(model)
    np.testing.assert_array_equal(twin(X), model(X))
    assert int(twin.optimizer.iterations) == 1
    before = model.get_weights()
    twin.fit(X, X[:, :3], verbose=0)
    assert int(twin.optimizer.iterations) == 2
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert (twin.get_weights()[0] != before[0]).any()


def test_the_config_of_a_model_is_its_arguments():
    @gazelle.utils.register_keras_serializable("tests")
    class Sized(gazelle.Model):
        def __init__(self, width, depth=2, **kwargs):
            super().__init__(**kwargs)
            self.stack = [gazelle.layers.Dense(width) for _ in range(depth)]

        def call(self, inputs):
            for dense in self.stack:
                inputs = dense(inputs)
            return inputs

    model = Sized(3, depth=3, name="s")
    node = json.loads(model.to_json())
    assert node["registered_name"] == "tests>Sized"
    twin = gazelle.models.model_from_json(model.to_json())
    assert twin(X).shape == (3, 3)
    assert len(twin.stack) == 3
    assert twin.name == "s"


def test_the_mean_of_the_loss_is_there_before_the_first_data():
    model = gazelle.Sequential([gazelle.layers.Input((2,)), gazelle.layers.Dense(1)])
    assert model.metrics == []
    model.compile("sgd", "mse", metrics=["mae"])
    assert [metric.name for metric in model.metrics] == ["loss"]
    tree = model.get_state_tree()["metrics_variables"]
    assert {name: float(value) for name, value in tree["loss"].items()} == {"total": 0, "count": 0}
    mean = model.metrics[0]
    model.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    assert model.metrics[0] is mean
    assert float(mean.count) == 4
    model.compile("sgd", "mse")
    assert model.metrics[0] is not mean
