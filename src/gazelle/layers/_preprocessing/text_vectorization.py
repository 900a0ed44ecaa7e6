"""TextVectorization: texts as the indices of their words, or as vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gazelle._core.checks import one_of
from gazelle._core.dtypes import floatx
from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.registry import builtin, deserialize, serialize
from gazelle._core.symbolic import KerasTensor
from gazelle._text.tokens import SPLITS, STANDARDS, joined, objects, standardized
from gazelle._text.vocabulary import OUTSIDE
from gazelle.layers._preprocessing.adapting import batches_of
from gazelle.layers._preprocessing.host import HostLayer, as_text
from gazelle.layers._preprocessing.index_lookup import refuse_path
from gazelle.layers._preprocessing.lookup import StringLookup

Tokens = list[list[str]]


@builtin("keras.layers")
class TextVectorization(HostLayer):
    """Texts as the indices of their words: standardized, split, and looked up in a vocabulary.

    Index 0 is padding and 1 an unknown word; in the other modes 0 is an unknown word.

    Args:
        max_tokens: Most words of the vocabulary, special ones included; None for any number.
        standardize: `"lower_and_strip_punctuation"`, `"lower"`, `"strip_punctuation"` (A to Z and
            the punctuation of ASCII alone, as in Keras), a function of a NumPy array of text, or
            None.
        split: `"whitespace"`, `"character"`, a function of a NumPy array of text that gives a list
            of words for each, or None for texts that are words.
        ngrams: An int n, for all sequences of 1 to n words; a tuple of lengths; or None.
        output_mode: `"int"`: `(n, length)` indices; `"multi_hot"`, `"count"`, `"tf_idf"`: vectors
            `(n, size of the vocabulary)`, as in `StringLookup`.
        output_sequence_length: The length, by padding and cutting; None for that of the longest
            text of the call.
        pad_to_max_tokens: Whether the vectors have `max_tokens` elements in any case.
        vocabulary: The words, or the path of a text file with one per line; None for `adapt`.
        idf_weights: The inverse document frequencies, for `"tf_idf"` with `vocabulary`.
        sparse: Not supported; must be False.
        ragged: Not supported; must be False.
        encoding: The encoding of text that is given as bytes; UTF-8.
        name: A name; automatic when None.
        **kwargs: `dtype`, `trainable`.

    Raises:
        ArgumentError: Arguments that do not fit each other.

    Example:
        >>> import gazelle
        >>> layer = gazelle.layers.TextVectorization(output_sequence_length=4)
        >>> layer.adapt(["The cat sat.", "The dog."])
        >>> layer.get_vocabulary()
        ['', '[UNK]', 'the', 'sat', 'dog', 'cat']
        >>> print(layer(["the bird sat"]))
        [[2 1 3 0]]
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: int | Sequence[int] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ):
        of_config = {k: kwargs.pop(k) for k in ("vocabulary_size",) if k in kwargs}
        given = kwargs.pop("has_input_vocabulary", vocabulary is not None)
        super().__init__(name=name, **kwargs)
        if ragged:
            raise ArgumentError(
                "TextVectorization: ragged=True is not supported.", expected="ragged=False"
            )
        if standardize is not None and not callable(standardize):
            one_of("standardize", standardize, (*STANDARDS, None), "TextVectorization")
        if split is not None and not callable(split):
            one_of("split", split, (*SPLITS, None), "TextVectorization")
        self._widths = _checked_widths(ngrams)
        if output_mode != "int" and output_sequence_length is not None:
            raise ArgumentError(
                'TextVectorization: `output_sequence_length` is for output_mode="int".',
                received=f"output_mode={output_mode!r}",
            )
        if not isinstance(output_sequence_length, int | None):
            raise ArgumentError(
                "TextVectorization: `output_sequence_length` must be an int or None.",
                received=repr(output_sequence_length),
            )
        self.standardize = standardize
        self.split: Any = split
        self.ngrams = ngrams
        self.output_sequence_length = output_sequence_length
        self.ragged = ragged
        self.encoding = encoding
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens,
            mask_token="",
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            encoding=encoding,
            name=f"{self.name}_lookup",
            has_input_vocabulary=given,
            **of_config,
        )
        self.output_mode = self._lookup_layer.output_mode

    # ---- The vocabulary ----

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Make a vocabulary of all words of the texts, the most frequent first.

        Args:
            data: An array or list of texts, or a table's column; or an iterable of batches.
            batch_size: Not used; Keras's argument.
            steps: The most batches to take of an iterable; None for all.

        Raises:
            ArgumentError: The vocabulary was given.
        """
        self.reset_state()
        for batch in batches_of(data, steps, lists_are_data=True):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the words of texts."""
        self._lookup_layer.count(self._tokens(data))

    def finalize_state(self) -> None:
        """Make the vocabulary from what was counted."""
        self._lookup_layer.finalize_state()

    def reset_state(self) -> None:
        """Forget what was counted."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The words in the order of their indices, see `StringLookup`."""
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    @property
    def has_input_vocabulary(self) -> bool:
        """Whether the words were given."""
        return self._lookup_layer.has_input_vocabulary

    def vocabulary_size(self) -> int:
        """Number of words, special ones included."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Use these words, see `StringLookup`."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    # ---- Computing ----

    def _tokens(self, inputs: Any) -> Tokens:
        """The words, or n-grams, of each text."""
        texts = np.atleast_1d(as_text(inputs, f"layer {self.name!r}"))
        if callable(self.standardize):
            changed = self.standardize(texts.astype(str))
            texts = as_text(changed, f"layer {self.name!r}, after standardize,")
        elif self.standardize is not None:
            texts = standardized(texts, self.standardize)
        if self.split is None:
            tokens: Tokens = texts.reshape(len(texts), -1).tolist()
        else:
            tokens = self._split(texts)
        return tokens if self._widths is None else [joined(one, self._widths) for one in tokens]

    def _split(self, texts: np.ndarray) -> Tokens:
        if texts.ndim > 1 and texts.shape[1:] != (1,) * (texts.ndim - 1):
            raise ShapeError(
                f"Layer {self.name!r} splits texts: it takes one text per sample.",
                expected="shape (n,) or (n, 1)",
                received=f"shape {texts.shape}",
                fix="use split=None for texts that are words",
            )
        flat = texts.ravel()
        split: Any = self.split
        if isinstance(split, str):
            return [SPLITS[split](text) for text in flat.tolist()]
        return [list(map(str, one)) for one in split(flat.astype(str))]

    def compute(self, inputs: Any) -> np.ndarray:
        """The indices, or vectors."""
        tokens = self._tokens(inputs)
        lengths = [len(one) for one in tokens]
        flat = self._lookup_layer.indices(objects(token for one in tokens for token in one))
        is_int = self.output_mode == "int"
        wanted = self.output_sequence_length if is_int else None
        length = max(lengths, default=0) if wanted is None else wanted
        found = np.full((len(tokens), length), 0 if is_int else OUTSIDE, np.int64)
        start = 0
        for row, size in enumerate(lengths):
            kept = min(size, length)
            found[row, :kept] = flat[start : start + kept]
            start += size
        if is_int and isinstance(inputs, str):
            return found[0]
        return found if is_int else self._lookup_layer.vectors(found)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(n, length)` or `(n, size of the vocabulary)`."""
        samples = input_shape[0] if input_shape else None
        if self.output_mode == "int":
            return samples, self.output_sequence_length
        if self.output_mode == "one_hot":
            return self._lookup_layer.compute_output_shape((samples, None))
        return self._lookup_layer.compute_output_shape((samples, 1))

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        """The symbolic output, for symbolic inputs."""
        dtype = "int64" if self.output_mode == "int" else floatx()
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype)

    # ---- Configs and files ----

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, and the size of the vocabulary."""
        lookup = self._lookup_layer
        return {
            **self._base_config(),
            "max_tokens": lookup.max_tokens,
            "standardize": serialize(self.standardize),
            "split": serialize(self.split),
            "ngrams": self.ngrams,
            "output_mode": self.output_mode,
            "output_sequence_length": self.output_sequence_length,
            "pad_to_max_tokens": lookup.pad_to_max_tokens,
            "sparse": lookup.sparse,
            "ragged": self.ragged,
            "vocabulary": lookup.input_vocabulary,
            "idf_weights": lookup.input_idf_weights,
            "encoding": self.encoding,
            "vocabulary_size": self.vocabulary_size(),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """A layer from `get_config`.

        Raises:
            ArgumentError: The config names a file: no other file is read for a model.
        """
        refuse_path(config)
        config = dict(config)
        for name in ("standardize", "split"):
            config[name] = deserialize(config.get(name), custom_objects)
        if isinstance(config.get("ngrams"), list):
            config["ngrams"] = tuple(config["ngrams"])
        return super().from_config(config, custom_objects)

    def save_own_variables(self, store: Any) -> None:
        """The weights of `"tf_idf"`."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        """The weights of `"tf_idf"`."""
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, dir_path: Any) -> None:
        """Write the vocabulary, see `StringLookup`."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: Any) -> None:
        """Read the vocabulary, see `StringLookup`."""
        self._lookup_layer.load_assets(dir_path)


def _checked_widths(ngrams: Any) -> tuple[int, ...] | None:
    """The lengths of the n-grams.

    Raises:
        ArgumentError: `ngrams` is not an int, a tuple of ints or None.
    """
    if ngrams is None:
        return None
    if isinstance(ngrams, int):
        return tuple(range(1, ngrams + 1))
    if isinstance(ngrams, tuple | list) and all(isinstance(n, int) for n in ngrams):
        return tuple(ngrams)
    raise ArgumentError(
        "TextVectorization: `ngrams` must be an int, a tuple of ints or None.",
        received=repr(ngrams),
    )
