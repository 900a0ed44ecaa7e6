"""A fake model for callbacks, and a function that calls their hooks like the training loop."""

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest

from gazelle._core.variable import Variable


class FakeOptimizer:
    def __init__(self, learning_rate=0.1):
        self.learning_rate = learning_rate

    @property
    def learning_rate(self):
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value):
        self._rate = np.float32(value)


class FakeModel:
    """A model whose only weight is the number of the last epoch."""

    def __init__(self, metrics=(), learning_rate=0.1):
        self.stop_training = False
        self.optimizer = FakeOptimizer(learning_rate)
        self.metrics = list(metrics)
        self.number = -1
        self.saved = []

    @property
    def weights(self):
        return [Variable(float(self.number))]

    def get_weights(self):
        return [np.array(self.number)]

    def set_weights(self, weights):
        self.number = int(weights[0])

    def save(self, path, overwrite=True):
        self.saved.append(("model", str(path), self.number))
        Path(path).write_text(str(self.number))

    def save_weights(self, path, overwrite=True):
        self.saved.append(("weights", str(path), self.number))
        Path(path).write_text(str(self.number))


def drive(callback, epochs, model=None, batches=0):
    """Call the hooks as `fit` does for a list of logs; returns the model and all logs passed."""
    model = model or FakeModel()
    callback.set_params({"epochs": len(epochs), "verbose": 0, "steps": batches})
    callback.set_model(model)
    seen = []
    logs = {}
    callback.on_train_begin({})
    for epoch, given in enumerate(epochs):
        callback.on_epoch_begin(epoch, {})
        for batch in range(batches):
            callback.on_train_batch_begin(batch, {})
            callback.on_train_batch_end(batch, {"loss": given.get("loss", 1.0)})
        model.number = epoch
        logs = dict(given)
        callback.on_epoch_end(epoch, logs)
        seen.append(logs)
        if model.stop_training:
            break
    callback.on_train_end(logs)
    return model, seen


@pytest.fixture(name="drive")
def drive_fixture():
    return drive


@pytest.fixture
def fake_model():
    return FakeModel


class FakeTerminal(io.StringIO):
    """A terminal that stores its output and computes what its screen would show."""

    def __init__(self, encoding="utf-8"):
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self):
        return self._encoding

    def isatty(self):
        return True

    def write(self, text):
        text.encode(self._encoding)
        return super().write(text)

    def rows(self):
        """The rows of the screen, without colors; fails if a row is longer than `COLUMNS`."""
        rows, column = [""], 0
        for character in re.sub(r"\033\[\d+m", "", self.getvalue()):
            if character == "\n":
                rows.append("")
            if character in "\r\n":
                column = 0
            else:
                rows[-1] = rows[-1][:column] + character + rows[-1][column + 1 :]
                column += 1
                assert column < int(os.environ["COLUMNS"]), f"the row wraps: {rows[-1]!r}"
        return [row.rstrip() for row in rows]


@pytest.fixture
def terminal(monkeypatch):
    """A function that makes standard output a terminal of a given width and encoding."""

    def make(columns=100, encoding="utf-8", color=False):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm")
        if color:
            monkeypatch.delenv("NO_COLOR", raising=False)
        else:
            monkeypatch.setenv("NO_COLOR", "1")
        stream = FakeTerminal(encoding)
        monkeypatch.setattr("sys.stdout", stream)
        return stream

    return make
