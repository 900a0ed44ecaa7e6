"""How many compilations, programs, transfers and reads a fit needs.

The counts guard the speed of training without measuring time.
"""

import collections
import logging
import re
from collections import OrderedDict

import jax
import numpy as np
import pytest

import gazelle
from gazelle._data import windows
from gazelle._engine import pace, programs
from gazelle._engine.engine import Engine


@pytest.fixture
def counted(monkeypatch, caplog):
    """`counted(function)` returns counts of what happens while the function runs.

    `programs`: programs run; `reads`: logs read back; `sent`: calls that send data to the device;
    `gathered`: arrays gathered on the host; `compiled`: programs compiled by XLA, including small
    ones of single operations.
    """
    counts: collections.Counter = collections.Counter()
    monkeypatch.setattr(programs, "_shared", OrderedDict())
    # Chunks are as long as possible, however slow the machine is.
    monkeypatch.setattr(pace, "CHUNK_SECONDS", 1e6)

    def count(owner, name, key):
        function = getattr(owner, name)

        def counting(*args, **kwargs):
            counts[key] += 1
            return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, counting)

    count(Engine, "_run_training", "programs")
    count(Engine, "_run_test", "programs")
    count(Engine, "read_logs", "reads")
    count(jax, "device_put", "sent")
    count(windows, "gather", "gathered")

    def run(function):
        counts.clear()
        caplog.clear()
        with caplog.at_level(logging.WARNING), jax.log_compiles(True):
            function()
        messages = [record.getMessage() for record in caplog.records]
        counts["compiled"] = sum(
            bool(re.match(r"Compiling (?:jit\()?\w+\)? with", text)) for text in messages
        )
        return {key: value for key, value in counts.items() if value}

    return run


def make(**compiled):
    layers = [
        gazelle.layers.Dense(8, activation="relu"),
        gazelle.layers.Dropout(0.1),
        gazelle.layers.Dense(1),
    ]
    model = gazelle.Sequential([gazelle.Input((4,)), *layers])
    model.compile(**{"optimizer": "adam", "loss": "mse", "metrics": ["mae"], **compiled})
    return model


X = np.random.default_rng(0).normal(size=(500, 4)).astype("float32")
Y = X[:, :1]


def test_an_epoch_of_small_data_is_one_program_one_read_and_one_gathering(counted):
    model = make()
    first = counted(lambda: model.fit(X, Y, epochs=1, verbose=0))
    # 16 steps in chunks of one, eight and seven. One buffer is sent, with x and y gathered into it.
    assert first == {"compiled": 1, "programs": 3, "reads": 3, "sent": 1, "gathered": 2}
    longer = counted(lambda: model.fit(X, Y, epochs=40, verbose=0))
    # Each epoch is gathered into a second buffer while the one before runs.
    assert longer == {"programs": 40, "reads": 40, "sent": 2, "gathered": 80}


def test_validation_adds_one_program_per_epoch_and_gathers_once(counted):
    model = make()

    def run():
        model.fit(X, Y, epochs=10, verbose=0, validation_data=(X[:300], Y[:300]))

    counted(run)
    # Two buffers for training, of which one is filled during an epoch, and one for validation.
    assert counted(run) == {"programs": 10 + 10, "reads": 20, "sent": 2 + 1, "gathered": 20 + 2}


def test_callbacks_without_batch_hooks_add_no_program(counted, tmp_path):
    model = make()
    model.fit(X, Y, epochs=2, verbose=0)
    callbacks = [
        gazelle.callbacks.EarlyStopping("loss", patience=99),
        gazelle.callbacks.CSVLogger(tmp_path / "log.csv"),
        gazelle.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=1e9),
        gazelle.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
    ]
    found = counted(lambda: model.fit(X, Y, epochs=10, verbose=0, callbacks=callbacks))
    assert found == {"programs": 10, "reads": 10, "sent": 1, "gathered": 20}


def test_a_second_model_of_the_same_shapes_compiles_nothing(counted):
    model = make()

    def use(model):
        model.fit(X, Y, verbose=0)
        model.evaluate(X, Y, verbose=0)
        model.predict(X)

    counted(lambda: use(model))
    other = make()
    assert "compiled" not in counted(lambda: use(other))


def test_tables_and_masks_keep_an_epoch_one_program(counted):
    layers = gazelle.layers

    def make_masked():
        x = gazelle.Input((4,), dtype="int32")
        h = layers.TimeDistributed(layers.Dense(3))(layers.Embedding(9, 3, mask_zero=True)(x))
        h = layers.BatchNormalization()(layers.Add()([h, layers.SpatialDropout1D(0.1)(h)]))
        steps = layers.Dense(1, name="steps")(h)
        whole = layers.Dense(1, name="whole")(layers.GlobalAveragePooling1D()(h))
        model = gazelle.Model(x, [steps, whole])
        model.compile("adam", "mse", metrics=[["mae"], ["mae"]])
        return model

    x = np.random.default_rng(0).integers(0, 9, (500, 4))
    targets = [Y[:, None] + np.zeros((1, 4, 1), "float32"), Y]

    def use(model):
        model.fit(x, targets, epochs=10, verbose=0)
        model.evaluate(x, targets, verbose=0)
        model.predict(x)

    model = make_masked()
    counted(lambda: use(model))
    found = counted(lambda: model.fit(x, targets, epochs=10, verbose=0))
    assert found == {"programs": 10, "reads": 10, "sent": 2, "gathered": 30}
    assert "compiled" not in counted(lambda: use(make_masked()))


def test_data_of_many_windows_is_sent_one_window_at_a_time(counted, monkeypatch):
    monkeypatch.setattr(windows, "WINDOW_BYTES", 4 * 32 * 5 * 4)  # four batches
    model = make()
    found = counted(lambda: model.fit(X, Y, epochs=3, verbose=0))
    # 15 full batches and a shorter one are four windows. The first epoch begins with chunks of one
    # and of eight steps.
    assert found == {
        "compiled": 1,
        "programs": 5 + 4 + 4,
        "reads": 13,
        "sent": 2,
        "gathered": 2 * 12,
    }


def test_predicting_again_sends_only_the_samples(counted):
    model = make()
    model.predict(X[:1])
    # The shortcut counts nothing: it has no checks, no feed and no setup.
    assert counted(lambda: [model.predict(X[:1]) for _ in range(10)]) == {}
    assert counted(lambda: [model.predict(X[:rows]) for rows in range(257, 400)]) == {"compiled": 1}
