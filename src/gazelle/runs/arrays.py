"""`predictions.npz` and `samples.npz`: answers for the test rows, and pictures to show."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gazelle._core.errors import DataError
from gazelle.runs.jsonfile import damaged, missing
from gazelle.runs.metrics import class_labels, two_columns
from gazelle.utils.files import atomic_path

PREDICTIONS = "predictions.npz"
SAMPLES = "samples.npz"


@dataclass
class Predictions:
    """The answers for the test rows.

    Args:
        labels: Classes `(rows,)` int32, or the targets of a regression, float32 `(rows,)` or `(rows, targets)`.
        outputs: Probabilities `(rows, classes)` float16 or float32 (one column for a sigmoid), or predicted values
            of the shape of `labels`, float32.
    """

    labels: np.ndarray
    outputs: np.ndarray


@dataclass
class Samples:
    """Pictures to show, uint8 `(count, height, width)` or `(count, height, width, 3)`, with what is known of each.

    Args:
        images: Some pictures of each class.
        labels: Their classes, `(count,)`.
        wrong_images: The pictures on which the model was wrong and most sure of itself, worst first.
        wrong_labels: Their true classes.
        wrong_predictions: The classes that the model named.
        wrong_confidences: The probabilities that it gave to these, in [0, 1].
    """

    images: np.ndarray
    labels: np.ndarray
    wrong_images: np.ndarray
    wrong_labels: np.ndarray
    wrong_predictions: np.ndarray
    wrong_confidences: np.ndarray


T = TypeVar("T", Predictions, Samples)


def write_predictions(folder: Path, labels: Any, outputs: Any) -> Path:
    """Write the answers for the test rows.

    Args:
        folder: The run folder.
        labels: True classes (whole numbers) or targets, `(rows, ...)`.
        outputs: Probabilities or predicted values, `(rows, ...)`; float16 stays, all else becomes float32.

    Returns:
        The file.

    Raises:
        DataError: The numbers of rows differ.
    """
    labels, outputs = np.asarray(labels), np.asarray(outputs)
    if labels.shape[:1] != outputs.shape[:1]:
        raise DataError(
            "Labels and predictions differ in their number of rows.",
            expected=f"{labels.shape[:1]}",
            received=f"{outputs.shape[:1]}",
        )
    labels = labels.astype(np.int32 if labels.dtype.kind in "iub" else np.float32)
    outputs = outputs if outputs.dtype == np.float16 else outputs.astype(np.float32)
    return _write(folder / PREDICTIONS, Predictions(labels, outputs))


def read_predictions(folder: Path) -> Predictions:
    """The answers for the test rows.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = folder / PREDICTIONS
    found = _read(path, Predictions)
    if found.labels.shape[:1] != found.outputs.shape[:1] or not found.labels.ndim:
        raise damaged(path, "as many labels as outputs", f"shapes {found.labels.shape} and {found.outputs.shape}")
    return found


def write_samples(folder: Path, samples: Samples) -> Path:
    """Write pictures to show.

    Raises:
        DataError: The pictures are not uint8 of a shape that can be shown, or the arrays do not fit together.
    """
    samples = Samples(
        samples.images,
        np.asarray(samples.labels, np.int32),
        samples.wrong_images,
        np.asarray(samples.wrong_labels, np.int32),
        np.asarray(samples.wrong_predictions, np.int32),
        np.asarray(samples.wrong_confidences, np.float32),
    )
    if problem := _misfit(samples):
        raise DataError("The samples cannot be written.", expected="what Samples describes", received=problem)
    return _write(folder / SAMPLES, samples)


