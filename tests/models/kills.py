"""Kills processes while they save model files, and looks at what is left.

`python tests/models/kills.py --count 1000` kills a thousand saves of each format; `--record` keeps
the figures for docs/security.md. A killed process is a fork of this one, which has imported
everything but computed nothing: so a kill takes a tenth of a second.
"""

from __future__ import annotations

import argparse
import collections
import glob
import importlib
import json
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LIBRARY = "gazelle"  # or keras
FORMATS = ("m.keras", "m", "m.weights.h5", "m.weights.json", "m.safetensors", "m.onnx", "m.h5")
_LONGEST = 0.03  # seconds until the kill: some four saves
_SHARD = 77_000 / 2**30  # GiB: the kernel and the bias are in two files
_NOTE = struct.Struct("<cq")  # what a process reports: `b"+"` begun or `b"."` written, and a value


@dataclass(frozen=True)
class Kill:
    """What a kill has left.

    Args:
        outcome: `old`, `new`, or a finding: `unreadable`, `torn`.
        is_inside: Whether the process was saving, and not between two saves.
        text: The error.
    """

    outcome: str
    is_inside: bool
    text: str = ""


def make(value: float) -> Any:
    """A model whose weights all have one value."""
    library = importlib.import_module(LIBRARY)
    model = library.Sequential([library.Input((64,)), library.layers.Dense(300, name="d")])
    fill(model, value)
    return model


def fill(model: Any, value: float) -> None:
    model.set_weights([np.full(w.shape, value) for w in model.get_weights()])


