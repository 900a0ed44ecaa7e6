"""Damages run folders at random and reports how reading them ends.

To try thousands of folders, run `python tests/_report/runs/damage.py --count 3000 --seed 1` in the
project's folder.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import resource
import shutil
import tempfile
import time
import traceback
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np

JSONS = ("config.json", "metrics.json", "network.json", "model.json", "worst_rows.json")
FILES = (*JSONS, "history.csv", "predictions.npz", "samples.npz", "model.weights.h5")
MOST_CHARACTERS = 1200  # of a message, without the path of the run folder


def make_run(folder: Path) -> Path:
    """Make a good run folder of a small network on images, with batch normalization and metrics."""
    from gazelle import layers, metrics, models
    from gazelle._report.record import RunDetails, record

    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (40, 5, 6)).astype(np.uint8)
    y = np.arange(40) % 3
    stack = [
        layers.Input((5, 6)),
        layers.Rescaling(1 / 255),
        layers.Flatten(),
        layers.Dense(4, activation="relu"),
    ]
    model = models.Sequential(
        [*stack, layers.BatchNormalization(), layers.Dense(3, activation="softmax")]
    )
    model.compile(
        "adam",
        "sparse_categorical_crossentropy",
        metrics=["accuracy", metrics.SparseTopKCategoricalAccuracy(2)],
    )
    history = model.fit(x, y, epochs=2, verbose=0, validation_split=0.25)
    details = RunDetails(
        settings={"pixels": "0 to 255", "seed": 0},
        splits={"train": y, "test": y},
        question="Which?",
    )
    return record(model, x, y, history=history, details=details, folder=folder)


def make_table_run(folder: Path, classes: bool) -> Path:
    """Make a good run folder of a network on a table that predicts two classes or two numbers."""
    from gazelle import layers, models
    from gazelle._report import runs, schema
    from gazelle._report.record import record

    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int32) if classes else x[:, :2]
    last = layers.Dense(1, activation="sigmoid") if classes else layers.Dense(2)
    model = models.Sequential([layers.Input((3,)), layers.Dense(4, activation="relu"), last])
    model.compile("sgd", "binary_crossentropy" if classes else "mse", metrics=["mae"])
    model.fit(x, y, verbose=0)
    history = model.fit(x, y, epochs=2, verbose=0, validation_split=0.25)
    record(model, x, y, history=history, folder=folder)
    runs.write_worst_rows(
        folder, schema.WorstRows(["a", "b"], [schema.WorstRow(3, "row 3", ["1", "2"])])
    )
    return folder


def damage(folder: Path, rng: random.Random) -> str:
    """Damage one file of a run folder; returns which one and how."""
    name = rng.choice([name for name in FILES if (folder / name).exists()])
    path = folder / name
    if rng.random() < 0.06:
        return f"{name}: {_irregular(path, rng)}"
    if name in JSONS and rng.random() < 0.75:
        return f"{name}: {_json(path, rng)}"
    if name.endswith(".npz") and rng.random() < 0.6:
        return f"{name}: {_npz(path, rng)}"
    if name.endswith(".h5") and rng.random() < 0.6:
        return f"{name}: {_h5(path, rng)}"
    if name.endswith(".csv") and rng.random() < 0.6:
        return f"{name}: {_csv(path, rng)}"
    return f"{name}: {_bytes(path, rng)}"


def read_all(folder: Path, with_page: bool = True) -> None:
    """Read everything that any command reads of a run folder."""
    from gazelle._report import pages, runs
    from gazelle._report.saved_model import read_model
    from gazelle.cli.run import open_image_run

    run = runs.read_run(folder)
    images = "pixels" in run.config.settings
    model = open_image_run(folder).model if images else read_model(folder)
    if images:
        model.predict(np.zeros((2, *run.config.input_shape), np.uint8), verbose=0)
    if with_page:
        pages.page(run)


def verdict(folder: Path, with_page: bool = True) -> tuple[str, str]:
    """Read a folder: `fine`, `refused`, `long` (a long message) or `traceback`, and the text."""
    from gazelle._core.errors import GazelleError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_all(folder, with_page)
    except GazelleError as error:
        text = str(error).replace(str(folder), "")
        return ("refused" if len(text) <= MOST_CHARACTERS else "long"), text
    except Exception:
        return "traceback", traceback.format_exc()
    return "fine", ""


def _irregular(path: Path, rng: random.Random) -> str:
    path.unlink()
    kind = rng.choice(
        ["pipe", "folder", "nothing", "link to nowhere", "link to /dev/zero", "link to itself"]
    )
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind.startswith("link"):
        targets = {
            "link to nowhere": "nowhere",
            "link to /dev/zero": "/dev/zero",
            "link to itself": path.name,
        }
        path.symlink_to(targets[kind])
    return kind


def _bytes(path: Path, rng: random.Random) -> str:
    content = bytearray(path.read_bytes())
    kind = rng.choice(["bits", "cut", "run", "insert", "empty", "another file", "twice"])
    place = rng.randrange(max(1, len(content)))
    if kind == "bits":
        for _ in range(rng.randint(1, 8)):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        content = content[:place]
    elif kind == "run":
        content[place : place + 16] = rng.randbytes(16)
    elif kind == "insert":
        content[place:place] = rng.randbytes(rng.choice([1, 3, 1000]))
    elif kind == "empty":
        content = bytearray()
    elif kind == "another file":
        content = bytearray(
            rng.choice([other for other in path.parent.iterdir() if other.is_file()]).read_bytes()
        )
    else:
        content = content + content
    path.write_bytes(content)
    return kind


_VALUES = (
    "null", "true", "-1", "0", "1e308", "-1e308", "1e999", "NaN", "9" * 400, "9" * 6000,
    "1099511627776", "1000000000", "0.5", '""', '"x"', '"\\ud800"', '"\\u001b[31m"',
    '"' + "n" * 100_000 + '"', "[]", "{}", "[[[[]]]]", "[1, 2, 3]", "[" * 2000 + "]" * 2000,
    '{"a": ' * 400 + "1" + "}" * 400, '{"class_name": "Dense", "config": {}}',
    '{"class_name": "__numpy__", "config": {"value": [1], "dtype": "U100000000"}}',
    "[null, -3]", '["a", "a"]',
)  # fmt: skip


def _json(path: Path, rng: random.Random) -> str:
    tree = json.loads(path.read_text())
    places = []
    to_visit = [tree]
    while to_visit:
        node = to_visit.pop()
        keys = []
        if isinstance(node, dict):
            keys = list(node)
        elif isinstance(node, list):
            keys = range(len(node))
        places += [(node, key) for key in keys]
        to_visit += [node[key] for key in keys]
    node, key = rng.choice(places)
    kind = rng.choice(
        ["value", "value", "value", "value", "delete", "rename", "twice", "wrap", "nest"]
    )
    if kind == "delete":
        del node[key]
    elif kind == "rename" and isinstance(node, dict):
        node[rng.choice(["x", "k" * 50_000, ""])] = node.pop(key)
    elif kind == "twice" and isinstance(node, list):
        node.append(node[key])
    elif kind == "wrap":
        node[key] = [node[key]]
    elif kind == "nest" and path.name == "model.json":
        for _ in range(rng.choice([2, 30, 300])):
            tree = {**tree, "config": {"name": "outer", "layers": [tree]}}
    else:
        node[key] = "@here@"
        text = json.dumps(tree).replace('"@here@"', rng.choice(_VALUES))
        path.write_text(text)
        return f"{kind} {key}"
    path.write_text(json.dumps(tree))
    return f"{kind} {str(key)[:40]}"


def _npz(path: Path, rng: random.Random) -> str:
    with np.load(path) as archive:
        arrays = dict(archive)
    name = rng.choice(list(arrays))
    array = arrays[name]
    kind = rng.choice(
        ["shape", "type", "values", "extra", "missing", "zeros", "no array", "text", "lie", "empty"]
    )
    if kind == "shape":
        arrays[name] = rng.choice(
            [array[:1], array[..., None], array.reshape(-1), array[None], np.float32(1)]
        )
    elif kind == "type":
        arrays[name] = array.astype(rng.choice(["f8", "i1", "?", ">f4", "c8", "u8"]))
    elif kind == "values":
        arrays[name] = (
            np.full_like(array, rng.choice([3, 100]))
            if array.dtype.kind in "iu"
            else array * np.nan
        )
    elif kind == "extra":
        arrays["more"] = array
    elif kind == "missing":
        del arrays[name]
    elif kind == "zeros":
        arrays[name] = np.zeros((rng.choice([10_000, 60_000]), 5000), np.uint8)
    elif kind == "text":
        arrays[name] = np.array(["a"] * len(array))
    elif kind == "empty":
        arrays[name] = array[:0]
    if kind in ("no array", "lie"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for key in arrays:
                content = b"not an array" if kind == "no array" else _lying(array, rng)
                archive.writestr(f"{key}.npy", content)
    else:
        np.savez_compressed(path, **arrays)
    return f"{kind} {name}"


def _lying(array: np.ndarray, rng: random.Random) -> bytes:
    shape = rng.choice(
        ["(1000000000,)", "(3, 1000000000000)", "(-1,)", "(True,)", "(" + "1, " * 40 + ")"]
    )
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return (
        b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + array.tobytes()
    )


def _h5(path: Path, rng: random.Random) -> str:
    kind = rng.choice(
        [
            "vars/00",
            "long name",
            "shape",
            "type",
            "missing",
            "no digests",
            "link",
            "sparse",
            "group",
        ]
    )
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visititems(
            lambda name, found: names.append(name) if isinstance(found, h5py.Dataset) else None
        )
        name = rng.choice([name for name in names if "vars" in name])
        value = file[name][()]
        if kind == "vars/00":
            file.move(name, f"{name.rpartition('/')[0]}/0{name[-1]}")
        elif kind == "long name":
            file.move(name, f"{name.rpartition('/')[0]}/{'1' * rng.choice([20, 5000])}")
        elif kind == "no digests":
            del file["gazelle_sha256"]
        elif kind == "group":
            file.create_group("g" * 3000)
        else:
            del file[name]
            if kind == "shape":
                file[name] = np.zeros((7, 7), np.float32)
            elif kind == "type":
                file[name] = np.full(value.shape, b"text")
            elif kind == "link":
                file[name] = h5py.ExternalLink("/etc/passwd", "/")
            elif kind == "sparse":
                file.create_dataset(name, (1 << 30,), "f4", chunks=(1 << 16,), compression="gzip")
    return f"{kind} {name}"


def _csv(path: Path, rng: random.Random) -> str:
    rows = [line.split(",") for line in path.read_text().splitlines()]
    row = rng.choice(rows)
    value = rng.choice(
        ["", "x", "nan", "-inf", "1e999", "9" * 400, "9" * 6000, "-3", "a,b", '"', "\x1b[31m", "0"]
    )
    row[rng.randrange(len(row))] = value
    path.write_text("\n".join(",".join(row) for row in rows * rng.choice([1, 1, 1, 2])))
    return f"cell {value[:12]}"


def main() -> None:
    """Damage folders and print a summary."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--pages", type=int, default=3, help="write the page of every n-th folder that can be read"
    )
    options = parser.parse_args()
    found: collections.Counter[str] = collections.Counter()
    slowest = (0.0, "")
    with tempfile.TemporaryDirectory() as root:
        goods = [make_run(Path(root) / "images")]
        goods += [
            make_table_run(Path(root) / f"table{classes:d}", classes) for classes in (False, True)
        ]
        for good in goods:
            assert verdict(good) == ("fine", "")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(options.count):
            rng = random.Random(f"{options.seed}-{number}")
            folder = Path(root) / "bad"
            shutil.copytree(goods[number % 3], folder)
            what = damage(folder, rng)
            begun = time.perf_counter()
            outcome, words = verdict(folder, number % options.pages == 0)
            slowest = max(slowest, (time.perf_counter() - begun, what))
            found[outcome] += 1
            if outcome in ("traceback", "long"):
                print(f"#{number} {what}\n{words[-1500:]}\n", flush=True)
            shutil.rmtree(folder)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        dict(found),
        f"slowest {slowest[0]:.2f} s ({slowest[1]}), {more / 1024:.0f} MB more than for a good"
        " folder",
    )


if __name__ == "__main__":
    main()
