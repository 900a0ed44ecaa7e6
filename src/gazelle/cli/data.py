"""Loading the data that is named on the command line: a built-in data set or a folder of images."""

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
_PART_NAMES = {  # names that the folder of each part may have
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("validation", "val", "valid"),
}
_EXPECTED = f"{', '.join(BUILT_IN)}, or a folder with one subfolder of images per class"

Rows = tuple[np.ndarray, np.ndarray]


@dataclass
class Images:
    """Images for a classifier, as bytes.

    Args:
        name: Name of the data set.
        source: The data as it was named on the command line.
        largest: Largest possible value of a pixel, by which pixels are scaled.
        class_names: Names of the classes in the order of their numbers.
        train: Images and class numbers for training.
        test: Images and class numbers for testing.
        validation: Images and class numbers for validation; None if the data has no such part.
        question: The question that the network answers.
        epochs: Default number of epochs for this data.
        test_share: Share of the images that was kept for testing; None if the data has its own test
            images.
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


class FolderImages(NamedTuple):
    """The images of a folder.

    Args:
        x: Images, `(rows, height, width, channels)`.
        y: Class numbers, `(rows,)`.
        class_names: Names of the classes in the order of their numbers.
    """

    x: np.ndarray
    y: np.ndarray
    class_names: list[str]


@dataclass
class ReadOptions:
    """Options for reading the images of a folder.

    Args:
        size: Height and width to resize the images to; None to keep their size, which must then be
            the same for all.
        gray: Whether to convert the images to grayscale; None to do so if all of them are gray.
        progress: Whether to show a progress bar on a terminal.
        skip_bad: Whether to leave out images that cannot be read, with a warning.
    """

    size: tuple[int, int] | None = None
    gray: bool | None = None
    progress: bool = False
    skip_bad: bool = False

    def read(self, folder: Path) -> FolderImages:
        """Read all images of a folder with one subfolder per class."""
        dataset = image_dataset_from_directory(
            folder,
            color_mode="grayscale" if self.gray else "rgb",
            image_size=self.size,
            shuffle=False,
            verbose=self.progress,
            skip_bad=self.skip_bad,
        )
        x = dataset.x
        if self.gray is None and _is_gray(x):
            x = np.ascontiguousarray(x[..., :1])
        return FolderImages(x, np.asarray(dataset.y), list(dataset.class_names))


def load(
    source: str,
    options: ReadOptions | None = None,
    *,
    test_share: float | None = None,
    seed: int = 0,
) -> Images:
    """Load the data that `source` names.

    Args:
        source: `cifar10`, `digits`, or a folder. The folder has one subfolder of images per class,
            or folders `train` and `test` (and `validation`) with such subfolders.
        options: How to read the images of a folder.
        test_share: Share of the images to keep for testing, between 0 and 1, if the data has no
            test images of its own; None for 0.2.
        seed: Seed that chooses them.

    Raises:
        ArgumentError: There is no such data, or it has its own test images although `test_share` is
            given.
        DataError: The data is missing or damaged.
    """
    if source == "digits":
        share = TEST_SHARE if test_share is None else test_share
        train, test = digits.load_data(share)
        question = (
            "Which digit, 0 to 9, does an image of 8 by 8 pixels show? The images are scans of"
            " handwriting."
        )
        names = [str(name) for name in digits.CLASS_NAMES]
        return Images("digits", source, 16, names, train, test, None, question, 40, share)
    if source == "cifar10":
        _refuse_share(source, test_share)
        (x_train, y_train), (x_test, y_test) = cifar10.load_data()
        question = "Which of ten things does a color photograph of 32 by 32 pixels show?"
        train, test = (x_train, y_train.reshape(-1)), (x_test, y_test.reshape(-1))
        return Images(
            "CIFAR-10", source, 255, list(cifar10.CLASS_NAMES), train, test, None, question
        )
    folder = _checked_folder(source)
    options = options or ReadOptions()
    parts = _parts(folder)
    name = folder.resolve().name
    if not parts:
        share = TEST_SHARE if test_share is None else test_share
        images = _divided(options.read(folder), name, source, share, seed)
    else:
        _refuse_share(str(folder), test_share)
        images = _from_parts(folder, parts, name, source, options)
    images.question = (
        f"Which of {len(images.class_names)} classes does an image of {name} belong to?"
    )
    return images


def load_for_evaluation(source: str, options: ReadOptions) -> tuple[Rows, list[str], int]:
    """Load images to evaluate a trained network on: the test images, or all if there are none.

    Args:
        source: `cifar10`, `digits` or a folder.
        options: How to read the images of a folder.

    Returns:
        Images and class numbers, the names of the classes, and the largest possible value of a
        pixel.

    Raises:
        ArgumentError: There is no such data.
        DataError: The data is missing or damaged.
    """
    if source in BUILT_IN:
        images = load(source)
        return images.test, images.class_names, images.largest
    folder = _checked_folder(source)
    parts = _parts(folder)
    part = parts.get("test") or parts.get("validation") or parts.get("train") or folder
    images = options.read(part)
    return (images.x, images.y), images.class_names, 255


def divide(y: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide rows into those to keep and those to hold out, with the same share of each class.

    Of a class with two or more rows at least one is kept and one is held out; a single row is kept.

    Args:
        y: Class numbers, `(rows,)`.
        share: Share to hold out, between 0 and 1.
        seed: Seed of the random choice.

    Returns:
        Sorted row numbers to keep, and sorted row numbers to hold out.
    """
    rng = np.random.default_rng(seed)
    held_out = []
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        count = round(share * len(rows))
        held_out.append(rows[: min(max(count, 1), len(rows) - 1)])
    chosen = np.sort(np.concatenate(held_out))
    return np.setdiff1d(np.arange(len(y)), chosen), chosen


