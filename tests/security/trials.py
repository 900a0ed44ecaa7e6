"""Trials of Gazelle or Keras, with the same code for both.

`python tests/security/trials.py keras flips 300` prints the figures as JSON. Each trial is one
function of the library and of how often it is repeated.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import inspect
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_TESTS = Path(__file__).parents[1]


def network(K: Any, inputs: int = 8, units: int = 16, dropout: float = 0.0) -> Any:
    """A compiled network of two dense layers."""
    layers = [K.Input((inputs,)), K.layers.Dense(units, activation="relu", name="a")]
    layers += [K.layers.Dropout(dropout)] * (dropout > 0) + [K.layers.Dense(3, name="b")]
    model = K.Sequential(layers, name="network")
    loss = K.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(K.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    return model


# ---- F4: flipped bits ----


def flips(K: Any, count: int) -> dict[str, Any]:
    """Flip one bit of a file anywhere, `count` times for each format, and load it."""
    model = network(K, 64, 300)
    good = [np.array(value) for value in model.get_weights()]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("m.keras", "m.weights.h5"):
            path = os.path.join(folder, name)
            (model.save if name.endswith(".keras") else model.save_weights)(path)
            content = Path(path).read_bytes()
            rng = random.Random(0)
            outcomes = Counter(
                _after_flip(K, path, content, rng.randrange(8 * len(content)), good)
                for _ in range(count)
            )
            found[name] = {"flips": count, **outcomes}
    return found


def _after_flip(K: Any, path: str, content: bytes, place: int, good: list[np.ndarray]) -> str:
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    Path(path).write_bytes(changed)
    try:
        if path.endswith(".keras"):
            read = K.models.load_model(path)
        else:
            read = network(K, 64, 300)
            read.load_weights(path)
    except Exception:
        return "refused"
    weights = read.get_weights()
    is_same = all(np.array_equal(a, b) for a, b in zip(weights, good, strict=False))
    return "same" if is_same and len(weights) == len(good) else "wrong"


# ---- F11: labels and inputs that cannot be right ----


def _good(rows: int = 32) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(0).normal(size=(rows, 8)).astype("f4"), np.arange(rows) % 3


def _labels(*values: Any) -> Callable[[], tuple[Any, Any]]:
    """Right inputs, with the last labels replaced."""

    def make() -> tuple[Any, Any]:
        x, y = _good()
        y = y.astype(np.asarray(values).dtype)
        y[-len(values) :] = values
        return x, y

    return make


def _inputs(value: float) -> Callable[[], tuple[Any, Any]]:
    def make() -> tuple[Any, Any]:
        x, y = _good()
        x[-1, 3] = value
        return x, y

    return make


WRONG: dict[str, Callable[[], tuple[Any, Any]]] = {
    "label 3 of 3 classes": _labels(3),
    "label -1": _labels(-1),
    "labels 1 to 3 for 3 classes": lambda: (_good()[0], _good()[1] + 1),
    "label 0.5": _labels(0.5, 1.5),
    "label 2^40 + 5": _labels(2**40 + 5),
    "label NaN": _labels(np.nan),
    "input NaN": _inputs(np.nan),
    "input infinite": _inputs(np.inf),
    "input 1e300 as float64": lambda: (_good()[0].astype("f8") * 1e300, _good()[1]),
    "one label too few": lambda: (_good()[0], _good()[1][:-1]),
}


def labels(K: Any, count: int) -> dict[str, Any]:
    """What `fit` does with data that cannot be right, and how many steps it takes first."""

    class Steps(K.callbacks.Callback):
        taken = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            Steps.taken += 1

    found = {}
    for name, make in WRONG.items():
        Steps.taken = 0
        x, y = make()
        try:
            network(K).fit(x, y, epochs=2, batch_size=8, verbose=0, callbacks=[Steps()])
            found[name] = "trained"
        except Exception as error:
            found[name] = f"refused after {Steps.taken} steps: {type(error).__name__}"
    return found


# ---- F12: the same numbers again ----


def repeats(K: Any, count: int) -> dict[str, Any]:
    """Train with one seed again and again; save one model again and again."""
    x, y = _good(256)
    weights, files = set(), set()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            K.utils.set_random_seed(1)
            model = network(K, dropout=0.3)
            model.fit(x, y, epochs=2, batch_size=32, verbose=0)
            weights.add(_digest(b"".join(np.asarray(w).tobytes() for w in model.get_weights())))
            if number == 0:
                kept = model
            path = Path(folder, f"{number}.keras")
            kept.save(path)
            files.add(_digest(path.read_bytes()))
            time.sleep(2.1 if number == 0 else 0)  # zip archives have the time in steps of 2 s
    return {"runs": count, "different weights": len(weights), "different files": len(files)}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ---- F13: the price ----


def times(K: Any, count: int) -> dict[str, Any]:
    """Milliseconds of saving and loading 6.3 MB of weights."""
    model = K.Sequential([K.Input((1000,)), K.layers.Dense(1500), K.layers.Dense(50)])
    model.compile("sgd", "mse")
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        whole, weights = os.path.join(folder, "m.keras"), os.path.join(folder, "m.weights.h5")
        steps = {
            "save .keras": lambda: model.save(whole),
            "load .keras": lambda: K.models.load_model(whole),
            "save .weights.h5": lambda: model.save_weights(weights),
            "load .weights.h5": lambda: model.load_weights(weights),
        }
        for _ in range(count + 1):
            for name, step in steps.items():
                begun = time.perf_counter()
                step()
                found.setdefault(name, []).append(1000 * (time.perf_counter() - begun))
    return {name: round(statistics.median(taken[1:]), 1) for name, taken in found.items()}


# ---- F14: configs ----

_ROOMS = ("layers", "losses", "metrics", "optimizers", "initializers", "regularizers",
          "constraints", "optimizers.schedules")  # fmt: skip
_NEEDED = {  # what has to be given
    "units": 3, "rate": 0.25, "n": 2, "dims": (2, 1), "target_shape": (2, 4), "axes": 1,
    "num_classes": 3, "target_class_ids": [0], "initial_learning_rate": 0.5, "decay_steps": 7,
    "decay_rate": 0.5, "boundaries": [3], "values": [0.5, 0.25], "first_decay_steps": 5,
    "scale": 0.5, "recall": 0.5, "precision": 0.5, "specificity": 0.5, "sensitivity": 0.5,
    "stddev": 0.25, "k": 2, "activation": "tanh", "shape": (3,),
}  # fmt: skip
_LEFT_OUT = (
    "name",
    "dtype",
    "kwargs",
    "args",
    "self",
    "fn",
    "function",
    "input_tensor",
    "trainable",
)


def configs(K: Any, count: int) -> dict[str, Any]:
    """Every argument of every class, not its default, through a config of JSON and back."""
    ours = importlib.import_module("gazelle")
    checked, lost = 0, []
    for room in _ROOMS:
        names = [name for name in dir(_room(ours, room)) if name[0].isupper()]
        for name in names:
            kind = getattr(_room(K, room), name, None)
            is_known = inspect.isclass(kind) and name not in ("InputSpec", "RandomInitializer")
            if is_known and hasattr(kind, "get_config"):
                for argument in _arguments(kind):
                    outcome = _through_config(K, kind, argument)
                    checked += outcome is not None
                    lost += [f"{name}({argument})"] * (outcome is False)
    return {"arguments": checked, "lost": lost}


def _room(K: Any, room: str) -> Any:
    for part in room.split("."):
        K = getattr(K, part)
    return K


def _arguments(kind: type) -> list[str]:
    parameters = inspect.signature(kind).parameters.values()
    return [p.name for p in parameters if p.name not in _LEFT_OUT and p.kind.name != "VAR_KEYWORD"]


def _through_config(K: Any, kind: type, argument: str) -> bool | None:
    """Whether an argument is the same afterwards; None if there is no other value to try."""
    parameter = inspect.signature(kind).parameters[argument]
    value = _other(parameter)
    if value is None:
        return None
    needed = {
        other.name: _NEEDED.get(other.name, 0.5)
        for other in inspect.signature(kind).parameters.values()
        if other.default is other.empty and other.name not in _LEFT_OUT
        and other.kind.name not in ("VAR_KEYWORD", "VAR_POSITIONAL")
    }  # fmt: skip
    try:
        made = kind(**{**needed, argument: value})
    except Exception:  # the value does not fit
        return None
    try:
        config = json.loads(json.dumps(K.saving.serialize_keras_object(made)))
        again = K.saving.deserialize_keras_object(config)
        found = again.get_config().get(argument, getattr(again, argument, None))
    except Exception:
        return False
    return json.dumps(found, default=str) == json.dumps(
        made.get_config().get(argument, value), default=str
    ) and (argument in again.get_config() or found == value)


def _other(parameter: inspect.Parameter) -> Any:
    """A value that is not the default; None if there is none that fits surely."""
    default = parameter.default
    if default is parameter.empty:
        return _NEEDED.get(parameter.name)
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return default + 1
    if isinstance(default, float):
        return default / 2 if default else 0.25
    if isinstance(default, str) and "initializer" in parameter.name:
        return "ones" if default != "ones" else "zeros"
    if parameter.name == "seed":
        return 7
    if default is None and parameter.name.endswith(("regularizer", "constraint")):
        return "l2" if parameter.name.endswith("regularizer") else "non_neg"
    return None


# ---- F15: downloads ----


def downloads(K: Any, count: int) -> dict[str, Any]:
    """Kill a process that downloads, and look at the cache."""
    os.environ["no_proxy"] = "*"
    content = os.urandom(300_000)
    rng, found = random.Random(0), Counter()
    with tempfile.TemporaryDirectory() as folder:
        server, port = _slow_server(content)
        url = f"http://127.0.0.1:{port}/data.bin"
        try:
            K.utils.get_file("data.bin", url, cache_dir=folder)
            for number in range(count):
                cache = os.path.join(folder, str(number))
                os.mkdir(cache)  # Keras would use another one that it shares with all users
                _killed_download(K, url, cache, rng.uniform(0, 0.12))
                files = list(Path(cache).rglob("data.bin"))
                if not files:
                    found["nothing"] += 1
                else:
                    whole = files[0].read_bytes() == content
                    found["whole" if whole else "poisoned"] += 1
        finally:
            os.kill(server, signal.SIGKILL)
            os.waitpid(server, 0)
    return {"kills": count, **found}


def _slow_server(content: bytes) -> tuple[int, int]:
    """A process that sends bytes in small pieces; its id and port."""
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(OSError):
                for start in range(0, len(content), 10_000):
                    self.wfile.write(content[start : start + 10_000])
                    self.wfile.flush()
                    time.sleep(0.002)

        def log_message(self, *_: Any) -> None:
            return

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    child = os.fork()
    if child == 0:
        server.serve_forever()
    return child, server.server_address[1]


def _killed_download(K: Any, url: str, cache: str, seconds: float) -> None:
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        try:
            K.utils.get_file("data.bin", url, cache_dir=cache)
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


# ---- F2: genuine files ----


def genuine(K: Any, count: int) -> dict[str, Any]:
    """Models that Keras saves in each of its ways: Gazelle loads them with the same weights."""
    import gazelle

    os.environ.setdefault("KERAS_BACKEND", "jax")
    sys.path.insert(0, str(_TESTS))
    made = importlib.import_module("models.test_keras_files")
    makers = {**made.CASES, **{maker.__name__: maker for maker in made.GRAPHS}}
    del makers["layer-dense-layer-as-activation"]  # Keras builds its weights in the first step
    checked, refused, read = 0, [], None
    with tempfile.TemporaryDirectory() as folder:
        for name, maker in makers.items():
            model = maker(K)
            if getattr(model, "optimizer", None) is not None:
                model.optimizer.build(model.trainable_variables)
            stem = os.path.join(folder, name)
            model.save(f"{stem}.keras")
            model.save(stem, zipped=False)
            model.save_weights(f"{stem}.weights.h5")
            model.save_weights(f"{stem}.weights.json", max_shard_size=1e-6)
            for path in (f"{stem}.keras", stem, f"{stem}.weights.h5", f"{stem}.weights.json"):
                checked += 1
                try:
                    if path.endswith((".h5", ".json")):
                        read.load_weights(path)
                    else:
                        read = gazelle.models.load_model(path)
                except Exception as error:
                    refused.append(f"{os.path.basename(path)}: {error}"[:200])
                    continue
                for a, b in zip(read.get_weights(), model.get_weights(), strict=True):
                    if not np.array_equal(a, b):
                        refused.append(f"{os.path.basename(path)}: other weights")
    return {"files": checked, "models": len(makers), "refused": refused}


TRIALS = {
    trial.__name__: trial for trial in (flips, labels, repeats, times, configs, downloads, genuine)
}


def main() -> None:
    """Run one trial and print its figures."""
    library, trial, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(sys.stderr):
        found = TRIALS[trial](importlib.import_module(library), count)
    print(json.dumps(found))


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("KERAS_BACKEND", "jax")
    main()
