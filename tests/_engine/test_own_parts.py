"""Training with a user's own losses, metrics, layers and models."""

import jax.numpy as jnp
import numpy as np
import pytest

import gazelle
from gazelle._core.errors import StateError

pytestmark = pytest.mark.slow


def history(model, data, **arguments):
    return model.fit(*data, **{"epochs": 2, "verbose": 0, "shuffle": False, **arguments}).history


def assert_same(expected, found):
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, err_msg=name)


# ---- Losses and metrics ----


def test_a_users_own_losses_train_as_in_keras(both, net, data):
    def run(K):
        class Quartic(K.losses.Loss):
            def call(self, y_true, y_pred):
                return ((y_true - y_pred) ** 4).mean(-1)

        def quartic(y_true, y_pred):
            return ((y_true - y_pred) ** 4).mean(-1)

        def trained(loss, y):
            return history(
                net(K, loss=loss, optimizer=K.optimizers.SGD(0.01)),
                (data[0], y),
                validation_split=0.2,
            )

        # Targets get the rank of the predictions; Keras does this only for functions.
        flat = data[1][:, 0]
        return trained(Quartic(), flat if K is gazelle else data[1]), trained(quartic, flat)

    for expected, found in zip(*both(run), strict=True):
        assert_same(expected, found)


def test_a_loss_with_one_number_per_batch_is_weighted_by_the_mean_weight(both, net, data):
    def run(K):
        def worst(y_true, y_pred):
            return abs(y_true - y_pred).max()

        return history(
            net(K, loss=worst), data, sample_weight=np.linspace(0, 2, 70, dtype="float32")
        )

    assert_same(*both(run))


def test_a_users_own_metrics_give_the_results_of_keras(both, net, data):
    def run(K):
        class Share(K.metrics.Metric):
            """Share of the predictions that are close to the targets."""

            def __init__(self, name="share", **kwargs):
                super().__init__(name=name, **kwargs)
                self.near = self.add_weight(shape=(), initializer="zeros", name="near")
                self.count = self.add_weight(shape=(), initializer="zeros", name="count")

            def update_state(self, y_true, y_pred, sample_weight=None):
                near = jnp.asarray(abs(y_true - y_pred) < 0.5, "float32")
                weights = jnp.ones_like(near)
                if sample_weight is not None:
                    weights = jnp.reshape(sample_weight, (-1, 1))
                self.near.assign(self.near + (near * weights).sum())
                self.count.assign(self.count + weights.sum())

            def result(self):
                return self.near / self.count

        def largest(y_true, y_pred):
            return abs(y_true - y_pred).max()

        model = net(
            K, loss="mse", metrics=[Share(), largest], weighted_metrics=[Share("weighted_share")]
        )
        return history(
            model, data, sample_weight=np.linspace(0, 2, 70, dtype="float32"), validation_split=0.2
        )

    assert_same(*both(run))


def test_all_results_of_a_metric_are_logged(net, data):
    class Range(gazelle.metrics.Metric):
        def __init__(self):
            super().__init__(name="range")
            self.low = self.add_variable((), "zeros", name="low")
            self.high = self.add_variable((), "zeros", name="high")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.low.assign(jnp.minimum(self.low.value, y_true.min()))
            self.high.assign(jnp.maximum(self.high.value, y_true.max()))

        def result(self):
            return {"lowest": self.low.value, "highest": self.high.value}

    found = history(net(gazelle, loss="mse", metrics=[Range()]), data)
    assert list(found) == ["highest", "loss", "lowest"]
    assert found["lowest"] == pytest.approx([float(data[1].min())] * 2)
    assert found["highest"] == pytest.approx([float(data[1].max())] * 2)


def test_a_metric_with_an_array_as_result_is_logged_as_an_array(net, data):
    y = np.eye(3)[np.clip((data[0][:, 0] + 1).round(), 0, 2).astype(int)]
    model = net(
        gazelle, 3, "softmax", loss="categorical_crossentropy", metrics=[gazelle.metrics.F1Score()]
    )
    found = history(model, (data[0], y))
    assert np.shape(found["f1_score"]) == (2, 3)
    np.testing.assert_allclose(
        model.evaluate(data[0], y, verbose=0, return_dict=True)["f1_score"].shape, (3,)
    )


