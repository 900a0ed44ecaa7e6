"""The command `gazelle`: its subcommands, their options, and how errors and Ctrl-C end it.

What a command needs is imported when it runs, so that `gazelle --help` is quick.

Exit statuses: 0 fine, 1 refused (data, run folders, disks), 2 wrong usage, 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

FINE, REFUSED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


class _Commands(TyperGroup):
    """The subcommands; Ctrl-C is told in a line (typer's own answer differs from version to version)."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            return _tell("interrupted", INTERRUPTED)


app = typer.Typer(
    cls=_Commands,
    help="Train dense neural networks on images: from a folder to a trained network and a report.",
    epilog="Begin with: gazelle train digits",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, runs/digits, or its name in runs/: digits.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        from gazelle.cli.doctor import version_line

        print(version_line())
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and the engine."),
    ] = False,
) -> None:
    """Train dense neural networks on images: from a folder to a trained network and a report."""


@app.command()
def train(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="digits, cifar10, or a folder: one folder of images a class, or train/ and test/ with them inside.",
        ),
    ],
    hidden: Annotated[str, typer.Option(metavar="UNITS", help="Units of the hidden layers; '' for none.")] = "200,150",
    activation: Annotated[str, typer.Option(metavar="NAME", help="Activation of the hidden layers.")] = "relu",
    dropout: Annotated[
        float, typer.Option(metavar="SHARE", min=0.0, max=0.95, help="Share of hidden units dropped in training.")
    ] = 0.0,
    optimizer: Annotated[str, typer.Option(metavar="NAME", help="adam, sgd, rmsprop, ...")] = "adam",
    learning_rate: Annotated[float, typer.Option(metavar="RATE", help="Learning rate, above 0.")] = 0.0005,
    batch_size: Annotated[int, typer.Option(metavar="N", min=1, help="Images a step.")] = 32,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Passes over the images; 10, for digits 40.")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Stop after N epochs without improvement and keep the best weights. Watches validation/, else a tenth"
            " of the training images.",
        ),
    ] = None,
    image_size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Bring the images of a folder to this height and width.")
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(metavar="SHARE", min=0.01, max=0.9, help="Share kept for testing without test/; 0.2."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, max=2**32 - 1, help="Same seed, same network.")] = 0,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the run folder; else the data's.")] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where run folders are made.")] = Path("runs"),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the report's path only.")] = False,
) -> int:
    """Train a network on images and write a report.

    The run folder (runs/DATA, runs/DATA-2, ...) holds the settings, the history, the figures, the network with its
    weights, and report.html. Ctrl-C ends the training early: what was learned is kept and reported, and the exit status
    is 130.
    """
    units, size = _units(hidden), _size(image_size, data)
    _check_rate(learning_rate)
    from gazelle import activations, optimizers
    from gazelle.cli import train as room
    from gazelle.cli.data import Reading

    _check_name("--optimizer", optimizer, optimizers.get)
    _check_name("--activation", activation, activations.get)
    settings = room.Settings(
        hidden=units,
        activation=activation,
        dropout=dropout,
        optimizer=optimizer,
        learning_rate=learning_rate,
        batch_size=batch_size,
        epochs=epochs,
        patience=patience,
        seed=seed,
    )
    reading = Reading(size, progress=not quiet and sys.stdout.isatty())
    verbose = 0 if quiet else 1
    done = room.train(data, settings, out=out, name=name, reading=reading, test_share=test_share, verbose=verbose)
    print(done.page if quiet else room.closing(done))
    return INTERRUPTED if done.interrupted else FINE


@app.command()
def evaluate(
    run: Run,
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="As for train; if left out, the run's own test images.")
    ] = None,
) -> None:
    """Measure a trained network on images.

    DATA may lack some of the network's classes. Its folder test/ is taken, or all images where there is none.
    """
    from gazelle.cli import evaluate as room

    print(room.table(room.evaluate(run, data)))


@app.command()
def predict(
    run: Run,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="PNG, JPEG, GIF, BMP or WebP files.")],
    top: Annotated[int, typer.Option(metavar="N", min=1, help="How many classes to name for each.")] = 3,
    invert: Annotated[bool, typer.Option("--invert", help="Turn light into dark and dark into light first.")] = False,
) -> None:
    """Name the classes of images.

    They are brought to the network's size and colours and should look like those that it was trained on: for digits one
    light digit that fills a dark image. Pass --invert for dark ink on white paper.
    """
    from gazelle.cli import predict as room

    print(room.table(images, room.predict(run, images, invert=invert), top))


