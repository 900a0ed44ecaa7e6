"""The parts of a FeatureSpace: features, crosses, and what their layers need and give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gazelle._core.checks import one_of
from gazelle._core.errors import ArgumentError, DataError
from gazelle._core.registry import builtin, deserialize, serialize
from gazelle.layers._base import Layer
from gazelle.layers._merging import Concatenate
from gazelle.layers._preprocessing.discretization import Discretization
from gazelle.layers._preprocessing.hashing import HashedCrossing, Hashing
from gazelle.layers._preprocessing.host import as_text, as_values
from gazelle.layers._preprocessing.index_lookup import IndexLookup
from gazelle.layers._preprocessing.normalization import Normalization
from gazelle.layers._preprocessing.text_vectorization import TextVectorization
from gazelle.layers._reshaping import Identity

_MODULE = "keras.src.layers.preprocessing.feature_space"  # where Keras's configs say that they are


@builtin(_MODULE)
class Feature:
    """How a column is encoded. `FeatureSpace.feature` and its like make one.

    Args:
        dtype: The type of the column: `"string"`, or a type of numbers.
        preprocessor: The layer that encodes it, or the layer's config.
        output_mode: `"one_hot"` for a vector of what the layer gives, which must be whole numbers;
            `"int"` or `"float"` for what it gives as it is.

    Raises:
        ArgumentError: The mode is unknown, or the preprocessor cannot be called.
    """

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str):
        self.output_mode = one_of(
            "output_mode", output_mode, ("int", "one_hot", "float"), "Feature"
        )
        self.dtype = dtype
        self.preprocessor = deserialize(preprocessor)
        if not callable(self.preprocessor):
            raise ArgumentError(
                "Feature: `preprocessor` must be a layer.",
                expected="a layer of gazelle.layers, or one of your own",
                received=repr(preprocessor)[:80],
            )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "dtype": self.dtype,
            "preprocessor": serialize(self.preprocessor),
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Feature:
        """A feature from `get_config`."""
        return cls(**config)


@builtin(_MODULE)
class Cross:
    """Features whose combinations are encoded. `FeatureSpace.cross` makes one.

    Args:
        feature_names: The names of two features or more.
        crossing_dim: Number of bins of the combinations' hashes.
        output_mode: `"one_hot"` for a vector, `"int"` for the number of the bin.

    Raises:
        ArgumentError: The mode is unknown, or there are fewer than two names.
    """

    def __init__(
        self, feature_names: Iterable[str], crossing_dim: int, output_mode: str = "one_hot"
    ):
        self.output_mode = one_of("output_mode", output_mode, ("int", "one_hot"), "Cross")
        names = (feature_names,) if isinstance(feature_names, str) else tuple(feature_names)
        if len(names) < 2:
            raise ArgumentError(
                "A cross has two features or more.",
                expected="a list or tuple of names",
                received=repr(feature_names),
            )
        self.feature_names = names
        self.crossing_dim = crossing_dim

    @property
    def name(self) -> str:
        """The name of its output: `"a_X_b"`."""
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "feature_names": self.feature_names,
            "crossing_dim": self.crossing_dim,
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Cross:
        """A cross from `get_config`."""
        return cls(**config)


@builtin(_MODULE)
class TFDIdentity(Identity):
    """The preprocessor of floats that are taken as they are, by Keras's name."""


@builtin(_MODULE)
class TFDConcat(Concatenate):
    """What joins the features in models that Keras wrote, by Keras's name."""


def needs_adapt(layer: Any) -> bool:
    """Whether a layer learns from data, and was not given what it would learn."""
    if isinstance(layer, Normalization):
        return layer.input_mean is None
    if isinstance(layer, Discretization):
        return layer.num_bins is not None
    if isinstance(layer, IndexLookup | TextVectorization):
        return not layer.has_input_vocabulary
    return hasattr(layer, "adapt")


