"""Discretization: numbers as the number of the bin that they are in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from gazelle._core.checks import one_of
from gazelle._core.errors import ArgumentError, StateError
from gazelle._core.registry import builtin
from gazelle._core.symbolic import KerasTensor
from gazelle.layers._base import Layer
from gazelle.layers._preprocessing.adapting import batches_of
from gazelle.layers._preprocessing.category_encoding import (
    MODES,
    check_sparse,
    encode,
    encoded_shape,
    sparse_if,
)
from gazelle.layers._tf_graph import in_tf_graph


@builtin("keras.layers")
class Discretization(Layer):
    """The bin of each number: `bin_boundaries=[0, 10]` makes three bins; 0 is in the second.

    Either the boundaries are given, or `adapt` finds those of `num_bins` bins of equal counts.

    Args:
        bin_boundaries: The boundaries in rising order; the first bin begins at minus infinity.
        num_bins: Number of bins that `adapt` makes.
        epsilon: Share of the values by which these boundaries may be off; smaller takes longer.
        output_mode: `"int"`: the number of the bin; `"one_hot"`, `"multi_hot"` and `"count"` as in
            `CategoryEncoding`.
        sparse: Whether to give a sparse array (BCOO); not for `"int"`.
        dtype: Type of the vectors.
        name: A name; automatic when None.

    Raises:
        ArgumentError: Both or neither of `bin_boundaries` and `num_bins`, a negative number of
            bins, or an unknown mode.

    Example:
        >>> import gazelle, numpy as np
        >>> layer = gazelle.layers.Discretization(bin_boundaries=[0.0, 1.0])
        >>> print(layer(np.array([[-3.0, 0.0, 2.0]])))
        [[0 1 2]]
    """

    def __init__(
        self,
        bin_boundaries: Sequence[float] | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.output_mode = one_of("output_mode", output_mode, ("int", *MODES), "Discretization")
        check_sparse(self, sparse)
        if (num_bins is None) == (bin_boundaries is None):
            raise ArgumentError(
                "Discretization needs either bin_boundaries or num_bins.",
                received=f"bin_boundaries={bin_boundaries}, num_bins={num_bins}",
            )
        if num_bins is not None and num_bins < 0:
            raise ArgumentError(
                "Discretization: `num_bins` must not be negative.", received=repr(num_bins)
            )
        if bin_boundaries is not None:
            bin_boundaries = [float(one) for one in bin_boundaries]
        self.bin_boundaries: list[float] | None = bin_boundaries
        self.num_bins = num_bins
        self.epsilon = epsilon
        self.sparse = sparse
        self._summary = _NOTHING
        self._build_at_init()

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find the boundaries of bins with equal counts; what was learned before is forgotten.

        Args:
            data: An array, a `PyDataset`, or an iterable of batches.
            steps: The most batches to take of an iterable; None for all.

        Raises:
            ArgumentError: The boundaries were given.
        """
        if self.num_bins is None:
            raise ArgumentError(
                "A Discretization with bin_boundaries cannot be adapted.",
                expected="num_bins instead of bin_boundaries",
                received=f"layer {self.name!r}",
            )
        self.reset_state()
        for batch in batches_of(data, steps, lists_are_data=False):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Take numbers into account."""
        summary = _summarized(np.asarray(data, np.float32).ravel(), self.epsilon)
        both = np.concatenate([summary, self._summary], axis=1)
        self._summary = _compressed(both[:, np.argsort(both[0], kind="stable")], self.epsilon)

    def finalize_state(self) -> None:
        """Make the boundaries from what was taken into account."""
        if self.num_bins is not None:
            found = _compressed(self._summary, 1.0 / self.num_bins)[0, :-1]
            self.bin_boundaries = found.tolist()

    def reset_state(self) -> None:
        """Forget what was taken into account."""
        self._summary = _NOTHING

    def __call__(self, inputs: Any) -> Any:
        """The bins; also of a list or a number."""
        if not isinstance(inputs, KerasTensor) and not in_tf_graph(inputs):
            inputs = jnp.asarray(inputs)
        return super().__call__(inputs)

    def call(self, inputs: Any) -> Any:
        """The number of the bin of each input, int32, or vectors.

        Raises:
            StateError: There are no boundaries yet.
        """
        if self.bin_boundaries is None:
            raise StateError(
                f"The layer {self.name!r} has no bins yet.",
                expected="boundaries",
                received="num_bins alone",
                fix="call layer.adapt(data) first",
            )
        bins = jnp.digitize(inputs, jnp.asarray(self.bin_boundaries, jnp.float32))
        bins = bins.astype("int32")
        if self.output_mode == "int":
            return bins
        vectors = encode(bins, self.output_mode, self._depth, self.compute_dtype)
        return sparse_if(self.sparse, vectors, bins.size)

    @property
    def _depth(self) -> int:
        known = self.bin_boundaries
        return self.num_bins or 0 if known is None else len(known) + 1

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        """Whole numbers, or vectors."""
        if self.output_mode == "int":
            return KerasTensor(inputs.shape, "int32")
        shape = encoded_shape(tuple(inputs.shape), self.output_mode, self._depth)
        return KerasTensor(shape, self.compute_dtype, self.sparse)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input, or of the vectors."""
        if self.output_mode == "int":
            return tuple(input_shape)
        return encoded_shape(tuple(input_shape), self.output_mode, self._depth)

    def load_own_variables(self, store: Any) -> None:
        """Nothing: the boundaries are in the config. Old files hold the summary too."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, and the boundaries that were found."""
        return {
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "name": self.name,
            "dtype": self.dtype,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """A layer from `get_config`, with the boundaries that `adapt` had found."""
        config = dict(config)
        known = config.get("bin_boundaries")
        if config.get("num_bins") is not None:
            config["bin_boundaries"] = None
        layer = super().from_config(config, custom_objects)
        if known is not None:
            layer.bin_boundaries = [float(one) for one in known]
        return layer


# A summary of numbers is a float array (2, n): values in rising order, and how many numbers each
# stands for. This is the method of Keras, so that the boundaries are the same.
_NOTHING = np.zeros((2, 0), np.float32)


def _summarized(values: np.ndarray, epsilon: float) -> np.ndarray:
    """About `1 / epsilon` of the sorted values, with their weights."""
    values = np.sort(values)
    step = max(values.size * epsilon, 1)
    kept = values[int(step - 1) :: int(step)]
    return np.stack([kept, np.full_like(kept, step)])


def _compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """A summary of about `1 / epsilon` values, between which those of the given one lie."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    sums = summary[1].cumsum()
    values = np.interp(shares, sums / sums[-1], summary[0])
    counts = np.diff(np.interp(shares, sums / sums[-1], sums), prepend=0.0)
    return np.stack([values, counts]).astype(np.float32)
