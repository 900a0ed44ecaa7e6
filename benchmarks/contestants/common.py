"""Shared by all contestants: the job, its data, timing, and the record that is written."""

import importlib.metadata
import itertools
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

EPSILON = 1e-7
SEED = 0


class Job:
    """The task of this process (`job["task"]`, ...) and its measurements.

    The runner passes the path of a JSON file; the record is written beside it.
    """

    def __init__(self) -> None:
        self.path = Path(sys.argv[1])
        self.settings: dict = json.loads(self.path.read_text())
        self.figures: dict[str, float] = {}  # the measurements
        self.stamps: dict[str, float] = {}  # times of events; the runner knows that of the start
        # Loss and accuracy by case, to check that all contestants did the same work.
        self.reached: dict[str, list[float]] = {}
        self.notes: dict[str, object] = {}

    def __getitem__(self, name: str):
        return self.settings[name]

    def get(self, name: str, default=None):
        return self.settings.get(name, default)

    def figure(self, name: str, value: float) -> None:
        self.figures[name] = float(value)

    def stamp(self, name: str) -> None:
        """Record the current time, unless there is one with this name."""
        self.stamps.setdefault(name, time.time())

    def write(self, *packages: str) -> None:
        """Write the record, with the versions of `packages`."""
        record = {
            "figures": self.figures,
            "stamps": self.stamps,
            "reached": self.reached,
            "notes": self.notes,
            "versions": {name: importlib.metadata.version(name) for name in ("numpy", *packages)},
        }
        self.path.with_name("result.json").write_text(json.dumps(record))


def load(
    folder: str, rows: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training rows (the first `rows`) and labels, test rows and labels, as in the files."""
    x, y, x_test, y_test = (
        np.load(Path(folder) / f"{name}.npy") for name in ("x_train", "y_train", "x_test", "y_test")
    )
    return x[:rows], y[:rows], x_test, y_test


def flat_float32(x: np.ndarray) -> np.ndarray:
    """Rows as float32, with bytes scaled to [0, 1]."""
    flat = x.reshape(len(x), -1).astype(np.float32)
    return flat / np.float32(255.0) if x.dtype == np.uint8 else flat


def clocked(function: Callable[[], object], repeats: int = 1) -> float:
    """Median seconds of a call."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def timed_cases(job: Job, prepare: Callable[[dict], tuple[Callable, Callable, Callable]]) -> None:
    """The task "fit": for each case, train a model for one epoch, which compiles, and then time it.

    `prepare(case)` returns three functions: `fit(epochs)`, `fit_validated(epochs)` and `evaluate()
    -> (loss, accuracy)`.
    """
    for case in job["cases"]:
        _timed_case(job, case, prepare)


def _timed_case(
    job: Job, case: dict, prepare: Callable[[dict], tuple[Callable, Callable, Callable]]
) -> None:
    name = case["name"]
    begin = time.perf_counter()
    fit, fit_validated, evaluate = prepare(case)
    fit(case.get("first_epochs", 1))
    job.figure(f"{name}: made and first fit", time.perf_counter() - begin)
    job.stamp("end of the first fit")
    if case.get("evaluate_first"):
        job.reached[name] = [float(value) for value in evaluate()]
        job.stamp("evaluated")
    if epochs := case.get("epochs", 0):
        seconds = [clocked(lambda: fit(epochs))]
        if not case.get("evaluate_first"):
            job.reached[name] = [float(value) for value in evaluate()]
        seconds += [clocked(lambda: fit(epochs)) for _ in range(case.get("repeats", 1) - 1)]
        job.figure(f"{name}: epoch", statistics.median(seconds) / epochs)
    if epochs := case.get("validated_epochs", 0):
        job.figure(
            f"{name}: epoch with validation", clocked(lambda: fit_validated(epochs)) / epochs
        )


def timed_models(job: Job, build_and_fit: Callable[[], Callable[[], object]]) -> None:
    """The task "many": build models one after another and train each for one epoch.

    `build_and_fit()` does this for a new model and returns a function that trains it for another
    epoch.
    """
    seconds, memory, again = [], [], []
    for _ in range(job["models"]):
        begin = time.perf_counter()
        epoch = build_and_fit()
        seconds.append(time.perf_counter() - begin)
        memory.append(resident_mb())
        if len(seconds) == 2:
            again.append(clocked(epoch, 5))
    job.figure("first model", seconds[0])
    job.figure("second model", seconds[1])
    job.figure("second model, less an epoch", seconds[1] - again[0])
    job.figure("model 3 and later", statistics.median(seconds[2:]))
    if len(memory) > 20:
        job.figure("MB after model 10", memory[9])
        job.figure(
            "memory growth from model 10 to the last (%)", 100 * (memory[-1] / memory[9] - 1)
        )
    job.notes["seconds"], job.notes["mb"] = seconds, memory


def timed_predictions(
    job: Job, one_row: dict[str, Callable], rows: Callable, compilations: Callable[[], int]
) -> None:
    """The task "predict": one row repeatedly, blocks of random sizes, and a million rows.

    Args:
        job: The job.
        one_row: The functions that predict one row, by name.
        rows: Predicts many rows; the result is on the host.
        compilations: Returns the number of compilations so far.
    """
    x = np.load(Path(job["cases"][0]["data"]) / "x_train.npy")
    one = np.ascontiguousarray(x[:1])
    for name, call in one_row.items():
        for _ in range(3):
            call(one)
        before = compilations()
        seconds = clocked(lambda call=call: call(one), job["calls"])
        job.figure(f"one row, {name} (\u00b5s)", 1e6 * seconds)
        job.figure(f"one row, {name}: compilations", compilations() - before)
    counts = np.random.default_rng(SEED).integers(1, 5001, job["random_sizes"])
    before, begin = compilations(), time.perf_counter()
    for count in counts:
        rows(x[:count])
    job.figure("random sizes, s per 1,000", (time.perf_counter() - begin) * 1000 / len(counts))
    job.figure("random sizes: compilations", compilations() - before)
    rows(x[: len(x) // 4])
    job.figure("a million rows", clocked(lambda: rows(x), 3))
    job.stamp("predicted")


def count_compilations() -> Callable[[], int]:
    """Count JAX's compilations from now on; returns a function that returns their number."""
    from jax import monitoring

    seen = []

    def listen(event: str, duration: float, **_) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(duration)

    monitoring.register_event_duration_secs_listener(listen)
    return lambda: len(seen)


def resident_mb() -> float:
    """The memory of this process that is in RAM now, in MB."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:  # not Linux: the peak is the closest figure
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1e6 if sys.platform == "darwin" else 1e3)
    return pages * resource.getpagesize() / 1e6


def sizes(case: dict) -> list[int]:
    """The numbers of units from the input to the output."""
    return [case["features"], *case["hidden"], case["outputs"]]


def glorot_uniform(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """An initial kernel like that of Keras's Dense: uniform within sqrt(6 / (rows + columns))."""
    limit = np.sqrt(6.0 / (rows + columns))
    return rng.uniform(-limit, limit, (rows, columns)).astype(np.float32)


def initial_parameters(case: dict) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel and bias of each layer."""
    rng = np.random.default_rng(SEED)
    return [
        (glorot_uniform(rng, a, b), np.zeros(b, np.float32))
        for a, b in itertools.pairwise(sizes(case))
    ]
