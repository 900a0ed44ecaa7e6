"""Times training of an embedding, beside PyTorch and Keras: `python embedding.py [ROUNDS]`.

A table of 100,000 rows of 32 numbers, 20 ids per sample, their mean, and one output; 50,000 samples
in batches of 256, by SGD and by Adam. PyTorch runs `EmbeddingBag`, with sparse gradients where its
optimizer takes them (`SGD`, `SparseAdam`) and with dense ones (`Adam`, which updates every row as
Keras does). Each round runs every contestant in a process of its own. Printed are the medians of
seconds per epoch.
"""

import json
import os
import statistics
import subprocess
import sys

PROGRAM = """
import json, sys, time
import numpy as np
name, rule = sys.argv[1:]
ROWS, UNITS, IDS, SAMPLES, BATCH, EPOCHS = 100_000, 32, 20, 50_000, 256, 3

random = np.random.default_rng(0)
x = random.integers(0, ROWS, (SAMPLES, IDS)).astype(np.int32)
y = (random.normal(size=ROWS)[x].mean(axis=1, keepdims=True) > 0).astype(np.float32)

if name.startswith("torch"):
    import torch
    torch.set_num_threads(2)
    is_sparse = name == "torch sparse"
    bag = torch.nn.EmbeddingBag(ROWS, UNITS, mode="mean", sparse=is_sparse)
    model = torch.nn.Sequential(bag, torch.nn.Linear(UNITS, 1))
    rest = list(model[1].parameters())
    if rule == "sgd":
        optimizers = [torch.optim.SGD(model.parameters(), 0.1)]
    elif is_sparse:
        optimizers = [torch.optim.SparseAdam(list(bag.parameters())), torch.optim.Adam(rest)]
    else:
        optimizers = [torch.optim.Adam(model.parameters())]
    loss_of = torch.nn.BCEWithLogitsLoss()
    tx, ty = torch.from_numpy(x).long(), torch.from_numpy(y)

    def fit(epochs):
        for _ in range(epochs):
            order = torch.randperm(len(tx))
            for start in range(0, len(tx), BATCH):
                rows = order[start : start + BATCH]
                for optimizer in optimizers:
                    optimizer.zero_grad()
                loss_of(model(tx[rows]), ty[rows]).backward()
                for optimizer in optimizers:
                    optimizer.step()
else:
    if name == "keras":
        import keras as library
    else:
        import gazelle as library
    layers = library.layers
    model = library.Sequential([
        layers.Input((IDS,), dtype="int32"),
        layers.Embedding(ROWS, UNITS),
        layers.GlobalAveragePooling1D(),
        layers.Dense(1, "sigmoid"),
    ])
    model.compile(library.optimizers.SGD(0.1) if rule == "sgd" else "adam", "binary_crossentropy")
    fit = lambda epochs: model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)

fit(1)  # compiles
begun = time.perf_counter()
fit(EPOCHS)
print(json.dumps((time.perf_counter() - begun) / EPOCHS))
"""
CONTESTANTS = ("gazelle", "keras", "torch dense", "torch sparse")


def seconds(name: str, rule: str) -> float:
    """Seconds per epoch of one contestant in a process of its own."""
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, name, rule],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(process.stdout.splitlines()[-1])


def main(rounds: int) -> None:
    """Run the rounds and print the table."""
    for rule in ("sgd", "adam"):
        runs = {name: [] for name in CONTESTANTS}
        for _ in range(rounds):
            for name in CONTESTANTS:
                runs[name].append(seconds(name, rule))
        print(f"{rule:14}{'s/epoch':>10}   Gazelle to it, range")
        for name, found in runs.items():
            ratios = [a / b for a, b in zip(runs["gazelle"], found, strict=True)]
            print(
                f"{name:14}{statistics.median(found):10.3f}"
                f"   {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
