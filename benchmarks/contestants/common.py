"""What every contestant shares: the job it is given, its data, and the record it writes."""

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
    """One process: what it shall do (`job["task"]`, ...), and what it measured.

    The runner gives the path of a JSON file; the record is written beside it.
    """

    def __init__(self) -> None:
        self.path = Path(sys.argv[1])
        self.settings: dict = json.loads(self.path.read_text())
        self.figures: dict[str, float] = {}  # what was measured
        self.stamps: dict[str, float] = {}  # moments; the runner knows when the process was started
        self.reached: dict[
            str, list[float]
        ] = {}  # loss and accuracy, to see that the work was the same
        self.notes: dict[str, object] = {}

    def __getitem__(self, name: str):
        return self.settings[name]

    def get(self, name: str, default=None):
        return self.settings.get(name, default)

    def figure(self, name: str, value: float) -> None:
        self.figures[name] = float(value)

    def stamp(self, name: str) -> None:
        """Notes this moment, if it is the first of its name."""
        self.stamps.setdefault(name, time.time())

    def write(self, *packages: str) -> None:
        """Called at the end; `packages` are those whose versions to note."""
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
    """Training rows (the first `rows`) and labels, test rows and labels, as they lie in the files."""
    x, y, x_test, y_test = (
        np.load(Path(folder) / f"{name}.npy") for name in ("x_train", "y_train", "x_test", "y_test")
    )
    return x[:rows], y[:rows], x_test, y_test


def flat_float32(x: np.ndarray) -> np.ndarray:
    """Rows of float32, bytes brought to [0, 1], for a contestant that is given its input converted."""
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
    """The task "fit", the same for all: for each case a model is made, trained one epoch (which compiles), then timed.

    `prepare(case)` gives three functions: `fit(epochs)`, `fit_validated(epochs)` and `evaluate() ->
    (loss, accuracy)`.
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
    """The task "many": models of one kind, made and trained one epoch, one after another in this process.

    `build_and_fit()` does all of it for a new model and gives the function that trains it for
    another epoch.
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
    """The task "predict": one row again and again, blocks of random sizes, a million rows; results on the host.

    `one_row` holds the ways to ask for one row, `rows(x)` predicts many; `compilations()` counts
    them so far.
    """
    x = np.load(Path(job["cases"][0]["data"]) / "x_train.npy")
    one = np.ascontiguousarray(x[:1])
    for name, call in one_row.items():
        for _ in range(3):
            call(one)
        before = compilations()
        job.figure(
            f"one row, {name} (\u00b5s)", 1e6 * clocked(lambda call=call: call(one), job["calls"])
        )
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
    """Has JAX tell of each compilation from now on; gives the function that says how many there were."""
    from jax import monitoring

    seen = []
    monitoring.register_event_duration_secs_listener(
        lambda event, duration, **_: (
            seen.append(duration) if event == "/jax/core/compile/backend_compile_duration" else None
        )
    )
    return lambda: len(seen)


def resident_mb() -> float:
    """Memory of this process that is in RAM now."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:  # not Linux: the peak is the next best
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            1e6 if sys.platform == "darwin" else 1e3
        )
    return pages * resource.getpagesize() / 1e6


def sizes(case: dict) -> list[int]:
    """Units from the input to the output."""
    return [case["features"], *case["hidden"], case["outputs"]]


def glorot_uniform(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """A kernel as Keras's Dense starts with: uniform within sqrt(6 / (rows + columns))."""
    limit = np.sqrt(6.0 / (rows + columns))
    return rng.uniform(-limit, limit, (rows, columns)).astype(np.float32)


def initial_parameters(case: dict) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel and bias of each layer."""
    rng = np.random.default_rng(SEED)
    return [
        (glorot_uniform(rng, a, b), np.zeros(b, np.float32))
        for a, b in itertools.pairwise(sizes(case))
    ]