def cardinality(layer: Any, name: str) -> int:
    """How many different whole numbers come from a layer.

    Args:
        layer: The layer.
        name: The name of the feature, for the error text.

    Raises:
        ArgumentError: It is not known.
    """
    if isinstance(layer, IndexLookup):
        return layer.vocabulary_size()
    if isinstance(layer, Discretization):
        return layer.num_bins or len(layer.bin_boundaries or ()) + 1
    if isinstance(layer, Hashing | HashedCrossing):
        return layer.num_bins
    raise ArgumentError(
        f"Feature {name!r} has output_mode='one_hot', but how many values it has is not known.",
        expected="a layer of gazelle.layers that gives whole numbers",
        received=type(layer).__name__,
        fix='use output_mode="int", or let the layer give vectors and use "float"',
    )


def checked_crosses(
    crosses: Sequence[Any] | None, features: Iterable[str], crossing_dim: int | None
) -> list[Cross]:
    """The crosses of a FeatureSpace.

    Args:
        crosses: Tuples of names, crosses, or their configs.
        features: The names of the features.
        crossing_dim: The bins of those that are given as names alone.

    Raises:
        ArgumentError: A cross of unknown features, or without a number of bins.
    """
    known, found = set(features), []
    for given in crosses or ():
        cross = deserialize(given) if isinstance(given, dict) else given
        if not isinstance(cross, Cross):
            if not crossing_dim:
                raise ArgumentError(
                    "FeatureSpace: `crosses` need `crossing_dim`.",
                    expected="an int > 0",
                    received=repr(crossing_dim),
                )
            cross = Cross(cross, crossing_dim)
        unknown = [name for name in cross.feature_names if name not in known]
        if unknown:
            raise ArgumentError(
                "FeatureSpace: all features of `crosses` should be present in `features`.",
                expected=f"names among {sorted(known)}",
                received=unknown,
            )
        found.append(cross)
    return found


def build_for_columns(layer: Any) -> None:
    """Make the weights of a layer that encodes a column, unless it has them."""
    if isinstance(layer, Layer) and not layer.built:
        layer.build((None, 1))


def converted(values: Any, dtype: str, what: str) -> Any:
    """Values in the type of a feature; whole numbers of any size.

    Raises:
        DataError: They are not of this type.
    """
    if isinstance(values, Tracer):
        return values.astype(dtype)
    if dtype == "string":
        return as_text(values, what)
    numbers = as_values(values, what)
    if numbers.dtype == object:
        raise DataError(
            f"The data for {what} is text.", expected="numbers", received=repr(numbers.flat[0])
        )
    if not np.issubdtype(jnp.dtype(dtype), np.integer):
        return numbers.astype(dtype)
    with np.errstate(invalid="ignore"):
        whole = numbers.astype(np.int64)
    if numbers.dtype.kind == "f" and not np.array_equal(whole, numbers):
        raise DataError(
            f"The data for {what} has values that are not whole numbers.",
            expected="whole numbers",
            received=numbers[whole != numbers].flat[0],
            fix="replace missing values by a number of their own",
        )
    return whole


def check_whole(name: str, value: Any) -> None:
    """Refuse what cannot be made a vector.

    Raises:
        ArgumentError: The values of a feature are not whole numbers.
    """
    if not str(value.dtype).startswith("int"):
        raise ArgumentError(
            f"Feature {name!r} has output_mode='one_hot', but its preprocessor does not give whole"
            " numbers.",
            expected="an integer dtype",
            received=f"dtype {value.dtype}",
            fix='use output_mode="float"',
        )


def check_joined(name: str, value: Any) -> None:
    """Refuse what cannot be put beside vectors.

    Raises:
        ArgumentError: The values of a feature are categories.
    """
    if str(value.dtype).startswith(("int", "string")):
        raise ArgumentError(
            f"Cannot concatenate features because feature {name!r} has not been encoded.",
            expected="vectors of floats",
            received=f"dtype {value.dtype}",
            fix='use output_mode="dict" of the FeatureSpace, or "one_hot" of the feature',
        )


def check_crossed(name: str, value: Any) -> None:
    """Refuse what cannot be crossed.

    Raises:
        ArgumentError: The values of a feature are floats.
    """
    if str(value.dtype).startswith(("float", "bfloat")):
        raise ArgumentError(
            f"Feature {name!r} cannot be crossed: it is neither text nor whole numbers.",
            expected="a feature of categories",
            received=f"dtype {value.dtype}",
            fix="make it float_discretized",
        )