def _checked_folder(source: str) -> Path:
    """The folder that was named. Its path must be valid text, since a run records it."""
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
    near = nearest(source, BUILT_IN, 1)
    if not near:
        near = [str(folder.parent / name) for name in _similar_folders(folder)]
    raise ArgumentError(
        f"There is no data set and no folder called {shown(source)}.",
        expected=_EXPECTED,
        received="nothing at this path",
        fix=f"did you mean {shown(near[0])}?" if near else "check the spelling",
    )


def _no_folder(path: Path) -> ArgumentError:
    """The error for a file instead of a folder."""
    ending = path.suffix.lower()
    problem = f"{shown(path)} is not a folder of images."
    received, fix = "a file", "pass a folder"
    if ending in _TABLES:
        problem += " Tables are not supported yet."
        received = "a table"
        fix = "read it in Python (NumPy, pandas) and train a model with model.fit"
    elif ending in _ARCHIVES:
        received, fix = "an archive", "unpack it and pass its folder"
    elif not path.is_file():
        received = "a pipe, a device or a socket"
    return ArgumentError(problem, expected=_EXPECTED, received=received, fix=fix)


def _similar_folders(folder: Path) -> list[str]:
    """The folder beside `folder` with the most similar name, if any."""
    try:
        return nearest(folder.name, [path.name for path in folders_in(folder.parent)], 1)
    except DataError:
        return []


def _refuse_share(source: str, test_share: float | None) -> None:
    if test_share is not None:
        raise ArgumentError(
            f"{source} has its own test images.",
            expected="no --test-share",
            received=f"--test-share {test_share:g}",
            fix="leave the option out",
        )


def _parts(folder: Path) -> dict[str, Path]:
    """The folders of the parts, by `train`, `test` and `validation`.

    Empty if the folder holds the classes themselves.
    """
    inside = {path.name.lower(): path for path in folders_in(folder)}
    parts = {}
    for part, names in _PART_NAMES.items():
        present = [name for name in names if name in inside]
        if present:
            parts[part] = inside[present[0]]
    # A class may be called "train". Its folder then holds images, not folders.
    if all(map(folders_in, parts.values())):
        return parts
    return {}


