"""Layers that turn whole numbers into trained vectors: Embedding and ReversibleEmbedding."""

from __future__ import annotations

import warnings
from typing import Any, TypedDict, Unpack

import jax.numpy as jnp

from gazelle import constraints, initializers, regularizers
from gazelle._core.checks import positive_int
from gazelle._core.dtypes import is_float
from gazelle._core.errors import ArgumentError
from gazelle._core.masks import set_mask
from gazelle._core.registry import builtin
from gazelle._core.variable import Variable
from gazelle.layers._lora import LoraLayer


class _EmbeddingArguments(TypedDict, total=False):
    activity_regularizer: Any
    autocast: bool
    batch_input_shape: Any
    dtype: Any
    input_length: int | None
    input_shape: Any
    name: str | None
    trainable: bool


@builtin("keras.layers")
class Embedding(LoraLayer):
    """A table of trained vectors: the number `i` becomes row `i`, `(n, k)` -> `(n, k, output_dim)`.

    Args:
        input_dim: Number of rows: the numbers are 0 to `input_dim - 1`. A greater one gives NaN.
        output_dim: Length of the vectors.
        embeddings_initializer: Initializer of the table, `(input_dim, output_dim)`.
        embeddings_regularizer: Penalty on the table.
        embeddings_constraint: Projection of the table after each update.
        mask_zero: Whether 0 is padding, which the layers behind leave out: the output then carries
            the mask `inputs != 0`.
        weights: The table, an array or a list of one; the layer is then built at once.
        lora_rank: Rank of a trained low-rank addition to a frozen table (LoRA, Hu et al. 2021);
            None for none.
        lora_alpha: That addition is scaled by `lora_alpha / lora_rank`; None for `lora_rank`.
        quantization_config: Not supported; must be None.
        **kwargs: `name`, `dtype`, `trainable`, `input_shape`; `input_length` of Keras 2 is ignored
            with a warning.

    Raises:
        ArgumentError: A size is not an int > 0, or an argument is not supported.
        ShapeError: `weights` has another shape.

    Example:
        >>> import gazelle
        >>> words = gazelle.Input((5,), dtype="int32")
        >>> gazelle.layers.Embedding(1000, 16)(words).shape
        (None, 5, 16)
    """

    _lora_name = "embeddings"

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: None = None,
        **kwargs: Unpack[_EmbeddingArguments],
    ):
        if kwargs.pop("input_length", None) is not None:
            warnings.warn(
                "input_length has no effect: an Embedding takes inputs of any length. Remove it.",
                UserWarning,
                stacklevel=2,
            )
        super().__init__(**kwargs)
        check_not_given(
            type(self).__name__,
            quantization_config=quantization_config,
        )
        self.input_dim = positive_int("input_dim", input_dim, type(self).__name__)
        self.output_dim = positive_int("output_dim", output_dim, type(self).__name__)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self.autocast = False  # numbers of rows are not to be rounded
        self._set_lora(lora_rank, lora_alpha)
        self._embeddings: Variable | None = None
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, list) else [weights])

    def build(self, input_shape: Any = None) -> None:
        """Create the table; it does not depend on the input's shape."""
        if self._embeddings is None:
            self._embeddings = self.add_weight(
                name="embeddings",
                shape=(self.input_dim, self.output_dim),
                initializer=self.embeddings_initializer,
                regularizer=self.embeddings_regularizer,
                constraint=self.embeddings_constraint,
            )
            self._enable_given_lora()

    @property
    def embeddings(self) -> Any:
        """The table, `(input_dim, output_dim)`; with LoRA, including the low-rank addition.

        Raises:
            AttributeError: The layer is not built.
        """
        return self._with_addition(self._table)

    @property
    def _table(self) -> Variable:
        if self._embeddings is None:
            raise AttributeError(f"The layer {self.name!r} is not built: it has no table yet.")
        return self._embeddings

    def call(self, inputs: Any) -> Any:
        """The rows for `inputs`; numbers that are not whole are cut off."""
        if is_float(inputs.dtype) or inputs.dtype == bool:
            inputs = inputs.astype("int32")
        rows = jnp.take(self._table.value, inputs, axis=0)
        if self._lora_parts is not None:
            a, b = self._lora_parts
            rows += self._lora_scale * jnp.matmul(jnp.take(a.value, inputs, axis=0), b.value)
        return rows.astype(self.compute_dtype)

    def compute_mask(  # pyright: ignore[reportIncompatibleMethodOverride] (Keras's signature)
        self, inputs: Any, mask: Any = None
    ) -> Any:
        """True where `inputs` is not 0, if 0 is padding."""
        return jnp.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input and `output_dim`."""
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, without `weights`."""
        return {
            **self._base_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
            **self._lora_config(),
        }


