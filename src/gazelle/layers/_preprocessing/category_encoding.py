"""CategoryEncoding: whole numbers as one-hot, multi-hot or count vectors."""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle._core.checks import one_of, positive_int
from gazelle._core.errors import ArgumentError
from gazelle._core.registry import builtin
from gazelle._core.symbolic import KerasTensor
from gazelle.layers._arguments import PenalizedArguments
from gazelle.layers._base import Layer
from gazelle.layers._tf_graph import in_tf_graph

MODES = ("count", "multi_hot", "one_hot")


@builtin("keras.layers")
class CategoryEncoding(Layer):
    """Whole numbers 0 to `num_tokens - 1` as vectors; other numbers count nothing.

    Args:
        num_tokens: Length of the vectors.
        output_mode: `"multi_hot"`: 1 for each number in the last axis, `(n, k)` ->
            `(n, num_tokens)`; `"count"`: how often each is there; `"one_hot"`: a vector per number,
            `(n, 1)` -> `(n, num_tokens)`, else `(n, k)` -> `(n, k, num_tokens)`.
        sparse: Whether to give a sparse array (BCOO).
        **kwargs: `name`, `dtype`.

    Raises:
        ArgumentError: `num_tokens` is not an int > 0, or the mode is unknown.

    Example:
        >>> import gazelle
        >>> layer = gazelle.layers.CategoryEncoding(4, output_mode="one_hot")
        >>> print(layer([3, 0]))
        [[0. 0. 0. 1.]
         [1. 0. 0. 0.]]
    """

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Unpack[PenalizedArguments],
    ):
        super().__init__(**kwargs)
        mode = "multi_hot" if output_mode == "binary" else output_mode  # Keras 2's word
        self.output_mode = one_of("output_mode", mode, MODES, "CategoryEncoding")
        self.num_tokens = positive_int("num_tokens", num_tokens, "CategoryEncoding")
        self.sparse = sparse
        self.autocast = False
        self._build_at_init()

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """The vectors; also of a list or a number."""
        if not isinstance(inputs, KerasTensor) and not in_tf_graph(inputs):
            inputs = jnp.asarray(inputs)
        return super().__call__(inputs, **kwargs)

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        """The vectors.

        Args:
            inputs: Whole numbers, `(n,)` or `(n, k)`.
            count_weights: What each number counts instead of 1, of the same shape; for `"count"`.

        Raises:
            ArgumentError: `count_weights` in another mode.
        """
        if count_weights is not None and self.output_mode != "count":
            raise ArgumentError(
                "CategoryEncoding: only counts can be weighted.",
                expected='output_mode="count"',
                received=f"count_weights and output_mode={self.output_mode!r}",
            )
        vectors = encode(
            inputs.astype("int32"),
            self.output_mode,
            self.num_tokens,
            self.compute_dtype,
            count_weights,
        )
        return sparse_if(self.sparse, vectors, inputs.size)

    def compute_output_spec(self, inputs: Any, count_weights: Any = None) -> KerasTensor:
        """The symbolic vectors, for symbolic inputs."""
        shape = self.compute_output_shape(inputs.shape)
        return KerasTensor(shape, self.compute_dtype, self.sparse)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the vectors."""
        return encoded_shape(tuple(input_shape), self.output_mode, self.num_tokens)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = {"num_tokens": self.num_tokens, "output_mode": self.output_mode}
        return {**self._base_config(), **config} | ({"sparse": True} if self.sparse else {})


def encode(indices: Any, mode: str, depth: int, dtype: Any, weights: Any = None) -> jax.Array:
    """Indices as vectors, see `CategoryEncoding`; those out of range count nothing.

    Args:
        indices: Ints, `(..., k)`.
        mode: One of `MODES`.
        depth: Length of the vectors.
        dtype: Their type.
        weights: What each index counts, of the same shape; None for 1.
    """
    if indices.ndim == 0:
        indices = indices[None]
    if mode == "one_hot":
        if indices.ndim > 1 and indices.shape[-1] == 1:
            indices = indices[..., 0]
        return jax.nn.one_hot(indices, depth, dtype=dtype)
    rows = indices.reshape(-1, indices.shape[-1])
    places = jnp.arange(len(rows))[:, None], jnp.where(rows < 0, depth, rows)
    vectors = jnp.zeros((len(rows), depth), dtype)
    if mode == "multi_hot":
        vectors = vectors.at[places].set(1, mode="drop")
    else:
        each = 1 if weights is None else jnp.asarray(weights, dtype).reshape(rows.shape)
        vectors = vectors.at[places].add(each, mode="drop")
    return vectors.reshape(*indices.shape[:-1], depth)


def encoded_shape(
    shape: tuple[int | None, ...], mode: str, depth: int | None
) -> tuple[int | None, ...]:
    """The shape of the vectors for indices of a shape."""
    if not shape:
        return (1, depth) if mode == "one_hot" else (depth,)
    if mode != "one_hot":
        return (*shape[:-1], depth)
    return (*shape[:-1], depth) if len(shape) > 1 and shape[-1] == 1 else (*shape, depth)


def check_sparse(layer: Any, sparse: bool) -> None:
    """Refuse sparse whole numbers.

    Raises:
        ArgumentError: `sparse` with `output_mode="int"`.
    """
    if sparse and layer.output_mode == "int":
        raise ArgumentError(
            f"{type(layer).__name__}: sparse=True is for vectors.",
            expected='an output_mode other than "int"',
            received="sparse=True and output_mode='int'",
        )


def sparse_if(wanted: bool, vectors: jax.Array, nonzeros: int) -> Any:
    """Vectors as a BCOO array if that is wanted."""
    if not wanted:
        return vectors
    from jax.experimental.sparse import BCOO

    return BCOO.fromdense(vectors, nse=max(1, int(nonzeros)))
