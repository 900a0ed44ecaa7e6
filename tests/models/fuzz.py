"""Damages model files at random and reports how loading them ends.

To try thousands of files, run `python tests/models/fuzz.py --count 3000 --seed 1` in the project's
folder; `--first 17 --count 1` repeats number 17 alone. Files are loaded in a process of their own,
which says what it is about to load: so a crash or a file that never ends belongs to one number.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import queue
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1]))
import mutants
from peak_memory import peak, start_of_peak

LONGEST = 30.0  # seconds for one file, on a machine that may be busy
_START = 120.0  # seconds until the process has loaded the good files
_MOST_MEMORY = 300  # MB for one file
_LARGEST_PROCESS = 8 << 30  # bytes of addresses beyond those of a good file
FINE = ("refused", "same", "different", "skipped")


@dataclass(frozen=True)
class Verdict:
    """How loading one damaged file ended.

    Args:
        number: Which file of the seed.
        what: How it was damaged.
        outcome: `refused`, `same`, `different` (allowed where nothing verifies the change),
            `skipped` (a warning says that the optimizer's state was not loaded), or a finding:
            `long message`, `error`, `silently wrong`, `half loaded`, `unstable`, `slow`,
            `memory`, `hang`, `crash`.
        text: The error or the traceback.
        seconds: How long it took.
        megabytes: How much memory it took at most.
    """

    number: int
    what: str
    outcome: str
    text: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0

    @property
    def is_finding(self) -> bool:
        """Whether a library should not do this."""
        return self.outcome not in FINE


def make_good_files(folder: Path) -> None:
    """Write two trained models, and their weights in one file, in several and for others."""
    import gazelle
    from gazelle import layers, metrics, optimizers

    gazelle.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    chain = gazelle.Sequential(
        [
            layers.Input((4,), name="table"),
            layers.Dense(5, activation="relu", kernel_regularizer="l2", name="first"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.25, name="drop"),
            layers.Dense(3, activation="softmax", name="last"),
        ],
        name="chain",
    )
    chain.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    chain.fit(x, np.arange(20) % 3, epochs=1, verbose=0)
    first, second = layers.Input((4,), name="first"), layers.Input((2,), name="second")
    joined = layers.Concatenate(name="join")([layers.Dense(3, name="dense")(first), second])
    number = layers.Dense(1, name="number", kernel_constraint="max_norm")(joined)
    shaped = layers.Reshape((1, 2), name="shaped")(layers.Dense(2, name="wide")(joined))
    graph = gazelle.Model([first, second], [number, layers.Flatten(name="flat")(shaped)], name="g")
    rate = optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
    graph.compile(
        optimizers.Adam(rate, clipnorm=1.0), "mse", metrics=[[metrics.RootMeanSquaredError()], []]
    )
    graph.fit([x, x[:, :2]], [x[:, :1], x[:, :2]], epochs=1, verbose=0)
    for model, name in ((chain, "chain"), (graph, "graph")):
        model.save(folder / f"{name}.keras")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an old format
            model.save(folder / f"{name}.h5")
        model.save_weights(folder / f"{name}.weights.h5")
        model.save_weights(folder / f"{name}.safetensors")
        model.save_weights(folder / f"{name}.weights.json", max_shard_size=200 / 2**30)


class Loader:
    """Loads damaged files of two good models and judges how that ends.

    Args:
        folder: Where `make_good_files` wrote.
        seed: Of the damage.
        only: As in `mutants.make`.
    """

    def __init__(self, folder: Path, seed: int, only: str = ""):
        from gazelle.models import load_model

        self._seed = seed
        self._only = only
        self._goods = mutants.Goods(folder)
        self._models = {name: load_model(folder / f"{name}.keras") for name in mutants.NAMES}
        self._states = {
            (name, ending): _state(load_model(folder / f"{name}{ending}"))
            for name in mutants.NAMES
            for ending in (".keras", ".h5")
        }
        self._work = folder / "work"

    def judge(self, number: int) -> Verdict:
        """Damage file `number` and load it."""
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir()
        rng = random.Random(f"{self._seed}-{number}")
        mutant = mutants.make(self._goods, self._work, rng, self._only)
        before = start_of_peak()
        begun = time.perf_counter()
        outcome, text = self._outcome(mutant)
        seconds, megabytes = time.perf_counter() - begun, peak() - before
        if megabytes > _MOST_MEMORY:
            outcome = "memory"
        elif seconds > LONGEST:
            outcome = "slow"
        return Verdict(number, mutant.what, outcome, text, seconds, megabytes)

    def _outcome(self, mutant: mutants.Mutant) -> tuple[str, str]:
        from gazelle.errors import DataError, ModelFileError

        alone = (".weights.h5", ".weights.json", ".safetensors")
        is_whole = not mutant.path.name.endswith(alone)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                loaded = self._whole(mutant) if is_whole else self._weights(mutant)
        except ModelFileError as error:
            text = str(error)
            return ("refused" if len(text) <= 300 and text.isprintable() else "long message"), text
        except DataError as error:
            return ("error" if is_whole else "refused"), str(error)
        except Exception:
            return "error", traceback.format_exc()
        if loaded == "different" and mutant.is_verified:
            texts = [str(warning.message) for warning in caught]
            said = [text for text in texts if "skipped" in text]
            is_allowed = not is_whole or mutant.path.suffix == ".h5"
            return ("skipped", said[0]) if said and is_allowed else ("silently wrong", "")
        return loaded, ""

    def _whole(self, mutant: mutants.Mutant) -> str:
        from gazelle.models import load_model

        model = load_model(mutant.path)
        state = _state(model)
        again = mutant.path.with_name("again.keras")
        model.save(again)
        # Not the configs: like Keras, a model unpacks a list of one output, so nested lists change.
        if not _equal((state[0], _state(load_model(again))[1]), state):
            return "unstable"
        ending = mutant.path.suffix or ".keras"  # a folder has the same content
        return "same" if _equal(state, self._states[mutant.model, ending]) else "different"

    def _weights(self, mutant: mutants.Mutant) -> str:
        """Load weights into a model whose weights are all zero."""
        model = self._models[mutant.model]
        variables = _variables(model)
        for variable in variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        try:
            model.load_weights(mutant.path)
        except Exception:
            if any(np.any(variable.numpy()) for variable in variables):
                return "half loaded"
            raise
        state, good = _state(model), self._states[mutant.model, ".keras"]
        if mutant.path.suffix == ".safetensors":  # without the state of the optimizer
            count = len(model.weights)
            state, good = ("", state[1][:count]), ("", good[1][:count])
        return "same" if _equal(state, good) else "different"


def _variables(model: Any) -> list[Any]:
    return [*model.weights, *(model.optimizer.variables if model.optimizer else ())]


def _state(model: Any) -> tuple[str, list[np.ndarray]]:
    from gazelle._core.registry import serialize

    config = json.dumps(serialize(model), sort_keys=True)
    return config, [variable.numpy().copy() for variable in _variables(model)]


def _equal(one: tuple[str, list[np.ndarray]], other: tuple[str, list[np.ndarray]]) -> bool:
    if one[0] != other[0] or len(one[1]) != len(other[1]):
        return False
    return all(
        a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        for a, b in zip(one[1], other[1], strict=True)
    )


# ---- The process that loads ----


def work(folder: Path, seed: int, numbers: range, only: str = "") -> None:
    """Judge files in this process; prints a line before each file and its verdict after it."""
    loader = Loader(folder, seed, only)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + _LARGEST_PROCESS
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for number in numbers:
        print(json.dumps(number), flush=True)
        print(json.dumps(vars(loader.judge(number))), flush=True)
    print(json.dumps("end"), flush=True)


def judge_all(folder: Path, seed: int, numbers: range, only: str = "") -> Iterator[Verdict]:
    """The verdicts on all files, from processes that are started again after a crash or a hang."""
    first = numbers.start
    while first < numbers.stop:
        for verdict in _judged(folder, seed, range(first, numbers.stop), only):
            yield verdict
            first = verdict.number + 1


def _judged(folder: Path, seed: int, numbers: range, only: str) -> Iterator[Verdict]:
    """Verdicts from one process, until it ends, crashes or hangs."""
    command = [sys.executable, __file__, "--folder", str(folder), "--seed", str(seed)]
    command += ["--first", str(numbers.start), "--count", str(len(numbers))]
    command += ["--only", only]
    lines: queue.Queue[str] = queue.Queue()
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        threading.Thread(target=_pass_on, args=(process.stdout, lines), daemon=True).start()
        number, patience = None, _START
        try:
            while True:
                try:
                    line = lines.get(timeout=patience)
                except queue.Empty:
                    yield _broken(number, "hang", "")
                    return
                if not line:
                    process.wait()
                    errors.seek(0)
                    said = f"code {process.returncode}: {errors.read()[-1500:]}"
                    yield _broken(number, "crash", said)
                    return
                message = json.loads(line)
                if message == "end":
                    return
                if isinstance(message, int):
                    number, patience = message, 4 * LONGEST
                else:
                    yield Verdict(**message)
        finally:
            process.kill()


def _broken(number: int | None, outcome: str, text: str) -> Verdict:
    if number is None:
        raise RuntimeError(f"The process ended before the first file: {outcome} {text}")
    return Verdict(number, "?", outcome, text)


def _pass_on(stream: Any, lines: queue.Queue[str]) -> None:
    for line in stream:
        lines.put(line)
    lines.put("")


def main() -> None:
    """Damage files and print a summary."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--show", default="", help="an outcome of which every file is printed")
    parser.add_argument("--only", default="", help="legacy: old .h5 files alone")
    parser.add_argument("--record", action="store_true", help="keep the figures")
    parser.add_argument("--folder", type=Path, help="used by the process that loads")
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.count)
    if options.folder:
        work(options.folder, options.seed, numbers, options.only)
        return
    found: collections.Counter[str] = collections.Counter()
    kinds: collections.Counter[str] = collections.Counter()
    slowest = largest = Verdict(-1, "", "")
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as root:
        make_good_files(Path(root))
        for verdict in judge_all(Path(root), options.seed, numbers, options.only):
            found[verdict.outcome] += 1
            kinds[f"{verdict.what.partition(':')[0]}: {verdict.outcome}"] += 1
            slowest = max(slowest, verdict, key=lambda one: one.seconds)
            largest = max(largest, verdict, key=lambda one: one.megabytes)
            if verdict.is_finding or verdict.outcome == options.show:
                where = f"--seed {options.seed} --first {verdict.number} --count 1"
                print(f"{verdict.outcome}: {verdict.what} ({where})\n{verdict.text[-1500:]}\n")
                sys.stdout.flush()
    for kind, count in sorted(kinds.items()):
        print(f"{count:6} {kind}")
    findings = sum(found[outcome] for outcome in set(found) - set(FINE))
    print(dict(found), f"findings: {findings}")
    print(f"slowest {slowest.seconds:.2f} s (#{slowest.number} {slowest.what})")
    print(f"largest {largest.megabytes:.0f} MB (#{largest.number} {largest.what})")
    if options.record:
        sys.path.insert(0, str(Path(__file__).parents[1] / "security"))
        import long_runs

        figures = {
            "files": options.count,
            "seed": options.seed,
            "first": options.first,
            "findings": findings,
            "outcomes": dict(sorted(found.items())),
            "slowest": round(slowest.seconds, 2),
            "megabytes": round(largest.megabytes),
            "seconds": round(time.perf_counter() - begun),
        }
        long_runs.keep("damaged files", figures)


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    main()
