"""Converts the CIFAR-10 images of the shared folder to the official binary layout, for tests."""

import io
import os
import pickletools
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

ARCHIVE = Path(__file__).resolve().parents[3] / "shared" / "data" / "cifar10-images.tar.xz"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN = [f"data_batch_{i}.bin" for i in range(1, 6)]
ROWS = 10_000  # images per file
SEED = 0


def binary_folder(cache_dir: Path, archive: Path = ARCHIVE, rows: int = ROWS) -> Path:
    """Make the folder `cifar-10-batches-bin` in `cache_dir`, unless it is there, and return it.

    `archive` contains `train/<class>/NNNN.jpg` and `test/<class>/NNNN.jpg`. The training images are
    shuffled with a fixed seed. `rows` is the number of images per file; tests pass fewer.
    """
    folder = Path(cache_dir) / "cifar-10-batches-bin"
    size = rows * 3073
    if all(
        (folder / name).is_file() and (folder / name).stat().st_size == size
        for name in (*TRAIN, "test_batch.bin")
    ):
        return folder
    train, test = _records(archive, rows)
    train = train[np.random.default_rng(SEED).permutation(len(train))]
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in zip((*TRAIN, "test_batch.bin"), (*np.split(train, 5), test), strict=True):
        temporary = folder / f".{name}.{os.getpid()}"
        part.tofile(temporary)
        temporary.replace(folder / name)
    return folder


def _records(archive: Path, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Records of 3,073 bytes (label, red, green, blue) of the training and the test images."""
    parts = {
        "train": np.empty((5 * rows, 3073), np.uint8),
        "test": np.empty((rows, 3073), np.uint8),
    }
    filled = dict.fromkeys(parts, 0)
    with tarfile.open(archive) as tar, ThreadPoolExecutor(os.cpu_count()) as pool:
        tasks = []
        jobs: list[tuple[np.ndarray, int, bytes]] = []
        for member in tar:
            if not member.isreg():
                continue
            part, name, _ = member.name.split("/")
            jobs.append(
                (parts[part][filled[part]], CLASSES.index(name), tar.extractfile(member).read())
            )
            filled[part] += 1
            if len(jobs) == 256:
                tasks.append(pool.submit(_decode, jobs))
                jobs = []
        tasks.append(pool.submit(_decode, jobs))
        for task in tasks:
            task.result()
    if any(filled[part] != len(parts[part]) for part in parts):
        raise ValueError(f"{archive} holds {filled}, expected {5 * rows} and {rows} images")
    return parts["train"], parts["test"]


def _decode(jobs: list[tuple[np.ndarray, int, bytes]]) -> None:
    from PIL import Image

    for record, label, data in jobs:
        record[0] = label
        record[1:] = (
            np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).transpose(2, 0, 1).ravel()
        )


def as_python_2(data):
    """A pickle of protocol 3 with its bytes as strings of Python 2."""
    data = bytearray(data)
    for opcode, _, place in list(pickletools.genops(bytes(data))):
        data[place] = {"SHORT_BINBYTES": ord("U"), "BINBYTES": ord("T")}.get(
            opcode.name, data[place]
        )
    data[1] = 2
    return bytes(data).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


if __name__ == "__main__":
    import sys

    print(binary_folder(Path(sys.argv[1])))
