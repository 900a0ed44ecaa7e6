"""Fixtures of the command line: the command in this process, small runs, folders of images."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from gazelle.cli.main import main

PROGRAM = "import sys; from gazelle.cli.main import main; sys.exit(main())"
DIGITS = ("--epochs", "2", "--hidden", "16", "--learning-rate", "0.01")


class Result(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def gazelle(capfd):
    """Runs the command and returns its status and output."""

    def run(*arguments):
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        return Result(status, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """A run of two epochs on the digits."""
    root = tmp_path_factory.mktemp("runs")
    assert main(["train", "digits", *DIGITS, "--out", str(root), "--quiet"]) == 0
    return root / "digits"


def paint(path, size=(6, 6), mode="L", value=100, seed=0):
    """Write an image of noise around a value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    pixels = np.clip(rng.integers(-40, 41, (*size, channels)) + value, 0, 255).astype(np.uint8)
    Image.fromarray(pixels.squeeze()).save(path)


def folder_of(root, classes=("dark", "light"), count=6, **options):
    """Make a folder of images with one class per brightness."""
    for number, name in enumerate(classes):
        for i in range(count):
            paint(
                Path(root) / name / f"{i}.png",
                value=60 + 130 * number,
                seed=100 * number + i,
                **options,
            )
    return Path(root)


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """Gray images of two classes, 6 x 6 pixels."""
    return folder_of(tmp_path_factory.mktemp("data") / "shades")


@pytest.fixture(scope="session")
def shades_run(tmp_path_factory, images):
    """A run that has learned to distinguish dark from light."""
    root = tmp_path_factory.mktemp("runs")
    options = ["--epochs", "30", "--hidden", "", "--learning-rate", "0.05", "-q"]
    assert main(["train", str(images), *options, "--out", str(root)]) == 0
    return root / "shades"
