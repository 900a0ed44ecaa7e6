"""StringLookup and IntegerLookup: categories as their index in a vocabulary."""

from __future__ import annotations

from typing import Any

from gazelle._core.checks import one_of
from gazelle._core.registry import builtin
from gazelle.layers._preprocessing.index_lookup import IndexLookup


@builtin("keras.layers")
class StringLookup(IndexLookup):
    """Text as its index in a vocabulary, which is given or made by `adapt`.

    Args:
        max_tokens: Most tokens of the vocabulary, special ones included; None for any number.
        num_oov_indices: Indices for unknown text: 1 for one, more to divide it by its hash, 0 to
            refuse it.
        mask_token: What stands for padding and has index 0; None for none.
        oov_token: What unknown indices become with `invert`.
        vocabulary: The tokens, or the path of a text file with one per line.
        idf_weights: The inverse document frequencies, for `"tf_idf"` with `vocabulary`.
        invert: Whether to turn indices into text.
        output_mode: `"int"`: indices; `"one_hot"`, `"multi_hot"`, `"count"`: vectors as in
            `CategoryEncoding`; `"tf_idf"`: counts times the inverse document frequency
            `log(1 + n / (1 + n_t))` of `n` documents, `n_t` of which have the token.
        pad_to_max_tokens: Whether the vectors have `max_tokens` elements in any case.
        sparse: Not supported; must be False.
        encoding: The encoding of text that is given as bytes; UTF-8.
        name: A name; automatic when None.
        salt: A key, as in `Hashing`, for the hash of unknown text.
        **kwargs: `dtype`, `trainable`.

    Raises:
        ArgumentError: Arguments that do not fit each other.

    Example:
        >>> import gazelle
        >>> layer = gazelle.layers.StringLookup(vocabulary=["red", "green"])
        >>> print(layer([["green", "blue"]]))
        [[2 0]]
    """

    is_text = True

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ):
        self.encoding = encoding
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            sparse,
            pad_to_max_tokens,
            kwargs.pop("oov_method", "floormod"),
            salt,
            name,
            **kwargs,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, and the size of the vocabulary."""
        return {**super().get_config(), "encoding": self.encoding}


@builtin("keras.layers")
class IntegerLookup(IndexLookup):
    """Whole numbers as their index in a vocabulary, which is given or made by `adapt`.

    Args:
        max_tokens: Most tokens of the vocabulary, special ones included; None for any number.
        num_oov_indices: Indices for unknown numbers: 1 for one, more to divide them, 0 to refuse
            them.
        mask_token: What stands for padding and has index 0; None for none.
        oov_token: What unknown indices become with `invert`.
        vocabulary: The numbers, or the path of a text file with one per line.
        vocabulary_dtype: Must be `"int64"`.
        idf_weights: As in `StringLookup`.
        invert: Whether to turn indices into numbers.
        output_mode: As in `StringLookup`.
        sparse: Not supported; must be False.
        pad_to_max_tokens: As in `StringLookup`.
        oov_method: How unknown numbers are divided: `"floormod"` by their remainder, `"farmhash"`
            by their hash.
        salt: A key, as in `Hashing`, for `"farmhash"`.
        name: A name; automatic when None.
        **kwargs: `dtype`, `trainable`.

    Raises:
        ArgumentError: Arguments that do not fit each other.

    Example:
        >>> import gazelle
        >>> print(gazelle.layers.IntegerLookup(vocabulary=[10, 20])([20, 30, 10]))
        [2 0 1]
    """

    is_text = False
    takes = "int64"

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        self.vocabulary_dtype = one_of(
            "vocabulary_dtype", vocabulary_dtype, ("int64",), "IntegerLookup"
        )
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            sparse,
            pad_to_max_tokens,
            oov_method,
            salt,
            name,
            **kwargs,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, and the size of the vocabulary."""
        return {**super().get_config(), "vocabulary_dtype": self.vocabulary_dtype}
