"""gazelle train: from images to a trained network, a run folder and a report."""

from __future__ import annotations

import math
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gazelle import callbacks, optimizers
from gazelle._core.console import say, shown
from gazelle._core.errors import ArgumentError, DataError
from gazelle._files.writing import draft_folder
from gazelle._report import runs, schema
from gazelle._report.checks import check_packages
from gazelle._report.pages import write_report
from gazelle._report.record import RunDetails, new_folder, record
from gazelle.cli.data import Images, Reading, divide, load
from gazelle.cli.interrupt import Interrupt
from gazelle.cli.signals import Signals, current
from gazelle.config.session import set_random_seed
from gazelle.layers import Dense, Dropout, Flatten, Input, Rescaling
from gazelle.models import Sequential

_WATCHED_SHARE = 0.1  # of the training images, set aside to tell when to stop
_PAGES = 8_000_000  # bytes that a run folder takes beside the weights, at most


@dataclass
class Settings:
    """What a person may set; the defaults are the article's.

    Args:
        hidden: Units of the hidden layers.
        activation: Activation of the hidden layers.
        dropout: Share of hidden units dropped while training, 0 to 1.
        optimizer: Name of the optimizer.
        learning_rate: Its learning rate, > 0.
        batch_size: Images a step.
        epochs: Passes over the training images; the data set's own default when None.
        patience: Stop when the validation loss has not improved for so many epochs; never when
            None.
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
class Trained:
    """What came of it.

    Args:
        page: The report.
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
    reading: Reading | None = None,
    test_share: float | None = None,
    verbose: int = 1,
) -> Trained:
    """Train a network on what `source` names and write a run folder.

    A first signal (Ctrl-C, SIGTERM) ends the training; what was learned is measured and written all
    the same.

    Args:
        source: `cifar10`, `digits` or a folder of images.
        settings: How to train.
        out: Where run folders are made.
        name: Name of the run folder; the data's when None.
        reading: How the images of a folder are read.
        test_share: Share kept for testing where the data has no test images; 0.2 when None.
        verbose: 0 prints nothing, 1 the data, the network and a live line an epoch.

    Raises:
        GazelleError: Data or settings that cannot be used, or a training that diverged.
        OSError: `out` cannot be written.
    """
    check_packages()
    signals, reading = current(), reading or Reading()
    set_random_seed(settings.seed)
    started, begun = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    images = load(source, reading, test_share=test_share, seed=settings.seed)
    if settings.patience is not None and images.validation is None:
        images = _with_watched(images, settings.seed)
    loaded = time.perf_counter()
    model = build(images, settings)
    _check_room(out, model)
    if verbose:
        say(describe(images))
        model.summary()
    signals.keep(lambda: setattr(model, "stop_training", True))
    history = _fit(model, images, settings, signals, verbose)
    interrupted = signals.asked
    facts = _facts(images, settings, reading, started)
    facts.durations = {"load": loaded - begun, "train": time.perf_counter() - loaded}
    facts.stop_reason = _stop_reason(
        history, _epochs(images, settings), interrupted, settings.patience
    )
    with new_folder(out, name or Path(source).expanduser().resolve().name) as made:
        record(model, *images.test, history=history, facts=facts, folder=made.folder)
        write_report(made.folder)
        signals.finish()
    return Trained(made.folder / runs.REPORT, interrupted)


def build(images: Images, settings: Settings) -> Any:
    """The network, compiled: bytes are scaled to [0, 1] inside it, so that they stay bytes up to there."""
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
    size = " x ".join(str(n) for n in images.train[0].shape[1:])
    parts = [f"{len(images.train[0]):,} images to train"]
    if images.validation is not None:
        parts.append(f"{len(images.validation[0]):,} to validate")
    parts.append(f"{len(images.test[0]):,} to test")
    return f"{shown(images.name)}: {', '.join(parts)}; {size}, {len(images.class_names)} classes"


def closing(done: Trained) -> str:
    """How it went: the accuracy and where the report is."""
    metrics = runs.read_metrics(done.page.parent)
    lines = ["Interrupted: this is the network as it was then."] if done.interrupted else []
    if isinstance(metrics, schema.ClassificationMetrics):
        lines.append(
            f"Test accuracy {metrics.accuracy:.4f} on {metrics.rows:,} images "
            f"(always the commonest class: {metrics.chance:.4f})"
        )
    return "\n".join([*lines, f"Report: {shown(done.page)}"])


