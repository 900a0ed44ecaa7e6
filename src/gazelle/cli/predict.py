"""gazelle predict: the classes of single images."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from gazelle._core.console import fitting
from gazelle._core.errors import DataError
from gazelle._data.images.decoding import decoded, opened, resized
from gazelle._data.images.folder import all_bad, transparent_words
from gazelle._data.images.image import img_to_array
from gazelle._report import figures
from gazelle._report.predictions import as_probabilities
from gazelle.cli.run import ImageRun, open_image_run

_PATH = 40  # columns for a file's name, at most


def predict(
    given: Path, files: list[Path], *, invert: bool = False
) -> list[list[tuple[str, float]]]:
    """The classes of images, each with its probability, the likeliest first.

    Args:
        given: The run folder.
        files: Images of any size and mode; they are brought to the network's.
        invert: Whether to turn light into dark first.

    Raises:
        GazelleError: No run folder, or a file that is no image.
    """
    run = open_image_run(given)
    pixels = np.stack([img_to_array(image) for image in _opened(files, run)])
    pixels = 255 - pixels if invert else pixels
    if run.largest != 255:
        pixels = pixels * np.float32(run.largest / 255)
    outputs = run.model.predict(pixels.reshape(len(files), *run.config.input_shape), verbose=0)
    names = run.config.class_names
    answers = []
    for row in figures.two_columns(as_probabilities(run.model, outputs)):
        answers.append(
            [(names[place], float(row[place])) for place in np.argsort(-row, kind="stable")]
        )
    return answers


def _opened(files: list[Path], run: ImageRun) -> list[Any]:
    """The images, in the network's size and colours; all that cannot be read are named at once."""
    mode = "grayscale" if run.grey else "rgb"
    images, errors, transparent = [], [], 0
    for file in files:
        try:
            with opened(file) as image:
                picture, laid = decoded(image, mode, file)
        except DataError as error:
            errors.append(error)
            continue
        images.append(resized(picture, run.size, "bilinear", "stretch"))
        transparent += laid
    if errors:
        raise all_bad(errors, len(files), fix="name image files only")
    if transparent:
        warnings.warn(f"{transparent_words(transparent, len(files))}.", stacklevel=3)
    return images


def table(files: list[Path], answers: list[list[tuple[str, float]]], top: int) -> str:
    """A line for each image: its file and its likeliest classes, in columns."""
    answered = [[(fitting(name), share) for name, share in answer[:top]] for answer in answers]
    names = [fitting(file) for file in files]
    left = min(max(map(len, names)), _PATH)
    widths = [
        max(len(answer[place][0]) for answer in answered) for place in range(len(answered[0]))
    ]
    lines = []
    for name, answer in zip(names, answered, strict=True):
        cells = [
            f"{label:{width}} {share:6.1%}"
            for (label, share), width in zip(answer, widths, strict=True)
        ]
        lines.append(f"{name:{left}}  " + "  ".join(cells))
    return "\n".join(lines)
