"""Creates made-up data for the workloads as .npy files, from a fixed seed.

    python made_up.py KIND ROWS FOLDER

This is a separate process, because the memory of the process that starts the contestants would
count as theirs.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

CLASSES = 10
IMAGE = (32, 32, 3)


def article(rows: int) -> dict[str, np.ndarray]:
    """Images of noise around one pattern per class, which takes some training to learn.

    There are a fifth as many test rows.
    """
    rng = np.random.default_rng(0)
    patterns = rng.normal(0, 6, (CLASSES, *IMAGE)).astype(np.float32)
    arrays = {}
    for part, count in (("train", rows), ("test", max(rows // 5, 1))):
        labels = rng.integers(0, CLASSES, count).astype(np.uint8)
        x = np.empty((count, *IMAGE), np.uint8)
        for at in range(0, count, 1000):
            some = labels[at : at + 1000]
            noise = 60 * rng.standard_normal((len(some), *IMAGE), dtype=np.float32)
            x[at : at + 1000] = np.clip(128 + patterns[some] + noise, 0, 255)
        arrays[f"x_{part}"], arrays[f"y_{part}"] = x, labels
    return arrays


def tiny(rows: int) -> dict[str, np.ndarray]:
    """A table of 20 float32 columns with labels 0 and 1 that depend on products of columns."""

    def label(hidden: np.ndarray) -> np.ndarray:
        is_one = hidden[:, 0] * hidden[:, 1] + hidden[:, 2] > 0
        return is_one[:, None].astype(np.float32)

    return _table(rows, 20, label)


def deep(rows: int) -> dict[str, np.ndarray]:
    """A table of 64 float32 columns in ten classes."""
    return _table(rows, 64, lambda hidden: hidden.argmax(axis=1).astype(np.uint8))


def wide(rows: int) -> dict[str, np.ndarray]:
    """A table of 2,048 float32 columns in ten classes."""
    return _table(rows, 2048, lambda hidden: hidden.argmax(axis=1).astype(np.uint8))


def digits(rows: int) -> dict[str, np.ndarray]:
    """scikit-learn's digits, 1,797 rows of 64, scaled to [0, 1]; the last fifth is for testing."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))[:rows]
    x, y = (x[order] / 16).astype(np.float32), y[order].astype(np.uint8)
    test = max(len(x) // 5, 1)
    return {"x_train": x, "y_train": y, "x_test": x[-test:], "y_test": y[-test:]}


def _table(rows: int, columns: int, label) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {}
    mixing = rng.normal(0, 1, (columns, CLASSES)).astype(np.float32)
    for part, count in (("train", rows), ("test", max(rows // 5, 1))):
        x = rng.standard_normal((count, columns), dtype=np.float32)
        arrays[f"x_{part}"], arrays[f"y_{part}"] = x, label(x @ mixing)
    return arrays


def photos(rows: int, folder: Path) -> None:
    """Write `rows` images of the article as JPEG files on all cores, one folder per class."""
    arrays = article(rows)
    x, y = arrays["x_train"], arrays["y_train"]
    for number in range(CLASSES):
        (folder / "photos" / f"class{number}").mkdir(parents=True, exist_ok=True)
    parts = []
    for start in range(0, rows, 2500):
        some = slice(start, start + 2500)
        parts.append((x[some], y[some], start, folder / "photos"))
    with ProcessPoolExecutor() as pool:
        list(pool.map(_write_photos, parts))


def _write_photos(part: tuple[np.ndarray, np.ndarray, int, Path]) -> None:
    from PIL import Image

    x, y, first, folder = part
    for i in range(len(x)):
        Image.fromarray(x[i]).save(folder / f"class{y[i]}" / f"{first + i:05}.jpg", quality=90)


KINDS = {"article": article, "tiny": tiny, "deep": deep, "wide": wide, "digits": digits}


def main() -> None:
    kind, rows, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "photos":
        photos(rows, folder)
    else:
        for name, array in KINDS[kind](rows).items():
            np.save(folder / f"{name}.npy", array)
    (folder / "ready").touch()


if __name__ == "__main__":
    main()
