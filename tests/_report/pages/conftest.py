"""Run folders of synthetic and scikit-learn data, and a real browser to show their pages."""

from __future__ import annotations

import functools
import json
import os
import select
import shutil
import subprocess
import sys
import time
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from gazelle._report import figures, pages, runs, schema


def layer(name, kind, shape, parameters=0, units=None, activation=None, inbound=(), trainable=True):
    return schema.LayerInfo(
        name, kind, [[None, *shape]], parameters, units, activation, trainable, list(inbound)
    )


def dense_chain(sizes, last="softmax"):
    layers = [layer("input", "InputLayer", (sizes[0],))]
    for index, (before, after) in enumerate(pairwise(sizes)):
        end = index == len(sizes) - 2
        name = f"dense_{index}" if index else "dense"
        weights = (before + 1) * after
        layers.append(
            layer(
                name, "Dense", (after,), weights, after, last if end else "relu", [layers[-1].name]
            )
        )
    total = sum(found.parameters for found in layers)
    return schema.NetworkInfo("sequential", layers, total, total)


def learning_curves(epochs, seed=0):
    rng = np.random.default_rng(seed)
    x = np.arange(epochs) / max(epochs, 2) * 40
    loss = 2.2 * np.exp(-x / 7) + 0.12 + 0.01 * rng.normal(size=epochs)
    val_loss = 2.2 * np.exp(-x / 6) + 0.45 + 0.006 * x + 0.02 * rng.normal(size=epochs)
    return {
        "accuracy": list(np.clip(1 - 0.9 * np.exp(-x / 6) - 0.04, 0, 1)),
        "loss": list(np.abs(loss)),
        "val_accuracy": list(np.clip(0.86 - 0.76 * np.exp(-x / 5), 0, 1)),
        "val_loss": list(np.abs(val_loss)),
    }


