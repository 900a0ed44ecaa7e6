"""Trainings with everything on, which tests interrupt and resume."""

import hashlib
import math
from pathlib import Path

import numpy as np

import gazelle
from gazelle import callbacks, layers, optimizers

EPOCHS, STEPS = 4, 7  # the last batch of an epoch is shorter


class Interruption(Exception):  # noqa: N818
    """Takes the place of a power cut."""


class Interrupter(callbacks.Callback):
    """Ends the fit at a step, or at the end of an epoch; both count from 1."""

    def __init__(self, step=None, epoch=None):
        self.left = step or epoch
        if step:
            self.on_train_batch_end = self.count
        else:
            self.on_epoch_end = self.count

    def count(self, index, logs=None):
        self.left -= 1
        if not self.left:
            raise Interruption

    def get_state(self):
        return {}


class Own(callbacks.Callback):
    """A user's callback that draws random numbers and keeps what it has seen."""

    def __init__(self):
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append((epoch, logs["loss"], np.random.rand()))  # noqa: NPY002


class Shuffling(gazelle.utils.PyDataset):
    """A data set that reorders itself after each epoch with a generator of its own."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y
        self.random = np.random.default_rng(0)
        self.order = np.arange(len(x))

    def __len__(self):
        return math.ceil(len(self.x) / 8)

    def __getitem__(self, index):
        rows = self.order[index * 8 : index * 8 + 8]
        return self.x[rows], self.y[rows]

    def on_epoch_end(self):
        self.random.shuffle(self.order)


def rows(count=53):
    random = np.random.default_rng(1)
    return random.normal(size=(count, 6)).astype("float32"), random.integers(0, 3, count)


def endless(x, y):
    random = np.random.default_rng(5)
    while True:
        chosen = random.integers(0, len(x), 8)
        yield x[chosen], y[chosen]


def passes(x, y):
    """A list of batches, in another order in each pass."""

    class Passes:
        def __init__(self):
            self.random = np.random.default_rng(6)

        def __iter__(self):
            for _ in range(STEPS):
                chosen = self.random.integers(0, len(x), 8)
                yield x[chosen], y[chosen]

    return Passes()


# What each kind of data passes to `fit`.
SOURCES = {
    "arrays": lambda x, y: {"x": x, "y": y, "batch_size": 8},
    "shuffled in batches": lambda x, y: {"x": x, "y": y, "batch_size": 8, "shuffle": "batch"},
    "in order": lambda x, y: {"x": x, "y": y, "batch_size": 8, "shuffle": False},
    "fewer steps": lambda x, y: {"x": x, "y": y, "batch_size": 4, "steps_per_epoch": 7},
    "a data set": lambda x, y: {"x": Shuffling(x, y)},
    "a data set with fewer steps": lambda x, y: {"x": Shuffling(x, y), "steps_per_epoch": 5},
    "a generator": lambda x, y: {"x": endless(x, y), "steps_per_epoch": 6},
    "an iterable": lambda x, y: {"x": passes(x, y)},
}

OPTIMIZERS = {
    "adam": lambda: optimizers.Adam(0.05),
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "average": lambda: optimizers.AdamW(0.01, use_ema=True, ema_overwrite_frequency=5),
    "accumulation": lambda: optimizers.RMSprop(0.01, gradient_accumulation_steps=3),
    "schedule": lambda: optimizers.SGD(optimizers.schedules.CosineDecay(0.1, 30)),
}


def made(optimizer="adam", **compiling):
    """A model with dropout and batch normalization; with Adam and one loss the kernel trains it."""
    gazelle.utils.set_random_seed(3)
    model = gazelle.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(16, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        OPTIMIZERS[optimizer](),
        "sparse_categorical_crossentropy",
        metrics=["accuracy", "sparse_categorical_crossentropy"],
        **compiling,
    )
    return model


def train(folder, source="arrays", optimizer="adam", save_freq="epoch", also=(), **fitting):
    """Train to the end, or until something in `also` interrupts; returns all that came out."""
    folder = Path(folder)
    x, y = rows()
    model = made(optimizer)
    own = Own()
    used = [
        callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True),
        callbacks.BackupAndRestore(folder / "backup", save_freq=save_freq),
        callbacks.CSVLogger(folder / "log.csv"),
        own,
        callbacks.ModelCheckpoint(folder / "best.keras", save_best_only=True),
    ]
    if optimizer != "schedule":
        used.insert(2, callbacks.ReduceLROnPlateau("loss", patience=1, factor=0.5, min_delta=0.1))
    history = model.fit(
        **SOURCES[source](x, y),
        validation_data=(x[:20], y[:20]),
        epochs=EPOCHS,
        verbose=0,
        callbacks=[*used, *also],
        **fitting,
    )
    return outcome(model, history, own.seen, folder)


def outcome(model, history, seen, folder):
    return {
        "weights": digest([*model.variables, *model.optimizer.variables]),
        "history": history.history,
        "epochs": history.epoch,
        "own callback": seen,
        "log": (folder / "log.csv").read_text(),
        "stopped": model.stop_training,
        "next random number": np.random.rand(),  # noqa: NPY002
        "best": digest(gazelle.models.load_model(folder / "best.keras").variables),
    }


def digest(variables):
    return hashlib.sha256(
        b"".join(variable.numpy().tobytes() for variable in variables)
    ).hexdigest()
