"""`tf.GradientTape`: gradients of what its block computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gazelle
import gazelle.compat
from gazelle.errors import ArgumentTypeError, StateError


@pytest.fixture(scope="module")
def tf():
    gazelle.compat.install()
    import tensorflow

    yield tensorflow
    gazelle.compat.uninstall()


def test_values_in_the_block_and_behind_it_are_ordinary_arrays(tf):
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        assert float(y) == 9.0
        assert y > 8
    assert y.numpy() == 9.0
    assert not isinstance(y, jax.core.Tracer)
    assert tape.gradient(y, x).numpy() == 6.0


def test_a_variable_is_watched_where_it_is_read(tf):
    w, frozen = tf.Variable([1.0, 2.0]), tf.Variable(3.0, trainable=False)
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(w * w) * frozen
    assert tape.watched_variables() == (w,)
    gradient, none = tape.gradient(y, [w, frozen])
    assert gradient.numpy().tolist() == [6.0, 12.0]
    assert none is None


def test_variables_are_watched_by_name_alone_where_that_is_asked_for(tf):
    a, b = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(b)
        y = a * b
    assert tape.gradient(y, {"a": a, "b": b}) == {"a": None, "b": 2.0}


def test_a_gradient_at_several_sources_of_which_one_is_made_from_another(tf):
    x = tf.constant(2.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        z = y * x
    assert float(tape.gradient(z, x)) == 12.0
    assert float(tape.gradient(z, y)) == 2.0
    both = tape.gradient(z, [x, y])
    assert [float(g) for g in both] == [12.0, 2.0]
    assert float(tape.gradient([y, z], x)) == 16.0
    assert float(tape.gradient({"z": z}, x)) == 12.0


def test_a_source_that_is_the_target(tf):
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = x.value
    assert float(tape.gradient(y, x)) == 1.0


def test_a_tape_that_is_not_persistent_answers_once(tf):
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = x * x
    tape.gradient(y, x)
    with pytest.raises(StateError, match="non-persistent"):
        tape.gradient(y, x)


def test_unconnected_sources(tf):
    x, other = tf.Variable([2.0, 1.0]), tf.Variable([1.0, 1.0])
    with tf.GradientTape(persistent=True) as tape:
        y = tf.reduce_sum(x)
    assert tape.gradient(y, other) is None
    zeros = tape.gradient(y, other, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    assert zeros.numpy().tolist() == [0.0, 0.0]


def test_what_breaks_the_way_to_a_source(tf):
    x = tf.Variable([2.0, 1.0])
    with tf.GradientTape(persistent=True) as tape:
        stopped = tf.reduce_sum(tf.stop_gradient(x) * 2)
        mixed = tf.reduce_sum(tf.stop_gradient(x) * x)
        whole = tf.cast(tf.cast(x, tf.int32), tf.float32)
        with tape.stop_recording():
            hidden = x * 3
        outside = tf.constant(x.numpy()) * 2
    assert tape.gradient(stopped, x) is None
    assert tape.gradient(mixed, x).numpy().tolist() == [2.0, 1.0]
    assert tape.gradient(whole, x) is None
    assert tape.gradient(hidden, x) is None
    assert tape.gradient(outside, x) is None


def test_output_gradients_are_factors(tf):
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = x * x
    assert tape.gradient(y, x, tf.constant([1.0, 10.0])).numpy().tolist() == [2.0, 40.0]


def test_second_derivatives_by_nested_tapes(tf):
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = x**3
        first = inner.gradient(y, x)
    assert first.numpy().tolist() == [3.0, 12.0]
    assert outer.gradient(first, x).numpy().tolist() == [6.0, 12.0]


def test_second_derivatives_by_one_persistent_tape(tf):
    x = tf.Variable(2.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x**3
        first = tape.gradient(y, x)
    assert float(tape.gradient(first, x)) == 12.0


def test_two_tapes_beside_each_other(tf):
    a, b = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape() as one, tf.GradientTape() as two:
        p, q = a * b, a + b * b
    assert [float(g) for g in one.gradient(p, [a, b])] == [3.0, 2.0]
    assert [float(g) for g in two.gradient(q, [a, b])] == [1.0, 6.0]


def test_a_gradient_of_a_gradients_norm(tf):
    """The penalty of WGAN-GP, compared with JAX."""
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(3, 1)).astype("f"), rng.normal(size=(5, 3)).astype("f")
    weight, points = tf.Variable(w), tf.constant(x)
    with tf.GradientTape() as tape:
        with tf.GradientTape() as inner:
            inner.watch(points)
            out = tf.tanh(points @ weight)
        slopes = inner.gradient(out, [points])[0]
        penalty = tf.reduce_mean((tf.norm(slopes, axis=1) - 1.0) ** 2)
    found = tape.gradient(penalty, weight)

    def by_jax(w):
        slopes = jax.grad(lambda x: jnp.tanh(x @ w).sum())(x)
        return jnp.mean((jnp.linalg.norm(slopes, axis=1) - 1) ** 2)

    np.testing.assert_allclose(found, jax.grad(by_jax)(w), rtol=1e-4, atol=1e-6)


def test_jacobians(tf):
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x[:, :1] * x
    whole = tape.jacobian(y, x)
    assert whole.shape == (2, 2, 2, 2)
    rows = tape.batch_jacobian(y, x)
    np.testing.assert_allclose(rows, np.stack([whole[0, :, 0], whole[1, :, 1]]))
    assert tape.jacobian(y, tf.Variable(1.0)) is None


def test_a_variable_that_is_assigned_between(tf):
    w = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = w * 3
        w.assign(5.0)
        z = w * w
    assert float(tape.gradient([y, z], w)) == 3.0 + 10.0


def test_variables_that_hold_one_array_are_told_apart(tf):
    a = tf.Variable(2.0)
    b = tf.Variable(1.0)
    b.assign(a.value)
    with tf.GradientTape() as tape:
        y = a * 3 + b * 5
    assert [float(g) for g in tape.gradient(y, [a, b])] == [3.0, 5.0]


def test_an_assigned_value_does_not_lead_to_what_it_was_made_from(tf):
    a, b = tf.Variable(2.0), tf.Variable(1.0)
    with tf.GradientTape() as tape:
        b.assign(a * 2)
        y = b * 5
    gradients = tape.gradient(y, [a, b])
    assert gradients[0] is None
    assert float(gradients[1]) == 5.0


def test_a_variable_that_is_assigned_behind_the_block(tf):
    w = tf.Variable(2.0)
    with tf.GradientTape(persistent=True) as tape:
        y = w * w
    assert float(tape.gradient(y, w)) == 4.0
    w.assign(10.0)
    assert float(tape.gradient(y, w)) == 4.0


@pytest.mark.parametrize("name", ["relu", "elu", "softmax", "gelu", "sigmoid", "log_softmax"])
def test_rules_of_functions_are_kept(tf, name):
    x = jnp.asarray([-1.0, 0.0, 2.0])
    factor = jnp.asarray([1.0, 2.0, 3.0])
    function = getattr(tf.nn, name)
    for _ in range(2):  # the second time with a compiled program
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x) * factor
        wanted = jax.grad(lambda x: (function(x) * factor).sum())(x)
        np.testing.assert_allclose(tape.gradient(y, x), wanted, rtol=1e-5, atol=1e-6)


def test_a_gradient_of_ones_own(tf):
    @tf.custom_gradient
    def clipped(x):
        return x * 1.0, lambda upstream: tf.clip_by_value(upstream, -1.0, 1.0)

    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = clipped(x) * 10.0
    assert float(tape.gradient(y, x)) == 1.0


def test_a_compiled_function_that_closes_over_a_watched_value(tf):
    w = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        doubled = w * 2
        inner = jax.jit(lambda x: x * doubled * w)
        y = inner(jnp.asarray(5.0))
    assert float(tape.gradient(y, w)) == 5 * 2 * 2 * 3.0


def test_models_optimizers_and_metrics_in_a_loop_as_in_fit(tf):
    keras = tf.keras
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(64, 5)).astype("f"), rng.integers(0, 3, 64)

    def model():
        keras.utils.set_random_seed(3)
        return keras.Sequential(
            [
                keras.Input((5,)),
                keras.layers.Dense(8, activation="relu", kernel_regularizer="l2"),
                keras.layers.BatchNormalization(),
                keras.layers.Dense(3, activation="softmax"),
            ]
        )

    fitted, looped = model(), model()
    fitted.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    fitted.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    optimizer, loss_of = keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy()
    accuracy = keras.metrics.SparseCategoricalAccuracy()
    for _ in range(2):
        accuracy.reset_state()
        for start in range(0, 64, 16):
            rows = slice(start, start + 16)
            with tf.GradientTape() as tape:
                found = looped(x[rows], training=True)
                loss = loss_of(y[rows], found) + sum(looped.losses)
            gradients = tape.gradient(loss, looped.trainable_variables)
            optimizer.apply_gradients(zip(gradients, looped.trainable_variables, strict=True))
            accuracy.update_state(y[rows], found)
    for one, other in zip(looped.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-5)
    wanted = fitted.history.history["accuracy"][-1]
    assert float(accuracy.result()) == pytest.approx(wanted, abs=1e-6)


def test_minimize(tf):
    v = tf.Variable(5.0)
    optimizer = tf.keras.optimizers.SGD(0.25)
    optimizer.minimize(lambda: (v - 1.0) ** 2, var_list=[v])
    assert float(v) == 3.0
    with tf.GradientTape() as tape:
        loss = (v - 1.0) ** 2
    optimizer.minimize(loss, [v], tape=tape)
    assert float(v) == 2.0


def test_a_tape_of_what_is_no_tensor(tf):
    with tf.GradientTape() as tape, pytest.raises(ArgumentTypeError, match="convert_to_tensor"):
        tape.watch(np.ones(3))


def test_an_error_in_the_block_ends_the_recording(tf):
    w = tf.Variable(1.0)
    with pytest.raises(ZeroDivisionError), tf.GradientTape():
        _ = 1 / 0
    with tf.GradientTape() as tape:
        y = w * 2
    assert float(tape.gradient(y, w)) == 2.0


def test_a_tape_in_a_compiled_function(tf):
    @jax.jit
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.sin(x) * x
        return tape.gradient(y, x)

    assert float(slope(jnp.asarray(2.0))) == pytest.approx(np.sin(2) + 2 * np.cos(2), rel=1e-5)


def test_a_tape_that_is_reset(tf):
    w = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        first = w * w
        tape.reset()
        y = w * 2
    assert float(tape.gradient(y, w)) == 2.0
    del first
