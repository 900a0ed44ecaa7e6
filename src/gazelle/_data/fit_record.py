"""Fit: the record of one call of `fit`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Fit:
    """The record of one call of `fit`. Epochs count from 1, as `fit` prints them.

    Args:
        started: Time of the start, ISO 8601, UTC.
        seconds: Duration, including compilation and validation.
        rows: Rows of training data; None for a generator.
        batch_size: Rows per step; None for a generator.
        steps: Steps per epoch; None if unknown.
        shuffle: Whether the rows were shuffled before each epoch.
        validation: Source of the validation data: `"validation_split"`, `"validation_data"`, or
            empty.
        validation_rows: Rows of validation data; None if unknown or none.
        initial_epoch: Epochs that were counted as done before.
        epochs: Number of the last epoch that was asked for.
        done: Number of epochs that this call ran.
        learning_rates: Learning rate at the beginning of each epoch; empty if unknown.
        ended: Why training ended, as a sentence.
        weights: Which weights the model was left with: `"last"` (of the last epoch), `"epoch"` (of
            `weights_epoch`), `"average"` (moving averages), or empty if one of the user's own
            callbacks may have set others.
        weights_epoch: Epoch whose weights were restored; None unless `weights` is `"epoch"`.
        monitor: Name of the figure by which that epoch was chosen.
        continued: Whether it began with the weights that the previous call had left; None for the
            first call.
        label_counts: Rows of each class in the training data; empty if the targets are not classes.
        validation_label_counts: The same for the validation data.
        sample: Digests of up to 128 training rows, evenly spread, to recognize them later.
        validation_sample: The same for the validation data.
        seed: Seed of the last call of `set_random_seed`; None if it was not called.
    """

    started: str = ""
    seconds: float = 0.0
    rows: int | None = None
    batch_size: int | None = None
    steps: int | None = None
    shuffle: bool = False
    validation: str = ""
    validation_rows: int | None = None
    initial_epoch: int = 0
    epochs: int = 0
    done: int = 0
    learning_rates: list[float] = field(default_factory=list)
    ended: str = ""
    weights: str = ""
    weights_epoch: int | None = None
    monitor: str = ""
    continued: bool | None = None
    label_counts: list[int] = field(default_factory=list)
    validation_label_counts: list[int] = field(default_factory=list)
    sample: list[str] = field(default_factory=list, repr=False)
    validation_sample: list[str] = field(default_factory=list, repr=False)
    seed: int | None = None