def read_samples(folder: Path) -> Samples:
    """The pictures to show.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = folder / SAMPLES
    samples = _read(path, Samples)
    if problem := _misfit(samples):
        raise damaged(path, "pictures and as many labels", problem)
    return samples


def choose_samples(
    images: Any, y_true: Any, probabilities: Any = None, *, per_class: int = 6, wrong: int = 18, seed: int = 0
) -> Samples:
    """Pick the pictures to show: some of each class by lot, and those on which the model was most sure and wrong.

    Args:
        images: Pictures of the test rows: uint8, or floats, which are stretched so that 0 is black and the largest
            value (1 where none is above 1) is white; `(rows, height, width)`, or with 1 or 3 channels at the end.
        y_true: Their classes, `(rows,)`.
        probabilities: What the model answers, as `classification_metrics` takes it; None for no wrong ones.
        per_class: How many of each class, at most.
        wrong: How many wrong ones, at most.
        seed: Seed of the lot.
    """
    images = as_bytes(images)
    labels = np.asarray(y_true).reshape(-1).astype(np.int64)
    lot = np.random.default_rng(seed)
    picked = [lot.permutation(np.flatnonzero(labels == label))[:per_class] for label in np.unique(labels)]
    shown = np.concatenate(picked) if picked else np.zeros(0, np.int64)
    if probabilities is None:
        places, predicted, confidence = np.zeros(0, np.int64), labels, np.zeros(len(labels))
    else:
        table = two_columns(probabilities)
        predicted, confidence = table.argmax(axis=1), table.max(axis=1)
        places = most_confidently_wrong(y_true, table, wrong)
    return Samples(images[shown], labels[shown], images[places], labels[places], predicted[places], confidence[places])


def most_confidently_wrong(y_true: Any, probabilities: Any, count: int) -> np.ndarray:
    """Places of the rows where the model is wrong, those of which it is most sure first, at most `count`."""
    table = two_columns(probabilities)
    labels = class_labels(y_true, table)
    wrong = np.flatnonzero(table.argmax(axis=1) != labels)
    order = np.argsort(-table.max(axis=1)[wrong].astype(np.float64), kind="stable")
    return wrong[order][:count]


def as_bytes(images: Any) -> np.ndarray:
    """Pictures as uint8 `(rows, height, width)` or `(rows, height, width, 3)`.

    Raises:
        DataError: The array has no shape of pictures.
    """
    array = np.asarray(images)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] != 3):
        raise DataError(
            "The array cannot be shown as pictures.",
            expected="(rows, height, width), or with 1 or 3 channels at the end",
            received=f"shape {np.shape(images)}",
        )
    if array.dtype == np.uint8:
        return array
    values = np.nan_to_num(array.astype(np.float32))
    top = float(values.max()) if values.size else 1.0
    return np.round(np.clip(values / (top if top > 1 else 1.0), 0, 1) * 255).astype(np.uint8)


def _misfit(samples: Samples) -> str:
    """What is wrong with samples; empty when nothing is."""
    pairs = (("images", "labels"), ("wrong_images", "wrong_labels"))
    for pictures, labels in pairs:
        array = getattr(samples, pictures)
        if array.dtype != np.uint8 or array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] != 3):
            return f"{pictures} of type {array.dtype} and shape {array.shape}"
        if getattr(samples, labels).shape != array.shape[:1]:
            return f"{labels} of shape {getattr(samples, labels).shape} for {len(array)} pictures"
    for name in ("wrong_predictions", "wrong_confidences"):
        if getattr(samples, name).shape != samples.wrong_labels.shape:
            return f"{name} of shape {getattr(samples, name).shape} for {len(samples.wrong_labels)} pictures"
    return ""


def _write(path: Path, value: Predictions | Samples) -> Path:
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **{field.name: getattr(value, field.name) for field in fields(value)})
    return path


def _read(path: Path, kind: type[T]) -> T:
    names = [field.name for field in fields(kind)]
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in names}
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError) as error:
        raise damaged(path, f"a .npz archive of the arrays {', '.join(names)}", error) from None
    if any(array.dtype.kind not in "iufb" for array in arrays.values()):
        raise damaged(path, "arrays of numbers", {name: str(array.dtype) for name, array in arrays.items()})
    return kind(**arrays)
