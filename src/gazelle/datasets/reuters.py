"""Reuters: 11,228 news as sequences of word numbers, of 46 topics.

Lewis, the Reuters-21578 collection, 1997, as prepared by Keras.
"""

from __future__ import annotations

import os

import numpy as np

from gazelle.datasets import _sequences as sequences
from gazelle.datasets._sources import KERAS_FILES, File, arrays_of, check_split, shuffled

FILE = File(
    "reuters.npz",
    f"{KERAS_FILES}reuters.npz",
    {"sha256": "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"},
)
WORDS = File(
    "reuters_word_index.json",
    f"{KERAS_FILES}reuters_word_index.json",
    {"md5": "4d44cc38712099c9e383dc6e5f11a921"},
)
LABELS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves "
    "ship cotton carcass crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin "
    "strategic-metal livestock retail ipi iron-steel rubber heat jobs lei bop zinc orange "
    "pet-chem dlr gas silver wpi hog lead"
)
Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def load_data(
    path: str | os.PathLike[str] = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> Split:
    """Load the news; the file (2 MB) is downloaded once.

    Args:
        path: A file of yours, or the name in the cache folders of Gazelle and Keras.
        num_words: Only the most frequent words stay: numbers below this. None for all.
        skip_top: Numbers below this do not stay.
        maxlen: Longer news are left out.
        test_split: Share of the rows to test on.
        seed: Seed of the order.
        start_char: The first number of each; None for none.
        oov_char: What stands for a word that does not stay; None to leave it out.
        index_from: Words are numbered from here on.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of lists of ints, and topics 0 to 45, which
        index `get_label_names()`.

    Raises:
        ArgumentError: None is shorter than `maxlen`.
        DataError: The file is damaged, or `test_split` is no share.
        DownloadError: There is no copy, and the download failed.
    """
    check_split(test_split)
    x, y = arrays_of(FILE.located(path), "x", "y")
    x, y = shuffled(seed, list(x), np.asarray(y))
    x = sequences.moved(x, start_char, index_from)
    x, y = sequences.no_longer_than(maxlen, x, y)
    x = sequences.as_objects(sequences.limited(x, num_words, skip_top, oov_char))
    at = int(len(x) * (1 - test_split))
    return (x[:at], y[:at]), (x[at:], y[at:])


def get_word_index(path: str | os.PathLike[str] = "reuters_word_index.json") -> dict[str, int]:
    """The number of each word, 1 for the most frequent; `load_data` adds `index_from`."""
    return sequences.word_index(WORDS.located(path))


def get_label_names() -> tuple[str, ...]:
    """The names of the topics, in the order of their numbers."""
    return tuple(LABELS.split())
