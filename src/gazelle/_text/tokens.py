"""Text to tokens: standardize, split and join to n-grams, as TensorFlow does it for Keras."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

# TensorFlow changes the letters A to Z alone, and knows the white space of ASCII alone.
_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_PUNCTUATION = dict.fromkeys(map(ord, "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"))
_SPACE = re.compile(r"[ \t\n\r\f\v]+")
STANDARDS: dict[str, dict[int, Any]] = {
    "lower": _LOWER,
    "strip_punctuation": _PUNCTUATION,
    "lower_and_strip_punctuation": _LOWER | _PUNCTUATION,
}


def split_on_space(text: str) -> list[str]:
    """The words of a text."""
    return [word for word in _SPACE.split(text) if word]


SPLITS: dict[str, Callable[[str], list[str]]] = {"whitespace": split_on_space, "character": list}


def standardized(texts: np.ndarray, name: str) -> np.ndarray:
    """Texts in lower case, without punctuation, or both.

    Args:
        texts: `str` objects.
        name: A key of `STANDARDS`.
    """
    table = STANDARDS[name]
    changed = [text.translate(table) for text in texts.ravel().tolist()]
    return objects(changed).reshape(texts.shape)


def joined(tokens: Sequence[str], widths: Iterable[int]) -> list[str]:
    """The n-grams of tokens, those of the first width first; their tokens are joined by a space."""
    return [
        " ".join(tokens[start : start + width])
        for width in widths
        for start in range(len(tokens) - width + 1)
    ]


def objects(values: Iterable[Any]) -> np.ndarray:
    """Values as a flat array of objects; NumPy would make other types of them."""
    values = list(values)
    found = np.empty(len(values), object)
    found[:] = values
    return found
