"""The command `gazelle`: its subcommands, their options, and how errors and Ctrl-C end it.

What a command needs is imported when it runs, so that `gazelle --help` is quick.

Exit statuses: 0 fine, 1 refused (data, run folders, disks), 2 wrong usage, 128 and the number of a
signal that was heard (130 for Ctrl-C).
"""

from __future__ import annotations

import errno
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gazelle._core.console import going_on, lost, say, shown, write
from gazelle.cli.options import Command, known, number, run_name, size, units, whole

FINE, REFUSED, WRONG_USAGE = 0, 1, 2


app = typer.Typer(
    help="Train dense neural networks on images: from a folder to a trained network and a report.",
    epilog="Begin with: gazelle train digits",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Run = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="A run folder, runs/digits, or its name in runs/: digits."),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        from gazelle.cli.doctor import version_line

        say(version_line())
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and the engine.",
        ),
    ] = False,
) -> None:
    """Train dense neural networks on images: from a folder to a trained network and a report."""


@app.command(cls=Command)
def train(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help=(
                "digits, cifar10, or a folder: one folder of images a class, or train/ and test/"
                " with them inside."
            ),
        ),
    ],
    hidden: Annotated[
        str, typer.Option(metavar="LIST", help="Units of the hidden layers: 200,150; '' for none.")
    ] = "200,150",
    activation: Annotated[
        str, typer.Option(metavar="NAME", help="Activation of the hidden layers.")
    ] = "relu",
    dropout: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            parser=number(0, 0.95),
            help="Share of hidden units dropped in training, 0 to 0.95.",
        ),
    ] = 0.0,
    optimizer: Annotated[
        str, typer.Option(metavar="NAME", help="adam, sgd, rmsprop, ...")
    ] = "adam",
    learning_rate: Annotated[
        float,
        typer.Option(
            metavar="RATE", parser=number(0, float("inf")), help="Learning rate, above 0."
        ),
    ] = 0.0005,
    batch_size: Annotated[
        int, typer.Option(metavar="N", parser=whole(1), help="Images in a step.")
    ] = 32,
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N", parser=whole(1), help="Passes over the images; 10, for digits 40."
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole(1),
            help=(
                "Stop after N epochs without improvement and keep the best weights. Watches"
                " validation/, else a tenth"
                " of the training images."
            ),
        ),
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Bring the images of a folder to this height and width."),
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            parser=number(0.01, 0.9),
            help="Share kept for testing where there is no test/, 0.01 to 0.9; 0.2.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", parser=whole(0, 2**32 - 1), help="Same seed, same network.")
    ] = 0,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the run folder; else the data's.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where run folders are made.")] = Path(
        "runs"
    ),
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out images that cannot be read.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the report's path only.")
    ] = False,
) -> None:
    """Train a network on images and write a report.

    The run folder (runs/DATA, runs/DATA-2, ...) holds the settings, the history, the figures, the
    network with its weights, and report.html. Ctrl-C ends the training early: what was learned is
    kept and reported, and the exit status is 130.
    """
    layers, pixels = units(hidden), size(image_size, data)
    from gazelle import activations, optimizers
    from gazelle.cli import train as room
    from gazelle.cli.data import Reading

    known("--optimizer", optimizer, optimizers.get)
    known("--activation", activation, activations.get)
    settings = room.Settings(
        hidden=layers,
        activation=activation,
        dropout=dropout,
        optimizer=optimizer,
        learning_rate=learning_rate,
        batch_size=batch_size,
        epochs=epochs,
        patience=patience,
        seed=seed,
    )
    reading = Reading(pixels, progress=not quiet and sys.stdout.isatty(), skip_bad=skip_bad)
    verbose = 0 if quiet else 1
    done = room.train(
        data,
        settings,
        out=out,
        name=run_name(name),
        reading=reading,
        test_share=test_share,
        verbose=verbose,
    )
    say(shown(done.page) if quiet else room.closing(done))


@app.command(cls=Command)
def evaluate(
    run: Run,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA", help="As for train; if left out, the run's own test images."
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out images that cannot be read.")
    ] = False,
) -> None:
    """Measure a trained network on images.

    DATA may lack some of the network's classes. Its folder test/ is taken, or all images where
    there is none.
    """
    from gazelle.cli import evaluate as room

    say(room.table(room.evaluate(run, data, skip_bad=skip_bad)))


@app.command(cls=Command)
def predict(
    run: Run,
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="PNG, JPEG, GIF, BMP or WebP files.")
    ],
    top: Annotated[
        int, typer.Option(metavar="N", parser=whole(1), help="How many classes to name for each.")
    ] = 3,
    invert: Annotated[
        bool, typer.Option("--invert", help="Turn light into dark and dark into light first.")
    ] = False,
) -> None:
    """Name the classes of images.

    They are brought to the network's size and colours and should look like those that it was
    trained on: for digits one light digit that fills a dark image. Pass --invert for dark ink on
    white paper.
    """
    from gazelle.cli import predict as room

    say(room.table(images, room.predict(run, images, invert=invert), top))


