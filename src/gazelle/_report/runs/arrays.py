"""`predictions.npz` and `samples.npz`: answers for the test rows, and pictures to show."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gazelle._core.errors import DataError
from gazelle._files.writing import atomic_path
from gazelle._report.runs.archive import most_unpacked, read_arrays
from gazelle._report.runs.reading import damaged, reading
from gazelle._report.schema import Predictions, Samples

PREDICTIONS = "predictions.npz"
SAMPLES = "samples.npz"


T = TypeVar("T", Predictions, Samples)


def write_predictions(folder: Path, labels: Any, outputs: Any) -> Path:
    """Write the answers for the test rows.

    Args:
        folder: The run folder.
        labels: True classes (whole numbers) or targets, `(rows, ...)`.
        outputs: Probabilities or predicted values, `(rows, ...)`; float16 stays, all else becomes
            float32.

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
    if (
        found.labels.shape[:1] != found.outputs.shape[:1]
        or found.labels.ndim not in (1, 2)
        or not len(found.labels)
    ):
        raise damaged(
            path,
            "as many labels as outputs",
            f"shapes {found.labels.shape} and {found.outputs.shape}",
        )
    return found


def write_samples(folder: Path, samples: Samples) -> Path:
    """Write pictures to show.

    Raises:
        DataError: The pictures are not uint8 of a shape that can be shown, or the arrays do not fit
            together.
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
        raise DataError(
            "The samples cannot be written.", expected="what Samples describes", received=problem
        )
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


def _misfit(samples: Samples) -> str:
    """What is wrong with samples; empty when nothing is."""
    pairs = (("images", "labels"), ("wrong_images", "wrong_labels"))
    for pictures, labels in pairs:
        array = getattr(samples, pictures)
        if getattr(samples, labels).dtype.kind not in "iu":
            return f"{labels} of type {getattr(samples, labels).dtype}"
        if array.size == 0 and len(array):
            return f"{pictures} without a pixel"
        if (
            array.dtype != np.uint8
            or array.ndim not in (3, 4)
            or (array.ndim == 4 and array.shape[-1] != 3)
        ):
            return f"{pictures} of type {array.dtype} and shape {array.shape}"
        if getattr(samples, labels).shape != array.shape[:1]:
            return f"{labels} of shape {getattr(samples, labels).shape} for {len(array)} pictures"
    for name, kind in (("wrong_predictions", "iu"), ("wrong_confidences", "f")):
        if getattr(samples, name).dtype.kind not in kind:
            return f"{name} of type {getattr(samples, name).dtype}"
        if getattr(samples, name).shape != samples.wrong_labels.shape:
            return (
                f"{name} of shape {getattr(samples, name).shape} for {len(samples.wrong_labels)}"
                " pictures"
            )
    return ""


def _write(path: Path, value: Predictions | Samples) -> Path:
    arrays = {field.name: getattr(value, field.name) for field in fields(value)}
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)
        if sum(array.nbytes for array in arrays.values()) > most_unpacked(temporary.stat().st_size):
            np.savez(
                temporary, **arrays
            )  # so that what is read back is never refused for being packed too well
    return path


def _read(path: Path, kind: type[T]) -> T:
    names = [field.name for field in fields(kind)]
    with reading(path, f"a .npz archive of the arrays {', '.join(names)}"):
        return kind(**read_arrays(path, names))