def config(task, data, splits, names=(), **more):
    values = {
        "title": f"{data}: what a small dense network makes of it",
        "question": "Can a network of fully connected layers tell what is in the data?",
        "settings": {
            "optimizer": "adam", "learning_rate": 0.001, "batch_size": 32, "epochs": 40,
            "loss": "crossentropy", "shuffle": True, "seed": 7,
        },
        "versions": {"gazelle": "0.1.0", "jax": "0.10.2", "numpy": "2.4.6", "python": "3.11.7"},
        "device": "cpu (2 cores)",
        "started": "2026-05-03T14:05:12",
        "durations": {"load": 0.412, "compile": 0.61, "train": 43.7, "evaluate": 0.0391},
    }  # fmt: skip
    return schema.RunConfig(
        task=task, data=data, splits=splits, class_names=list(names), **{**values, **more}
    )


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """scikit-learn's digits, learned by scikit-learn's own network."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    folder = tmp_path_factory.mktemp("runs") / "digits"
    folder.mkdir()
    x, y = load_digits(return_X_y=True)
    train, test = slice(0, 1200), slice(1400, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 25 epochs are too few to converge, so mistakes remain
        model = MLPClassifier((32,), max_iter=25, random_state=0).fit(x[train], y[train])
    probabilities = model.predict_proba(x[test])
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    parts = (("train", y[:1200]), ("validation", y[1200:1400]), ("test", y[1400:]))
    splits = [
        schema.Split(name, len(part), np.bincount(part, minlength=10).tolist())
        for name, part in parts
    ]
    runs.write_config(folder, config("classification", "digits", splits, names, input_shape=[8, 8]))
    runs.write_history(folder, learning_curves(40))
    runs.write_metrics(
        folder, figures.classification_metrics(y[test], probabilities, names, loss=0.431)
    )
    runs.write_network(folder, dense_chain([64, 32, 10]))
    runs.write_predictions(folder, y[test], probabilities.astype(np.float16))
    pictures = x[test].reshape(-1, 8, 8) / 16
    runs.write_samples(folder, figures.choose_samples(pictures, y[test], probabilities))
    return folder


@pytest.fixture(scope="session")
def cifar_run(tmp_path_factory):
    """As large as CIFAR-10: images of noise (incompressible), 1,000 epochs, a branching network."""
    folder = tmp_path_factory.mktemp("runs") / "cifar"
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = [
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ]
    y = rng.integers(0, 10, 10_000)
    logits = rng.normal(size=(10_000, 10)) + 1.6 * np.eye(10)[y]
    probabilities = np.exp(1.3 * logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    images = rng.integers(0, 256, (10_000, 32, 32, 3), dtype=np.uint8)
    splits = [
        schema.Split("train", 50_000, [5000] * 10),
        schema.Split("validation", 5000, [2000, 1000, 500, 500, 500, 500, 0, 0, 0, 0]),
        schema.Split("test", 10_000, np.bincount(y, minlength=10).tolist()),
    ]
    more = {
        "input_shape": [32, 32, 3],
        "stop_reason": "Stopped early: the validation loss had not improved for 20 epochs",
    }
    runs.write_config(folder, config("classification", "CIFAR-10", splits, names, **more))
    runs.write_history(folder, {**learning_curves(1000), "learning_rate": [0.001] * 1000})
    runs.write_metrics(folder, figures.classification_metrics(y, probabilities, names, loss=1.41))
    layers = [
        layer("image", "InputLayer", (32, 32, 3)),
        layer("flatten", "Flatten", (3072,), inbound=["image"]),
        layer("dense", "Dense", (200,), 614_600, 200, "relu", ["flatten"]),
        layer("normalize", "BatchNormalization", (200,), 800, inbound=["dense"]),
        layer("dropout", "Dropout", (200,), inbound=["normalize"]),
        layer("dense_1", "Dense", (200,), 40_200, 200, "relu", ["dropout"], trainable=False),
        layer("add", "Add", (200,), inbound=["dense_1", "dense"]),
        layer("side", "Dense", (16,), 49_168, 16, "tanh", ["flatten"]),
        layer("join", "Concatenate", (216,), inbound=["add", "side"]),
        layer(
            "a_layer_with_a_very_long_name_that_no_box_can_hold",
            "Dense",
            (10,),
            2170,
            10,
            "softmax",
            ["join"],
        ),
    ]
    runs.write_network(folder, schema.NetworkInfo("functional", layers, 706_938, 666_338))
    runs.write_predictions(folder, y, probabilities.astype(np.float16))
    runs.write_samples(folder, figures.choose_samples(images, y, probabilities))
    return folder


@pytest.fixture(scope="session")
def regression_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "prices"
    folder.mkdir()
    rng = np.random.default_rng(1)
    true = 200_000 * np.exp(0.4 * rng.normal(size=4000))
    predicted = true * np.exp(0.15 * rng.normal(size=4000))
    splits = [schema.Split("train", 16_000), schema.Split("test", 4000)]
    runs.write_config(folder, config("regression", "House prices", splits, input_shape=[8]))
    loss = 1e10 * np.exp(-np.arange(30) / 4.0) + 4e8
    history = {"loss": list(loss), "mean_absolute_error": list(np.linspace(9e4, 2e4, 30))}
    runs.write_history(folder, history)
    runs.write_metrics(folder, figures.regression_metrics(true, predicted[:, None], loss=1.2e9))
    runs.write_network(folder, dense_chain([8, 64, 64, 1], last=None))
    runs.write_predictions(folder, true, predicted[:, None])
    return folder


@pytest.fixture(scope="session")
def binary_run(tmp_path_factory):
    """A table with two classes, one sigmoid output, and names that try to inject HTML."""
    folder = tmp_path_factory.mktemp("runs") / "binary"
    folder.mkdir()
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 500)
    probability = 1 / (1 + np.exp(-(3.0 * y - 1.5 + 1.5 * rng.normal(size=500))))
    names = [
        "<script>alert(1)</script>",
        'a "quoted" & $long$ name of a class that is not going to fit',
    ]
    splits = [
        schema.Split("train", 2000, [900, 1100]),
        schema.Split("test", 500, np.bincount(y).tolist()),
    ]
    more = {"title": "<b>Sonar</b> & rocks", "input_shape": [60]}
    runs.write_config(folder, config("classification", "sonar", splits, names, **more))
    runs.write_history(folder, {"loss": [0.6, 0.5, 0.45], "binary_accuracy": [0.6, 0.7, 0.75]})
    runs.write_metrics(
        folder, figures.classification_metrics(y, probability[:, None], names, loss=0.4)
    )
    runs.write_network(folder, dense_chain([60, 16, 1], last="sigmoid"))
    runs.write_predictions(folder, y, probability[:, None])
    return folder


@pytest.fixture(scope="session")
def bare_run(tmp_path_factory):
    """Only the configuration."""
    folder = tmp_path_factory.mktemp("runs") / "bare"
    folder.mkdir()
    runs.write_config(
        folder, config("regression", "nothing", [schema.Split("train", 10)], durations={})
    )
    return folder


@functools.cache
def report(folder):
    """The page of a run folder, written once."""
    return pages.write_report(folder)


@pytest.fixture(params=["digits_run", "cifar_run", "regression_run", "binary_run", "bare_run"])
def any_run(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def page_of():
    return report


class Browser:
    """A headless Chromium that is controlled through the pipe of its DevTools protocol."""

    # The browser expects the ends of the pipe as its descriptors 3 and 4.
    _START = (
        "import os, sys; os.dup2(int(sys.argv[1]), 103); os.dup2(int(sys.argv[2]), 104);"
        " os.dup2(103, 3); os.dup2(104, 4); os.execv(sys.argv[3], sys.argv[3:])"
    )

    def __init__(self, executable: str, profile: Path):
        read_here, write_there = os.pipe()
        read_there, write_here = os.pipe()
        flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--remote-debugging-pipe",
        ]
        command = [
            sys.executable,
            "-c",
            self._START,
            str(read_there),
            str(write_there),
            executable,
            *flags,
        ]
        self.process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(read_there, write_there),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_there)
        os.close(write_there)
        self.read_end, self.write_end = read_here, write_here
        self.buffer = b""
        self.number = 0
        self.session = None
        self.events: list[dict] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, page: Path, width: int, scheme: str, media: str = "screen") -> None:
        """Show a page and record its events in `events`."""
        self.events = []
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)
        self.call("Page.navigate", url=page.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def evaluate(self, script: str):
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def screenshot(self) -> str:
        """The whole page as PNG, base64."""
        return self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.read_end)
        os.close(self.write_end)

    def _receive(self) -> dict:
        end = time.monotonic() + 60
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read_end], [], [], max(0, end - time.monotonic()))
            piece = os.read(self.read_end, 1 << 20) if ready else b""
            if not piece:
                raise RuntimeError("the browser does not answer")
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    found = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if found is None or os.name != "posix":
        pytest.skip("no Chromium on this machine's path")
    running = Browser(found, tmp_path_factory.mktemp("profile"))
    yield running
    running.close()
