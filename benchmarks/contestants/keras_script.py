"""The article's program, for whoever has Keras's API: the package is the only thing that differs."""

import random
from types import ModuleType

import numpy as np
from common import BATCH, CLASSES, LEARNING_RATE, SEED, UNITS, Record


def run(keras: ModuleType, *packages: str) -> None:
    """Train and evaluate with `keras`, or a package with its names; `packages` are those whose versions to note."""
    record = Record()
    x_train, y_train, x_test, y_test = record.load()
    random.seed(SEED)  # not keras.utils.set_random_seed: it loads every backend that is installed
    np.random.seed(SEED)  # noqa: NPY002
    if record.mode == "bytes":
        inputs = keras.Input((32, 32, 3), dtype="uint8")
        x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
        loss = "sparse_categorical_crossentropy"
    else:
        y_train, y_test = (keras.utils.to_categorical(y, CLASSES) for y in (y_train, y_test))
        inputs = keras.Input((32, 32, 3))
        x = keras.layers.Flatten()(inputs)
        loss = "categorical_crossentropy"
    for units in UNITS:
        x = keras.layers.Dense(units, activation="relu")(x)
    outputs = keras.layers.Dense(CLASSES, activation="softmax")(x)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss=loss, metrics=["accuracy"])

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            record.fit_begins()

        def on_epoch_end(self, epoch, logs=None):
            record.epoch_ends(logs["loss"])

    model.fit(x_train, y_train, batch_size=BATCH, epochs=record.epochs, shuffle=True, verbose=0, callbacks=[Clock()])
    test_loss, test_accuracy = model.evaluate(x_test, y_test, verbose=0)
    record.evaluated(test_loss, test_accuracy, *packages)
