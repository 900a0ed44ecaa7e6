"""Windows that slide over a series of values in time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gazelle._core.checks import positive_int
from gazelle._core.errors import ArgumentError
from gazelle._data.dataset import PyDataset


class TimeseriesDataset(PyDataset):
    """Windows of a series, cut out of it batch by batch, so that they take no memory of their own.

    Attributes:
        data: The series, `(steps, ...)`.
        targets: The target of each window by its first step; None for none.
        starts: The first step of each window, in the order of the windows.
        offsets: The steps of a window, counted from its first.
        batch_size: Windows per batch; None for single windows.
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        starts: np.ndarray,
        offsets: np.ndarray,
        batch_size: int | None,
    ):
        """See the class."""
        super().__init__()
        self.data = data
        self.targets = targets
        self.starts = starts
        self.offsets = offsets
        self.batch_size = batch_size

    def __len__(self) -> int:
        """Number of batches (of windows if `batch_size` is None)."""
        return math.ceil(len(self.starts) / (self.batch_size or 1))

    def __getitem__(self, index: int) -> Any:
        """Batch number `index`: `(windows, targets)`, or the windows alone without targets."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"Batch index {index} is out of range for {len(self)} batches.")
        index %= len(self)
        rows: Any = index
        if self.batch_size is not None:
            rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        starts = self.starts[rows]
        windows = self.data[np.asarray(starts)[..., None] + self.offsets]
        return windows if self.targets is None else (windows, self.targets[starts])


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> TimeseriesDataset:
    """Windows that slide over a series, as batches for `fit`, `evaluate` and `predict`.

    A window that starts at step `i` holds the steps `i, i + sampling_rate, ...`. Unlike in Keras,
    the result is a `PyDataset`, not a `tf.data` dataset.

    Args:
        data: The series, `(steps, ...)`.
        targets: `targets[i]` is the target of the window that starts at step `i`, counted from
            `start_index` as the steps are; None for windows alone.
        sequence_length: Steps of a window.
        sequence_stride: Steps between the starts of two windows.
        sampling_rate: Steps between two values of a window.
        batch_size: Windows per batch; None for single windows.
        shuffle: Whether to put the windows in random order.
        seed: Seed of the shuffling.
        start_index: The first step that is used; None for 0.
        end_index: The step after the last one that is used; None for all.
        format: Ignored; accepted for compatibility with Keras.

    Returns:
        A `TimeseriesDataset`.

    Raises:
        ArgumentError: A number is out of range, or there is not a single window.

    Example:
        >>> series = np.arange(6)
        >>> windows, targets = timeseries_dataset_from_array(series[:-2], series[2:], 2)[0]
        >>> windows.tolist(), targets.tolist()
        ([[0, 1], [1, 2], [2, 3]], [2, 3, 4])
    """
    owner = "timeseries_dataset_from_array"
    positive_int("sequence_length", sequence_length, owner)
    if batch_size is not None:
        positive_int("batch_size", batch_size, owner)
    data = np.asarray(data) if isinstance(data, list | tuple) else data
    steps = len(data)
    for name, value in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride)):
        if positive_int(name, value, owner) >= steps:
            raise _out_of_range(name, value, f"an int above 0 and below {steps}")
    start, end = start_index or 0, steps if end_index is None else end_index
    if not 0 <= start < steps:
        raise _out_of_range("start_index", start_index, f"an int from 0, below {steps}")
    if not start < end <= steps:
        raise _out_of_range("end_index", end_index, f"an int above {start}, at most {steps}")
    count = end - start - (sequence_length - 1) * sampling_rate
    if targets is not None:
        targets = np.asarray(targets)[start:end]
        count = min(count, len(targets))
    if count < 1:
        raise ArgumentError(
            f"{owner}: there is not a single window.",
            expected=f"at least {(sequence_length - 1) * sampling_rate + 1} steps and one target",
            received=f"{end - start} steps",
            fix="pass a smaller sequence_length or sampling_rate",
        )
    starts = np.arange(0, count, sequence_stride)
    if shuffle:
        generator = np.random if seed is None else np.random.RandomState(seed)
        generator.shuffle(starts)
    offsets = np.arange(sequence_length) * sampling_rate
    return TimeseriesDataset(data[start:end], targets, starts, offsets, batch_size)


def _out_of_range(name: str, value: Any, expected: str) -> ArgumentError:
    return ArgumentError(
        f"timeseries_dataset_from_array: `{name}` is out of range.",
        expected=expected,
        received=repr(value),
    )