def write(model: Any, path: str) -> None:
    """Write a model; the name says the format, and no ending a new folder."""
    if path.endswith((".keras", "m.h5")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # .h5 is an old format
            model.save(path)
    elif path.endswith(".onnx"):
        model.export(path)
    elif path.endswith(".json"):
        model.save_weights(path, max_shard_size=_SHARD)
    elif "." in os.path.basename(path):
        model.save_weights(path)
    else:
        value = float(model.get_weights()[0].flat[0])
        model.save(f"{path}-{value:.0f}", zipped=False)


def value_in(path: str) -> float:
    """The one value that all weights of a file have; of several folders, that of the newest.

    Raises:
        ValueError: There are several values, or the file cannot be read.
    """
    values = {float(value) for array in _arrays(path) for value in np.unique(array)}
    if len(values) != 1:
        raise ValueError(f"the values {sorted(values)[:4]}")
    return values.pop()


def _arrays(path: str) -> Iterator[np.ndarray]:
    from gazelle._formats import h5, keras_file, legacy_h5, sharded, tensors

    if path.endswith(".onnx"):
        import onnx

        for array in map(onnx.numpy_helper.to_array, onnx.load(path).graph.initializer):
            if array.dtype.kind == "f":
                yield array
        return
    opened = {".keras": keras_file.open_keras_file, ".json": sharded.open_sharded}
    opened |= {".h5": h5.open_weights, ".safetensors": tensors.open_tensors}
    ending = os.path.splitext(path)[1]
    if os.path.basename(path) == "m.h5":
        opened[".h5"] = legacy_h5.open_legacy
    if not ending:
        folder, name = os.path.split(path)
        found = [other for other in os.listdir(folder) if other.startswith(f"{name}-")]
        values = sorted((int(other.rpartition("-")[2]), other) for other in found)
        arrays: list[np.ndarray] = []
        for value, other in values:  # an older one has its own value, and must be whole too
            arrays = list(_read(keras_file.open_keras_file(os.path.join(folder, other))))
            if any((array != value).any() for array in arrays):
                raise ValueError(f"another value in {other}")
        yield from arrays
        return
    yield from _read(opened[ending](path))


def _read(opening: Any) -> Iterator[np.ndarray]:
    with opening as file:
        weights = getattr(file, "weights", file)
        for group in weights.specs:
            yield from weights.read(group)


def killed_saves(path: str, count: int, seed: int) -> Iterator[Kill]:
    """Kill a process that saves again and again, `count` times; each begins where one ended."""
    rng, value = np.random.default_rng(seed), 0
    for _ in range(count):
        begun, written = _killed(path, value, float(rng.uniform(0, _LONGEST)))
        try:
            found = value_in(path)
        except (ValueError, OSError) as error:
            is_torn = type(error) is ValueError
            yield Kill("torn" if is_torn else "unreadable", begun > written, str(error))
        else:
            outcome = {begun: "new", written: "old"}.get(int(found), "torn")
            yield Kill(outcome, begun > written, f"the value {found} of {written} or {begun}")
        value = begun
        for folder in glob.glob(f"{glob.escape(path)}-*/"):  # the next process writes new ones
            shutil.rmtree(folder)


def _killed(path: str, value: int, seconds: float) -> tuple[int, int]:
    """Let a process save the values after `value`, kill it, and return the last it began, wrote.

    It is killed after its first save, which takes longer than the others.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _save_again_and_again(path, value, writing)
    os.close(writing)
    first = os.read(reading, 2 * _NOTE.size)
    if len(first) < 2 * _NOTE.size:
        first += os.read(reading, _NOTE.size)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as stream:
        notes = dict(_NOTE.iter_unpack(first + stream.read()))
    if b"." not in notes:
        raise RuntimeError("the process could not save")
    return notes[b"+"], notes[b"."]


def _save_again_and_again(path: str, value: int, notes: int) -> None:
    """What the process does that is killed; never returns."""
    try:
        model = make(value)
        parent = os.getppid()
        while os.getppid() == parent:  # else the trial was ended
            value += 1
            fill(model, value)
            os.write(notes, _NOTE.pack(b"+", value))
            write(model, path)
            os.write(notes, _NOTE.pack(b".", value))
    except BaseException as error:
        sys.stderr.write(f"the process that saves failed: {error!r}\n")
    finally:
        os._exit(1)


def left_over(path: str) -> list[str]:
    """Save once more in a process of its own; returns the names in the folder after it."""
    child = os.fork()
    if child == 0:
        try:
            write(make(0.0), path)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return sorted(os.listdir(os.path.dirname(path)))


def trial(name: str, count: int, seed: int) -> dict[str, Any]:
    """The figures of `count` kills of one format."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name)
        kills = list(killed_saves(path, count, seed))
        left = left_over(path)
    found = collections.Counter(kill.outcome for kill in kills)
    bad = [kill.text for kill in kills if kill.outcome in ("unreadable", "torn")]
    return {
        "kills": count,
        "inside a save": sum(kill.is_inside for kill in kills),
        "unreadable": found["unreadable"],
        "torn": found["torn"],
        "old": found["old"],
        "new": found["new"],
        "seed": seed,
        "errors": bad[:5],
        "temporary files left": sum(other.startswith(".tmp-") for other in left),
        "files left": len(left),
    }


def prepare() -> None:
    """Import what a save uses, and compute nothing: forks of the threads of JAX would hang."""
    if LIBRARY == "keras":
        importlib.import_module("keras")
    for module in ("gazelle.models", "gazelle._export", "jax", "onnx", "safetensors.numpy"):
        importlib.import_module(module)


def main() -> None:
    """Kill saves and print a line of JSON per format."""
    global LIBRARY
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100, help="kills per format")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="one format", choices=FORMATS)
    parser.add_argument("--library", default=LIBRARY, choices=["gazelle", "keras"])
    parser.add_argument("--record", action="store_true", help="keep the figures")
    options = parser.parse_args()
    LIBRARY = options.library
    prepare()
    for name in [options.only] if options.only else FORMATS:
        begun = time.perf_counter()
        figures = trial(name, options.count, options.seed)
        figures["seconds"] = round(time.perf_counter() - begun)
        print(json.dumps({"format": name, **figures}), flush=True)
        if options.record:
            sys.path.insert(0, str(Path(__file__).parents[1] / "security"))
            import long_runs

            long_runs.keep(f"kills of {name}", figures)


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("KERAS_BACKEND", "jax")
    main()
