"""gazelle predict: the classes of single images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gazelle import runs
from gazelle.cli.run import open_image_run
from gazelle.recording import as_probabilities
from gazelle.utils import img_to_array, load_img

_PATH = 40  # columns for a file's name, at most


def predict(given: Path, files: list[Path], *, invert: bool = False) -> list[list[tuple[str, float]]]:
    """The classes of images, each with its probability, the likeliest first.

    Args:
        given: The run folder.
        files: Images of any size and mode; they are brought to the network's.
        invert: Whether to turn light into dark first.

    Raises:
        GazelleError: No run folder, or a file that is no image.
    """
    run = open_image_run(given)
    mode = "grayscale" if run.grey else "rgb"
    options = {"color_mode": mode, "target_size": run.size, "interpolation": "bilinear"}
    pixels = np.stack([img_to_array(load_img(file, **options)) for file in files])
    pixels = 255 - pixels if invert else pixels
    if run.largest != 255:
        pixels = pixels * np.float32(run.largest / 255)
    outputs = run.model.predict(pixels.reshape(len(files), *run.config.input_shape), verbose=0)
    names = run.config.class_names
    answers = []
    for row in runs.two_columns(as_probabilities(run.model, outputs)):
        answers.append([(names[place], float(row[place])) for place in np.argsort(-row, kind="stable")])
    return answers


def table(files: list[Path], answers: list[list[tuple[str, float]]], top: int) -> str:
    """A line for each image: its file and its likeliest classes, in columns."""
    shown = [answer[:top] for answer in answers]
    left = min(max(len(str(file)) for file in files), _PATH)
    widths = [max(len(answer[place][0]) for answer in shown) for place in range(len(shown[0]))]
    lines = []
    for file, answer in zip(files, shown, strict=True):
        cells = [f"{name:{width}} {share:6.1%}" for (name, share), width in zip(answer, widths, strict=True)]
        lines.append(f"{file!s:{left}}  " + "  ".join(cells))
    return "\n".join(lines)