def test_a_metric_that_a_layer_updates_in_its_call_is_logged_and_reset(data):
    """Keras on JAX fails here."""

    class Watches(gazelle.layers.Layer):
        def __init__(self):
            super().__init__()
            self.size = gazelle.metrics.Mean(name="mean_input")

        def call(self, inputs):
            self.size.update_state(inputs)
            return inputs

    model = gazelle.Sequential([gazelle.Input((4,)), Watches(), gazelle.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    found = history(model, data, validation_data=(data[0][:10], data[1][:10]))
    assert found["mean_input"] == pytest.approx([float(data[0].mean())] * 2, rel=1e-4)
    assert found["val_mean_input"] == pytest.approx([float(data[0][:10].mean())] * 2, rel=1e-4)
    assert model.evaluate(*data, verbose=0, return_dict=True)["mean_input"] == pytest.approx(
        float(data[0].mean()), rel=1e-4
    )


# ---- Layers and models ----


def test_losses_that_layers_add_are_part_of_training_and_evaluation(both, data):
    def run(K):
        class Pulls(K.layers.Layer):
            def call(self, inputs):
                self.add_loss(0.1 * (inputs**2).mean())
                return inputs

        L = K.layers
        dense = [
            L.Dense(5, kernel_initializer="ones"),
            L.Dense(1, kernel_initializer="ones", kernel_regularizer="l2"),
        ]
        model = K.Sequential([K.Input((4,)), dense[0], Pulls(), dense[1]])
        model.compile(K.optimizers.SGD(0.01), "mse")
        return {
            **history(model, data, validation_split=0.2),
            "evaluated": [model.evaluate(*data, verbose=0)],
        }

    assert_same(*both(run))


def own_loss_model(K, four_arguments):
    class Doubled(K.Model):
        def __init__(self):
            super().__init__()
            self.dense = K.layers.Dense(1, kernel_initializer="ones", kernel_regularizer="l2")

        def call(self, inputs):
            outputs = self.dense(inputs)
            self.add_loss(0.1 * (outputs**2).mean())
            return outputs

    def with_mode(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = K.Model.compute_loss(self, x, y, y_pred, sample_weight, training=training)
        return 2 * loss if training else loss

    def without_mode(self, x=None, y=None, y_pred=None, sample_weight=None):
        return 2 * K.Model.compute_loss(self, x, y, y_pred, sample_weight)

    Doubled.compute_loss = without_mode if four_arguments else with_mode
    model = Doubled()
    model(np.zeros((1, 4), "float32"))
    model.compile(K.optimizers.SGD(0.01), "mse", metrics=["mae"])
    return model


@pytest.mark.parametrize("four_arguments", [False, True], ids=["with training", "older form"])
def test_a_users_own_compute_loss_may_call_that_of_the_model(both, data, four_arguments):
    def run(K):
        return history(own_loss_model(K, four_arguments), data, validation_split=0.2)

    assert_same(*both(run))


def test_compute_loss_before_any_data_says_what_to_do(net):
    with pytest.raises(StateError, match="call compile and fit first"):
        net(gazelle, loss="mse").compute_loss(y=np.ones((2, 1)), y_pred=np.ones((2, 1)))


def test_models_may_have_layers_in_lists_dicts_and_layers(both, data):
    def run(K):
        class Block(K.layers.Layer):
            def __init__(self, width):
                super().__init__()
                self.parts = {
                    "dense": K.layers.Dense(width, activation="tanh"),
                    "norm": K.layers.LayerNormalization(),
                }

            def call(self, inputs):
                return self.parts["norm"](self.parts["dense"](inputs))

        class Net(K.Model):
            def __init__(self):
                super().__init__()
                self.blocks = [[Block(5)], [Block(4), Block(3)]]
                self.calls = self.add_weight(
                    shape=(), initializer="zeros", trainable=False, name="calls"
                )
                self.head = K.layers.Dense(1)

            def call(self, inputs, training=None):
                if training:
                    self.calls.assign(self.calls + 1)
                for blocks in self.blocks:
                    for block in blocks:
                        inputs = block(inputs)
                return self.head(inputs)

        model = Net()
        model(np.zeros((1, 4), "float32"))
        rng = np.random.default_rng(3)
        values = {id(w): rng.normal(size=w.shape) for w in model.trainable_weights}
        model.set_weights([values.get(id(w), np.zeros(w.shape)) for w in model.weights])
        model.compile(K.optimizers.SGD(0.05), "mse")
        found = history(model, data, validation_split=0.2)
        return {
            **found,
            "calls": [float(model.calls.numpy())],
            "weights": [len(model.trainable_weights)],
        }

    expected, found = both(run)
    assert_same(expected, found)
    assert found["calls"] == [4.0]


# ---- Freezing ----


def test_frozen_layers_keep_their_weights(both, net, data):
    def run(K):
        model = net(K)
        model.layers[0].trainable = False
        model.compile(K.optimizers.Adam(0.01), "mse")
        found = history(model, data)
        kept = model.layers[0].get_weights()[0]
        return {**found, "count": [len(model.trainable_variables)]}, kept

    (expected, their_kernel), (found, kernel) = both(run)
    assert_same(expected, found)
    np.testing.assert_array_equal(kernel, their_kernel)


def test_freezing_after_a_fit_and_compiling_again_takes_effect(both, net, data):
    def run(K):
        model = net(K, loss="mse")
        first = history(model, data)["loss"]
        model.layers[0].trainable = False
        frozen = model.layers[0].get_weights()[0].copy()
        model.compile(K.optimizers.SGD(0.1), "mse")
        second = history(model, data)["loss"]
        assert np.array_equal(model.layers[0].get_weights()[0], frozen)
        model.trainable = True
        model.compile(K.optimizers.SGD(0.1), "mse")
        third = history(model, data)["loss"]
        assert not np.array_equal(model.layers[0].get_weights()[0], frozen)
        return {"loss": [*first, *second, *third]}

    assert_same(*both(run))


def test_freezing_between_two_fits_takes_effect_without_compiling_again(net, data):
    """Keras refuses the second fit."""
    model = net(gazelle, loss="mse", optimizer=gazelle.optimizers.Adam(0.05))
    history(model, data)
    model.layers[0].trainable = False
    frozen, head = model.layers[0].get_weights()[0], model.layers[1].get_weights()[0]
    history(model, data)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], frozen)
    assert not np.array_equal(model.layers[1].get_weights()[0], head)


def test_the_losses_of_the_step_are_there_in_compute_loss(both, data):
    """Also the activity penalties, from which a metric of the model's own is computed."""

    def run(K):
        class Model(K.Model):
            def __init__(self):
                super().__init__()
                self.added = K.metrics.Mean(name="added")
                self.dense = K.layers.Dense(
                    1, activity_regularizer="l2", kernel_regularizer="l2", kernel_initializer="ones"
                )

            def call(self, x):
                return self.dense(x)

            def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
                loss = super().compute_loss(x, y, y_pred, sample_weight, training)
                self.added.update_state(sum(self.losses))
                return loss

        model = Model()
        model.compile("sgd", "mse")
        return model.fit(*data, epochs=2, shuffle=False, verbose=0).history

    theirs, ours = both(run)
    assert set(ours) == set(theirs)
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4)


def test_outputs_without_a_loss_need_no_targets(both, data):
    x, y = data

    def run(K):
        inputs = K.Input((4,))
        shared = K.layers.Dense(1, kernel_initializer="ones")(inputs)
        model = K.Model(inputs, [shared, shared, shared])
        model.compile("sgd", loss=["mse", None, None])
        history = model.fit(x, y, shuffle=False, verbose=0).history
        return history, model.evaluate(x, y, return_dict=True, verbose=0)

    (expected, tested), (found, ours) = both(run)
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-4)
    np.testing.assert_allclose(ours["loss"], tested["loss"], rtol=1e-4)
