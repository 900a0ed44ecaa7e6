"""Fit: what one call of `fit` records of itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Fit:
    """What one call of `fit` records of itself. Epochs count from 1, as `fit` prints them.

    Args:
        started: When it began, ISO 8601, UTC.
        seconds: How long it took, with compiling and validation.
        rows: Rows that were trained on; None where they came from a generator.
        batch_size: Rows a step; None where they came from a generator.
        steps: Steps an epoch, None where unknown.
        shuffle: Whether each epoch had an order of its own.
        validation: Where validation data came from: `"validation_split"`, `"validation_data"`, or
            empty.
        validation_rows: Rows that were validated on; None where unknown or none.
        initial_epoch: Epochs that were counted as done before.
        epochs: Number of the last epoch that was asked for.
        done: How many epochs were run by this call.
        learning_rates: The learning rate at the beginning of each epoch; empty where it is not
            known.
        ended: Why training ended, a sentence.
        weights: Whose weights the model was left with: `"last"` (epoch), `"epoch"` (see
            `weights_epoch`), `"average"` (moving averages), or empty where a callback of the user's
            own may have set others.
        weights_epoch: The epoch whose weights were put back; None unless `weights` is `"epoch"`.
        monitor: The figure by which that epoch was chosen.
        continued: Whether it began with the weights that the call before it had left; None for a
            first call.
        label_counts: Rows of each class in the training data; empty where the targets hold no
            classes.
        validation_label_counts: The same of the validation data.
        sample: Digests of up to 128 training rows, evenly spread, by which they can be known again.
        validation_sample: The same of the validation data.
        seed: What `set_random_seed` was last called with; None if it was not called.
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
