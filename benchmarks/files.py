"""Times Gazelle and Keras as they save and load models: `python files.py [ROUNDS]`.

Each round runs both in processes of their own, in turns. It prints the medians in milliseconds and
their ratio, Gazelle to Keras, with its range over the rounds; then one row by `gazelle.runtime`.
"""

import json
import os
import statistics
import subprocess
import sys

PROGRAM = """
import json, os, sys, tempfile, time, warnings
import numpy as np
warnings.simplefilter("ignore")
if sys.argv[1] == "keras":
    import keras as library
else:
    import gazelle as library
layers = library.layers
x = np.zeros((32, 1000), "float32")

def median(call, times):
    call()
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds))

def network(*units):
    made = library.Sequential([layers.Input((1000,)), *[layers.Dense(n) for n in units]])
    made.compile("adam", "mse")
    made.fit(x, x[:, : units[-1]], verbose=0)
    return made

found = {}
with tempfile.TemporaryDirectory() as folder:
    path, weights = os.path.join(folder, "m.keras"), os.path.join(folder, "m.weights.h5")
    large = network(2000, 2000, 1000)  # 91 MB with Adam's slots
    found["save 91 MB"] = median(lambda: large.save(path), 5)
    found["load 91 MB"] = median(lambda: library.models.load_model(path), 5)
    found["save weights, 91 MB"] = median(lambda: large.save_weights(weights), 5)
    found["load weights, 91 MB"] = median(lambda: large.load_weights(weights), 5)
    saver = library.callbacks.ModelCheckpoint(path, monitor="loss")
    large.fit(x, x, epochs=1, verbose=0, callbacks=[saver])
    begun = time.perf_counter()
    large.fit(x, x, epochs=7, verbose=0, callbacks=[saver])
    found["epoch with ModelCheckpoint, 91 MB"] = (time.perf_counter() - begun) / 7
    small = network(64, 10)
    found["save 1 MB"] = median(lambda: small.save(path), 20)
    found["load 1 MB"] = median(lambda: library.models.load_model(path), 20)
    if sys.argv[1] != "keras":
        net = library.Sequential(
            [layers.Input((64,)), layers.Dense(100, "relu"), layers.Dense(10, "softmax")]
        )
        net.save(path)
        predictor = library.runtime.load(path)
        row = np.ones((1, 64), "float32")
        found["runtime, one row of 64-100-10"] = median(lambda: predictor(row), 2000)
print(json.dumps(found))
"""


def measured(library: str) -> dict[str, float]:
    """Seconds by name, from a new process."""
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", PROGRAM, library]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Measure in turns and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    ours, theirs = [], []
    for _ in range(rounds):
        theirs.append(measured("keras"))
        ours.append(measured("gazelle"))
    print(f"{'milliseconds':36} {'Keras':>9} {'Gazelle':>9}   ratio (range)")
    for name in ours[0]:
        mine = statistics.median(round[name] for round in ours)
        if name not in theirs[0]:
            print(f"{name:36} {'':9} {mine * 1e3:9.4f}")
            continue
        others = statistics.median(round[name] for round in theirs)
        ratios = sorted(a[name] / b[name] for a, b in zip(ours, theirs, strict=True))
        spread = f"{mine / others:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"{name:36} {others * 1e3:9.1f} {mine * 1e3:9.1f}   {spread}")


if __name__ == "__main__":
    main()
