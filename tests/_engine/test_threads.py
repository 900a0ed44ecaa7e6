"""Models in several threads, and in forked processes."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import jax.numpy as jnp
import numpy as np
import pytest

import gazelle
from gazelle._core.errors import StateError
from gazelle._core.pure import pure
from gazelle.callbacks import Callback
from gazelle.layers import BatchNormalization, Dense

X = np.random.default_rng(0).normal(size=(600, 4)).astype("float32")
Y = X[:, :1]


def make(optimizer="adam"):
    model = gazelle.Sequential(
        [
            gazelle.Input((4,)),
            Dense(8, activation="relu"),
            BatchNormalization(),
            Dense(1, activation="tanh"),
        ]
    )
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def in_threads(count, work):
    """The results of `work(number)`, run in `count` threads at the same time."""
    start = threading.Barrier(count)

    def run(number):
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_threads_that_predict_new_sizes_at_once_get_correct_results():
    model = make()
    expected = np.asarray(model(X))

    def work(number):
        sizes = np.random.default_rng(number).integers(1, len(X), 25)
        return all(
            np.allclose(model.predict(X[:size]), expected[:size], atol=1e-5) for size in sizes
        )

    assert all(in_threads(8, work))
    # A new model of the same architecture works too.
    np.testing.assert_allclose(make().predict(X).shape, expected.shape)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_predictions_during_a_fit_use_consistent_weights(optimizer):
    model = make(optimizer)
    weights, done = [], threading.Event()

    def work(number):
        if number == 0:
            for _ in range(6):
                model.fit(X, Y, epochs=15, verbose=0)
            done.set()
            return True
        rng = np.random.default_rng(number)
        while not done.is_set():
            found = model.predict(X[: rng.integers(1, 300)])
            assert np.isfinite(found).all()
            assert np.isfinite(np.asarray(model(X[:3]))).all()
            weights.append(model.get_weights())
        return True

    assert in_threads(4, work) == [True] * 4
    assert all(np.isfinite(array).all() for one in weights for array in one)
    assert model.evaluate(X, Y, verbose=0)[0] < 0.5


def test_models_train_in_threads_as_they_do_alone():
    def losses(model):
        return model.fit(X, Y, epochs=5, verbose=0, shuffle=False).history["loss"]

    models = [make() for _ in range(6)]
    for model in models[1:]:
        model.set_weights(models[0].get_weights())
    alone = make()
    alone.set_weights(models[0].get_weights())
    expected = losses(alone)
    for found in in_threads(len(models), lambda number: losses(models[number])):
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_values_that_a_thread_traces_are_not_seen_by_others():
    variable = gazelle.Variable(1.0)
    inside, outside = threading.Event(), threading.Event()
    seen = []

    def look():
        inside.wait()
        seen.append(variable.numpy())
        variable.assign(3.0)
        outside.set()

    def function():
        variable.assign(variable * 2)
        inside.set()
        outside.wait()
        return variable

    thread = threading.Thread(target=look)
    thread.start()
    result, (value,) = pure(function, [variable])([jnp.float32(5)])
    thread.join()
    assert (seen, float(result), float(value), float(variable)) == ([1.0], 10.0, 10.0, 3.0)


def test_a_second_fit_or_evaluation_during_a_fit_is_refused_and_predictions_are_not():
    model = make()
    found = {}

    class Elsewhere(Callback):
        def on_epoch_end(self, epoch, logs=None):
            for name in ("fit", "evaluate", "predict"):
                thread = threading.Thread(target=self.run, args=(name,))
                thread.start()
                thread.join()
            found["same thread"] = self.model.evaluate(X, Y, verbose=0)

        def run(self, name):
            arguments = (X,) if name == "predict" else (X, Y)
            try:
                found[name] = getattr(self.model, name)(*arguments, verbose=0)
            except StateError as error:
                found[name] = str(error)

    model.fit(X, Y, verbose=0, callbacks=[Elsewhere()])
    assert "trained by another thread" in found["fit"]
    assert "trained by another thread" in found["evaluate"]
    assert found["predict"].shape == (600, 1)
    assert len(found["same thread"]) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_forked_child_raises_instead_of_waiting_forever():
    model = make()
    model.predict(X)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            model.predict(X)
        except StateError as error:
            status = 0 if "spawn" in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_of_fits_that_begin_together_one_trains_and_the_others_wait_or_are_refused():
    def work(number):
        try:
            return model.fit(X, Y, epochs=100, verbose=0)
        except StateError:
            return None

    for _ in range(3):
        model = make()  # not built: the first thread makes the programs
        histories = [history for history in in_threads(3, work) if history is not None]
        assert model.history is histories[-1] or model.history in histories
        assert int(model.optimizer.iterations) == len(histories) * 100 * 19
