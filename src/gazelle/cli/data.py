"""The data that a person names on the command line: a built-in data set or a folder of images."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gazelle._core.console import is_utf8, shown
from gazelle._core.errors import ArgumentError, DataError, nearest
from gazelle._data.images.folder import image_dataset_from_directory
from gazelle._data.images.index import folders_in
from gazelle.datasets import cifar10, digits

BUILT_IN = ("cifar10", "digits")
TEST_SHARE = 0.2

_TABLES = (
    ".arff",
    ".csv",
    ".feather",
    ".json",
    ".jsonl",
    ".npy",
    ".npz",
    ".parquet",
    ".tsv",
    ".txt",
    ".xls",
    ".xlsx",
)
_ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip")
_TRAIN, _TEST, _VALIDATION = (
    ("train", "training"),
    ("test", "testing"),
    ("validation", "val", "valid"),
)

Rows = tuple[np.ndarray, np.ndarray]


@dataclass
class Images:
    """Images for a classifier, bytes, and what they are called.

    Args:
        name: Name of the data set.
        source: What was named on the command line.
        largest: The largest value that a pixel can have, by which they are scaled.
        class_names: Names of the classes in the order of their numbers.
        train: Images and class numbers to learn from.
        test: Images and class numbers to measure on.
        validation: Images and class numbers to watch while training, where the data has some of its
            own.
        question: What the network is to find out.
        epochs: Passes over the data that suit it.
        test_share: The share that was kept for testing; None where the data has test images of its
            own.
    """

    name: str
    source: str
    largest: int
    class_names: list[str]
    train: Rows
    test: Rows
    validation: Rows | None = None
    question: str = ""
    epochs: int = 10
    test_share: float | None = None


class Found(NamedTuple):
    """What a folder holds: images `(rows, height, width, channels)`, class numbers `(rows,)`, names of the classes."""

    x: np.ndarray
    y: np.ndarray
    class_names: list[str]


@dataclass
class Reading:
    """How the images of a folder are read.

    Args:
        size: Height and width that they are brought to; None: their own, which must be one.
        grey: Whether they become grey; None: if all of them are.
        progress: Whether to show on a terminal how far the reading is.
        skip_bad: Whether images that cannot be read are left out, with a warning.
    """

    size: tuple[int, int] | None = None
    grey: bool | None = None
    progress: bool = False
    skip_bad: bool = False

    def read(self, folder: Path) -> Found:
        """All images of a folder with one folder a class."""
        mode = "grayscale" if self.grey else "rgb"
        read = image_dataset_from_directory(
            folder,
            color_mode=mode,
            image_size=self.size,
            shuffle=False,
            verbose=self.progress,
            skip_bad=self.skip_bad,
        )
        x = (
            np.ascontiguousarray(read.x[..., :1])
            if self.grey is None and _is_grey(read.x)
            else read.x
        )
        return Found(x, np.asarray(read.y), list(read.class_names))


def load(
    source: str, reading: Reading | None = None, *, test_share: float | None = None, seed: int = 0
) -> Images:
    """The data that `source` names.

    Args:
        source: `cifar10`, `digits`, or a folder: one folder of images a class, or `train` and
            `test` (and `validation`) with one folder a class in each.
        reading: How the images of a folder are read.
        test_share: Share of data without test images of its own that is kept for testing, 0 to 1;
            0.2 when None.
        seed: Chooses them.

    Raises:
        ArgumentError: `source` is neither, or has test images of its own although `test_share` is
            given.
        DataError: The data is missing or damaged.
    """
    if source == "digits":
        share = TEST_SHARE if test_share is None else test_share
        train, test = digits.load_data(share)
        question = (
            "Which digit, 0 to 9, is written in an image of 8 by 8 pixels? The images are scans of"
            " handwriting."
        )
        names = [str(name) for name in digits.CLASS_NAMES]
        return Images("digits", source, 16, names, train, test, None, question, 40, share)
    if source == "cifar10":
        _refuse_share(source, test_share)
        (x_train, y_train), (x_test, y_test) = cifar10.load_data()
        question = "Which of ten things is shown in a colour photograph of 32 by 32 pixels?"
        train, test = (x_train, y_train.reshape(-1)), (x_test, y_test.reshape(-1))
        return Images(
            "CIFAR-10", source, 255, list(cifar10.CLASS_NAMES), train, test, None, question
        )
    folder = _checked_folder(source)
    reading = reading or Reading()
    parts = _parts(folder)
    name = folder.resolve().name
    if not parts:
        share = TEST_SHARE if test_share is None else test_share
        images = _divided(reading.read(folder), name, source, share, seed)
    else:
        _refuse_share(str(folder), test_share)
        images = _from_parts(folder, parts, name, source, reading)
    images.question = (
        f"Which of {len(images.class_names)} classes does an image of {name} belong to?"
    )
    return images


def load_others(source: str, reading: Reading) -> tuple[Rows, list[str], int]:
    """Images to measure a trained network on: those for testing, or all where none are set aside.

    Args:
        source: `cifar10`, `digits` or a folder.
        reading: How the images of a folder are read.

    Returns:
        Images and class numbers, the names of the classes, and the largest value of a pixel.

    Raises:
        ArgumentError: `source` is neither.
        DataError: The data is missing or damaged.
    """
    if source in BUILT_IN:
        images = load(source)
        return images.test, images.class_names, images.largest
    folder = _checked_folder(source)
    parts = _parts(folder)
    found = reading.read(
        parts.get("test") or parts.get("validation") or parts.get("train") or folder
    )
    return found[:2], found.class_names, 255


def divide(y: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to keep and rows to set aside, with the same share of each class.

    A class of two or more rows has at least one in both; a single row is kept.

    Args:
        y: Class numbers, `(rows,)`.
        share: Share to set aside, 0 to 1.
        seed: Seed of the lot.

    Returns:
        Two arrays of row numbers, sorted.
    """
    lot = np.random.default_rng(seed)
    aside = []
    for label in np.unique(y):
        rows = lot.permutation(np.flatnonzero(y == label))
        count = round(share * len(rows))
        aside.append(rows[: min(max(count, 1), len(rows) - 1)])
    chosen = np.sort(np.concatenate(aside))
    return np.setdiff1d(np.arange(len(y)), chosen), chosen


