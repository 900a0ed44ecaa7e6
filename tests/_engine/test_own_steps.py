"""Models that define their own steps, in Keras's form for JAX, train as in Keras."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gazelle
from gazelle._core.pure import borrowed
from gazelle._core.variable import set_values, values_of
from gazelle.errors import ArgumentTypeError, StateError

# ---- The models, of either library ----


def spelled_out(K):
    """A whole step by hand, from stateless calls."""

    class Model(K.Model):
        def loss_of(self, trainable, other, x, y, weight):
            y_pred, other = self.stateless_call(trainable, other, x, training=True)
            return self.compute_loss(x, y, y_pred, weight), (y_pred, other)

        def train_step(self, state, data):
            trainable, other, slots, measured = state
            x, y, weight = (*data, None)[:3]
            gradient = jax.value_and_grad(self.loss_of, has_aux=True)
            (loss, (y_pred, other)), grads = gradient(trainable, other, x, y, weight)
            trainable, slots = self.optimizer.stateless_apply(slots, grads, trainable)
            logs, after = {}, []
            for metric in self.metrics:
                own = measured[len(after) : len(after) + len(metric.variables)]
                given = (loss,) if metric.name == "loss" else (y, y_pred)
                own = metric.stateless_update_state(own, *given)
                logs[metric.name] = metric.stateless_result(own)
                after += own
            return logs, (trainable, other, slots, after)

        def test_step(self, state, data):
            trainable, other, measured = state
            x, y, _ = (*data, None)[:3]
            y_pred, other = self.stateless_call(trainable, other, x, training=False)
            return {"worst": jnp.abs(y - y_pred).max()}, (trainable, other, measured)

        def predict_step(self, state, data):
            x = data[0] if isinstance(data, tuple) else data
            y_pred, other = self.stateless_call(*state, x, training=False)
            return 2 * y_pred, other

    return Model


def with_super(K):
    class Model(K.Model):
        def train_step(self, state, data):
            logs, state = super().train_step(state, data)
            return {**logs, "mine": 10.0, "nested": {"deep": logs["loss"] * 2}}, state

        def test_step(self, state, data):
            logs, state = super().test_step(state, data)
            return {**logs, "mine": 5.0}, state

        def predict_step(self, state, data):
            outputs, other = super().predict_step(state, data)
            return outputs + 1, other

    return Model


def own_metrics(K):
    """Metrics of its own instead of those of compile."""

    class Model(K.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.error = K.metrics.MeanAbsoluteError(name="error")

        @property
        def metrics(self):
            return [self.error]

        def train_step(self, state, data):
            trainable, other, slots, measured = state
            x, y, _ = (*data, None)[:3]

            def loss_of(trainable, other):
                y_pred, other = self.stateless_call(trainable, other, x, training=True)
                return jnp.mean((y - y_pred) ** 2), (y_pred, other)

            gradient = jax.value_and_grad(loss_of, has_aux=True)
            (_, (y_pred, other)), grads = gradient(trainable, other)
            trainable, slots = self.optimizer.stateless_apply(slots, grads, trainable)
            measured = self.error.stateless_update_state(measured, y, y_pred)
            logs = {"error": self.error.stateless_result(measured)}
            return logs, (trainable, other, slots, measured)

    return Model


def own_parts(K):
    class Model(K.Model):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            logs = super().compute_metrics(x, y, y_pred, sample_weight)
            return {**logs, "twice": 2 * logs["loss"]}

    return Model


def own_result(K):
    class Model(K.Model):
        def get_metrics_result(self):
            return {**super().get_metrics_result(), "one": 1.0}

    return Model


def own_loss_and_updates(K):
    class Model(K.Model):
        def compute_loss_and_updates(self, *args, **kwargs):
            loss, rest = super().compute_loss_and_updates(*args, **kwargs)
            return 3.0 * loss, rest

    return Model


MODELS = [spelled_out, with_super, own_metrics, own_parts, own_result, own_loss_and_updates]


def make(K, kind, **compiled):
    inputs = K.Input((4,))
    # Keras cannot compute penalties in a compute_loss outside of its own step.
    penalty = None if kind is spelled_out else "l2"
    hidden = K.layers.Dense(5, activation="tanh", kernel_regularizer=penalty)(inputs)
    hidden = K.layers.BatchNormalization()(hidden)
    model = kind(K)(inputs, K.layers.Dense(1)(hidden))
    rng = np.random.default_rng(1)
    model.set_weights([np.abs(0.5 * rng.normal(size=w.shape)) for w in model.weights])
    model.compile(
        **{
            "optimizer": K.optimizers.SGD(0.05, momentum=0.9),
            "loss": "mse",
            "metrics": ["mae"],
            **compiled,
        }
    )
    return model


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("kind", MODELS)
def test_it_trains_as_in_keras(both, data, kind, weighted):
    x, y = data
    weight = np.linspace(0.1, 1, len(x)).astype("float32") if weighted else None

    def run(K):
        model = make(K, kind)
        arguments = {"epochs": 3, "shuffle": False, "verbose": 0, "sample_weight": weight}
        if kind is not own_metrics:
            arguments["validation_data"] = data
        history = model.fit(x, y, **arguments).history
        results = {} if kind is own_metrics else model.evaluate(x, y, verbose=0, return_dict=True)
        batch = model.train_on_batch(x[:9], y[:9], return_dict=True)
        return history, results, batch, model.predict(x, verbose=0), model.get_weights()

    theirs, ours = both(run)
    for expected, found in zip(theirs[:3], ours[:3], strict=True):
        assert set(found) == set(expected)
        for name in expected:
            np.testing.assert_allclose(found[name], expected[name], rtol=2e-4, err_msg=name)
    np.testing.assert_allclose(ours[3], theirs[3], rtol=1e-3, atol=1e-5)
    for expected, found in zip(theirs[4], ours[4], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
def test_the_inherited_step_is_gazelles_own(data, eager):
    def run(kind):
        model = make(gazelle, kind, run_eagerly=eager)
        history = model.fit(*data, epochs=2, shuffle=False, verbose=0).history
        return history["loss"], model.get_weights()

    (plain, weights), (own, own_weights) = run(lambda K: K.Model), run(with_super)
    np.testing.assert_allclose(own, plain, rtol=1e-5)
    for a, b in zip(weights, own_weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_losses_that_layers_add_are_in_the_loss(both, data):
    def run(K):
        class Adds(K.layers.Layer):
            def call(self, x):
                self.add_loss(0.1 * jnp.mean(x**2))
                return x

        inputs = K.Input((4,))
        hidden = Adds()(K.layers.Dense(3, kernel_initializer="ones")(inputs))
        model = with_super(K)(inputs, K.layers.Dense(1, kernel_initializer="ones")(hidden))
        model.compile("sgd", "mse")
        return model.fit(*data, epochs=2, shuffle=False, verbose=0).history["loss"]

    theirs, ours = both(run)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_the_python_code_of_a_step_runs_once_per_size_of_a_batch(data):
    calls = []

    class Counted(gazelle.Model):
        def train_step(self, state, data):
            calls.append(data[0].shape)
            return super().train_step(state, data)

    model = make(gazelle, lambda K: Counted)
    model.fit(*data, epochs=5, verbose=0)
    model.fit(*data, epochs=5, verbose=0)
    assert calls == [(32, 4), (6, 4)]


def test_two_networks_with_an_optimizer_each_train_against_each_other():
    """A GAN: the second optimizer is an attribute, whose variables the program carries too."""

    class Gan(gazelle.Model):
        def __init__(self):
            super().__init__()
            self.maker = gazelle.Sequential([gazelle.Input((2,)), gazelle.layers.Dense(1)])
            self.judge = gazelle.Sequential(
                [gazelle.Input((1,)), gazelle.layers.Dense(8, "relu"), gazelle.layers.Dense(1)]
            )

        def compile(self, second):
            super().compile(gazelle.optimizers.Adam(0.01))
            self.second = second
            self.optimizer.build(self.maker.trainable_variables)
            self.second.build(self.judge.trainable_variables)

        def call(self, x):
            return self.maker(x)

        def train_step(self, state, data):
            trainable, other, slots, measured = state
            count = len(self.maker.trainable_variables)
            maker, judge = trainable[:count], trainable[count:]
            noise = data
            real = 3.0 + 0.1 * noise[:, :1]

            def scores(judge, x):
                return self.judge.stateless_call(judge, [], x)[0]

            def judged(judge):
                fake = self.maker.stateless_call(maker, [], noise)[0]
                return jnp.mean(jax.nn.softplus(-scores(judge, real))) + jnp.mean(
                    jax.nn.softplus(scores(judge, fake))
                )

            own = [variable.value for variable in self.second.variables]
            judge, own = self.second.stateless_apply(own, jax.grad(judged)(judge), judge)
            for variable, value in zip(self.second.variables, own, strict=True):
                variable.assign(value)

            def made(maker):
                fake = self.maker.stateless_call(maker, [], noise)[0]
                return jnp.mean(jax.nn.softplus(-scores(judge, fake)))

            loss, grads = jax.value_and_grad(made)(maker)
            maker, slots = self.optimizer.stateless_apply(slots, grads, maker)
            return {"loss": loss}, ([*maker, *judge], other, slots, measured)

    gazelle.utils.set_random_seed(0)
    model = Gan()
    model.compile(gazelle.optimizers.Adam(0.02))
    noise = np.random.default_rng(0).normal(size=(256, 2)).astype("float32")
    before = float(model.predict(noise, verbose=0).mean()) if model.built else 0.0
    model.fit(noise, epochs=60, verbose=0)
    assert int(model.second.iterations) == int(model.optimizer.iterations) == 60 * 8
    assert abs(float(model.predict(noise, verbose=0).mean()) - 3) < abs(before - 3) / 2


def test_a_loss_that_is_not_finite_ends_the_fit(data):
    class Broken(gazelle.Model):
        def train_step(self, state, data):
            logs, state = super().train_step(state, data)
            late = state[2][0] > 4  # the step after this one is the fifth
            return {**logs, "loss": jnp.where(late, jnp.nan, logs["loss"])}, state

    model = make(gazelle, lambda K: Broken)
    with pytest.warns(UserWarning, match=r"fit has ended.*step 2 of epoch 2"):
        model.fit(*data, epochs=5, verbose=0)


# ---- Steps that take the data alone ----


def gradients_of(model, x, y):
    """The loss and its gradients by the trainable variables of a model; the others are assigned."""
    variables, others = model.trainable_variables, model.non_trainable_variables
    before = values_of(others)

    def loss_of(values):
        with borrowed([*variables, *others], [*values, *before]):
            loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=True))
            return loss, values_of(others)

    (loss, after), gradients = jax.value_and_grad(loss_of, has_aux=True)(values_of(variables))
    set_values(others, after)
    return loss, gradients


class OnVariables(gazelle.Model):
    def train_step(self, data):
        x, y = data
        loss, gradients = gradients_of(self, x, y)
        self.optimizer.apply(gradients, self.trainable_variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
        return {"loss": loss}


def weights_after_fit(data, kind, **compiling):
    gazelle.utils.set_random_seed(1)
    model = make(gazelle, lambda K: kind)
    model.compile("adam", "mse", **compiling)
    model.fit(*data, epochs=2, verbose=0, shuffle=False)
    return model.get_weights()


@pytest.mark.parametrize("eager", [False, True])
def test_a_step_on_the_variables_trains_as_the_inherited_one(data, eager):
    wanted = weights_after_fit(data, gazelle.Model)
    found = weights_after_fit(data, OnVariables, run_eagerly=eager)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_a_step_on_the_variables_can_call_the_inherited_one(data):
    class Own(gazelle.Model):
        def train_step(self, data):
            return {**super().train_step(data), "more": jnp.float32(2)}

    model = make(gazelle, lambda K: Own)
    history = model.fit(*data, epochs=1, verbose=0).history
    assert set(history) >= {"loss", "more"}


def test_a_step_carries_variables_that_the_model_does_not_hold(data):
    counter = gazelle.Variable(0.0, name="counter")
    factor = gazelle.Variable(2.0, name="factor")

    class Own(gazelle.Model):
        def train_step(self, data):
            logs = super().train_step(data)
            counter.assign_add(factor.value)
            return {**logs, "counted": counter.value}

    model = make(gazelle, lambda K: Own)
    steps = -(-len(data[0]) // 32)
    model.fit(*data, batch_size=32, epochs=1, verbose=0)
    assert float(counter) == 2 * steps
    factor.assign(3.0)  # what a step reads is not a constant of its program
    model.fit(*data, batch_size=32, epochs=1, verbose=0)
    assert float(counter) == 5 * steps


def test_a_step_that_asks_for_values_runs_as_it_is(data):
    class Own(gazelle.Model):
        def train_step(self, data):
            logs = super().train_step(data)
            return {"loss": logs["loss"], "large": 1.0 if logs["loss"] > 1e6 else 0.0}

    model = make(gazelle, lambda K: Own)
    with pytest.warns(UserWarning, match="runs operation by operation"):
        history = model.fit(*data, epochs=1, verbose=0).history
    assert history["large"] == [0.0]


def test_a_model_without_call_is_trained_by_its_step():
    class Own(gazelle.Model):
        def __init__(self):
            super().__init__()
            self.inner = gazelle.Sequential([gazelle.layers.Dense(1)])

        def train_step(self, data):
            values = self.inner(data)  # which builds it
            return {"mean": jnp.mean(values)}

    model = Own()
    model.compile()
    history = model.fit(np.ones((8, 3), np.float32), verbose=0).history
    assert len(model.inner.weights) == 2
    assert "mean" in history


# ---- What cannot be a step ----


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda self: {}, "does not take a state"),
        (lambda self, state, data: {}, "returns something else"),
        (lambda self, state, data: ({}, state[:2]), "another state"),
        (lambda self, state, data: (1.0, state), "must give logs"),
        (lambda self, state, data: ({"a": "text"}, state), "not a number"),
    ],
    ids=["no data", "logs alone", "part of the state", "no dict", "text"],
)
def test_what_is_no_step_is_refused(data, step, words):
    model = make(gazelle, lambda K: type("Own", (K.Model,), {"train_step": step}))
    with pytest.raises(ArgumentTypeError, match=words):
        model.fit(*data, verbose=0)


def test_a_step_that_a_model_does_not_define_is_not_called():
    model = make(gazelle, lambda K: K.Model)
    with pytest.raises(StateError, match="compiled model that has seen data"):
        model.train_step(([], [], [], []), None)


# ---- The state as a tree ----


def test_the_state_is_a_tree_as_in_keras(both, data):
    def run(K):
        model = make(K, lambda K: K.Model)
        model.fit(*data, verbose=0, shuffle=False)
        return model, model.get_state_tree("numpy_array")

    (_, theirs), (model, ours) = both(run)
    assert set(ours) == set(theirs)
    for name in ("trainable_variables", "non_trainable_variables"):
        for a, b in zip(jax.tree.leaves(theirs[name]), jax.tree.leaves(ours[name]), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    tree = model.get_state_tree()
    changed = jax.tree.map(lambda value: value + 1, tree["trainable_variables"])
    model.set_state_tree({"trainable_variables": changed})
    after = model.get_state_tree("numpy_array")["trainable_variables"]
    for a, b in zip(jax.tree.leaves(changed), jax.tree.leaves(after), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "tree", [{"nothing": {}}, {"trainable_variables": {"no": {"such": np.zeros(1)}}}]
)
def test_a_tree_with_unknown_places_is_refused(tree):
    with pytest.raises(ValueError, match=r"Unknown variable|no variable"):
        make(gazelle, lambda K: K.Model).set_state_tree(tree)


def test_a_step_may_go_through_the_metrics_as_the_guide_of_keras_does(both, data):
    """The metrics of `compile` are one in `model.metrics`, whose result is a dict of logs."""
    x, y = data

    def run(K):
        class Guide(K.Model):
            def train_step(self, state, data):
                trainable, other, slots, measured = state
                features, targets = data

                def loss_of(weights, other):
                    y_pred, other = self.stateless_call(weights, other, features, training=True)
                    return self.compute_loss(features, targets, y_pred), (y_pred, other)

                (loss, (y_pred, other)), grads = jax.value_and_grad(loss_of, has_aux=True)(
                    trainable, other
                )
                trainable, slots = self.optimizer.stateless_apply(slots, grads, trainable)
                new, logs = [], {}
                for metric in self.metrics:
                    own = measured[len(new) : len(new) + len(metric.variables)]
                    given = (loss,) if metric.name == "loss" else (targets, y_pred)
                    own = metric.stateless_update_state(own, *given)
                    logs = metric.stateless_result(own)
                    new += own
                return logs, (trainable, other, slots, new)

        inputs = K.Input((4,))
        model = Guide(inputs, K.layers.Dense(1, kernel_initializer="ones")(inputs))
        model.compile("sgd", "mse", metrics=["mae", "mse"])
        history = model.fit(x, y, epochs=2, shuffle=False, verbose=0).history
        return history, [metric.name for metric in model.metrics]

    (expected, names), (found, ours) = both(run)
    assert ours == names == ["loss", "compile_metrics"]
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4)
