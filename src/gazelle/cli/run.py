"""Opening a run folder that is named on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gazelle._core.console import shown
from gazelle._core.errors import ArgumentError, nearest
from gazelle._report import runs, schema
from gazelle._report.runs.damage import damaged
from gazelle._report.saved_model import read_model

HOME = Path("runs")
_MOST_NAMED = 5


@dataclass
class ImageRun:
    """A run whose network classifies images.

    Args:
        folder: The run folder.
        config: Its `config.json`.
        model: The trained model, compiled.
        size: Height and width of the images.
        gray: Whether the images have one channel.
        largest: Largest possible value of a pixel.
    """

    folder: Path
    config: schema.RunConfig
    model: Any
    size: tuple[int, int]
    gray: bool
    largest: int


def open_run(given: Path) -> Path:
    """Find a run folder, given as a path or as a name in `runs/`.

    Raises:
        ArgumentError: There is no such folder, or it is not a run folder.
    """
    for folder in (given, HOME / given):
        if (folder / runs.CONFIG).is_file():
            return folder
    parent = given.parent if given.parent != Path() else HOME
    near = ", ".join(shown(folder) for folder in _similar_runs(parent, given.name))
    received = "nothing at this path"
    if given.is_dir():
        received = "a folder without it"
    elif given.exists():
        received = "a file"
    raise ArgumentError(
        f"{shown(given)} is not a run folder.",
        expected=f"a folder with {runs.CONFIG}, made by gazelle train",
        received=received,
        fix=f"choose one of: {near}" if near else "make one: gazelle train digits",
    )


def _similar_runs(parent: Path, name: str) -> list[Path]:
    """Up to five runs in a folder: those with a similar name, or else the newest ones."""
    found = {path.parent.name: path.parent for path in parent.glob(f"[!.]*/{runs.CONFIG}")}
    similar = nearest(name, found, _MOST_NAMED)
    if similar:
        return [found[name] for name in similar]
    newest = sorted(found.values(), key=lambda folder: -folder.stat().st_mtime)
    return newest[:_MOST_NAMED]


def open_image_run(given: Path) -> ImageRun:
    """Open a run of `gazelle train`, whose network takes images.

    Raises:
        ArgumentError: There is no such run, or it was not made by `gazelle train`, so that it is
            unknown how its images were prepared.
        DataError: A file is missing or damaged.
    """
    folder = open_run(given)
    config = runs.read_config(folder)
    pixels = str(config.settings.get("pixels", ""))
    prefix = "0 to "
    has_images = len(config.input_shape) in (2, 3) and pixels.startswith(prefix)
    if config.task != "classification" or not has_images:
        raise ArgumentError(
            f"The run {shown(folder)} was not made by gazelle train: it is unknown how its data was"
            " prepared.",
            expected="a run of gazelle train",
            received=f"{config.task}, one row of shape {tuple(config.input_shape)}",
            fix="use model.evaluate and model.predict in Python",
        )
    height, width, *channels = config.input_shape
    largest = pixels.removeprefix(prefix)
    is_number = largest.isascii() and largest.isdigit() and len(largest) < 10
    if not is_number or min(height, width) <= 0:
        raise damaged(folder / runs.CONFIG, "pixels such as 0 to 255", pixels)
    model = read_model(folder, config)
    return ImageRun(folder, config, model, (height, width), channels != [3], int(largest))