def _fit(model: Any, images: Images, settings: Settings, signals: Signals, verbose: int) -> Any:
    wanted: list[Any] = [Interrupt(signals), _EndOnNaN()]
    if settings.patience is not None:
        wanted.append(
            callbacks.EarlyStopping(
                "val_loss", patience=settings.patience, restore_best_weights=True
            )
        )
    history = model.fit(
        *images.train,
        batch_size=settings.batch_size,
        epochs=_epochs(images, settings),
        validation_data=images.validation or images.test,
        callbacks=wanted,
        verbose=verbose,
    )
    _refuse_divergence(model, history, settings)
    return history


def _refuse_divergence(model: Any, history: Any, settings: Settings) -> None:
    last = {
        name: values[-1] for name, values in history.history.items() if name in ("loss", "val_loss")
    }
    if all(map(math.isfinite, last.values())) and all(
        np.isfinite(weight).all() for weight in model.get_weights()
    ):
        return
    raise DataError(
        f"The training diverged in epoch {len(history.epoch)}.",
        expected="a loss that falls",
        received=", ".join(f"{name} {value:.4g}" for name, value in last.items()),
        fix=f"use a smaller --learning-rate than {settings.learning_rate:g}",
    )


class _EndOnNaN(callbacks.Callback):
    """Ends a training that has diverged; the command says so itself."""

    def on_progress(self, stage: str, step: int, logs: dict[str, Any] | None = None) -> None:
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            self.model.stop_training = True


def _epochs(images: Images, settings: Settings) -> int:
    return settings.epochs or images.epochs


def _with_watched(images: Images, seed: int) -> Images:
    """The images with a tenth of those for training set aside, so that the test images do not tell when to stop."""
    x, y = images.train
    kept, aside = divide(y, _WATCHED_SHARE, seed)
    if not len(aside):
        raise ArgumentError(
            "There are too few images to set some aside for --patience.",
            expected="two training images of some class",
            received=f"{len(y)} training images of {len(images.class_names)} classes",
            fix="leave --patience out",
        )
    images.train, images.validation = (x[kept], y[kept]), (x[aside], y[aside])
    return images


def _check_room(out: Path, model: Any) -> None:
    """Refuse a place for run folders that cannot take one before the training, not after it."""
    needed = (
        4 * sum(variable.size for variable in model.weights) * 3 + _PAGES
    )  # the optimizer's state is kept too
    try:
        with draft_folder(out) as draft:
            free = shutil.disk_usage(draft).free
    except (FileExistsError, NotADirectoryError):
        raise ArgumentError(
            f"Run folders cannot be made in {shown(out)}.",
            expected="a folder, or a path where one can be made",
            received="a file, or a path through one",
            fix="name a folder with --out",
        ) from None
    if free < needed:
        raise ArgumentError(
            f"The disk with {shown(out)} is too full for a run folder.",
            expected=f"{needed / 1e6:,.0f} MB",
            received=f"{free / 1e6:,.0f} MB free",
            fix="make room, or name another folder with --out",
        )


def _stop_reason(history: Any, epochs: int, interrupted: bool, patience: int | None) -> str:
    done = len(history.epoch)
    if interrupted:
        return f"Interrupted in epoch {done} of {epochs}."
    if done < epochs:
        return (
            f"Stopped after {done} of {epochs} epochs: the validation loss had not fallen for"
            f" {patience or 1}."
        )
    return ""


def _facts(images: Images, settings: Settings, reading: Reading, started: str) -> RunDetails:
    parts = {"train": images.train, "validation": images.validation, "test": images.test}
    told = {
        "learning_rate": settings.learning_rate,
        "batch_size": settings.batch_size,
        "epochs": _epochs(images, settings),
        "patience": settings.patience,
        "hidden units": ", ".join(str(n) for n in settings.hidden) or "none",
        "activation": settings.activation,
        "dropout": settings.dropout,
        "seed": settings.seed,
        "source": images.source,
        "pixels": f"0 to {images.largest}",
        "test share": images.test_share,
        "bad images": "left out" if reading.skip_bad else None,
    }
    return RunDetails(
        title=f"{images.name}: which of {len(images.class_names)} classes?",
        question=images.question,
        data=images.name,
        class_names=images.class_names,
        splits={part: rows[1] for part, rows in parts.items() if rows is not None},
        settings={name: value for name, value in told.items() if value is not None},
        started=started,
    )