@app.command(cls=Command)
def report(run: Run) -> None:
    """Write a run's report anew from the files of the run."""
    from gazelle._report.pages import write_report
    from gazelle.cli.run import open_run

    say(f"Report: {shown(write_report(open_run(run)))}")


@app.command(cls=Command)
def summary(run: Run) -> None:
    """Print the table of a run's layers."""
    from gazelle._report.reading import read_model
    from gazelle.cli.run import open_run

    read_model(open_run(run)).summary()


@app.command("list", cls=Command)
def list_(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the runs are; runs if left out.")
    ] = Path("runs"),
) -> None:
    """List the runs of a folder, the newest first."""
    from gazelle.cli import listing as room

    say(room.overview(folder))


@app.command(cls=Command)
def compare(
    given: Annotated[
        list[Path],
        typer.Argument(metavar="RUN RUN...", help="Run folders, or their names in runs/."),
    ],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with curves instead.")
    ] = None,
) -> None:
    """Show runs side by side: the settings in which they differ, and their figures."""
    from gazelle.cli import listing as room
    from gazelle.cli.run import open_run

    if len(given) < 2:
        raise typer.BadParameter("two runs or more are needed", param_hint="'RUN RUN...'")
    folders = [open_run(run) for run in given]
    if html is None:
        say(room.comparison(folders))
        return
    say(f"Comparison: {shown(room.comparison_page(folders, html))}")


@app.command(cls=Command)
def doctor() -> int:
    """Say what Gazelle runs with: versions, engine, device, folders, packages.

    The exit status is 1 where something is damaged or does not fit, 0 otherwise.
    """
    from gazelle.cli import doctor as room

    findings = room.examine()
    say(room.text(findings))
    return REFUSED if findings.faults else FINE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What stands behind `gazelle` on the command line; that itself when None.

    Returns:
        The exit status: 0 fine, 1 refused, 2 wrong usage, 128 and the number of a signal that was
            heard.
    """
    from gazelle.cli.signals import Ended, listening

    given = list(sys.argv[1:] if arguments is None else arguments)
    _open_streams()
    with warnings.catch_warnings(), going_on(), listening(for_good=arguments is None) as signals:
        warnings.showwarning = _show_warning
        try:
            status = app(given or ["--help"], prog_name="gazelle", standalone_mode=False)
            status = _output_lost(status if isinstance(status, int) else FINE)
        except Ended:
            status = _tell(signals.words, REFUSED)
        except Exception as error:
            # A module that is broken off while it is loaded, and others, turn what ends us into
            # errors of their own.
            status = _tell(signals.words, REFUSED) if signals.ending else _ended_by(error)
        write("")  # what is still to be written, while going_on
        return signals.status(status)


def _open_streams() -> None:
    """Give a program that was started without an output (`>&-`) one that leads nowhere, not to a file that it opens."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _output_lost(status: int) -> int:
    """Say that the output could not be written; a reader that has had enough (`| head`) is no error."""
    error = lost()
    if error is None or isinstance(error, BrokenPipeError):
        return status
    return _tell(f"the output could not be written: {error.strerror}", REFUSED)


def _ended_by(error: Exception) -> int:
    """Say in a few lines what went wrong; a mistake of Gazelle's own keeps its traceback."""
    if isinstance(error, typer.BadParameter.__mro__[1]):  # wrong usage of any kind
        context: Any = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "gazelle"
        told = str(error.format_message()).rstrip(".")  # pyright: ignore[reportAttributeAccessIssue]
        words = re.sub(r" \(Possible options: (.*)\)$", r"; did you mean \1?", told)
        return _tell(f"{words}\n  fix: see {command} --help", WRONG_USAGE)
    if isinstance(error, BrokenPipeError):  # the reader of the help has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    if isinstance(error, MemoryError):
        return _tell(
            "the memory is full\n  fix: use a smaller --image-size, or fewer images", REFUSED
        )
    from gazelle._core.errors import GazelleError

    if isinstance(error, GazelleError):
        return _tell(_for_a_terminal(str(error)), REFUSED)
    if isinstance(error, OSError) and error.strerror:
        place = f": {shown(error.filename)}" if error.filename is not None else ""
        fix = "\n  fix: make room on the disk" if error.errno == errno.ENOSPC else ""
        return _tell(f"{error.strerror}{place}{fix}", REFUSED)
    raise error


def _tell(text: str, status: int) -> int:
    lines = [line for line in text.splitlines() if line.strip()]
    say("gazelle: " + "\n".join(lines), sys.stderr)
    return status


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    say(f"gazelle: warning: {message}", sys.stderr)


# What the errors of the library advise, said for the command line.
_ADVICE = (
    (
        r"pass image_size=\((\d+), (\d+)\) or another size to bring all to it",
        r"add --image-size \1x\2, or another size",
    ),
    (r"pass a smaller image_size", "add a smaller --image-size"),
    (
        r"pass labels=None, label_mode=None to read them without classes",
        "put the images of each class into a folder",
    ),
    (r"pass skip_bad=True", "add --skip-bad"),
    (
        r"pass follow_links=True if its images belong to the data",
        "put the folder itself in its place",
    ),
)


def _for_a_terminal(text: str) -> str:
    for pattern, words in _ADVICE:
        text = re.sub(pattern, words, text)
    return text