@app.command()
def report(run: Run) -> None:
    """Write a run's report anew from the files of the run."""
    from gazelle.cli.run import open_run
    from gazelle.pages import write_report

    print(f"Report: {write_report(open_run(run))}")


@app.command()
def summary(run: Run) -> None:
    """Print the table of a run's layers."""
    from gazelle.cli.run import open_run
    from gazelle.recording import read_model

    read_model(open_run(run)).summary()


@app.command()
def doctor() -> int:
    """Say what Gazelle runs with: versions, engine, device, folders, packages.

    The exit status is 1 where something is damaged or does not fit, 0 otherwise.
    """
    from gazelle.cli import doctor as room

    findings = room.examine()
    print(room.text(findings))
    return REFUSED if findings.faults else FINE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What stands behind `gazelle` on the command line; that itself when None.

    Returns:
        The exit status: 0 fine, 1 refused, 2 wrong usage, 130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character gets a question mark
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            status = app(given or ["--help"], prog_name="gazelle", standalone_mode=False)
            return status if isinstance(status, int) else FINE
        except Exception as error:
            return _ended_by(error)


def _ended_by(error: Exception) -> int:
    """Say in a few lines what went wrong; a mistake of Gazelle's own keeps its traceback."""
    if isinstance(error, typer.BadParameter.__mro__[1]):  # wrong usage of any kind
        context: Any = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "gazelle"
        words = str(error.format_message()).rstrip(".")  # pyright: ignore[reportAttributeAccessIssue]
        return _tell(f"{words}\n  fix: see {command} --help", WRONG_USAGE)
    if isinstance(error, BrokenPipeError):  # the reader of our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    if isinstance(error, MemoryError):
        return _tell("the memory is full\n  fix: use a smaller --image-size, or fewer images", REFUSED)
    from gazelle._core.errors import GazelleError

    if isinstance(error, GazelleError):
        return _tell(_for_a_terminal(str(error)), REFUSED)
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if error.filename is not None else ""
        fix = "\n  fix: make room on the disk" if error.errno == errno.ENOSPC else ""
        return _tell(f"{error.strerror}{place}{fix}", REFUSED)
    raise error


def _tell(text: str, status: int) -> int:
    lines = [line for line in text.splitlines() if line.strip()]
    print("gazelle: " + "\n".join(lines), file=sys.stderr)
    return status


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"gazelle: warning: {message}", file=sys.stderr)


# What the errors of the library advise, said for the command line.
_ADVICE = (
    (
        r"pass image_size=\((\d+), (\d+)\) or another size to bring all to it",
        r"add --image-size \1x\2, or another size",
    ),
    (r"pass a smaller image_size", "add a smaller --image-size"),
    (r"pass labels=None, label_mode=None to read them without classes", "put the images of each class into a folder"),
    (r"pass follow_links=True if its images belong to the data", "put the folder itself in its place"),
)


def _for_a_terminal(text: str) -> str:
    for pattern, words in _ADVICE:
        text = re.sub(pattern, words, text)
    return text


def _units(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.replace("-", ",").split(",")] if text.strip() else []
    if not all(part.isdecimal() and 0 < int(part) <= 1_000_000 for part in parts):
        raise typer.BadParameter(f"{text!r} is no list of numbers such as 200,150", param_hint="'--hidden'")
    return tuple(int(part) for part in parts)


def _size(text: str | None, data: str) -> tuple[int, int] | None:
    if text is None:
        return None
    if data in ("digits", "cifar10"):
        raise typer.BadParameter(f"the images of {data} have one size already", param_hint="'--image-size'")
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and 0 < int(part) <= 10_000 for part in parts):
        raise typer.BadParameter(f"{text!r} is no height x width such as 32x32", param_hint="'--image-size'")
    return int(parts[0]), int(parts[1])


def _check_rate(rate: float) -> None:
    if not 0 < rate < float("inf"):
        raise typer.BadParameter(f"{rate:g} is no number above 0", param_hint="'--learning-rate'")


def _check_name(option: str, name: str, get: Callable[[str], Any]) -> None:
    from gazelle._core.errors import UnknownNameError

    try:
        get(name)
    except UnknownNameError as error:
        raise typer.BadParameter(f"{name!r}: {str(error).rpartition('fix: ')[2]}", param_hint=f"'{option}'") from error
