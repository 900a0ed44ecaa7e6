"""gazelle train: from images to a trained network, a run folder and a report."""

from __future__ import annotations

import math
import shutil
import time
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gazelle import callbacks, optimizers
from gazelle._core.console import say, shown
from gazelle._core.errors import ArgumentError, DataError
from gazelle._files.writing import draft_folder
from gazelle._report import runs, schema
from gazelle._report.checks import check_packages
from gazelle._report.pages import write_report
from gazelle._report.record import RunDetails, new_folder, record
from gazelle.cli.data import Images, ReadOptions, divide, load
from gazelle.cli.signals import Signals, current
from gazelle.cli.stopping import Backup, SameSettings, StopOnSignal, stopped_by
from gazelle.config._session import set_random_seed
from gazelle.layers import Dense, Dropout, Flatten, Input, Rescaling
from gazelle.models import Sequential
from gazelle.models._trainer import interrupt_fit

_VALIDATION_SHARE = 0.1  # of the training images, to tell when to stop
_INTERRUPTED = ".interrupted"  # the folder of trainings that can be resumed
_SAVE_EVERY = 5.0  # seconds
_REPORT_BYTES = 8_000_000  # that a run folder needs besides the weights, at most


@dataclass
class Settings:
    """The settings of a training.

    Args:
        hidden: Units of the hidden layers.
        activation: Activation of the hidden layers.
        dropout: Share of hidden units to drop in training, 0 to 1.
        optimizer: Name of the optimizer.
        learning_rate: Its learning rate, > 0.
        batch_size: Images per step.
        epochs: Passes over the training images; None for the default of the data set.
        patience: Number of epochs without an improvement of the validation loss after which
            training stops; None never to stop early.
        seed: Seed of the weights, the order of the images and their division.
    """

    hidden: tuple[int, ...] = (200, 150)
    activation: str = "relu"
    dropout: float = 0.0
    optimizer: str = "adam"
    learning_rate: float = 0.0005
    batch_size: int = 32
    epochs: int | None = None
    patience: int | None = None
    seed: int = 0


@dataclass
class TrainResult:
    """The result of a training.

    Args:
        page: Path of the report.
        interrupted: Whether a signal ended the training.
    """

    page: Path
    interrupted: bool


def train(
    source: str,
    settings: Settings,
    *,
    out: Path,
    name: str | None = None,
    options: ReadOptions | None = None,
    test_share: float | None = None,
    resume: bool = False,
    verbose: int = 1,
) -> TrainResult:
    """Train a network on the data that `source` names, and write a run folder.

    The first signal (Ctrl-C, SIGTERM) ends the training early. The network is then still evaluated
    and written, and the training is saved, so that it can be resumed.

    Args:
        source: `cifar10`, `digits` or a folder of images.
        settings: How to train.
        out: Folder in which to create the run folder.
        name: Name of the run folder; None for that of the data.
        options: How to read the images of a folder.
        test_share: Share to keep for testing if the data has no test images; None for 0.2.
        resume: Whether to go on with a training of this name that was interrupted.
        verbose: 0 prints nothing, 1 the data, the network and a progress line per epoch.

    Raises:
        GazelleError: The data or the settings cannot be used, or the training diverged.
        OSError: `out` cannot be written to.
    """
    check_packages()
    signals, options = current(), options or ReadOptions()
    set_random_seed(settings.seed)
    started, begun = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    images = load(source, options, test_share=test_share, seed=settings.seed)
    if settings.patience is not None and images.validation is None:
        images = _with_validation(images, settings.seed)
    loaded = time.perf_counter()
    model = build(images, settings)
    _check_disk(out, model)
    if verbose:
        say(describe(images))
        model.summary()
    name = name or Path(source).expanduser().resolve().name
    backup = _backup(out, name, resume, verbose)
    signals.keep(lambda: interrupt_fit(model, signals.first))
    history = _fit(model, images, settings, backup, signals, verbose)
    interrupted = signals.stop_requested
    details = _details(images, settings, options, started)
    details.durations = {"load": loaded - begun, "train": time.perf_counter() - loaded}
    details.stop_reason = _stop_reason(
        history, _epochs(images, settings), interrupted, settings.patience
    )
    with new_folder(out, name) as made:
        record(model, *images.test, history=history, details=details, folder=made.folder)
        write_report(made.folder)
        signals.finish()
    with suppress(OSError):  # there are other interrupted trainings, or none ever
        (out / _INTERRUPTED).rmdir()
    return TrainResult(made.folder / runs.REPORT, interrupted)


def build(images: Images, settings: Settings) -> Any:
    """Build and compile the network.

    It scales pixels to [0, 1] itself, so that the images can stay bytes.
    """
    model = Sequential(
        [Input(images.train[0].shape[1:]), Rescaling(1.0 / images.largest), Flatten()]
    )
    for units in settings.hidden:
        model.add(Dense(units, activation=settings.activation))
        if settings.dropout:
            model.add(Dropout(settings.dropout))
    model.add(Dense(len(images.class_names), activation="softmax"))
    optimizer = optimizers.get(settings.optimizer)
    optimizer.learning_rate = settings.learning_rate
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def describe(images: Images) -> str:
    """The data in one line: `digits: 1,438 images to train, 359 to test; 8 x 8, 10 classes`."""
    size = " x ".join(map(str, images.train[0].shape[1:]))
    parts = [f"{len(images.train[0]):,} images to train"]
    if images.validation is not None:
        parts.append(f"{len(images.validation[0]):,} to validate")
    parts.append(f"{len(images.test[0]):,} to test")
    return f"{shown(images.name)}: {', '.join(parts)}; {size}, {len(images.class_names)} classes"


