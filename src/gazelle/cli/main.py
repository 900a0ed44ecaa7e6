"""The command `gazelle`: its subcommands, their options, and what happens on errors and Ctrl-C.

A command imports what it needs when it runs, so that `gazelle --help` is fast.

Exit statuses: 0 success, 1 failure (data, run folders, disks), 2 wrong usage, 128 plus the number
of a signal (130 for Ctrl-C).
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

SUCCESS, FAILURE, WRONG_USAGE = 0, 1, 2


app = typer.Typer(
    help="Train dense neural networks on images: from a folder to a trained network and a report.",
    epilog="Start with: gazelle train digits",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="A run folder such as runs/digits, or its name in runs/: digits."
    ),
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
                "digits, cifar10, or a folder: with one subfolder of images per class, or with"
                " train/ and test/ that have such subfolders."
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
            help="Share of hidden units to drop in training, 0 to 0.95.",
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
        int, typer.Option(metavar="N", parser=whole(1), help="Images per step.")
    ] = 32,
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole(1),
            help="Passes over the images; default 10, for digits 40.",
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole(1),
            help=(
                "Stop after N epochs without improvement and keep the best weights. Monitors the"
                " loss on validation/, or else on a tenth of the training images."
            ),
        ),
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Resize the images of a folder to this height and width."),
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            parser=number(0.01, 0.9),
            help="Share to keep for testing if there is no test/, 0.01 to 0.9; default 0.2.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N",
            parser=whole(0, 2**32 - 1),
            help="Random seed; the same seed gives the same network.",
        ),
    ] = 0,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the run folder; default: that of the data."),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder in which run folders are created.")
    ] = Path("runs"),
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out images that cannot be read.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with an interrupted training of the same name."),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the path of the report.")
    ] = False,
) -> None:
    """Train a network on images and write a report.

    The run folder (runs/DATA, runs/DATA-2, ...) contains the settings, the history, the figures,
    the network with its weights, and report.html. Ctrl-C ends the training early: the results so
    far are kept and reported, and the exit status is 130. With --resume the same command then goes
    on, also after a crash, to the same results as without the interruption.
    """
    layers, pixels = units(hidden), size(image_size, data)
    from gazelle import activations, optimizers
    from gazelle.cli import train as command
    from gazelle.cli.data import ReadOptions

    known("--optimizer", optimizer, optimizers.get)
    known("--activation", activation, activations.get)
    settings = command.Settings(
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
    progress = not quiet and sys.stdout.isatty()
    result = command.train(
        data,
        settings,
        out=out,
        name=run_name(name),
        options=ReadOptions(pixels, progress=progress, skip_bad=skip_bad),
        test_share=test_share,
        resume=resume,
        verbose=0 if quiet else 1,
    )
    say(shown(result.page) if quiet else command.closing(result))


@app.command(cls=Command)
def evaluate(
    run: Run,
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="As for train; default: the run's own test images."),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out images that cannot be read.")
    ] = False,
) -> None:
    """Evaluate a trained network on images.

    DATA may lack some of the network's classes. Its folder test/ is used, or all images if there
    is none.
    """
    from gazelle.cli import evaluate as command

    say(command.table(command.evaluate(run, data, skip_bad=skip_bad)))


@app.command(cls=Command)
def predict(
    run: Run,
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="PNG, JPEG, GIF, BMP or WebP files.")
    ],
    top: Annotated[
        int, typer.Option(metavar="N", parser=whole(1), help="Number of classes to show per image.")
    ] = 3,
    invert: Annotated[
        bool, typer.Option("--invert", help="Invert the images first: light becomes dark.")
    ] = False,
) -> None:
    """Predict the classes of images.

    The images are converted to the network's size and colors. They should look like those that it
    was trained on: for digits, one light digit that fills a dark image. Pass --invert for dark ink
    on white paper.
    """
    from gazelle.cli import predict as command

    say(command.table(images, command.predict(run, images, invert=invert), top))


@app.command(cls=Command)
def report(run: Run) -> None:
    """Write a run's report again, from the files of the run."""
    from gazelle._report.pages import write_report
    from gazelle.cli.run import open_run

    say(f"Report: {shown(write_report(open_run(run)))}")


@app.command(cls=Command)
def summary(run: Run) -> None:
    """Print the table of a network's layers."""
    from gazelle._report.saved_model import read_model
    from gazelle.cli.run import open_run

    read_model(open_run(run)).summary()


@app.command("list", cls=Command)
def list_(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder of runs; default: runs.")
    ] = Path("runs"),
) -> None:
    """List the runs of a folder, newest first."""
    from gazelle.cli import listing as command

    say(command.overview(folder))


@app.command(cls=Command)
def compare(
    given: Annotated[
        list[Path],
        typer.Argument(metavar="RUN RUN...", help="Run folders, or their names in runs/."),
    ],
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write an HTML page with curves to FILE instead."),
    ] = None,
) -> None:
    """Compare the settings and figures of runs."""
    from gazelle.cli import listing as command
    from gazelle.cli.run import open_run

    if len(given) < 2:
        raise typer.BadParameter("two or more runs are needed", param_hint="'RUN RUN...'")
    folders = [open_run(run) for run in given]
    if html is None:
        say(command.comparison(folders))
        return
    say(f"Comparison: {shown(command.comparison_page(folders, html))}")


