"""Times training on a sparse matrix, beside scikit-learn and Keras: `python sparse.py [ROUNDS]`.

The matrix has 20,000 rows and 20,000 columns with 100 nonzeros per row, the network one hidden
layer of 100 units and one output, trained by Adam on batches of 200. Each round runs every library
in a process of its own. Printed are the medians of seconds per epoch, and by how many MB the
process grew while it trained, beside the size of the nonzeros, of the weights and of Adam's slots.
"""

import json
import os
import statistics
import subprocess
import sys

PROGRAM = """
import json, os, sys, threading, time, warnings
import numpy as np
import scipy.sparse
warnings.simplefilter("ignore")
name = sys.argv[1]
ROWS, COLUMNS, NONZEROS, UNITS, BATCH, EPOCHS = 20_000, 20_000, 100, 100, 200, 4

random = np.random.default_rng(0)
columns = random.integers(0, COLUMNS, ROWS * NONZEROS).astype(np.int32)
values = random.random(ROWS * NONZEROS, dtype=np.float32)
starts = np.arange(0, ROWS * NONZEROS + 1, NONZEROS, dtype=np.int32)
x = scipy.sparse.csr_matrix((values, columns, starts), shape=(ROWS, COLUMNS))
x.sum_duplicates()
y = (x @ random.normal(size=COLUMNS).astype(np.float32) > 0).astype(np.int32)

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

if name == "sklearn":
    from sklearn.neural_network import MLPClassifier
    model = MLPClassifier((UNITS,), batch_size=BATCH, solver="adam", alpha=0, max_iter=1)
    fit = lambda epochs: model.set_params(max_iter=epochs).fit(x, y)
    few = lambda: MLPClassifier((UNITS,), batch_size=BATCH, max_iter=1).fit(x[:400], y[:400])
else:
    if name == "keras":
        import keras as library
    else:
        import gazelle as library
    layers = library.layers
    def made():
        model = library.Sequential([
            layers.Input((COLUMNS,), sparse=True),
            layers.Dense(UNITS, "relu"),
            layers.Dense(1, "sigmoid"),
        ])
        model.compile("adam", "binary_crossentropy")
        return model
    model = made()
    fit = lambda epochs: model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
    few = lambda: made().fit(x[:400], y[:400], batch_size=BATCH, verbose=0)

few()  # imports, and what is compiled once
before, most, ended = resident(), 0.0, threading.Event()

def watch():
    global most
    while not ended.wait(0.01):
        most = max(most, resident())

watcher = threading.Thread(target=watch)
watcher.start()
begun = time.perf_counter()
fit(1)
first = time.perf_counter() - begun
begun = time.perf_counter()
fit(EPOCHS)
seconds = (time.perf_counter() - begun) / EPOCHS
ended.set()
watcher.join()
nonzeros = (x.data.nbytes + x.indices.nbytes + x.indptr.nbytes) / 1e6
weights = (COLUMNS * UNITS + 2 * UNITS + 1) * 4 / 1e6
print(json.dumps({
    "first epoch": first, "epoch": seconds, "growth": most - before,
    "nonzeros": nonzeros, "weights": weights, "slots": 2 * weights,
}))
"""
LIBRARIES = ("gazelle", "sklearn", "keras")


def main(rounds: int) -> None:
    """Run the rounds and print the table."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in LIBRARIES}
    for _ in range(rounds):
        for name in LIBRARIES:
            process = subprocess.run(
                [sys.executable, "-c", PROGRAM, name],
                env=os.environ | {"KERAS_BACKEND": "jax"},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            found[name].append(json.loads(process.stdout.splitlines()[-1]))
    sizes = found["gazelle"][0]
    print(
        f"MB: nonzeros {sizes['nonzeros']:.0f}, weights {sizes['weights']:.0f},"
        f" Adam's slots {sizes['slots']:.0f}"
    )
    print(f"{'':10}{'s/epoch':>10}{'first':>10}{'MB grown':>10}   Gazelle to it, range")
    for name, runs in found.items():
        columns = [statistics.median(run[key] for run in runs) for key in ("epoch", "first epoch")]
        grown = max(run["growth"] for run in runs)
        ratios = [
            ours["epoch"] / theirs["epoch"]
            for ours, theirs in zip(found["gazelle"], runs, strict=True)
        ]
        print(
            f"{name:10}{columns[0]:10.3f}{columns[1]:10.3f}{grown:10.0f}"
            f"   {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