def _checked_folder(source: str) -> Path:
    """The folder that was named, with a name that a run can record."""
    folder = Path(source).expanduser()
    if not is_utf8(str(folder.absolute())):
        raise ArgumentError(
            f"The path {shown(source)} is not valid text.",
            expected="a path in UTF-8",
            received=f"{shown(folder.absolute())}, in another encoding",
            fix="rename the folder",
        )
    if folder.is_dir():
        return folder
    if folder.exists():
        raise _no_folder(folder)
    near = nearest(source, BUILT_IN, 1) or [
        str(folder.parent / name) for name in _near_folders(folder)
    ]
    raise ArgumentError(
        f"There is no data set and no folder called {shown(source)}.",
        expected=f"{', '.join(BUILT_IN)}, or a folder with one folder of images a class",
        received="nothing there",
        fix=f"did you mean {shown(near[0])}?" if near else "check the spelling",
    )


def _no_folder(path: Path) -> ArgumentError:
    """What to say of a file in the place of a folder."""
    ending = path.suffix.lower()
    received, fix = "a file", "name a folder"
    if ending in _TABLES:
        received, fix = (
            "a table",
            "read it in Python (NumPy, pandas) and train a model with model.fit",
        )
    elif ending in _ARCHIVES:
        received, fix = "an archive", "unpack it and name its folder"
    elif not path.is_file():
        received = "a pipe, a device or a socket"
    tables = " Tables are not read yet." if ending in _TABLES else ""
    return ArgumentError(
        f"{shown(path)} is not a folder of images.{tables}",
        expected=f"{', '.join(BUILT_IN)}, or a folder with one folder of images a class",
        received=received,
        fix=fix,
    )


def _near_folders(folder: Path) -> list[str]:
    try:
        return nearest(folder.name, [path.name for path in folders_in(folder.parent)], 1)
    except DataError:
        return []


