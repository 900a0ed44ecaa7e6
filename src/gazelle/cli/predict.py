"""gazelle predict: predicted classes of single images."""

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

_PATH = 40  # columns for the name of a file, at most

Ranking = list[tuple[str, float]]  # classes of an image and their probabilities, most likely first


def predict(given: Path, files: list[Path], *, invert: bool = False) -> list[Ranking]:
    """Predict the classes of images.

    Args:
        given: The run folder.
        files: Images of any size and mode; they are converted to those of the network.
        invert: Whether to invert the images first.

    Returns:
        The classes of each image with their probabilities, most likely first.

    Raises:
        GazelleError: There is no such run, or a file is not an image.
    """
    run = open_image_run(given)
    pixels = np.stack([img_to_array(image) for image in _opened(files, run)])
    if invert:
        pixels = 255 - pixels
    if run.largest != 255:
        pixels = pixels * np.float32(run.largest / 255)
    outputs = run.model.predict(pixels.reshape(len(files), *run.config.input_shape), verbose=0)
    names = run.config.class_names
    rankings = []
    for probabilities in figures.two_columns(as_probabilities(run.model, outputs)):
        order = np.argsort(-probabilities, kind="stable")
        rankings.append([(names[label], float(probabilities[label])) for label in order])
    return rankings


def _opened(files: list[Path], run: ImageRun) -> list[Any]:
    """Open images in the network's size and colors; one error names all that cannot be read."""
    mode = "grayscale" if run.gray else "rgb"
    images, errors, transparent = [], [], 0
    for file in files:
        try:
            with opened(file) as image:
                picture, was_transparent = decoded(image, mode, file)
        except DataError as error:
            errors.append(error)
            continue
        images.append(resized(picture, run.size, "bilinear", "stretch"))
        transparent += was_transparent
    if errors:
        raise all_bad(errors, len(files), fix="pass only image files")
    if transparent:
        warnings.warn(f"{transparent_words(transparent, len(files))}.", stacklevel=3)
    return images


def table(files: list[Path], rankings: list[Ranking], top: int) -> str:
    """A table with one line per image: its file and its most likely classes."""
    files_shown = [fitting(file) for file in files]
    left = min(max(map(len, files_shown)), _PATH)
    best = [[(fitting(name), share) for name, share in ranking[:top]] for ranking in rankings]
    widths = [max(len(name) for name, _ in column) for column in zip(*best, strict=True)]
    lines = []
    for file, ranking in zip(files_shown, best, strict=True):
        cells = [f"{file:{left}}"]
        for (name, share), width in zip(ranking, widths, strict=True):
            cells.append(f"{name:{width}} {share:6.1%}")
        lines.append("  ".join(cells))
    return "\n".join(lines)
