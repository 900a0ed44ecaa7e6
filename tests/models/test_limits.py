import subprocess
import sys

import keras
import numpy as np
import pytest

import gazelle
from gazelle import config

X = np.ones((50, 3), "float32")
Y = np.ones((50, 1), "float32")


@pytest.fixture(autouse=True)
def limits():
    """Sets both limits of both libraries; they are removed after the test."""

    def set_limits(epochs, steps):
        for one in (config, keras.config):
            one.set_max_epochs(epochs)
            one.set_max_steps_per_epoch(steps)

    yield set_limits
    set_limits(None, None)


def model(library=gazelle):
    made = library.Sequential([library.Input((3,)), library.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def counted(library, **arguments):
    """Epochs, training steps and validation steps of a fit."""
    counts = {"epochs": 0, "train": 0, "test": 0}

    class Counts(library.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            counts["epochs"] += 1

        def on_train_batch_end(self, batch, logs=None):
            counts["train"] += 1

        def on_test_batch_end(self, batch, logs=None):
            counts["test"] += 1

    model(library).fit(X, Y, verbose=0, callbacks=[Counts()], **arguments)
    return counts


@pytest.mark.parametrize(("epochs", "steps"), [(2, 3), (None, 3), (2, None), (9, 90)])
@pytest.mark.filterwarnings("ignore:Limiting", "ignore:Your input ran out of data")
def test_a_fit_stays_within_the_limits_as_in_keras(limits, epochs, steps):
    limits(epochs, steps)
    arguments = {"batch_size": 10, "epochs": 4, "validation_split": 0.4}
    if steps == 90:  # Keras warns of missing data and counts the epochs as it should
        assert counted(gazelle, **arguments) == {"epochs": 4, "train": 12, "test": 8}
    else:
        assert counted(gazelle, **arguments) == counted(keras, **arguments)


def test_a_limit_that_shortens_is_a_warning(limits):
    limits(2, 2)
    with (
        pytest.warns(UserWarning, match="Limiting epochs to 2"),
        pytest.warns(UserWarning, match="Limiting steps_per_epoch to 2"),
    ):
        model().fit(X, Y, 10, 4, verbose=0)
    with pytest.warns(UserWarning, match="Limiting steps_per_epoch to 2"):
        assert model().predict(X, batch_size=10).shape == (20, 1)
    with pytest.warns(UserWarning, match="Limiting steps_per_epoch to 2"):
        model().evaluate(X, Y, 10, verbose=0)
    limits(5, 5)
    model().fit(X, Y, 10, 4, verbose=0)  # the limits are not reached: no warning


def test_a_limit_does_not_change_the_batch_size(limits):
    limits(None, 1)
    with pytest.warns(UserWarning, match="Limiting"):
        assert model().predict(X).shape == (32, 1)


def test_a_limit_holds_after_a_prediction_without_it(limits):
    one = model()
    assert one.predict(X).shape == (50, 1)
    limits(None, 1)
    with pytest.warns(UserWarning, match="Limiting"):
        assert one.predict(X).shape == (32, 1)


def test_a_limit_of_a_generator(limits):
    limits(None, 2)

    def batches():
        while True:
            yield X[:5], Y[:5]

    one = model()
    with pytest.warns(UserWarning, match="Limiting"):
        one.fit(batches(), epochs=3, verbose=0)
    assert int(one.optimizer.iterations) == 6


@pytest.mark.parametrize("value", [0, -1, 1.5, "many", True])
def test_limits_are_whole_numbers(value):
    with pytest.raises(ValueError, match="is not a limit"):
        config.set_max_epochs(value)
    with pytest.raises(ValueError, match="is not a limit"):
        config.set_max_steps_per_epoch(value)


def test_limits_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "3")
    monkeypatch.setenv("KERAS_MAX_STEPS_PER_EPOCH", "7")
    code = "from gazelle import config; print(config.max_epochs(), config.max_steps_per_epoch())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "3 7\n"
    assert (config.max_epochs(), config.max_steps_per_epoch()) == (None, None)
