"""What the data sets of texts share: sequences of word numbers, the most frequent word first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError, DataError

Sequences = list[list[int]]


def moved(sequences: Sequences, start_char: int | None, index_from: int) -> Sequences:
    """Sequences with a first number of their own, and the others `index_from` higher."""
    first = [] if start_char is None else [start_char]
    return [[*first, *(word + (index_from or 0) for word in one)] for one in sequences]


def no_longer_than(
    maxlen: int | None, sequences: Sequences, labels: Any
) -> tuple[Sequences, np.ndarray]:
    """The sequences that are shorter than `maxlen`, and their labels.

    Raises:
        ArgumentError: There is none.
    """
    if not maxlen:
        return sequences, np.asarray(labels)
    kept = [place for place, one in enumerate(sequences) if len(one) < maxlen]
    if not kept:
        raise ArgumentError(
            f"No sequence is shorter than maxlen={maxlen}.",
            expected=f"more than {min(map(len, sequences))}",
            received=maxlen,
        )
    return [sequences[place] for place in kept], np.asarray(labels)[kept]


def limited(
    sequences: Sequences, num_words: int | None, skip_top: int, oov_char: int | None
) -> Sequences:
    """Sequences with `oov_char` for the rare and the most frequent words; without them for None.

    Args:
        sequences: The sequences.
        num_words: Only smaller numbers stay; None for those below the largest.
        skip_top: Smaller numbers do not stay.
        oov_char: What stands for a word that does not stay.
    """
    most = num_words or max(map(max, sequences))
    if oov_char is None:
        return [[word for word in one if skip_top <= word < most] for one in sequences]
    return [[word if skip_top <= word < most else oov_char for word in one] for one in sequences]


def as_objects(sequences: Sequences) -> np.ndarray:
    """Sequences as an array of lists."""
    found = np.empty(len(sequences), object)
    found[:] = sequences
    return found


def word_index(path: Path) -> dict[str, int]:
    """The number of each word.

    Raises:
        DataError: The file is damaged.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"The file {path} is damaged.", received=str(error)) from None
    return found
