"""`predictions.npz` and `samples.npz`: predictions for the test rows, and sample images."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gazelle._core.errors import DataError
from gazelle._files.writing import atomic_path
from gazelle._report.runs.archive import most_unpacked, read_arrays
from gazelle._report.runs.damage import damaged, reporting_damage
from gazelle._report.schema import Predictions, Samples

PREDICTIONS = "predictions.npz"
SAMPLES = "samples.npz"


T = TypeVar("T", Predictions, Samples)


def write_predictions(folder: Path, labels: Any, outputs: Any) -> Path:
    """Write the predictions for the test rows.

    Args:
        folder: The run folder.
        labels: True classes (whole numbers) or targets, `(rows, ...)`.
        outputs: Probabilities or predicted values, `(rows, ...)`; float16 stays, other types become
            float32.

    Returns:
        Path of the file.

    Raises:
        DataError: The numbers of rows differ.
    """
    labels, outputs = np.asarray(labels), np.asarray(outputs)
    if labels.shape[:1] != outputs.shape[:1]:
        raise DataError(
            "Labels and predictions have different numbers of rows.",
            expected=f"{labels.shape[:1]}",
            received=f"{outputs.shape[:1]}",
        )
    labels = labels.astype(np.int32 if labels.dtype.kind in "iub" else np.float32)
    if outputs.dtype != np.float16:
        outputs = outputs.astype(np.float32)
    return _write(folder / PREDICTIONS, Predictions(labels, outputs))


def read_predictions(folder: Path) -> Predictions:
    """Read the predictions for the test rows.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = folder / PREDICTIONS
    found = _read(path, Predictions)
    labels, outputs = found.labels, found.outputs
    if labels.ndim not in (1, 2) or labels.shape[:1] != outputs.shape[:1] or not len(labels):
        raise damaged(
            path, "as many labels as outputs", f"shapes {labels.shape} and {outputs.shape}"
        )
    return found


def write_samples(folder: Path, samples: Samples) -> Path:
    """Write the sample images.

    Raises:
        DataError: The images are not uint8 of a shape that can be shown, or the arrays do not
            match.
    """
    samples = Samples(
        samples.images,
        np.asarray(samples.labels, np.int32),
        samples.wrong_images,
        np.asarray(samples.wrong_labels, np.int32),
        np.asarray(samples.wrong_predictions, np.int32),
        np.asarray(samples.wrong_confidences, np.float32),
    )
    if problem := _samples_problem(samples):
        raise DataError(
            "The samples cannot be written.",
            expected="images with as many labels",
            received=problem,
        )
    return _write(folder / SAMPLES, samples)


def read_samples(folder: Path) -> Samples:
    """Read the sample images.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = folder / SAMPLES
    samples = _read(path, Samples)
    if problem := _samples_problem(samples):
        raise damaged(path, "images with as many labels", problem)
    return samples


def _samples_problem(samples: Samples) -> str:
    """What is wrong with samples; empty if nothing is."""
    images, wrong = samples.images, samples.wrong_images
    return (
        _images_problem("images", images)
        or _images_problem("wrong_images", wrong)
        or _column_problem("labels", samples.labels, "iu", images)
        or _column_problem("wrong_labels", samples.wrong_labels, "iu", wrong)
        or _column_problem("wrong_predictions", samples.wrong_predictions, "iu", wrong)
        or _column_problem("wrong_confidences", samples.wrong_confidences, "f", wrong)
    )


def _images_problem(name: str, images: np.ndarray) -> str:
    is_image = images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 3)
    if images.dtype != np.uint8 or not is_image:
        return f"{name} of type {images.dtype} and shape {images.shape}"
    if images.size == 0 and len(images):
        return f"{name} without pixels"
    return ""


def _column_problem(name: str, column: np.ndarray, kinds: str, images: np.ndarray) -> str:
    if column.dtype.kind not in kinds:
        return f"{name} of type {column.dtype}"
    if column.shape != images.shape[:1]:
        return f"{name} of shape {column.shape} for {len(images)} images"
    return ""


def _write(path: Path, value: Predictions | Samples) -> Path:
    arrays = {field.name: getattr(value, field.name) for field in fields(value)}
    size = sum(array.nbytes for array in arrays.values())
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)
        if size > most_unpacked(temporary.stat().st_size):
            # Compressed too well: `read_arrays` would refuse it.
            np.savez(temporary, **arrays)
    return path


def _read(path: Path, kind: type[T]) -> T:
    names = [field.name for field in fields(kind)]
    with reporting_damage(path, f"a .npz archive of the arrays {', '.join(names)}"):
        return kind(**read_arrays(path, names))
