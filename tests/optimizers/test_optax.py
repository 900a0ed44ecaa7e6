import jax
import numpy as np
import pytest

import gazelle
from gazelle import layers, optimizers
from gazelle.callbacks import LearningRateScheduler, ReduceLROnPlateau

optax = pytest.importorskip("optax")

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = (X @ np.array([[1.0], [-2.0], [0.5]]) + 0.25).astype("float32")


def made(transformation, **options):
    gazelle.utils.set_random_seed(1)
    model = gazelle.Sequential([gazelle.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    model.compile(transformation, "mse", **options)
    return model


def by_hand(transformation, weights, steps):
    """The weights after `steps` batches of ten rows, computed with optax alone."""

    def loss(params, x, y):
        kernel, bias, last, last_bias = params
        return ((jax.numpy.tanh(x @ kernel + bias) @ last + last_bias - y) ** 2).mean()

    params = [jax.numpy.asarray(weight) for weight in weights]
    state = transformation.init(params)
    for step in range(steps):
        rows = slice(10 * (step % 4), 10 * (step % 4) + 10)
        gradients = jax.grad(loss)(params, X[rows], Y[rows])
        updates, state = transformation.update(gradients, state, params)
        params = optax.apply_updates(params, updates)
    return params


TRANSFORMATIONS = {
    "sgd": lambda: optax.sgd(0.1, momentum=0.9, nesterov=True),
    "adamw": lambda: optax.adamw(0.01, weight_decay=0.1),
    "schedule": lambda: optax.adam(optax.cosine_decay_schedule(0.1, 20)),
    "chain": lambda: optax.chain(optax.clip_by_global_norm(0.5), optax.lion(0.01)),
    "multi steps": lambda: optax.MultiSteps(optax.adam(0.1), 2).gradient_transformation(),
    "noise": lambda: optax.chain(optax.add_noise(0.1, 0.5, jax.random.key(1)), optax.sgd(0.1)),
    "rates": lambda: optax.inject_hyperparams(optax.adam)(learning_rate=0.05),
    "schedule free": lambda: optax.contrib.schedule_free_sgd(0.1),
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_twenty_steps_follow_optax(name):
    transformation = TRANSFORMATIONS[name]()
    model = made(transformation)
    expected = by_hand(transformation, model.get_weights(), 20)
    model.fit(X, Y, 10, 5, verbose=0, shuffle=False)
    for weight, value in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(weight, value, rtol=2e-4, atol=2e-5)
    assert int(model.optimizer.iterations) == 20


def test_eager_steps_are_the_same():
    compiled, eager = made(optax.adam(0.1)), made(optax.adam(0.1), run_eagerly=True)
    for model in (compiled, eager):
        model.fit(X, Y, 10, 2, verbose=0, shuffle=False)
    for one, other in zip(compiled.get_weights(), eager.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_models_with_other_transformations_share_no_program():
    slow, fast = made(optax.sgd(0.001)), made(optax.sgd(0.1))
    for model in (slow, fast):
        model.fit(X, Y, 10, 1, verbose=0, shuffle=False)
    for rate, model in ((0.001, slow), (0.1, fast)):
        expected = by_hand(optax.sgd(rate), made("sgd").get_weights(), 4)
        np.testing.assert_allclose(model.get_weights()[0], expected[0], rtol=1e-4, atol=1e-6)


def test_the_state_is_saved_with_the_weights_and_goes_on(tmp_path):
    whole, begun, resumed = (made(optax.adam(0.05)) for _ in range(3))
    whole.fit(X, Y, 10, 4, verbose=0, shuffle=False)
    begun.fit(X, Y, 10, 2, verbose=0, shuffle=False)
    begun.save_weights(tmp_path / "w.weights.h5")
    resumed.optimizer.build(resumed.trainable_variables)
    resumed.load_weights(tmp_path / "w.weights.h5")
    assert int(resumed.optimizer.iterations) == 8
    resumed.fit(X, Y, 10, 2, verbose=0, shuffle=False)
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_mask_sees_the_paths_of_the_variables():
    def kernels(params):
        return jax.tree.map_with_path(lambda path, _: "kernel" in str(path), params)

    model = made(optax.chain(optax.masked(optax.set_to_zero(), kernels), optax.sgd(0.1)))
    before = model.get_weights()
    model.fit(X, Y, 10, 1, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, True, False, True]


def test_a_variable_without_a_gradient_does_not_change():
    optimizer = optimizers.get(optax.adamw(0.1))
    first, second = (gazelle.Variable(np.ones(2, "float32"), name=name) for name in "ab")
    optimizer.build([first, second])
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([np.ones(2, "float32"), None], [first, second])
    assert first.numpy()[0] < 1
    np.testing.assert_array_equal(second.numpy(), [1, 1])


def test_callbacks_set_an_injected_rate():
    model = made(optax.inject_hyperparams(optax.sgd)(learning_rate=0.5))
    callback = LearningRateScheduler(lambda epoch: 0.25 / (epoch + 1))
    history = model.fit(X, Y, 10, 2, verbose=0, shuffle=False, callbacks=[callback])
    np.testing.assert_allclose(history.history["learning_rate"], [0.25, 0.125])
    expected = by_hand(optax.sgd(0.25), made("sgd").get_weights(), 4)
    expected = by_hand(optax.sgd(0.125), expected, 4)
    np.testing.assert_allclose(model.get_weights()[0], expected[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "transformation",
    [
        optax.sgd(0.1),
        optax.inject_hyperparams(optax.sgd)(learning_rate=optax.constant_schedule(0.1)),
    ],
)
def test_a_rate_inside_the_transformation_cannot_be_set(transformation):
    model = made(transformation)
    with pytest.raises(AttributeError, match="inject_hyperparams"):
        model.fit(X, Y, verbose=0, callbacks=[ReduceLROnPlateau("loss")])


def test_a_transformation_that_needs_more_than_gradients_is_refused_before_training():
    model = made(optax.lbfgs())
    with pytest.raises(ValueError, match="cannot train with this transformation"):
        model.fit(X, Y, verbose=0)
    assert int(model.optimizer.iterations) == 0


def test_a_config_cannot_hold_code(tmp_path):
    model = made(optax.sgd(0.1))
    with pytest.raises(TypeError, match=r"holds no code(.|\n)*save_weights"):
        model.save(tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="weight decay"):
        model.optimizer.exclude_from_weight_decay(var_names=["bias"])
    with pytest.raises(TypeError, match="not one of optax"):
        optimizers.OptaxOptimizer("adam")


@gazelle.saving.register_keras_serializable(package="test_optax")
class Adam(optimizers.OptaxOptimizer):
    def __init__(self, rate=0.1, name=None):
        super().__init__(optax.adam(rate), name=name)
        self.rate = rate

    def get_config(self):
        return {"rate": self.rate, "name": self.name}


def test_a_subclass_with_a_config_is_saved_in_a_whole_model(tmp_path):
    model = made(Adam(0.05))
    model.fit(X, Y, 10, 2, verbose=0, shuffle=False)
    model.save(tmp_path / "m.keras")
    loaded = gazelle.saving.load_model(tmp_path / "m.keras")
    for one in (model, loaded):
        one.fit(X, Y, 10, 2, verbose=0, shuffle=False)
    np.testing.assert_array_equal(model.get_weights()[0], loaded.get_weights()[0])


def test_float16_trains_with_a_scaled_loss():
    gazelle.config.set_dtype_policy("mixed_float16")
    try:
        model = made(optax.adam(0.05))
    finally:
        gazelle.config.set_dtype_policy("float32")
    losses = model.fit(X, Y, 10, 5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
