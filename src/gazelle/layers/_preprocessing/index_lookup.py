"""IndexLookup: what StringLookup and IntegerLookup share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gazelle._core.checks import one_of
from gazelle._core.dtypes import floatx
from gazelle._core.errors import ArgumentError, DataError, StateError
from gazelle._core.symbolic import KerasTensor
from gazelle._text.tokens import objects
from gazelle._text.vocabulary import Counts, Vocabulary, encoded
from gazelle.layers._preprocessing.adapting import batches_of
from gazelle.layers._preprocessing.category_encoding import MODES, encoded_shape
from gazelle.layers._preprocessing.hashing import checked_salt, refuse_sparse
from gazelle.layers._preprocessing.host import HostLayer, as_text, as_values

_FILE = "vocabulary.txt"
_OLD_MODES = {"binary": "multi_hot", "tf-idf": "tf_idf"}


class IndexLookup(HostLayer):
    """What StringLookup and IntegerLookup share; `is_text` says which it is."""

    is_text: bool

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        sparse: bool,
        pad_to_max_tokens: bool,
        oov_method: str,
        salt: Any,
        name: str | None,
        **kwargs: Any,
    ):
        size = kwargs.pop("vocabulary_size", None)  # these two are in configs alone
        given = kwargs.pop("has_input_vocabulary", vocabulary is not None)
        super().__init__(name=name, **kwargs)
        owner = type(self).__name__
        if max_tokens is not None and max_tokens <= 1:
            raise ArgumentError(
                f"{owner}: `max_tokens` must be greater than 1.", received=repr(max_tokens)
            )
        if num_oov_indices < 0:
            raise ArgumentError(
                f"{owner}: `num_oov_indices` must not be negative.", received=repr(num_oov_indices)
            )
        if pad_to_max_tokens and max_tokens is None:
            raise ArgumentError(f"{owner}: pad_to_max_tokens needs `max_tokens`.")
        self.oov_method = one_of("oov_method", oov_method, ("floormod", "farmhash"), owner)
        if salt is not None and not self.is_text and oov_method != "farmhash":
            raise ArgumentError(f'{owner}: `salt` needs oov_method="farmhash".')
        mode = _OLD_MODES.get(output_mode, output_mode)
        self.output_mode = one_of("output_mode", mode, ("int", *MODES, "tf_idf"), owner)
        if invert and self.output_mode != "int":
            raise ArgumentError(f'{owner}: invert=True needs output_mode="int".', received=mode)
        refuse_sparse(self, sparse)
        if idf_weights is not None and self.output_mode != "tf_idf":
            raise ArgumentError(
                f'{owner}: `idf_weights` are for output_mode="tf_idf".', received=mode
            )
        if self.output_mode == "tf_idf" and vocabulary is not None and idf_weights is None:
            raise ArgumentError(f"{owner}: with tf_idf, a `vocabulary` needs `idf_weights` too.")
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.invert = invert
        self.sparse = sparse
        self.pad_to_max_tokens = pad_to_max_tokens
        self.salt = checked_salt(salt, owner)
        is_path = isinstance(vocabulary, str | Path)
        self.input_vocabulary = None if vocabulary is None or is_path else _as_list(vocabulary)
        self.input_idf_weights = None if idf_weights is None else _as_list(idf_weights)
        self._fixed_size: int | None = size
        self.has_input_vocabulary = given
        self._vocabulary = self._of([])
        self._counts = Counts()
        self.idf_weights: np.ndarray | None = None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    def _of(self, tokens: Sequence[Any]) -> Vocabulary:
        return Vocabulary(
            tokens,
            mask_token=self.mask_token,
            masks=self.output_mode == "int",
            oov_indices=self.num_oov_indices,
        )

    # ---- The vocabulary ----

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens in the order of their indices.

        Args:
            include_special_tokens: Whether to include padding and the unknown ones.
        """
        known = self._vocabulary
        if not include_special_tokens:
            return list(known.tokens)
        special = [self.mask_token] * known.first_oov + [self.oov_token] * self.num_oov_indices
        return [*special, *known.tokens]

    def vocabulary_size(self) -> int:
        """Number of tokens, special ones included."""
        return len(self._vocabulary)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Use these tokens.

        Args:
            vocabulary: A list or array of different tokens, with or without the special ones at its
                start; or a path of a text file with a token per line.
            idf_weights: For `"tf_idf"`: the inverse document frequency of each token.

        Raises:
            ArgumentError: Repeated tokens, special ones at another place, too many, or
                `idf_weights` that do not fit.
            DataError: The file does not exist, or is not text.
        """
        if (self.output_mode == "tf_idf") != (idf_weights is not None):
            raise ArgumentError(
                f"Layer {self.name!r}: `idf_weights` and tf_idf belong together.",
                received=f"output_mode={self.output_mode!r}, idf_weights={idf_weights}",
            )
        if isinstance(vocabulary, str | Path):
            vocabulary = self._read(Path(vocabulary))
        tokens = self._as_tokens(vocabulary)
        if not tokens:
            raise ArgumentError(
                f"Layer {self.name!r}: the vocabulary is empty.", expected="at least one token"
            )
        known = self._vocabulary
        special = [self.mask_token] * known.first_oov + [self.oov_token] * self.num_oov_indices
        has_special = tokens[: len(special)] == special
        rest = tokens[len(special) :] if has_special else tokens
        self._check_tokens(rest, special)
        self._check_size(len(special) + len(rest))
        weights = None
        if idf_weights is not None:
            weights = self._weights_of(np.asarray(idf_weights, np.float64), tokens, has_special)
        self._vocabulary = self._of(rest)
        self._freeze()
        if weights is not None:
            self.idf_weights = weights

    def _check_tokens(self, tokens: list[Any], special: list[Any]) -> None:
        if len(set(tokens)) != len(tokens):
            repeated = sorted({one for one in tokens if tokens.count(one) > 1}, key=str)
            raise ArgumentError(
                f"Layer {self.name!r}: the vocabulary has a repeated term.",
                expected="different tokens",
                received=f"more than once: {repeated[:5]}",
                fix="remove the repeated ones",
            )
        reserved = {"mask": self.mask_token, "OOV": self.oov_token if self.invert else None}
        for kind, token in reserved.items():
            if token is not None and token in tokens:
                raise ArgumentError(
                    f"Layer {self.name!r}: the vocabulary has the reserved {kind} token within it.",
                    expected=f"no special tokens, or these at its start: {special}",
                    received=f"{token!r} at index {tokens.index(token)}",
                )

    def _check_size(self, size: int) -> None:
        if self.max_tokens is not None and size > self.max_tokens:
            raise ArgumentError(
                f"Layer {self.name!r}: the vocabulary is larger than `max_tokens`.",
                expected=f"at most {self.max_tokens}, special tokens included",
                received=size,
            )
        fixed = self.output_mode == "int" or self.pad_to_max_tokens or self._fixed_size is None
        if not fixed and size != self._fixed_size:
            raise StateError(
                f"Layer {self.name!r}: the size of the vocabulary cannot be changed, since the"
                " layers behind depend on it.",
                expected=self._fixed_size,
                received=size,
                fix="make a new layer, or use max_tokens with pad_to_max_tokens=True",
            )

    def _weights_of(self, idf: np.ndarray, tokens: list[Any], has_special: bool) -> np.ndarray:
        if idf.shape != (len(tokens),):
            raise ArgumentError(
                f"Layer {self.name!r}: `idf_weights` must have one number per token.",
                expected=f"shape ({len(tokens)},)",
                received=f"shape {idf.shape}",
            )
        return self._padded(idf, 0 if has_special else self._vocabulary.start)

    def _padded(self, idf: np.ndarray, front: int) -> np.ndarray:
        """The weights of all indices: unknown tokens have the mean, padding behind has 0."""
        weights = np.concatenate([np.full(front, idf.mean()), idf])
        if self.pad_to_max_tokens and self.max_tokens is not None:
            weights = np.pad(weights, (0, self.max_tokens - len(weights)))
        return weights.astype(floatx())

    def _read(self, path: Path) -> list[str]:
        if not path.is_file():
            raise DataError(
                f"There is no vocabulary at {str(path)!r}.",
                expected="a text file, a token per line",
            )
        if self.output_mode == "tf_idf":
            raise ArgumentError("A vocabulary from a file has no idf_weights.", received=str(path))
        return _lines(path)

    def _as_tokens(self, values: Any) -> list[Any]:
        what = f"the vocabulary of layer {self.name!r}"
        if self.is_text:
            return as_text(values, what).ravel().tolist()
        return [int(one) for one in np.asarray(values).ravel().tolist()]

    def _freeze(self) -> None:
        self._fixed_size = self.vocabulary_size()

    # ---- Adapting ----

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Make a vocabulary of all tokens of the data, the most frequent first.

        Args:
            data: An array, a list or a table's column; or an iterable of batches.
            steps: The most batches to take of an iterable; None for all.

        Raises:
            ArgumentError: The vocabulary was given.
        """
        self.reset_state()
        for batch in batches_of(data, steps, lists_are_data=True):
            values = self._values(batch)
            whole = isinstance(data, list | tuple | np.ndarray) or hasattr(data, "to_numpy")
            self.update_state(values[:, None] if whole and values.ndim == 1 else values)
        self.finalize_state()

    def _values(self, data: Any) -> np.ndarray:
        if self.is_text:
            return as_text(data, f"layer {self.name!r}")
        return as_values(data, f"layer {self.name!r}").astype(np.int64)

    def update_state(self, data: Any) -> None:
        """Count the tokens of documents: the rows of an array; a list is one document.

        Raises:
            ArgumentError: The vocabulary was given.
        """
        values = np.atleast_1d(self._values(data))
        rows = values.reshape(len(values), -1) if values.ndim > 1 else values[None]
        self.count(rows.tolist())

    def count(self, documents: list[list[Any]]) -> None:
        """Count the tokens of documents.

        Raises:
            ArgumentError: The vocabulary was given.
        """
        if self.has_input_vocabulary:
            raise ArgumentError(
                f"The layer {self.name!r} has a fixed vocabulary and cannot be adapted.",
                fix="leave out `vocabulary`",
            )
        self._counts.add(documents)

    def finalize_state(self) -> None:
        """Make the vocabulary from what was counted."""
        if self.has_input_vocabulary or not self._counts.tokens:
            self._freeze()
            return
        start = self._vocabulary.start
        most = None if self.max_tokens is None else self.max_tokens - start
        tokens = self._counts.most_common(most, (self.mask_token, self.oov_token))
        self._check_size(start + len(tokens))
        if self.output_mode == "tf_idf":
            self.idf_weights = self._padded(self._counts.idf(tokens), start)
        self._vocabulary = self._of(tokens)
        self._freeze()
        self.reset_state()

    def reset_state(self) -> None:
        """Forget what was counted."""
        if not self.has_input_vocabulary:
            self._counts = Counts()

    # ---- Computing ----

    def compute(self, inputs: Any) -> np.ndarray:
        """The indices, vectors or, with `invert`, tokens."""
        self._check_known()
        if self.invert:
            indices = np.asarray(inputs).astype(np.int64)
            tokens = self._vocabulary.values(indices, self.oov_token)
            found = objects(tokens) if self.is_text else np.array(tokens, np.int64)
            return found.reshape(indices.shape)
        indices = self.indices(self._values(inputs))
        return indices if self.output_mode == "int" else self.vectors(indices)

    def indices(self, values: np.ndarray) -> np.ndarray:
        """The index of each token, int64 of the same shape."""
        salt = None if self.salt is None else (self.salt[0], self.salt[1])
        by_remainder = not self.is_text and self.oov_method == "floormod"
        try:
            return self._vocabulary.indices(values, by_remainder=by_remainder, salt=salt)
        except KeyError as error:
            raise DataError(
                f"Layer {self.name!r}: a value is not in the vocabulary, and num_oov_indices=0 has"
                " no index for such.",
                expected="tokens of the vocabulary",
                received=repr(error.args[0]),
                fix="use num_oov_indices=1",
            ) from None

    def vectors(self, indices: np.ndarray) -> np.ndarray:
        """Indices as vectors in the output mode."""
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        found = encoded(indices, mode, self.depth or 0, floatx())
        return found if self.output_mode != "tf_idf" else found * self.idf_weights

    @property
    def depth(self) -> int | None:
        """Length of the vectors; None if it is not known yet."""
        return self.max_tokens if self.pad_to_max_tokens else self._fixed_size

    def _check_known(self) -> None:
        if not self._vocabulary.tokens:
            raise StateError(
                f"The layer {self.name!r} has no vocabulary yet.",
                expected="tokens",
                fix="call layer.adapt(data), or pass vocabulary=[...]",
            )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input, or of the vectors."""
        if self.output_mode == "int":
            return tuple(input_shape)
        if self.depth is None:
            self._check_known()
        return encoded_shape(tuple(input_shape), _shape_mode(self.output_mode), self.depth)

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        """The symbolic output, for symbolic inputs."""
        shape = self.compute_output_shape(inputs.shape)
        if self.invert:
            return KerasTensor(shape, "string" if self.is_text else "int64")
        return KerasTensor(shape, "int64" if self.output_mode == "int" else floatx())

    # ---- Configs and files ----

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, and the size of the vocabulary."""
        return {
            **self._base_config(),
            "invert": self.invert,
            "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices,
            "oov_token": self.oov_token,
            "mask_token": self.mask_token,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "idf_weights": self.input_idf_weights,
            "vocabulary": self.input_vocabulary,
            "vocabulary_size": self._fixed_size,
            "oov_method": self.oov_method,
            "salt": self.salt,
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
        return super().from_config(config, custom_objects)

    def save_own_variables(self, store: Any) -> None:
        """The weights of `"tf_idf"`."""
        if self.idf_weights is not None:
            store["idf_weights"] = self.idf_weights

    def load_own_variables(self, store: Any) -> None:
        """The weights of `"tf_idf"`."""
        if self.output_mode == "tf_idf":
            self.idf_weights = np.asarray(store["idf_weights"])

    def save_assets(self, dir_path: Any) -> None:
        """Write the vocabulary that `adapt` has made; one that was given is in the config."""
        if self.input_vocabulary is None:
            text = "\n".join(str(token) for token in self.get_vocabulary())
            Path(dir_path, _FILE).write_text(text, encoding="utf-8")

    def load_assets(self, dir_path: Any) -> None:
        """Read it.

        Raises:
            DataError: The file is missing, or does not hold such tokens.
        """
        if self.input_vocabulary is not None:
            return
        path = Path(dir_path, _FILE)
        if not path.is_file():
            raise DataError(f"The file has no vocabulary for layer {self.name!r}.", expected=_FILE)
        lines = _lines(path)
        try:
            tokens: list[Any] = lines if self.is_text else [int(line) for line in lines]
        except ValueError as error:
            raise DataError(
                f"The vocabulary of layer {self.name!r} is damaged.",
                expected="a whole number per line",
                received=str(error),
            ) from None
        if any(tokens[self._vocabulary.start :]):
            self.set_vocabulary(tokens, self.idf_weights)


def refuse_path(config: dict[str, Any]) -> None:
    """Refuse a config with the path of a vocabulary.

    Raises:
        ArgumentError: It has one.
    """
    path = config.get("vocabulary")
    if isinstance(path, str):
        raise ArgumentError(
            "The config of a layer asks for a vocabulary outside of its file.",
            expected="the tokens, in the config or in the file of the model",
            received=repr(path)[:80],
            fix="make the layer in code, vocabulary=path, and save the model again",
        )


def _shape_mode(mode: str) -> str:
    return "one_hot" if mode == "one_hot" else "count"


def _as_list(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _lines(path: Path) -> list[str]:
    """The lines of a text file, without empty ones at its end.

    Raises:
        DataError: It is not text.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise DataError(
            f"The vocabulary {path.name} is not text.", expected="UTF-8, a token per line"
        ) from None
    while lines and lines[-1] == "":
        lines.pop()
    return lines
