"""Fixtures for the tests of training: a small network of either library, a recording callback."""

import keras
import numpy as np
import pytest

import gazelle

HOOKS = {
    "epoch": ("on_epoch_begin", "on_epoch_end"),
    "run": (
        "on_train_begin",
        "on_train_end",
        "on_test_begin",
        "on_test_end",
        "on_predict_begin",
        "on_predict_end",
    ),
    "batch": tuple(
        f"on_{stage}_batch_{when}"
        for stage in ("train", "test", "predict")
        for when in ("begin", "end")
    ),
}


@pytest.fixture
def data():
    """70 rows: x `(70, 4)`, y `(70, 1)`."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(70, 4)).astype("float32")
    return x, np.tanh(x[:, :1] - 2 * x[:, 1:2]).astype("float32")


@pytest.fixture
def net():
    """`net(K)` is a small network of library `K`, with the same initial weights in every call."""

    def make(K, units=1, activation=None, **compiled):
        layers = [
            K.layers.Dense(5, activation="tanh"),
            K.layers.Dense(units, activation=activation),
        ]
        model = K.Sequential([K.Input((4,)), *layers])
        rng = np.random.default_rng(1)
        model.set_weights([0.5 * rng.normal(size=w.shape) for w in model.weights])
        if compiled:
            model.compile(**{"optimizer": K.optimizers.SGD(0.1), **compiled})
        return model

    return make


@pytest.fixture
def both():
    """`both(function)` is `(function(keras), function(gazelle))`."""
    return lambda function: (function(keras), function(gazelle))


@pytest.fixture
def recorder():
    """`recorder(K, *kinds)` is a callback that records the hooks of these kinds in `.calls`.

    A call is `(name, index, logs)`, or `(name, logs)` for a hook without an index.
    """

    def make(K, *kinds):
        def note(name):
            def hook(self, *args, logs=None):
                if logs is None:  # passed by position
                    *args, logs = args
                rounded = {key: np.round(logs[key], 5) for key in logs if key != "outputs"}
                self.calls.append((name, *args, rounded))

            return hook

        names = [name for kind in kinds for name in HOOKS[kind]]
        callback = type("Recorder", (K.callbacks.Callback,), {name: note(name) for name in names})()
        callback.calls = []
        return callback

    return make


def pytest_collection_modifyitems(items):
    """Keras reads its variables in a way that NumPy 2 warns about."""
    for item in items:
        if item.path.parent.name == "_engine":
            item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation"))
