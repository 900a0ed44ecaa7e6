"""IMDB: 50,000 reviews of films as sequences of word numbers, good or bad.

Maas et al., "Learning Word Vectors for Sentiment Analysis", 2011.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentTypeError
from gazelle.datasets import _sequences as sequences
from gazelle.datasets._sources import KERAS_FILES, File, arrays_of, shuffled_by

FILE = File(
    "imdb.npz",
    f"{KERAS_FILES}imdb.npz",
    {"sha256": "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"},
)
WORDS = File(
    "imdb_word_index.json",
    f"{KERAS_FILES}imdb_word_index.json",
    {"md5": "bfafd718b763782e994055a2d397834f"},
)
Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def load_data(
    path: str | os.PathLike[str] = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
    **kwargs: Any,
) -> Split:
    """Load the reviews; the file (17 MB) is downloaded once.

    Args:
        path: A file of yours, or the name in the cache folders of Gazelle and Keras.
        num_words: Only the most frequent words stay: numbers below this. None for all.
        skip_top: Numbers below this do not stay.
        maxlen: Longer reviews are left out.
        seed: Seed of the order.
        start_char: The first number of each review; None for none.
        oov_char: What stands for a word that does not stay; None to leave it out.
        index_from: Words are numbered from here on.
        **kwargs: `nb_words` of Keras 1, for `num_words`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of 25,000 lists of ints, and labels, 0 for
        bad and 1 for good. `gazelle.utils.pad_sequences` makes one array of the lists.

    Raises:
        ArgumentError: No review is shorter than `maxlen`.
        DataError: The file is damaged.
        DownloadError: There is no copy, and the download failed.
    """
    num_words = kwargs.pop("nb_words", num_words)
    if kwargs:
        raise ArgumentTypeError(f"Unrecognized keyword arguments: {sorted(kwargs)}.")
    names = "x_train", "y_train", "x_test", "y_test"
    parts = arrays_of(FILE.located(path), *names)
    generator = np.random.RandomState(seed)
    found = []
    for x, y in (parts[:2], parts[2:]):
        x, y = shuffled_by(generator, list(x), np.asarray(y))
        x = sequences.moved(x, start_char, index_from)
        found.append(sequences.no_longer_than(maxlen, x, y))
    (x_train, y_train), (x_test, y_test) = found
    both = sequences.limited([*x_train, *x_test], num_words, skip_top, oov_char)
    x = sequences.as_objects(both)
    return (x[: len(x_train)], y_train), (x[len(x_train) :], y_test)


def get_word_index(path: str | os.PathLike[str] = "imdb_word_index.json") -> dict[str, int]:
    """The number of each word, 1 for the most frequent; `load_data` adds `index_from`."""
    return sequences.word_index(WORDS.located(path))
