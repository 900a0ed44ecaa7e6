"""What the tests of the training loop share: a small network of either library, a callback that notes every call."""

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
    """`net(K)`: a small network of a library; every call starts with the same weights."""

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
    """`both(function)`: what `function(keras)` and `function(gazelle)` give."""
    return lambda function: (function(keras), function(gazelle))


@pytest.fixture
def recorder():
    """`recorder(K, *kinds)`: a callback that notes in `.calls` every hook of the kinds with its index and its logs."""

    def make(K, *kinds):
        def note(name):
            def hook(self, *args, logs=None):
                args = (*args, logs) if logs is not None else args
                logs = {
                    key: np.round(value, 5) for key, value in args[-1].items() if key != "outputs"
                }
                self.calls.append((name, *args[:-1], logs))

            return hook

        names = [name for kind in kinds for name in HOOKS[kind]]
        callback = type("Recorder", (K.callbacks.Callback,), {name: note(name) for name in names})()
        callback.calls = []
        return callback

    return make


def pytest_collection_modifyitems(items):
    """Keras reads its variables in a way that NumPy 2 warns of."""
    for item in items:
        if item.path.parent.name == "_engine":
            item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation"))
