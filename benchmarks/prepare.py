"""Puts the data of the benchmark into .npy files: the CIFAR-10 images, or made-up ones of the same shape.

A process of its own, because the memory of the process that starts the contestants would count as theirs.
"""

import argparse
from pathlib import Path

import numpy as np

SHAPE = (32, 32, 3)
CLASSES = 10


def images(rows: int, test_rows: int, cache: Path) -> dict[str, np.ndarray]:
    """CIFAR-10 from its binary files: a label byte, then 1,024 red, 1,024 green and 1,024 blue bytes an image."""
    from cifar10_data import binary_folder

    folder = binary_folder(cache)
    files = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
    arrays = {}
    for part, limit in (("train", rows), ("test", test_rows)):
        records = np.concatenate([np.fromfile(folder / name, np.uint8).reshape(-1, 3073) for name in files[part]])[
            :limit
        ]
        arrays[f"x_{part}"] = np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        arrays[f"y_{part}"] = records[:, 0]
    return arrays


def made_up(rows: int, test_rows: int) -> dict[str, np.ndarray]:
    """Images of noise around one pattern a class, from a fixed seed: learnable, and not at once."""
    rng = np.random.default_rng(0)
    patterns = rng.normal(0, 6, (CLASSES, *SHAPE))
    arrays = {}
    for part, count in (("train", rows), ("test", test_rows)):
        labels = rng.integers(0, CLASSES, count).astype(np.uint8)
        x = np.empty((count, *SHAPE), np.uint8)
        for at in range(0, count, 1000):
            some = labels[at : at + 1000]
            x[at : at + 1000] = np.clip(128 + patterns[some] + rng.normal(0, 60, (len(some), *SHAPE)), 0, 255)
        arrays[f"x_{part}"], arrays[f"y_{part}"] = x, labels
    return arrays


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", choices=["cifar10", "made-up"], required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--test-rows", type=int, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    job = parser.parse_args()
    real = job.source == "cifar10"
    arrays = images(job.rows, job.test_rows, job.cache) if real else made_up(job.rows, job.test_rows)
    job.folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(job.folder / f"{name}.npy", array)


if __name__ == "__main__":
    main()
