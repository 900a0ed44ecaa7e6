"""Layers that rearrange their input: Flatten, Reshape, Permute, RepeatVector and Identity."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Unpack

import jax.numpy as jnp

from gazelle._core.checks import one_of, positive_int
from gazelle._core.errors import ArgumentError, ArgumentTypeError, ShapeError
from gazelle._core.registry import builtin
from gazelle._core.sparse import RESHAPED, TRANSPOSED, applied
from gazelle.layers._arguments import PenalizedArguments
from gazelle.layers._base import Layer
from gazelle.layers._spec import InputSpec


class _Rearranging(Layer):
    """A layer that keeps the values and their dtype."""

    _keeps_sparse = True

    def __init__(self, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        self._build_at_init()

    def _output_dtype(self, input_dtype: str) -> str:
        return input_dtype


@builtin("keras.layers")
class Identity(_Rearranging):
    """Returns its input.

    Args:
        **kwargs: `name`, `dtype`, `input_shape`.
    """

    def __init__(self, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """The input."""
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape


@builtin("keras.layers")
class Permute(_Rearranging):
    """Reorders the axes of each sample: `Permute((2, 1))` maps `(n, 3, 5)` to `(n, 5, 3)`.

    Args:
        dims: The new order: a permutation of `1, 2, ...`.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentError: `dims` is not a permutation.
    """

    def __init__(self, dims: Iterable[int], **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        self.dims = tuple(int(axis) for axis in dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ArgumentError(
                "Permute: dims must contain each axis once, counted from 1.",
                expected="a permutation such as (2, 1)",
                received=repr(dims),
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        """The input with its axes in the new order."""
        return applied(TRANSPOSED, jnp.transpose, inputs, axes=(0, *self.dims))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The sizes of the input in the new order."""
        return (input_shape[0], *(input_shape[axis] for axis in self.dims))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "dims": list(self.dims)}


@builtin("keras.layers")
class RepeatVector(_Rearranging):
    """Repeats each sample's vector `n` times: `(batch, d)` -> `(batch, n, d)`, never sparse.

    Args:
        n: Number of repetitions, an int > 0.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentTypeError: `n` is not an int.
        ArgumentError: It is not > 0.
    """

    _keeps_sparse = False

    def __init__(self, n: int, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        if not hasattr(n, "__index__"):
            raise ArgumentTypeError(
                "RepeatVector: n must be an integer.", expected="an int > 0", received=repr(n)
            )
        self.n = positive_int("n", n, "RepeatVector")
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        """The repeated input."""
        return jnp.repeat(inputs[:, None], self.n, axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(batch, n, d)`."""
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "n": self.n}


@builtin("keras.layers")
class Flatten(_Rearranging):
    """Flattens each sample: `(n, 32, 32, 3)` -> `(n, 3072)`; `(n,)` -> `(n, 1)`.

    Args:
        data_format: `"channels_last"` (the default) or `"channels_first"`, which moves the channels
            to the last axis before flattening.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentError: The data format is unknown.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        formats = ("channels_last", "channels_first")
        self.data_format = one_of("data_format", data_format or formats[0], formats, "Flatten")

    def call(self, inputs: Any) -> Any:
        """The flattened input."""
        if self.data_format == "channels_first" and inputs.ndim > 1:
            order = (0, *range(2, inputs.ndim), 1)
            inputs = applied(TRANSPOSED, jnp.transpose, inputs, axes=order)
        shape = (inputs.shape[0], math.prod(inputs.shape[1:]))
        return applied(RESHAPED, jnp.reshape, inputs, shape)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(batch, product of the other axes)`."""
        batch, *sizes = input_shape
        known_sizes = [n for n in sizes if n is not None]
        if len(known_sizes) < len(sizes):
            return batch, None
        return batch, math.prod(known_sizes)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "data_format": self.data_format}


@builtin("keras.layers")
class Reshape(_Rearranging):
    """Reshapes each sample.

    Args:
        target_shape: Shape of one sample; one entry may be -1, which is inferred.
        **kwargs: `name`, `dtype`, `input_shape`.

    Raises:
        ArgumentError: `target_shape` is not a tuple of ints with at most one -1.
        ShapeError: The input has a different number of elements.
    """

    def __init__(self, target_shape: Iterable[int], **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        sizes = tuple(target_shape) if isinstance(target_shape, Iterable) else (target_shape,)
        are_sizes = all(hasattr(n, "__index__") and n >= -1 for n in sizes)
        if not are_sizes or sum(n == -1 for n in sizes) > 1:
            raise ArgumentError(
                "Reshape: target_shape must hold ints >= 0 and at most one -1.",
                expected="a tuple without the batch axis, such as (28, 28)",
                received=repr(target_shape),
            )
        self.target_shape = tuple(int(n) for n in sizes)

    def call(self, inputs: Any) -> Any:
        """The reshaped input."""
        shape = (inputs.shape[0], *self._target(tuple(inputs.shape)))
        return applied(RESHAPED, jnp.reshape, inputs, shape)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(batch, *target_shape)`."""
        return (input_shape[0], *self._target(input_shape))

    def _target(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of one sample of the output; None for an entry that cannot be inferred."""
        sizes = input_shape[1:]
        if None in sizes:
            return tuple(None if n == -1 else n for n in self.target_shape)
        total = math.prod(n for n in sizes if n is not None)
        known = math.prod(n for n in self.target_shape if n != -1)
        fits = total == known
        if -1 in self.target_shape and known > 0:
            fits = total % known == 0
        if not fits:
            raise ShapeError(
                f"Layer {self.name!r} cannot reshape its input: the total number of elements"
                " differs.",
                expected=f"{known} elements for {self.target_shape}",
                received=f"{total} elements of {tuple(sizes)}",
                fix="correct target_shape",
            )
        return tuple(total // max(known, 1) if n == -1 else n for n in self.target_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "target_shape": list(self.target_shape)}