def closing(result: TrainResult) -> str:
    """The last lines of the command: the accuracy and the path of the report."""
    metrics = runs.read_metrics(result.page.parent)
    lines = []
    if result.interrupted:
        lines.append("Interrupted: these are the results up to that moment.")
    if isinstance(metrics, schema.ClassificationMetrics):
        lines.append(
            f"Test accuracy {metrics.accuracy:.4f} on {metrics.rows:,} images "
            f"(always guessing the most common class: {metrics.chance:.4f})"
        )
    return "\n".join([*lines, f"Report: {shown(result.page)}"])


def _backup(out: Path, name: str, resume: bool, verbose: int) -> Backup:
    """Where a training is saved while it runs; without `resume` an old one is put aside."""
    folder = out / _INTERRUPTED / runs.folder_name(name)
    backup = Backup(folder, min_interval=_SAVE_EVERY)
    found = Path(backup.path).exists()
    if found and not resume:
        aside = folder.with_name(f"{folder.name}-old")
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        if verbose:
            say(f"An interrupted training, which --resume goes on with, is now {shown(aside)}.")
    if resume and not found and verbose:
        say(f"There is no interrupted training in {shown(folder)}: this one begins at epoch 1.")
    return backup


def _fit(
    model: Any,
    images: Images,
    settings: Settings,
    backup: Backup,
    signals: Signals,
    verbose: int,
) -> callbacks.History:
    compared = {name.replace("_", "-"): value for name, value in asdict(settings).items()}
    del compared["epochs"]  # a training may be prolonged
    used: list[callbacks.Callback] = [StopOnSignal(signals), SameSettings(compared), backup]
    if settings.patience is not None:
        used.append(
            callbacks.EarlyStopping(
                "val_loss", patience=settings.patience, restore_best_weights=True
            )
        )
    with stopped_by(signals), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fit has ended")  # _divergence says it
        model.fit(
            *images.train,
            batch_size=settings.batch_size,
            epochs=_epochs(images, settings),
            validation_data=images.validation or images.test,
            callbacks=used,
            verbose=verbose,
        )
    if _has_diverged(model.history):
        backup.delete()  # the same training would diverge again
        raise _divergence(model.history, settings)
    return model.history


def _has_diverged(history: callbacks.History) -> bool:
    """Whether a training has ended with a loss that is not finite."""
    losses = [history.history.get(name, [0.0])[-1] for name in ("loss", "val_loss")]
    return not all(map(math.isfinite, losses))


def _divergence(history: callbacks.History, settings: Settings) -> DataError:
    return DataError(
        f"The training diverged in epoch {len(history.epoch)}.",
        expected="a decreasing loss",
        received=history.fits[-1].ended,
        fix=f"use a smaller --learning-rate than {settings.learning_rate:g}",
    )


def _epochs(images: Images, settings: Settings) -> int:
    return settings.epochs or images.epochs


def _with_validation(images: Images, seed: int) -> Images:
    """Set a tenth of the training images aside for validation.

    Otherwise the test images would decide when to stop.
    """
    x, y = images.train
    kept, held_out = divide(y, _VALIDATION_SHARE, seed)
    if not len(held_out):
        raise ArgumentError(
            "There are too few images to set some aside for --patience.",
            expected="two training images of some class",
            received=f"{len(y)} training images of {len(images.class_names)} classes",
            fix="leave out --patience",
        )
    images.train, images.validation = (x[kept], y[kept]), (x[held_out], y[held_out])
    return images


def _check_disk(out: Path, model: Any) -> None:
    """Check before the training that a run folder can be written after it."""
    weights = sum(variable.size for variable in model.weights)
    needed = 4 * weights * 3 + _REPORT_BYTES  # float32, with two slots of the optimizer per weight
    try:
        with draft_folder(out) as draft:
            free = shutil.disk_usage(draft).free
    except (FileExistsError, NotADirectoryError):
        raise ArgumentError(
            f"Run folders cannot be created in {shown(out)}.",
            expected="a folder, or a path where one can be created",
            received="a file, or a path inside a file",
            fix="pass a folder with --out",
        ) from None
    if free < needed:
        raise ArgumentError(
            f"The disk with {shown(out)} is too full for a run folder.",
            expected=f"{needed / 1e6:,.0f} MB",
            received=f"{free / 1e6:,.0f} MB free",
            fix="free some space, or pass another folder with --out",
        )


def _stop_reason(
    history: callbacks.History, epochs: int, interrupted: bool, patience: int | None
) -> str:
    """Why training stopped early, as a sentence; empty if it did not."""
    done = len(history.epoch)
    if interrupted:
        return f"Interrupted after {done} of {epochs} epochs."
    if done < epochs:
        return (
            f"Stopped after {done} of {epochs} epochs: the validation loss had not improved for"
            f" {patience or 1}."
        )
    return ""


def _details(images: Images, settings: Settings, options: ReadOptions, started: str) -> RunDetails:
    """What the report tells about the run."""
    parts = {"train": images.train, "validation": images.validation, "test": images.test}
    recorded = {
        "learning_rate": settings.learning_rate,
        "batch_size": settings.batch_size,
        "epochs": _epochs(images, settings),
        "patience": settings.patience,
        "hidden units": ", ".join(map(str, settings.hidden)) or "none",
        "activation": settings.activation,
        "dropout": settings.dropout,
        "seed": settings.seed,
        "source": images.source,
        "pixels": f"0 to {images.largest}",
        "test share": images.test_share,
        "bad images": "left out" if options.skip_bad else None,
    }
    return RunDetails(
        title=f"{images.name}: which of {len(images.class_names)} classes?",
        question=images.question,
        data=images.name,
        class_names=images.class_names,
        splits={part: rows[1] for part, rows in parts.items() if rows is not None},
        settings={name: value for name, value in recorded.items() if value is not None},
        started=started,
    )