def _refuse_share(source: str, test_share: float | None) -> None:
    if test_share is not None:
        raise ArgumentError(
            f"{source} has test images of its own.",
            expected="no --test-share",
            received=f"--test-share {test_share:g}",
            fix="leave the option out",
        )


def _parts(folder: Path) -> dict[str, Path]:
    """The folders of the parts: `train` and so on; none where the folder holds the classes themselves."""
    inside = {path.name.lower(): path for path in folders_in(folder)}
    found = {
        part: next((inside[name] for name in names if name in inside), None)
        for part, names in (("train", _TRAIN), ("test", _TEST), ("validation", _VALIDATION))
    }
    parts = {part: path for part, path in found.items() if path is not None}
    # A class may be called "train": then its folder holds images, not folders.
    return parts if parts and all(map(folders_in, parts.values())) else {}


def _from_parts(
    folder: Path, parts: dict[str, Path], name: str, source: str, reading: Reading
) -> Images:
    missing = "train" if "train" not in parts else "test" if len(parts) == 1 else ""
    if missing:
        raise DataError(
            f"{shown(folder)} has no folder {missing}.",
            expected=(
                "train and test (and validation), with one folder a class in each, or one folder a"
                " class"
            ),
            received=", ".join(path.name for path in parts.values()),
            fix=(
                f"add {missing}, or name a folder that holds the classes themselves: their images"
                " are then divided"
            ),
        )
    train = reading.read(parts["train"])
    read = {"train": train}
    height, width, channels = train.x.shape[1:]
    same = replace(reading, grey=channels == 1)
    for part in ("test", "validation"):
        if part not in parts:
            continue
        read[part] = found = same.read(parts[part])
        if found.class_names != train.class_names:
            raise DataError(
                f"{shown(parts[part])} and {shown(parts['train'])} have different classes.",
                expected=shown(", ".join(train.class_names)),
                received=shown(", ".join(found.class_names)),
                fix="give both the same folders",
            )
        if found.x.shape[1:3] != (height, width):
            raise DataError(
                f"The images in {shown(parts[part])} have another size than those in"
                f" {shown(parts['train'])}.",
                expected=f"{height} x {width} pixels (height x width)",
                received=f"{found.x.shape[1]} x {found.x.shape[2]} pixels",
                fix=f"add --image-size {height}x{width}, or another size, to bring all to it",
            )
    rows = {part: found[:2] for part, found in read.items()}
    # Without a folder test, validation is all there is to measure on.
    validation = rows.get("validation") if "test" in rows else None
    test = rows.get("test") or rows["validation"]
    return Images(
        name, source, 255, _two_or_more(train.class_names, folder), rows["train"], test, validation
    )


def _divided(found: Found, name: str, source: str, share: float, seed: int) -> Images:
    names = _two_or_more(found.class_names, Path(source))
    y = found.y
    kept, aside = divide(y, share, seed)
    if not len(aside):
        raise DataError(
            f"{shown(source)} has too few images to keep some for testing.",
            expected="two images of some class",
            received=f"{len(y)} images of {len(names)} classes",
            fix="add images",
        )
    single = [names[label] for label in sorted(set(y.tolist()) - set(y[aside].tolist()))]
    if single:
        warnings.warn(
            f"Only one image each, so none to test on: {shown(', '.join(single[:5]))}.",
            stacklevel=2,
        )
    train, test = (found.x[kept], y[kept]), (found.x[aside], y[aside])
    return Images(name, source, 255, names, train, test, test_share=share)


def _two_or_more(names: list[str], folder: Path) -> list[str]:
    if len(names) < 2:
        raise DataError(
            f"{shown(folder)} has one class only: there is nothing to tell apart.",
            expected="two or more folders, one a class",
            received=shown(", ".join(names)),
            fix="add a folder of images for each further class",
        )
    return list(names)


def _is_grey(x: np.ndarray) -> bool:
    """Whether the three channels `(rows, height, width, 3)` are everywhere the same."""
    blocks = (x[start : start + 256] for start in range(0, len(x), 256))
    return all(bool((block == block[..., :1]).all()) for block in blocks)
