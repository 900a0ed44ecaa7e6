"""Vocabularies: the index of each token, and the tokens of a text in the order of their counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gazelle._text.hashes import hashed

OUTSIDE = -1  # the index of what is not counted


class Vocabulary:
    """Tokens with an index each.

    The indices are: 0 for the mask token if `masks`, then `oov_indices` for tokens that are not
    known, then the tokens.

    Args:
        tokens: The tokens, without the special ones.
        mask_token: What stands for padding; None for nothing.
        masks: Whether padding has the index 0; else it is not counted.
        oov_indices: How many indices there are for tokens that are not known.
    """

    def __init__(self, tokens: Sequence[Any], *, mask_token: Any, masks: bool, oov_indices: int):
        self.tokens = list(tokens)
        self.mask_token = mask_token
        self.first_oov = int(masks and mask_token is not None)
        self.oov_indices = oov_indices
        self.start = self.first_oov + oov_indices
        self._index = {token: self.start + i for i, token in enumerate(self.tokens)}
        if mask_token is not None:
            self._index[mask_token] = 0 if masks else OUTSIDE

    def __len__(self) -> int:
        """Tokens, special ones included."""
        return self.start + len(self.tokens)

    def indices(
        self, values: np.ndarray, *, by_remainder: bool, salt: tuple[int, int] | None
    ) -> np.ndarray:
        """The index of each value.

        Args:
            values: Tokens.
            by_remainder: Whether unknown whole numbers are divided among several indices by their
                remainder; else by their hash.
            salt: A key for that hash.

        Returns:
            int64 of the same shape.

        Raises:
            KeyError: A value is not known, and there is no index for such.
        """
        flat = values.ravel().tolist()
        unknown = OUTSIDE - 1
        get = self._index.get
        found = np.array([get(value, unknown) for value in flat], np.int64)
        places = np.flatnonzero(found == unknown)
        if len(places) and not self.oov_indices:
            raise KeyError(flat[places[0]])
        if len(places):
            rest = values.ravel()[places]
            found[places] = self.first_oov + self._oov(rest, by_remainder, salt)
        return found.reshape(values.shape)

    def _oov(self, values: np.ndarray, by_remainder: bool, salt: Any) -> np.ndarray:
        if self.oov_indices == 1:
            return np.zeros(len(values), np.int64)
        if by_remainder:
            return values.astype(np.int64) % self.oov_indices
        return hashed(values, self.oov_indices, salt)

    def values(self, indices: np.ndarray, oov_token: Any) -> list[Any]:
        """The token of each index; `oov_token` where there is none."""
        tokens, start = self.tokens, self.start
        found = []
        for index in indices.ravel().tolist():
            if index == 0 and self.first_oov:
                found.append(self.mask_token)
            elif start <= index < len(self):
                found.append(tokens[index - start])
            else:
                found.append(oov_token)
        return found


class Counts:
    """How often each token was seen, and in how many documents."""

    def __init__(self) -> None:
        self.tokens: Counter[Any] = Counter()
        self.documents: Counter[Any] = Counter()
        self.seen = 0  # documents

    def add(self, documents: Iterable[Sequence[Any]]) -> None:
        """Count the tokens of documents."""
        for document in documents:
            self.tokens.update(document)
            self.documents.update(set(document))
            self.seen += 1

    def most_common(self, most: int | None, special: Iterable[Any]) -> list[Any]:
        """The tokens by their counts, of equal counts the later in the alphabet first.

        Args:
            most: How many; None for all.
            special: Tokens to leave out.
        """
        left_out = set(special)
        kept = [token for token in self.tokens if token not in left_out]
        kept.sort(key=lambda token: (self.tokens[token], _as_sorted(token)), reverse=True)
        return kept[:most]

    def idf(self, tokens: Iterable[Any]) -> np.ndarray:
        """The inverse document frequency `log(1 + n / (1 + n_t))` of each token, float64."""
        each = np.array([self.documents[token] for token in tokens], np.float64)
        return np.log(1 + self.seen / (1 + each))


def _as_sorted(token: Any) -> Any:
    """TensorFlow sorts text by its bytes."""
    return token.encode() if isinstance(token, str) else token


def encoded(indices: np.ndarray, mode: str, depth: int, dtype: Any) -> np.ndarray:
    """Indices as vectors.

    Args:
        indices: Ints `(..., k)`; those that are not 0 to `depth - 1` count nothing.
        mode: `"one_hot"`, `"multi_hot"` or `"count"`.
        depth: Length of the vectors.
        dtype: Their type.

    Returns:
        `(..., k, depth)` for one-hot, `(..., depth)` for one-hot of `k = 1` and for the others.
    """
    if indices.ndim == 0:
        indices = indices[None]
    if mode == "one_hot":
        if indices.ndim > 1 and indices.shape[-1] == 1:
            indices = indices[..., 0]
        rows = indices.reshape(-1, 1)
        shape = (*indices.shape, depth)
    else:
        rows = indices.reshape(-1, indices.shape[-1])
        shape = (*indices.shape[:-1], depth)
    known = (rows >= 0) & (rows < depth)
    places = np.nonzero(known)[0], rows[known]
    found = np.zeros((len(rows), depth), dtype)
    if mode == "count":
        np.add.at(found, places, 1)
    else:
        found[places] = 1
    return found.reshape(shape)