@builtin("keras.layers")
class ReversibleEmbedding(Embedding):
    """An Embedding that also leads back: `layer(vectors, reverse=True)` gives a score per number.

    The scores are `vectors @ embeddings.T`: one matrix reads and writes words (Press and Wolf
    2017).

    Args:
        input_dim: Number of rows.
        output_dim: Length of the vectors.
        tie_weights: Whether the way back uses the table; if not, it has a matrix of its own.
        embeddings_initializer: Initializer of the table (and of that matrix).
        embeddings_regularizer: Penalty on the table.
        embeddings_constraint: Projection of the table after each update.
        mask_zero: Whether 0 is padding, as in `Embedding`.
        reverse_dtype: The type in which the scores are computed; the compute dtype if None.
        logit_soft_cap: Limit `c` of the scores, which become `c tanh(score / c)`; None for none.
        **kwargs: `name`, `dtype`, `trainable`, and the further arguments of `Embedding`.

    Raises:
        ArgumentError: A size is not an int > 0, or an argument is not supported.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ):
        self.tie_weights = tie_weights
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer,
            embeddings_regularizer,
            embeddings_constraint,
            mask_zero,
            **kwargs,
        )

    def build(self, input_shape: Any = None) -> None:
        """Create the table, and the matrix of the way back if that has one of its own."""
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                name="reverse_embeddings",
                shape=(self.output_dim, self.input_dim),
                initializer=self.embeddings_initializer,
            )

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        """The rows for `inputs`; with `reverse`, scores for vectors `(..., output_dim)`."""
        if not reverse:
            outputs = super().call(inputs)
            set_mask(outputs, super().compute_mask(inputs))
            return outputs
        kernel = self.embeddings if self.tie_weights else self.reverse_embeddings
        kernel = jnp.asarray(kernel).T if self.tie_weights else jnp.asarray(kernel)
        if self.reverse_dtype is not None:
            inputs, kernel = inputs.astype(self.reverse_dtype), kernel.astype(self.reverse_dtype)
        scores = jnp.matmul(inputs, kernel)
        cap = self.logit_soft_cap
        return scores if cap is None else jnp.tanh(scores / cap) * cap

    def compute_mask(  # pyright: ignore[reportIncompatibleMethodOverride] (Keras's signature)
        self, inputs: Any, mask: Any = None
    ) -> Any:
        """None: `call` sets the mask itself, since it depends on the direction."""
        return None

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...], reverse: bool = False
    ) -> tuple[int | None, ...]:
        """The shape of the input and `output_dim`; with `reverse`, `input_dim` as the last axis."""
        return (*input_shape[:-1], self.input_dim) if reverse else (*input_shape, self.output_dim)

    @property
    def _knows_output_shape(self) -> bool:
        return False  # the shape alone does not tell the direction

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "tie_weights": self.tie_weights,
            "reverse_dtype": self.reverse_dtype,
            "logit_soft_cap": self.logit_soft_cap,
        }


def check_not_given(owner: str, **options: Any) -> None:
    """Refuse options of Keras's signature that are not supported.

    Raises:
        ArgumentError: One of them is not None.
    """
    for name, value in options.items():
        if value is not None:
            raise ArgumentError(
                f"{owner}: {name} is not supported.",
                expected=f"{name}=None",
                received=repr(value)[:80],
            )