def _from_parts(
    folder: Path, parts: dict[str, Path], name: str, source: str, options: ReadOptions
) -> Images:
    """Load a folder that has training and test images in separate folders."""
    missing = ""
    if "train" not in parts:
        missing = "train"
    elif len(parts) == 1:
        missing = "test"
    if missing:
        raise DataError(
            f"{shown(folder)} has no folder {missing}.",
            expected=(
                "train and test (and validation), each with one subfolder per class, or one"
                " subfolder per class"
            ),
            received=", ".join(path.name for path in parts.values()),
            fix=(
                f"add {missing}, or pass a folder that holds the classes themselves: their images"
                " are then divided"
            ),
        )
    train = options.read(parts["train"])
    rows = {"train": (train.x, train.y)}
    channels = train.x.shape[-1]
    same_color = replace(options, gray=channels == 1)
    for part in ("test", "validation"):
        if part in parts:
            images = same_color.read(parts[part])
            _check_match(images, parts[part], train, parts["train"])
            rows[part] = images.x, images.y
    # Without a test folder, the validation images are used for testing.
    validation = rows.get("validation") if "test" in rows else None
    test = rows.get("test") or rows["validation"]
    names = _two_or_more(train.class_names, folder)
    return Images(name, source, 255, names, rows["train"], test, validation)


def _check_match(
    images: FolderImages, folder: Path, train: FolderImages, train_folder: Path
) -> None:
    """Refuse images whose classes or size differ from those of the training images."""
    if images.class_names != train.class_names:
        raise DataError(
            f"{shown(folder)} and {shown(train_folder)} have different classes.",
            expected=shown(", ".join(train.class_names)),
            received=shown(", ".join(images.class_names)),
            fix="give both the same subfolders",
        )
    height, width = train.x.shape[1:3]
    if images.x.shape[1:3] != (height, width):
        raise DataError(
            f"The images in {shown(folder)} and {shown(train_folder)} have different sizes.",
            expected=f"{height} x {width} pixels (height x width)",
            received=f"{images.x.shape[1]} x {images.x.shape[2]} pixels",
            fix=f"add --image-size {height}x{width}, or another size, to resize all images",
        )


def _divided(images: FolderImages, name: str, source: str, share: float, seed: int) -> Images:
    """Divide the images of a folder into training and test images."""
    names = _two_or_more(images.class_names, Path(source))
    x, y = images.x, images.y
    kept, held_out = divide(y, share, seed)
    if not len(held_out):
        raise DataError(
            f"{shown(source)} has too few images to keep some for testing.",
            expected="two images of some class",
            received=f"{len(y)} images of {len(names)} classes",
            fix="add images",
        )
    single = [names[label] for label in sorted(set(y.tolist()) - set(y[held_out].tolist()))]
    if single:
        warnings.warn(
            "These classes have a single image, so none for testing:"
            f" {shown(', '.join(single[:5]))}.",
            stacklevel=2,
        )
    train, test = (x[kept], y[kept]), (x[held_out], y[held_out])
    return Images(name, source, 255, names, train, test, test_share=share)


def _two_or_more(names: list[str], folder: Path) -> list[str]:
    if len(names) < 2:
        raise DataError(
            f"{shown(folder)} has only one class: there is nothing to distinguish.",
            expected="two or more subfolders, one per class",
            received=shown(", ".join(names)),
            fix="add a folder of images for each further class",
        )
    return list(names)


def _is_gray(x: np.ndarray) -> bool:
    """Whether the three channels of all images, `(rows, height, width, 3)`, are equal."""
    for start in range(0, len(x), 256):
        some = x[start : start + 256]
        if not (some == some[..., :1]).all():
            return False
    return True