@app.command(
    cls=Command,
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    },
)
def run(
    context: typer.Context,
    program: Annotated[
        Path,
        typer.Argument(metavar="PROGRAM", help="A .py file or a notebook (.ipynb) for Keras."),
    ],
    check: Annotated[
        bool,
        typer.Option("--check", help="Say what of it Gazelle has and has not, without running it."),
    ] = False,
) -> int:
    """Run a program for any Keras as it stands.

    What follows PROGRAM are its arguments.
    """
    from gazelle.cli import programs as command

    if check:
        return command.check(program)
    return command.run(program, context.args)


@app.command(cls=Command)
def migrate(
    program: Annotated[Path, typer.Argument(metavar="PROGRAM", help="A .py file for Keras.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Where to write it; default: show it."),
    ] = None,
    to: Annotated[
        str, typer.Option(metavar="NAME", help="Whose names it uses: gazelle, or keras (Keras 3).")
    ] = "gazelle",
) -> int:
    """Write a program for an old Keras in its modern form.

    Each change is noted on the error stream.
    """
    from gazelle.cli import programs as command

    return command.migrate(program, out, to)


@app.command(cls=Command)
def inspect(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A .keras file, a folder of Keras's, a .weights.h5 file, or an old .h5 file.",
        ),
    ],
) -> None:
    """Show what is in a model file, without building anything from it."""
    from gazelle.cli import inspecting as command

    say(command.description(file))


@app.command(cls=Command)
def convert(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A .keras file, a folder of Keras's, or an old .h5 file."
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The file to write: its ending is .keras, .weights.h5, .safetensors, .onnx or"
            " .h5.",
        ),
    ],
) -> None:
    """Write a whole model into another kind of file."""
    from gazelle.cli import converting as command

    what = command.convert(source, target)
    say(f"{shown(target)}: {what}")


@app.command(cls=Command)
def doctor() -> int:
    """Show versions, engine, device, folders and problems.

    The exit status is 1 if something is damaged or incompatible, 0 otherwise.
    """
    from gazelle.cli import doctor as command

    findings = command.examine()
    say(command.text(findings))
    return FAILURE if findings.problems else SUCCESS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The arguments after `gazelle`; None for those of the process. The process then
            ends with the command, so that a signal may end it at once.

    Returns:
        The exit status: 0 success, 1 failure, 2 wrong usage, 128 plus the number of a signal.
    """
    from gazelle.cli.signals import Ended, handling

    given = list(sys.argv[1:] if arguments is None else arguments)
    _open_streams()
    with warnings.catch_warnings(), going_on(), handling(may_exit=arguments is None) as signals:
        warnings.showwarning = _show_warning
        try:
            status = app(given or ["--help"], prog_name="gazelle", standalone_mode=False)
            status = _status_of_output(status if isinstance(status, int) else SUCCESS)
        except Ended:
            status = _fail(signals.words, FAILURE)
        except Exception as error:
            # `Ended` may be turned into another error, for example where it interrupts the import
            # of a module.
            status = _fail(signals.words, FAILURE) if signals.ending else _status_of(error)
        write("")  # writes what is still buffered
        return signals.status(status)


def _open_streams() -> None:
    """Open the null device for standard streams that are closed (`>&-`).

    Otherwise the next file that is opened would get the number of the stream, and its output.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _status_of_output(status: int) -> int:
    """The exit status, after reporting output that could not be written.

    A reader that stops early (`| head`) is not an error.
    """
    error = lost()
    if error is None or isinstance(error, BrokenPipeError):
        return status
    return _fail(f"the output could not be written: {error.strerror}", FAILURE)


def _status_of(error: Exception) -> int:
    """Report an error in a few lines and return the exit status.

    An error that is a bug of Gazelle is raised again, with its traceback.
    """
    usage_error = typer.BadParameter.__mro__[1]  # typer does not export the class itself
    if isinstance(error, usage_error):
        context: Any = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "gazelle"
        message = str(error.format_message()).rstrip(".")  # pyright: ignore[reportAttributeAccessIssue]
        message = re.sub(r" \(Possible options: (.*)\)$", r"; did you mean \1?", message)
        return _fail(f"{message}\n  fix: see {command} --help", WRONG_USAGE)
    if isinstance(error, BrokenPipeError):  # the reader of the help text has stopped early
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SUCCESS
    if isinstance(error, MemoryError):
        return _fail("out of memory\n  fix: use a smaller --image-size, or fewer images", FAILURE)
    from gazelle._core.errors import GazelleError

    if isinstance(error, GazelleError):
        return _fail(_for_command_line(str(error)), FAILURE)
    if isinstance(error, OSError) and error.strerror:
        place = f": {shown(error.filename)}" if error.filename is not None else ""
        fix = "\n  fix: free some disk space" if error.errno == errno.ENOSPC else ""
        return _fail(f"{error.strerror}{place}{fix}", FAILURE)
    raise error


def _fail(text: str, status: int) -> int:
    """Print an error and return the exit status."""
    lines = [line for line in text.splitlines() if line.strip()]
    say("gazelle: " + "\n".join(lines), sys.stderr)
    return status


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    say(f"gazelle: warning: {message}", sys.stderr)


# Advice in the library's errors, and the same advice for the command line.
_ADVICE = (
    (
        r"pass image_size=\((\d+), (\d+)\) or another size to resize all images",
        r"add --image-size \1x\2, or another size, to resize all images",
    ),
    (r"pass a smaller image_size", "add a smaller --image-size"),
    (
        r"pass labels=None, label_mode=None to read them without classes",
        "put the images of each class into a folder",
    ),
    (r"pass skip_bad=True", "add --skip-bad"),
    (
        r"pass follow_links=True if its images belong to the data",
        "replace the link with the folder itself",
    ),
)


def _for_command_line(text: str) -> str:
    for pattern, advice in _ADVICE:
        text = re.sub(pattern, advice, text)
    return text
