"""Names of `keras.preprocessing.sequence`."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError
from gazelle.utils import PyDataset, pad_sequences

__all__ = [
    "TimeseriesGenerator",
    "_remove_long_seq",
    "make_sampling_table",
    "pad_sequences",
    "skipgrams",
]


def _remove_long_seq(maxlen: int, seq: Any, label: Any) -> tuple[list[Any], list[Any]]:
    """The sequences of fewer than `maxlen` items, and their labels."""
    kept = [(one, its) for one, its in zip(seq, label, strict=True) if len(one) < maxlen]
    return [one for one, _ in kept], [its for _, its in kept]


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> Any:
    """How probably the word of each rank is kept, by a law of Zipf for its frequency.

    A word of frequency f is kept with probability `min(1, sqrt(f / s) / (f / s))` (Mikolov et al.
    2013), with `1 / f = rank (ln rank + 0.5772) + 1/2 - 1 / (12 rank)`.

    Args:
        size: The number of words.
        sampling_factor: s; the lower, the less often frequent words are kept.

    Returns:
        `(size,)` probabilities.
    """
    rank = np.arange(size, dtype=float)
    rank[0] = 1
    inverse = rank * (np.log(rank) + 0.577) + 0.5 - 1.0 / (12.0 * rank)
    ratio = sampling_factor * inverse
    return np.minimum(1.0, ratio / np.sqrt(ratio))


def skipgrams(
    sequence: Any,
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:
    """Pairs of words, with 1 for those that are near each other and 0 for pairs drawn at random.

    Args:
        sequence: The numbers of the words of a text; 0 is no word.
        vocabulary_size: The number of words, 0 included.
        window_size: How far a neighbor is at most.
        negative_samples: Random pairs per pair of neighbors.
        shuffle: Whether the pairs are in random order.
        categorical: Whether labels are `[0, 1]` and `[1, 0]`.
        sampling_table: The probability with which each word is kept.
        seed: For the order and the random pairs.

    Returns:
        The pairs, and their labels.
    """
    pairs, labels = [], []
    for place, word in enumerate(sequence):
        if not word:
            continue
        if sampling_table is not None and sampling_table[word] < random.random():
            continue
        start = max(0, place - window_size)
        window = range(start, min(len(sequence), place + window_size + 1))
        for other in (sequence[near] for near in window if near != place):
            if other:
                pairs.append([word, other])
                labels.append([0, 1] if categorical else 1)
    if negative_samples > 0:
        words = [pair[0] for pair in pairs]
        random.shuffle(words)
        for index in range(int(len(labels) * negative_samples)):
            pairs.append([words[index % len(words)], random.randint(1, vocabulary_size - 1)])
            labels.append([1, 0] if categorical else 0)
    if shuffle:
        order = random.Random(random.randint(0, 10**6) if seed is None else seed)
        together = list(zip(pairs, labels, strict=True))
        order.shuffle(together)
        pairs, labels = [pair for pair, _ in together], [label for _, label in together]
    return pairs, labels


class TimeseriesGenerator(PyDataset):
    """Batches of windows of a series, with the value after each window as the target.

    Args:
        data: `(steps, ...)`, the series.
        targets: `(steps, ...)`, the target of each step.
        length: Steps that a window spans.
        sampling_rate: Steps between two values of a window.
        stride: Steps between two windows.
        start_index: The first step that is used.
        end_index: The last step that is used; all when None.
        shuffle: Whether windows are drawn at random.
        reverse: Whether the values of a window are in backward order.
        batch_size: Windows per batch.

    Raises:
        ArgumentError: The series is too short for a window, or has another length than the targets.
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
    ):
        super().__init__()
        if len(data) != len(targets):
            raise ArgumentError(
                "Data and targets have to be of same length.",
                received=f"{len(data)} and {len(targets)}",
            )
        self.data, self.targets, self.length = data, targets, length
        self.sampling_rate, self.stride = sampling_rate, stride
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle, self.reverse, self.batch_size = shuffle, reverse, batch_size
        if self.start_index > self.end_index:
            raise ArgumentError(
                f"`start_index+length={self.start_index} > end_index={self.end_index}` is"
                " disallowed, as no part of the sequence would be left to be used as current step.",
                fix="a shorter window, or a longer series",
            )

    def __len__(self) -> int:
        steps = self.end_index - self.start_index + 1
        return -(-steps // (self.batch_size * self.stride))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if self.shuffle:
            ends = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            last = min(first + self.batch_size * self.stride, self.end_index + 1)
            ends = np.arange(first, last, self.stride)
        samples = np.array(
            [self.data[end - self.length : end : self.sampling_rate] for end in ends]
        )
        targets = np.array([self.targets[end] for end in ends])
        return (samples[:, ::-1, ...] if self.reverse else samples), targets

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, the series as lists."""
        return {
            "data": np.asarray(self.data).tolist(),
            "targets": np.asarray(self.targets).tolist(),
            "length": self.length,
            "sampling_rate": self.sampling_rate,
            "stride": self.stride,
            "start_index": self.start_index,
            "end_index": self.end_index,
            "shuffle": self.shuffle,
            "reverse": self.reverse,
            "batch_size": self.batch_size,
        }

    def to_json(self, **kwargs: Any) -> str:
        """The config as JSON."""
        return json.dumps(
            {"class_name": type(self).__name__, "config": self.get_config()}, **kwargs
        )
