"""What every contestant shares: the job it is given, the data, and the record it writes."""

import argparse
import importlib.metadata
import itertools
import json
import time
from pathlib import Path

import numpy as np

UNITS = (200, 150)
CLASSES = 10
BATCH = 32
LEARNING_RATE = 5e-4
EPSILON = 1e-7
SEED = 0


class Record:
    """The job of one process, and what it measured.

    `mode` is `"bytes"` (uint8 images, scaled by the contestant's own means) or `"float64"` (the article's `x / 255.0`).
    """

    def __init__(self) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("--mode", choices=["bytes", "float64"], required=True)
        parser.add_argument("--epochs", type=int, required=True)
        parser.add_argument("--data", type=Path, required=True)
        parser.add_argument("--result", type=Path, required=True)
        job = parser.parse_args()
        self.mode, self.epochs, self.data, self.result = job.mode, job.epochs, job.data, job.result
        self.ends: list[float] = []
        self.train_loss: list[float] = []
        self.begin = 0.0

    def load(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Training images `(50000, 32, 32, 3)` and labels `(50000,)`, test images and labels, as `mode` says."""
        x_train, y_train, x_test, y_test = (
            np.load(self.data / f"{name}.npy") for name in ("x_train", "y_train", "x_test", "y_test")
        )
        if self.mode == "float64":
            x_train, x_test = x_train / 255.0, x_test / 255.0
        return x_train, y_train, x_test, y_test

    def flat_float32(self, x: np.ndarray) -> np.ndarray:
        """Rows of float32 in [0, 1], for a contestant that is given its input converted."""
        flat = x.reshape(len(x), -1).astype(np.float32)
        return flat / np.float32(255.0) if self.mode == "bytes" else flat

    def fit_begins(self) -> None:
        self.begin = time.perf_counter()

    def epoch_ends(self, train_loss: float) -> None:
        """Called at the end of each epoch, when its loss is known on the host (so nothing is still under way)."""
        self.train_loss.append(float(train_loss))
        self.ends.append(time.perf_counter())

    def evaluated(self, loss: float, accuracy: float, *packages: str) -> None:
        """Called at the end, when test loss and accuracy are known on the host; `packages` are those it used."""
        finished = time.time()
        times = [self.begin, *self.ends]
        record = {
            "finished": finished,
            "epoch_seconds": [later - earlier for earlier, later in itertools.pairwise(times)],
            "train_loss": self.train_loss,
            "test_loss": float(loss),
            "test_accuracy": float(accuracy),
            "versions": {name: importlib.metadata.version(name) for name in ("numpy", *packages)},
        }
        self.result.write_text(json.dumps(record))


def glorot_uniform(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """A kernel as Keras's Dense starts with: uniform within sqrt(6 / (rows + columns))."""
    limit = np.sqrt(6.0 / (rows + columns))
    return rng.uniform(-limit, limit, (rows, columns)).astype(np.float32)


def initial_parameters(features: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel and bias of each layer."""
    rng = np.random.default_rng(SEED)
    sizes = [features, *UNITS, CLASSES]
    return [(glorot_uniform(rng, a, b), np.zeros(b, np.float32)) for a, b in itertools.pairwise(sizes)]
