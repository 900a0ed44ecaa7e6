"""`tf.function`: functions that are called often are compiled, with the variables that they use."""

import itertools

import numpy as np
import pytest

import gazelle.compat


@pytest.fixture(scope="module")
def tf():
    gazelle.compat.install()
    import tensorflow

    yield tensorflow
    gazelle.compat.uninstall()


def test_a_function_of_variables(tf):
    w, count = tf.Variable(2.0), tf.Variable(0)
    runs = []

    @tf.function
    def scaled(x):
        runs.append(1)
        count.assign_add(1)
        return x * w

    found = [float(scaled(tf.constant(3.0))) for _ in range(10)]
    assert found == [6.0] * 10
    assert int(count) == 10
    assert len(runs) < 10
    w.assign(5.0)
    assert float(scaled(tf.constant(3.0))) == 15.0
    assert int(count) == 11


def test_arguments_of_other_shapes_and_other_values(tf):
    @tf.function(input_signature=None, jit_compile=True)
    def total(x, power, name="a"):
        return {name: tf.reduce_sum(x) ** power}

    for _ in range(6):
        assert float(total(tf.ones(3), 2)["a"]) == 9.0
        assert float(total(tf.ones(4), 2)["a"]) == 16.0
        assert float(total(tf.ones(4), 1, name="b")["b"]) == 4.0


def test_a_method(tf):
    class Counter(tf.Module):
        def __init__(self, step):
            super().__init__()
            self.count = tf.Variable(0.0)
            self.step = step

        @tf.function
        def next(self, x):
            return self.count.assign_add(self.step) + x

    one, two = Counter(1.0), Counter(10.0)
    for _ in range(6):
        one.next(tf.constant(0.0)), two.next(tf.constant(0.0))
    assert (float(one.count), float(two.count)) == (6.0, 60.0)
    assert one.trainable_variables == (one.count,)


def test_a_function_that_asks_for_values_runs_as_it_is(tf):
    @tf.function
    def sign(x):
        return "positive" if x > 0 else "negative"

    assert [sign(tf.constant(v)) for v in (1.0, -1.0, 2.0, -2.0, 3.0, -3.0)] == [
        "positive",
        "negative",
    ] * 3


def test_a_function_that_goes_over_a_data_set(tf):
    @tf.function
    def total(dataset):
        found = tf.constant(0)
        for number in dataset:
            found += number
        return found

    dataset = tf.data.Dataset.range(5)
    assert [int(total(dataset)) for _ in range(6)] == [10] * 6


def test_draws_are_others_in_every_call(tf):
    drop = tf.keras.layers.Dropout(0.5)

    @tf.function
    def noise(x):
        return drop(x, training=True) + tf.random.normal((50,))

    found = [noise(tf.ones(50)).numpy() for _ in range(8)]
    assert all(not np.allclose(a, b) for a, b in itertools.pairwise(found))


def test_gradients_go_through_a_function(tf):
    w = tf.Variable([1.0, 2.0])

    @tf.function
    def loss(x):
        return tf.reduce_sum(w * x) ** 2

    for _ in range(6):
        with tf.GradientTape() as tape:
            found = loss(tf.constant([3.0, 1.0]))
        assert tape.gradient(found, w).numpy().tolist() == [30.0, 10.0]


def test_a_training_step_is_the_same_compiled_or_not(tf):
    keras = tf.keras
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 32, 4)).astype("f"), rng.normal(size=(8, 32, 1)).astype("f")

    def train(decorate):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.BatchNormalization(),
                                  keras.layers.Dense(1)])  # fmt: skip
        optimizer, mean = keras.optimizers.Adam(0.01), keras.metrics.Mean()

        @decorate
        def step(x, y):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            mean.update_state(loss)
            return loss

        losses = [float(step(tf.constant(a), tf.constant(b))) for a, b in zip(x, y, strict=True)]
        return losses, float(mean.result()), model.get_weights()

    (losses, mean, weights), (others, other_mean, other_weights) = map(
        train, (tf.function, lambda step: step)
    )
    np.testing.assert_allclose(losses, others, rtol=1e-4)
    assert mean == pytest.approx(other_mean, rel=1e-4)
    for one, other in zip(weights, other_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_running_functions_eagerly(tf):
    runs = []

    @tf.function
    def note(x):
        runs.append(1)
        return x

    tf.config.run_functions_eagerly(True)
    try:
        for _ in range(8):
            note(tf.constant(1.0))
    finally:
        tf.config.run_functions_eagerly(False)
    assert len(runs) == 8
