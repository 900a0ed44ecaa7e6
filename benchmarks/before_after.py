"""Times two source trees of Gazelle in turns: `python before_after.py OLD/src NEW/src [ROUNDS]`.

It prints the medians in microseconds and their ratio, new to old, with its range over the rounds.
"""

import json
import os
import statistics
import subprocess
import sys

PROGRAM = """
import json, time, warnings
import numpy as np
warnings.simplefilter("ignore")
import gazelle
from gazelle import layers
rng = np.random.default_rng(0)
x = rng.normal(size=(1000, 20)).astype("float32")
y = (x[:, :1] > 0).astype("float32")

def network(optimizer):
    gazelle.utils.set_random_seed(0)
    hidden = [layers.Dense(64, "relu"), layers.Dense(64, "relu")]
    made = gazelle.Sequential([gazelle.Input((20,)), *hidden, layers.Dense(1, "sigmoid")])
    made.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    return made

def median(call, times, parts=1):
    call()
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        seconds.append((time.perf_counter() - begun) / parts)
    return float(np.median(seconds))

kernel, xla = network("adam"), network("rmsprop")
found = {
    "epoch, kernel": median(lambda: kernel.fit(x, y, epochs=100, verbose=0), 5, 100),
    "epoch, XLA": median(lambda: xla.fit(x, y, epochs=30, verbose=0), 5, 30),
    "fit of one epoch": median(lambda: kernel.fit(x, y, verbose=0), 60),
    "evaluate": median(lambda: kernel.evaluate(x, y, verbose=0), 60),
    "predict one row": median(lambda: kernel.predict(x[:1]), 400),
    "train_on_batch": median(lambda: kernel.train_on_batch(x[:32], y[:32]), 60),
    "new model and fit": median(lambda: network("adam").fit(x, y, verbose=0), 10),
}
print(json.dumps(found))
"""


def measured(source: str) -> dict[str, float]:
    """Seconds by name, from a new process that imports Gazelle from `source`."""
    environment = {**os.environ, "PYTHONPATH": source}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def main() -> None:
    """Measure and print."""
    old, new, *rest = sys.argv[1:]
    rounds = [(measured(old), measured(new)) for _ in range(int(rest[0]) if rest else 5)]
    for name in rounds[0][0]:
        ratios = [after[name] / before[name] for before, after in rounds]
        before, after = (statistics.median(one[side][name] for one in rounds) for side in (0, 1))
        print(
            f"{name:18} {before * 1e6:10.1f} {after * 1e6:10.1f}"
            f"   {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
