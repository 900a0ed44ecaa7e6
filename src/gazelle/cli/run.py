"""A run folder given on the command line: found, checked, its model ready to answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gazelle._core.console import shown
from gazelle._core.errors import ArgumentError, nearest
from gazelle._report import runs, schema
from gazelle._report.reading import read_model
from gazelle._report.runs.reading import damaged

HOME = Path("runs")
_MOST_NAMED = 5


@dataclass
class ImageRun:
    """A run that names the classes of images.

    Args:
        folder: The run folder.
        config: What it says.
        model: The trained model, compiled.
        size: Height and width of its images.
        grey: Whether they have one channel.
        largest: The largest value that a pixel can have.
    """

    folder: Path
    config: schema.RunConfig
    model: Any
    size: tuple[int, int]
    grey: bool
    largest: int


def open_run(given: Path) -> Path:
    """The run folder: a path, or a name in `runs/`.

    Raises:
        ArgumentError: There is no such folder, or it is not a run folder.
    """
    for folder in (given, HOME / given):
        if (folder / runs.CONFIG).is_file():
            return folder
    parent = given.parent if given.parent != Path() else HOME
    found = {path.parent.name: path.parent for path in parent.glob(f"[!.]*/{runs.CONFIG}")}
    names = nearest(given.name, found, _MOST_NAMED) or sorted(
        found, key=lambda n: -found[n].stat().st_mtime
    )
    near = ", ".join(shown(found[name]) for name in names[:_MOST_NAMED])
    raise ArgumentError(
        f"{shown(given)} is not a run folder.",
        expected=f"a folder with {runs.CONFIG}, as gazelle train makes it",
        received=(
            "a folder without it"
            if given.is_dir()
            else "a file"
            if given.exists()
            else "nothing there"
        ),
        fix=f"there are: {near}" if near else "make one: gazelle train digits",
    )


def open_image_run(given: Path) -> ImageRun:
    """A run of `gazelle train`, whose network takes images.

    Raises:
        ArgumentError: No run folder, or one whose images were prepared elsewhere, so that it is not
            known how.
        DataError: A file is missing or damaged.
    """
    folder = open_run(given)
    config = runs.read_config(folder)
    pixels = str(config.settings.get("pixels", ""))
    if (
        config.task != "classification"
        or len(config.input_shape) not in (2, 3)
        or not pixels.startswith("0 to ")
    ):
        raise ArgumentError(
            f"The run {shown(folder)} was not made by gazelle train: how its data was prepared is"
            " not known.",
            expected="a run of gazelle train",
            received=f"{config.task}, one row of shape {tuple(config.input_shape)}",
            fix="use model.evaluate and model.predict in Python",
        )
    height, width, *channels = config.input_shape
    largest = pixels.removeprefix("0 to ")
    if not (
        largest.isascii() and largest.isdigit() and len(largest) < 10 and min(height, width) > 0
    ):
        raise damaged(folder / runs.CONFIG, "pixels such as 0 to 255", pixels)
    model = read_model(folder, config)
    return ImageRun(folder, config, model, (height, width), channels != [3], int(largest))
