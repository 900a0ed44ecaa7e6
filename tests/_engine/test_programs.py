"""The compiled programs: their number, exact repetition, and that no value is ever lost."""

import collections
import logging
import math
import re
from collections import OrderedDict

import jax
import numpy as np
import pytest

import gazelle
from gazelle._engine import programs
from gazelle._engine.predicting import padded_size
from gazelle.callbacks import Callback

pytestmark = pytest.mark.slow


@pytest.fixture
def compiled(caplog, monkeypatch):
    """`compiled(function)` counts the compilations during `function()`, by program name."""
    # Programs that other tests have compiled are not reused.
    monkeypatch.setattr(programs, "_shared", OrderedDict())

    def count(function):
        caplog.clear()
        with caplog.at_level(logging.WARNING), jax.log_compiles(True):
            function()
        names = [
            re.match(r"Compiling (?:jit\()?(\w+)\)? with", record.getMessage())
            for record in caplog.records
        ]
        return dict(collections.Counter(name[1] for name in names if name))

    return count


class ChangesModel(Callback):
    """Sets the learning rate and the weights after every epoch."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.05 / (epoch + 1)
        self.model.set_weights([0.9 * weight for weight in self.model.get_weights()])


# ---- Compilations ----


def test_a_fit_compiles_one_program_and_its_validation_another(net, data, compiled):
    model = net(gazelle, loss="mse", metrics=["mae"])

    def run():
        validation = (data[0][:40], data[1][:40])
        model.fit(
            *data,
            batch_size=16,
            epochs=4,
            verbose=0,
            validation_data=validation,
            callbacks=[ChangesModel()],
        )

    assert compiled(run) == {"train_chunk": 1, "test_chunk": 1}
    assert compiled(run) == {}


def test_batch_hooks_and_initial_epochs_use_the_same_program(net, data, compiled):
    class Hooked(Callback):
        def on_train_batch_end(self, batch, logs=None):
            pass

    model = net(gazelle, loss="mse")
    model.fit(*data, verbose=0)

    def run():
        model.fit(*data, epochs=3, initial_epoch=1, verbose=0, callbacks=Hooked())

    assert compiled(run) == {}


def test_a_learning_rate_set_between_fits_takes_effect_without_compiling(net, data, compiled):
    model = net(gazelle, loss="mse")
    model.fit(*data, verbose=0)
    before = model.get_weights()
    model.optimizer.learning_rate = 0.0
    assert compiled(lambda: model.fit(*data, verbose=0)) == {}
    for weight, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def test_predictions_of_any_length_need_few_programs_and_are_correct(net, data, compiled):
    model = net(gazelle)
    kernel, bias, head, offset = model.get_weights()
    x = np.random.default_rng(0).normal(size=(1000, 4)).astype("float32")
    expected = np.tanh(x @ kernel + bias) @ head + offset
    lengths = [*range(1, 40), *range(40, 1000, 61), 1000]

    def run():
        for length in lengths:
            np.testing.assert_allclose(
                model.predict(x[:length]), expected[:length], rtol=1e-4, atol=1e-6
            )

    # One program per power of two, from 1 to 1024.
    assert sum(compiled(run).values()) <= math.ceil(math.log2(1000)) + 1


def test_large_predictions_are_made_in_blocks(net):
    model = net(gazelle)
    x = np.random.default_rng(0).normal(size=(9001, 4)).astype("float32")
    np.testing.assert_allclose(model.predict(x)[-5:], model.predict(x[-5:]), rtol=1e-5)
    assert model.predict(x).shape == (9001, 1)
    assert model.predict(x, steps=2, batch_size=10).shape == (20, 1)
    stream = (x[i : i + 300] for i in range(0, 9001, 300))
    np.testing.assert_allclose(model.predict(stream), model.predict(x), rtol=1e-5, atol=1e-7)
    assert [padded_size(n) for n in (1, 2, 3, 64, 65, 4000)] == [1, 2, 4, 64, 128, 4096]


# ---- Reproducibility ----


def random_run(seed, **compiled):
    gazelle.utils.set_random_seed(seed)
    L = gazelle.layers
    layers = [L.Dense(8, activation="relu"), L.Dropout(0.4), L.BatchNormalization(), L.Dense(1)]
    model = gazelle.Sequential([gazelle.Input((4,)), *layers])
    model.compile("adam", "mse", **compiled)
    x = np.random.default_rng(5).normal(size=(90, 4))
    found = model.fit(x, x[:, :1], epochs=3, verbose=0, validation_split=0.2)
    return found.history, model.get_weights()


def test_two_runs_with_the_same_seed_are_equal_bit_for_bit():
    (first, weights), (second, again), (other, _) = random_run(7), random_run(7), random_run(8)
    assert first == second
    assert first != other
    for one, two in zip(weights, again, strict=True):
        np.testing.assert_array_equal(one, two)


def test_running_eagerly_gives_the_same_numbers():
    (compiled, weights), (eager, again) = random_run(7), random_run(7, run_eagerly=True)
    for name, values in compiled.items():
        np.testing.assert_allclose(eager[name], values, rtol=1e-4)
    for one, two in zip(weights, again, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-4)


def test_stopping_and_continuing_trains_like_one_run(net, data):
    def losses(*ranges):
        model = net(gazelle, loss="mse", optimizer=gazelle.optimizers.Adam(0.01))
        found = []
        for first, last in ranges:
            history = model.fit(*data, initial_epoch=first, epochs=last, verbose=0, shuffle=False)
            found += history.history["loss"]
        return found

    assert losses((0, 2), (2, 4)) == losses((0, 4))


# ---- Values are never lost ----


def test_training_continues_from_averaged_weights(both, net, data):
    def run(K):
        optimizer = K.optimizers.Adam(0.02, use_ema=True, ema_momentum=0.8)
        model = net(K, loss="mse", optimizer=optimizer)
        losses = []
        for _ in range(3):
            losses.append(model.fit(*data, epochs=2, verbose=0, shuffle=False).history["loss"])
            # Keras fails if one array is both weight and average, so it gets copies.
            if K is not gazelle:
                model.set_weights(model.get_weights())
        return losses, model.get_weights()

    (expected, theirs), (found, weights) = both(run)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for one, two in zip(weights, theirs, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


def test_zero_epochs_do_not_change_averaged_weights(net, data):
    model = net(gazelle, loss="mse", optimizer=gazelle.optimizers.SGD(0.1, use_ema=True))
    model.train_on_batch(*data)
    before = model.get_weights()
    model.fit(*data, epochs=0, verbose=0)
    for weight, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def test_arrays_that_a_user_holds_survive_training(net, data):
    model = net(gazelle, loss="mse", optimizer="adam")
    held = [weight.value for weight in model.weights]
    copies = model.get_weights()
    model.fit(*data, verbose=0)
    held += [slot.value for slot in model.optimizer.variables]
    copies += [slot.numpy() for slot in model.optimizer.variables]
    model.fit(*data, verbose=0)
    model.evaluate(*data, verbose=0)
    for array, copy in zip(held, copies, strict=True):
        np.testing.assert_array_equal(np.asarray(array), copy)


class Trap(gazelle.layers.Layer):
    """Raises while it is traced or run, when it is armed."""

    armed = False

    def call(self, inputs):
        if self.armed:
            raise RuntimeError("caught in the trap")
        return inputs


def test_a_step_that_fails_destroys_neither_weights_nor_arrays_that_are_held(data):
    trap = Trap()
    layers = [
        gazelle.layers.Dense(3),
        gazelle.layers.BatchNormalization(),
        trap,
        gazelle.layers.Dense(1),
    ]
    model = gazelle.Sequential([gazelle.Input((4,)), *layers])
    model.compile("adam", "mse")
    model.fit(*data, verbose=0)
    weights, slots = model.get_weights(), [slot.numpy() for slot in model.optimizer.variables]
    held = [weight.value for weight in model.weights]
    trap.armed = True
    new_size = (data[0][:50], data[1][:50])  # a new shape, so the program is traced again

    def fit(x, y):
        model.fit(x, y, batch_size=7, verbose=0)

    for run in (model.train_on_batch, model.evaluate, fit):
        with pytest.raises(RuntimeError, match="caught in the trap"):
            run(*new_size)
    trap.armed = False
    variables = [*model.weights, *model.optimizer.variables]
    for variable, kept in zip(variables, [*weights, *slots], strict=True):
        np.testing.assert_array_equal(variable.numpy(), kept)
    model.fit(*new_size, batch_size=7, verbose=0)
    for array, kept in zip(held, weights, strict=True):
        np.testing.assert_array_equal(np.asarray(array), kept)


def test_two_variables_with_the_same_array_train_independently(data):
    first, second = gazelle.layers.Dense(4, use_bias=False), gazelle.layers.Dense(4, use_bias=False)
    model = gazelle.Sequential([gazelle.Input((4,)), first, second, gazelle.layers.Dense(1)])
    second.kernel.assign(first.kernel)
    model.compile("sgd", "mse")
    model.fit(*data, verbose=0)
    assert not np.array_equal(first.kernel.numpy(), second.kernel.numpy())


def test_a_variable_made_from_a_variable_is_independent(data):
    model = gazelle.Sequential([gazelle.Input((4,)), gazelle.layers.Dense(1)])
    model.compile("sgd", "mse")
    copy = gazelle.Variable(model.layers[0].kernel)
    before = copy.numpy()
    model.fit(*data, verbose=0)
    np.testing.assert_array_equal(copy.numpy(), before)
    assert not np.array_equal(model.layers[0].kernel.numpy(), before)


@pytest.mark.parametrize(
    "setting", [jax.disable_jit, lambda: jax.debug_nans(True)], ids=["disable_jit", "debug_nans"]
)
def test_the_debugging_settings_of_jax_work_in_fit(net, data, setting):
    plain, watched = net(gazelle, loss="mse"), net(gazelle, loss="mse")
    expected = plain.fit(*data, epochs=2, verbose=0, shuffle=False).history["loss"]
    with setting():
        found = watched.fit(*data, epochs=2, verbose=0, shuffle=False).history["loss"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_data_that_grows_compiles_little(optimizer, net, compiled):
    model = net(gazelle, loss="mse")
    model.compile(optimizer, "mse")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1400, 4)).astype("float32")
    y = x[:, :1].astype("float64")  # another type, so it is gathered, not used in place

    def run(shuffle):
        for rows in range(600, 1400, 41):
            validation = (x[: rows // 2], y[: rows // 2])
            model.fit(
                x[:rows],
                y[:rows],
                batch_size=32,
                verbose=0,
                shuffle=shuffle,
                validation_data=validation,
            )

    for shuffle in (True, False):
        counts = compiled(lambda shuffle=shuffle: run(shuffle))
        assert counts.get("train_chunk", 0) <= 2, counts
        assert counts.get("test_chunk", 0) <= 2, counts
