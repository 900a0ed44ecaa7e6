"""FeatureSpace: a table's columns, each encoded after its kind, as one vector per row."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from gazelle._core.checks import one_of
from gazelle._core.errors import (
    ArgumentError,
    ArgumentTypeError,
    CheckWarning,
    DataError,
    ShapeError,
    StateError,
)
from gazelle._core.names import unique_name
from gazelle._core.registry import builtin, deserialize, serialize
from gazelle._core.symbolic import KerasTensor, any_symbolic
from gazelle.layers import (
    CategoryEncoding,
    Concatenate,
    Discretization,
    HashedCrossing,
    Hashing,
    Input,
    IntegerLookup,
    Layer,
    Normalization,
    Rescaling,
    StringLookup,
)
from gazelle.layers._preprocessing.adapting import batches_of
from gazelle.layers._preprocessing.features import (
    Cross,
    Feature,
    TFDIdentity,
    build_for_columns,
    cardinality,
    check_crossed,
    check_joined,
    check_whole,
    checked_crosses,
    converted,
    needs_adapt,
)
from gazelle.layers._tf_graph import as_tf_step, in_tf_graph
from gazelle.models._files import save_model

_ROWS = 32  # of a batch that a layer is adapted on, where the data does not come in batches
_KINDS = (
    "float",
    "float_rescaled",
    "float_normalized",
    "float_discretized",
    "integer_categorical",
    "integer_hashed",
    "string_categorical",
    "string_hashed",
)


@builtin("keras.utils")
class FeatureSpace(Layer):
    """A table's columns, each encoded after its kind, as one vector per row.

    `adapt` learns from data what the encodings need, such as vocabularies. Then the object is
    called on dicts of columns, or gives the start of a functional model: `get_inputs` and
    `get_encoded_features`.

    Args:
        features: Name of a column -> its kind: the name of one of the class methods (`"float"`,
            `"float_rescaled"`, `"float_normalized"`, `"float_discretized"`,
            `"integer_categorical"`, `"integer_hashed"`, `"string_categorical"`,
            `"string_hashed"`), or what one of them returned.
        output_mode: `"concat"`: the encodings side by side, `(n, d)`, those of the features in
            alphabetical order before those of the crosses; `"dict"`: name -> encoding.
        crosses: Tuples of names of features, whose combinations are encoded too, or what `cross`
            returned.
        crossing_dim: Bins of the crosses that are given as names.
        hashing_dim: Bins of `"integer_hashed"` and `"string_hashed"`.
        num_discretization_bins: Bins of `"float_discretized"`.
        name: A name; automatic when None.

    Attributes:
        preprocessors: Name of a feature -> the layer that encodes it.
        crossers: Name of a cross, `"a_X_b"` -> its layer.

    Raises:
        ArgumentError: There are no features, a kind or the mode is unknown, or crosses do not fit.

    Example:
        >>> import gazelle
        >>> space = gazelle.utils.FeatureSpace({"age": "float", "color": "string_categorical"})
        >>> space.adapt({"age": [30, 40], "color": ["red", "blue"]})
        >>> print(space({"age": [50], "color": ["blue"]}))
        [[50.  0.  0.  1.]]
    """

    def __init__(
        self,
        features: Mapping[str, Any],
        output_mode: str = "concat",
        crosses: Sequence[Any] | None = None,
        crossing_dim: int | None = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ):
        super().__init__(name=name)
        if not features:
            raise ArgumentError(
                "FeatureSpace: `features` cannot be None or empty.",
                expected='a dict such as {"age": "float"}',
                received=repr(features),
            )
        self.crossing_dim = crossing_dim
        self.hashing_dim = hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.output_mode = one_of("output_mode", output_mode, ("concat", "dict"), "FeatureSpace")
        self.features = {name: self._feature(name, given) for name, given in features.items()}
        self.preprocessors = {name: one.preprocessor for name, one in self.features.items()}
        if len({id(layer) for layer in self.preprocessors.values()}) < len(self.features):
            raise ArgumentError(
                "FeatureSpace: two features have the same preprocessor, which can learn from only"
                " one of them.",
                expected="a layer of its own for each feature",
            )
        self.crosses = checked_crosses(crosses, self.features, crossing_dim)
        self.crossers = {
            cross.name: HashedCrossing(cross.crossing_dim, name=cross.name)
            for cross in self.crosses
        }
        self.inputs = {
            name: Input((1,), dtype=one.dtype, name=name) for name, one in self.features.items()
        }
        self._is_adapted = not any(map(needs_adapt, self.preprocessors.values()))
        self._reset()

    def _reset(self) -> None:
        """Forget what depends on what `adapt` learned."""
        self.encoded_features: Any = None
        self.one_hot_encoders: dict[str, CategoryEncoding] = {}
        self.concat: Concatenate | None = None

    def _feature(self, name: str, given: Any) -> Feature:
        """The feature of a column, for its kind, config or itself.

        Raises:
            ArgumentError: It is none of these.
        """
        feature = deserialize(given) if isinstance(given, dict) else given
        if isinstance(feature, Feature):
            return feature
        sizes = {
            "float_discretized": (self.num_discretization_bins,),
            "integer_hashed": (self.hashing_dim,),
            "string_hashed": (self.hashing_dim,),
        }
        kind = one_of(f"the kind of {name!r}", given, _KINDS, "FeatureSpace")
        return getattr(self, kind)(*sizes.get(kind, ()), name=name)

    # ---- Kinds of features ----

    @classmethod
    def cross(
        cls, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot"
    ) -> Cross:
        """The combinations of features of text or whole numbers, by their hash.

        Args:
            feature_names: Names of two features or more.
            crossing_dim: Number of bins.
            output_mode: `"one_hot"` for a vector, `"int"` for the number of the bin.
        """
        return Cross(feature_names, crossing_dim, output_mode=output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Any, output_mode: str) -> Feature:
        """A column that a layer of your choice encodes.

        Args:
            dtype: The type of the column: `"string"`, or a type of numbers.
            preprocessor: The layer, which takes `(n, 1)`; `adapt` calls its `adapt`.
            output_mode: `"one_hot"` for a vector of the whole numbers that it gives; `"int"` or
                `"float"` for what it gives as it is.
        """
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Numbers as they are."""
        return Feature("float32", TFDIdentity(name=_layer_name("float", name)), "float")

    @classmethod
    def float_rescaled(
        cls, scale: Any = 1.0, offset: Any = 0.0, name: str | None = None
    ) -> Feature:
        """Numbers times `scale` plus `offset`, see `Rescaling`."""
        layer = Rescaling(scale, offset, name=_layer_name("float_rescaled", name))
        return Feature("float32", layer, "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Numbers minus their mean, divided by their standard deviation, see `Normalization`."""
        layer = Normalization(axis=-1, name=_layer_name("float_normalized", name))
        return Feature("float32", layer, "float")

    @classmethod
    def float_discretized(
        cls,
        num_bins: int | None,
        bin_boundaries: Sequence[Any] | None = None,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """The bin of each number, see `Discretization`.

        Args:
            num_bins: How many bins of equal counts `adapt` makes; None with `bin_boundaries`.
            bin_boundaries: The boundaries, instead.
            output_mode: `"one_hot"` for a vector, `"int"` for the number of the bin.
            name: First part of the name of the layer.
        """
        layer = Discretization(
            bin_boundaries, num_bins, name=_layer_name("float_discretized", name)
        )
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Whole numbers by their index in a vocabulary, see `IntegerLookup`.

        Args:
            max_tokens: Most numbers of the vocabulary, unknown ones included; None for any.
            num_oov_indices: Indices for unknown numbers.
            output_mode: `"one_hot"` for a vector, `"int"` for the index.
            name: First part of the name of the layer.
        """
        layer = IntegerLookup(
            max_tokens, num_oov_indices, name=_layer_name("integer_categorical", name)
        )
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Text by its index in a vocabulary, see `StringLookup`; as `integer_categorical`."""
        layer = StringLookup(
            max_tokens, num_oov_indices, name=_layer_name("string_categorical", name)
        )
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Text by its hash, see `Hashing`: a vector, or with `"int"` the number of the bin."""
        layer = Hashing(num_bins, name=_layer_name("string_hashed", name))
        return Feature("string", layer, output_mode)

    @classmethod
    def integer_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Whole numbers by their hash, see `Hashing`; as `string_hashed`."""
        layer = Hashing(num_bins, name=_layer_name("integer_hashed", name))
        return Feature("int32", layer, output_mode)

    # ---- Learning from data ----

    def adapt(self, dataset: Any) -> None:
        """Learn what the encodings need; what was learned before is forgotten.

        Args:
            dataset: A dict or table of columns; or an iterable of dicts of columns or of single
                values, or of tuples `(dict, y)`. It is read once, and the columns that are learned
                from are kept meanwhile.

        Raises:
            ArgumentTypeError: Something else.
            DataError: A column is missing, or holds what does not fit its kind.
        """
        names = [name for name, layer in self.preprocessors.items() if needs_adapt(layer)]
        columns: dict[str, list[np.ndarray]] = {name: [] for name in names}
        is_in_batches = not _is_table(dataset)
        for batch in _tables(dataset):
            for name, parts in columns.items():
                column, is_single = self._column(name, batch)
                is_in_batches = is_in_batches and not is_single
                parts.append(np.asarray(column))
        if not all(parts and sum(map(len, parts)) for parts in columns.values()):
            raise DataError("FeatureSpace.adapt() got no rows.", expected="at least one")
        for name, parts in columns.items():
            if not is_in_batches:
                whole = np.concatenate(parts)
                parts = [whole[i : i + _ROWS] for i in range(0, len(whole), _ROWS)]
            self.preprocessors[name].adapt(_Batches(parts))
        self._is_adapted = True
        before = {name: one.num_tokens for name, one in self.one_hot_encoders.items()}
        self._reset()
        self._build_encoders()
        after = {name: one.num_tokens for name, one in self.one_hot_encoders.items()}
        changed = [name for name, size in before.items() if after.get(name) != size]
        if changed:
            warnings.warn(
                f"FeatureSpace: the sizes of {', '.join(changed)} have changed. Models of the"
                " encoded features from before do not fit: make them again.",
                CheckWarning,
                stacklevel=2,
            )

    def _build_encoders(self) -> None:
        """Make the layers behind those of the features, and the encoded features.

        Raises:
            StateError: `adapt` was not called yet.
            ArgumentError: A layer gives what cannot be encoded as its feature asks.
        """
        if self.encoded_features is not None:
            return
        if not self._is_adapted:
            raise StateError(
                "You need to call `.adapt(data)` on the FeatureSpace before you can use it.",
                expected="vocabularies and the like, learned from data",
                received=f"{self.name!r}, which has seen none",
            )
        values = self._preprocessed(self.inputs)
        modes = {name: one.output_mode for name, one in self.features.items()}
        modes |= {cross.name: cross.output_mode for cross in self.crosses}
        layers = {**self.preprocessors, **self.crossers}
        for name, value in values.items():
            if modes[name] == "one_hot":
                check_whole(name, value)
                self.one_hot_encoders[name] = CategoryEncoding(cardinality(layers[name], name))
            elif self.output_mode == "concat":
                check_joined(name, value)
        if self.output_mode == "concat":
            self.concat = Concatenate(axis=-1)
        self.encoded_features = self._merged(values)
        self.built = True

    def get_inputs(self) -> dict[str, KerasTensor]:
        """The inputs of a functional model: name of a feature -> symbolic tensor, `(None, 1)`.

        Raises:
            StateError: `adapt` was not called yet.
        """
        self._build_encoders()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """The encoded features of these inputs: a symbolic tensor, or a dict of such.

        Raises:
            StateError: `adapt` was not called yet.
        """
        self._build_encoders()
        return self.encoded_features

    # ---- Computing ----

    def __call__(self, data: Any) -> Any:
        """The encoded features of rows.

        Args:
            data: A dict or table of columns `(n,)` or `(n, 1)`; single values are one row, whose
                encoding has no batch axis. A dict of symbolic tensors gives symbolic ones. Other
                columns are not used.

        Returns:
            An array, or a dict of arrays; NumPy arrays where they are text.

        Raises:
            StateError: `adapt` was not called yet.
            ArgumentTypeError: Something else than a dict or a table.
            DataError: A column is missing, or holds what does not fit its kind.
            ShapeError: The columns differ in length.
        """
        self._build_encoders()
        if not _is_table(data):
            raise ArgumentTypeError(
                "A FeatureSpace can only be called with a dict.",
                expected=f"a dict with {sorted(self.features)}",
                received=type(data).__name__,
            )
        if any_symbolic(dict(data)):
            return self._merged(self._preprocessed(data))
        if in_tf_graph(dict(data)):
            used = {name: data[name] for name in self.features if name in data}
            return as_tf_step(self, used, self, single=(None, 1))
        found = {name: self._column(name, data) for name in self.features}
        columns = {name: column for name, (column, _) in found.items()}
        sizes = {name: len(column) for name, column in columns.items()}
        if len(set(sizes.values())) > 1:
            raise ShapeError(
                "FeatureSpace: the columns differ in length.",
                expected="one value per row in every column",
                received=sizes,
            )
        outputs = self._merged(self._preprocessed(columns))
        if not any(is_single for _, is_single in found.values()):
            return outputs
        return jax.tree.map(lambda encoding: encoding[0], outputs)

    def _preprocessed(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """What the layers of features and crosses give, in the order of the encodings."""
        values = {name: layer(columns[name]) for name, layer in self.preprocessors.items()}
        crossed = {}
        for cross in self.crosses:
            inputs = [values[name] for name in cross.feature_names]
            for name, value in zip(cross.feature_names, inputs, strict=True):
                check_crossed(name, value)
            crossed[cross.name] = self.crossers[cross.name](inputs)
        return {name: found[name] for found in (values, crossed) for name in sorted(found)}

    def _merged(self, values: dict[str, Any]) -> Any:
        """The encodings of these values."""
        for name, encoder in self.one_hot_encoders.items():
            values[name] = encoder(values[name])
        return values if self.concat is None else self.concat(list(values.values()))

    def _column(self, name: str, data: Any) -> tuple[Any, bool]:
        """A column as an array `(n, 1)`, and whether it was a single value.

        Raises:
            DataError: It is missing, or its values do not fit its kind.
            ShapeError: It has more than one value per row.
        """
        if name not in data:
            raise DataError(
                f"FeatureSpace: the data has no {name!r}.",
                expected=sorted(self.features),
                received=sorted(map(str, data))[:20],
            )
        values = converted(data[name], self.features[name].dtype, f"feature {name!r}")
        if values.ndim > 2 or (values.ndim == 2 and values.shape[1] != 1):
            raise ShapeError(
                f"FeatureSpace: feature {name!r} has more than one value per row.",
                expected="shape (n,) or (n, 1)",
                received=f"shape {values.shape}",
            )
        return values.reshape(-1, 1), values.ndim == 0

    # ---- Configs and files ----

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "features": {name: serialize(one) for name, one in self.features.items()},
            "output_mode": self.output_mode,
            "crosses": [serialize(cross) for cross in self.crosses],
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
            "name": self.name,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """A FeatureSpace from `get_config`, which has not learned anything yet."""
        space = super().from_config(config, custom_objects)
        for layer in space.preprocessors.values():
            build_for_columns(layer)
        return space

    def get_build_config(self) -> dict[str, Any] | None:
        """What Keras needs to load it: the shapes that its layers were built for."""
        if not self._is_adapted:
            return None
        return {name: layer.get_build_config() or {} for name, layer in self.preprocessors.items()}

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write a `.keras` file, from which `gazelle.models.load_model` and Keras make it again.

        Args:
            filepath: A path that ends in `.keras`.
            overwrite: Whether to replace an existing file.

        Raises:
            StateError: `adapt` was not called yet.
            ArgumentError: Another ending, or the file exists and `overwrite` is False.
            OSError: Writing failed.
        """
        self._build_encoders()
        save_model(self, filepath, overwrite)

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Nothing: the variables are those of its layers."""

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Note that what was learned is loaded: it is only saved when it was learned."""
        self._is_adapted = True
        self._reset()


class _Batches:
    """Batches that can be read more than once, and are not taken for one, as a list would be."""

    def __init__(self, batches: Sequence[np.ndarray]):
        self.batches = batches

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def _layer_name(kind: str, name: str | None) -> str:
    return f"{name or unique_name(kind)}_preprocessor"


def _is_table(data: Any) -> bool:
    return isinstance(data, Mapping) or hasattr(data, "columns")


def _tables(data: Any) -> Iterator[Any]:
    """The dicts of columns, or of single values, of what `adapt` was given.

    Raises:
        ArgumentTypeError: It is something else.
    """
    found = (data,) if _is_table(data) else batches_of(data, None, lists_are_data=False)
    for batch in found:
        if not _is_table(batch):
            raise ArgumentTypeError(
                "FeatureSpace.adapt() takes a dict or table of columns, or an iterable of such.",
                expected='a dict such as {"age": [30, 40]}',
                received=type(batch).__name__,
            )
        yield batch
