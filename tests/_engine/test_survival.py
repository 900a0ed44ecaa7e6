"""A trained model survives whatever ends a fit."""

import ctypes
import os
import signal
import subprocess
import sys
import textwrap
import threading

import jax
import numpy as np
import pytest

import gazelle
from gazelle.callbacks import Callback
from gazelle.layers import Dense, Layer

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(512, 4)).astype("float32")
Y = X[:, :1]


class Stop(Exception):  # noqa: N818
    """The exception that a handler raises."""


def make(optimizer="adam"):
    model = gazelle.Sequential([gazelle.Input((4,)), Dense(8, activation="relu"), Dense(1)])
    model.compile(optimizer, "mse")
    model.fit(X, Y, verbose=0)
    return model


def check_can_be_trained(model):
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert max(model.fit(X, Y, epochs=30, verbose=0).history["loss"]) < 10


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers that send signals")
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_signal_handler_that_raises_at_any_moment_leaves_a_trained_model(optimizer):
    def handler(number, frame):
        raise Stop

    model = make(optimizer)
    before = signal.signal(signal.SIGALRM, handler)
    try:
        for trial in range(12):
            with pytest.raises(Stop) as ended:  # noqa: PT012 (the signal may come before fit begins)
                signal.setitimer(signal.ITIMER_REAL, 0.003 + 0.004 * trial)
                model.fit(X, Y, epochs=100_000, verbose=0)
            # Handlers wait for programs, so no copy was needed.
            assert not getattr(ended.value, "__notes__", [])
            assert model.evaluate(X, Y, verbose=0) < 10
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    check_can_be_trained(model)


def test_an_exception_thrown_into_the_thread_leaves_a_trained_model():
    model = make()
    for trial in range(12):
        arguments = ctypes.c_ulong(threading.get_ident()), ctypes.py_object(Stop)
        delay = 0.003 + 0.004 * trial
        throw = threading.Timer(delay, ctypes.pythonapi.PyThreadState_SetAsyncExc, arguments)
        with pytest.raises(Stop):  # noqa: PT012 (the exception may come before start returns)
            throw.start()
            model.fit(X, Y, epochs=100_000, verbose=0)
        throw.join()
        assert model.evaluate(X, Y, verbose=0) < 10
    check_can_be_trained(model)


def test_a_program_that_fails_leaves_recent_weights(monkeypatch):
    calls = []

    class Fails(Layer):
        def call(self, inputs):
            def host(array):
                calls.append(None)
                if len(calls) == 40:
                    raise ValueError("boom")
                return np.asarray(array)

            shape = jax.ShapeDtypeStruct(inputs.shape, inputs.dtype)
            return inputs + jax.lax.stop_gradient(jax.pure_callback(host, shape, inputs))

    model = gazelle.Sequential([gazelle.Input((4,)), Fails(), Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(Exception, match="boom") as raised:
        model.fit(X, Y, epochs=10, verbose=0)
    assert "seconds before" in "".join(raised.value.__notes__)
    check_can_be_trained(model)


def test_weights_that_a_callback_has_set_are_restored():
    model = make()
    wanted = [np.full_like(weight, 0.25) for weight in model.get_weights()]

    class SetsThenFails(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.set_weights(wanted)
            raise Stop

    with pytest.raises(Stop):
        model.fit(X, Y, epochs=3, verbose=0, callbacks=[SetsThenFails()])
    for found, expected in zip(model.get_weights(), wanted, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="needs root, to limit the threads of another user",
)
def test_the_kernel_works_on_one_thread_if_no_other_can_be_started():
    script = """
        import os, resource, threading
        import numpy as np, gazelle
        from gazelle.layers import Dense, Dropout
        x = np.random.default_rng(0).normal(size=(640, 200)).astype("float32")
        y = (x.sum(axis=1) > 0).astype("int32")
        layers = [Dense(400, activation="relu"), Dropout(0.1), Dense(2, activation="softmax")]
        model = gazelle.Sequential([gazelle.Input((200,)), *layers])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, batch_size=64, verbose=0)
        model.predict(x)
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        os.setuid(65534)
        try:
            threading.Thread(target=print).start()
        except RuntimeError:
            print("no threads")
        history = model.fit(x, y, batch_size=64, epochs=3, verbose=0).history
        print(history["loss"][-1] < 0.6, len(model.predict(x)))
    """
    environment = {**os.environ, "GAZELLE_COMPILE_CACHE": "off"}
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert run.stdout.splitlines() == ["no threads", "True 640"], run.stderr


def test_an_evaluation_that_fails_leaves_the_weights_of_the_training():
    model = make()
    weights, steps = model.get_weights(), int(model.optimizer.iterations)
    model.evaluate(X, Y, verbose=0)

    state = model._trainer.engine.state
    for variable in state.tested:
        variable.current.delete()  # like a program that never returns the values
    state.recover()
    assert int(model.optimizer.iterations) == steps > 0
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    check_can_be_trained(model)
