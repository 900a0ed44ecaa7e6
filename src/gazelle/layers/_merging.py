"""Layers that merge several tensors into one: Add, Average, Concatenate, Dot and others."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle._core.errors import ArgumentError, ArgumentTypeError, ShapeError
from gazelle._core.masks import mask_of
from gazelle._core.registry import builtin
from gazelle._core.sparse import (
    EXTREME,
    JOINED,
    MINUS,
    PLUS,
    TIMES,
    SparseRule,
    applied,
    as_sparse,
    dense,
    is_sparse,
)
from gazelle.layers._arguments import PenalizedArguments
from gazelle.layers._base import Layer


class _Merging(Layer):
    """Takes a list of tensors, and passes masks on."""

    _makes_masks = False
    _keeps_sparse = True

    def __init__(self, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(  # pyright: ignore[reportIncompatibleMethodOverride] (Keras's signature)
        self, inputs: Any, mask: Any = None
    ) -> Any:
        """True where one of the masks is; None if an input has no mask.

        Raises:
            ArgumentError: The masks are not a list like that of the inputs.
        """
        masks = _checked_masks(inputs, mask, self.name)
        if any(mask is None for mask in masks):
            return None
        return functools.reduce(jnp.logical_or, map(jnp.asarray, masks))


class _Merge(_Merging):
    """Combines a list of tensors element by element; their shapes broadcast."""

    def build(self, input_shape: Any) -> None:
        """Check that there is a list of inputs whose shapes broadcast.

        Raises:
            ShapeError: It is not a list, there are too few inputs, or their shapes do not match.
        """
        shapes = _list_of_shapes(input_shape, self.name, type(self).__name__)
        self._check_count(shapes)
        if len({shape[0] for shape in shapes if shape} - {None}) > 1:
            raise ShapeError(
                f"Layer {self.name!r} cannot merge tensors with different batch sizes.",
                expected="one batch size",
                received=shapes,
            )
        try:
            _broadcast(shapes)
        except ValueError:
            raise ShapeError(
                f"Layer {self.name!r} cannot combine inputs of these shapes.",
                expected="equal shapes, or 1 along an axis",
                received=shapes,
                fix="give the inputs the same number of units first, for example with Dense",
            ) from None

    def _check_count(self, shapes: list[tuple[int | None, ...]]) -> None:
        if not shapes:
            raise ShapeError(
                f"Layer {self.name!r} needs at least one input.",
                expected="a list of tensors",
                received="[]",
            )

    def call(self, inputs: Sequence[Any]) -> Any:
        """The combination of `inputs`, a list of arrays."""
        if not isinstance(inputs, list | tuple):
            raise ShapeError(
                f"Layer {self.name!r} takes a list of tensors.",
                expected="a list of tensors",
                received=type(inputs).__name__,
            )
        ndim = max(x.ndim for x in inputs)
        # A tensor with fewer axes gets axes of size 1 after the batch axis.
        aligned = [
            jnp.expand_dims(dense(x), tuple(range(1, 1 + ndim - x.ndim))) if x.ndim < ndim else x
            for x in inputs
        ]
        return self._merge(_all_sparse_or_none(aligned))

    def _merge(self, inputs: list[Any]) -> Any:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape to which the inputs' shapes broadcast."""
        return _broadcast(_list_of_shapes(input_shape, self.name, type(self).__name__))


@builtin("keras.layers")
class Add(_Merge):
    """Sum of a list of tensors."""

    def _merge(self, inputs: list[Any]) -> Any:
        return _folded(PLUS, jnp.add, inputs)


@builtin("keras.layers")
class Multiply(_Merge):
    """Element-wise product of a list of tensors, in which masked entries count as 1."""

    def _merge(self, inputs: list[Any]) -> Any:
        masks = [_mask_like(x) for x in inputs]
        if all(mask is None for mask in masks):
            return _folded(TIMES, jnp.multiply, inputs)
        inputs = list(map(dense, inputs))
        factors = [
            x if mask is None else jnp.where(mask, x, jnp.ones((), x.dtype))
            for x, mask in zip(inputs, masks, strict=True)
        ]
        product = functools.reduce(jnp.multiply, factors)
        if any(mask is None for mask in masks):
            return product
        return jnp.where(functools.reduce(jnp.logical_or, masks), product, 0)


@builtin("keras.layers")
class Maximum(_Merge):
    """Element-wise maximum of a list of tensors, without masked entries."""

    def _merge(self, inputs: list[Any]) -> Any:
        return _reduced(jnp.maximum, inputs)


@builtin("keras.layers")
class Minimum(_Merge):
    """Element-wise minimum of a list of tensors, without masked entries."""

    def _merge(self, inputs: list[Any]) -> Any:
        return _reduced(jnp.minimum, inputs)


@builtin("keras.layers")
class Subtract(_Merge):
    """First tensor minus second.

    Raises:
        ShapeError: There are not exactly two inputs.
    """

    def _check_count(self, shapes: list[tuple[int | None, ...]]) -> None:
        if len(shapes) != 2:
            raise ShapeError(
                f"Layer {self.name!r} subtracts exactly two inputs.",
                expected=2,
                received=len(shapes),
            )

    def _merge(self, inputs: list[Any]) -> Any:
        return applied(MINUS, jnp.subtract, inputs[0], inputs[1])


@builtin("keras.layers")
class Average(_Merge):
    """Element-wise mean of a list of tensors."""

    def _merge(self, inputs: list[Any]) -> Any:
        return _folded(PLUS, jnp.add, inputs) / len(inputs)


@builtin("keras.layers")
class Concatenate(_Merging):
    """Joins a list of tensors along an axis.

    Args:
        axis: The axis.
        **kwargs: `name`, `dtype`.

    Raises:
        ShapeError: The inputs differ along another axis.
    """

    def __init__(self, axis: int = -1, **kwargs: Unpack[PenalizedArguments]):
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape: Any) -> None:
        """Check that the inputs differ only along `axis`."""
        shapes = _list_of_shapes(input_shape, self.name, "Concatenate")
        if len({len(shape) for shape in shapes}) > 1:
            raise ShapeError(
                f"Layer {self.name!r} joins tensors with the same number of axes.", received=shapes
            )
        axis = self.axis % len(shapes[0])
        for i, sizes in enumerate(zip(*shapes, strict=True)):
            known_sizes = {n for n in sizes if n is not None}
            if i != axis and len(known_sizes) > 1:
                raise ShapeError(
                    f"Layer {self.name!r} joins along axis {self.axis}, but its inputs also differ"
                    f" along axis {i}.",
                    expected="inputs with matching shapes except for the concatenation axis",
                    received=shapes,
                )

    def call(self, inputs: Sequence[Any]) -> Any:
        """The joined inputs."""
        return applied(JOINED, _concatenated, *inputs, axis=self.axis)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of the inputs, with the sum of their sizes along `axis`."""
        shapes = _list_of_shapes(input_shape, self.name, "Concatenate")
        axis = self.axis % len(shapes[0])
        joined: list[int | None] = []
        for i, sizes in enumerate(zip(*shapes, strict=True)):
            known_sizes = [n for n in sizes if n is not None]
            if i == axis:
                joined.append(sum(known_sizes) if len(known_sizes) == len(sizes) else None)
            else:
                joined.append(known_sizes[0] if known_sizes else None)
        return tuple(joined)

    def compute_mask(  # pyright: ignore[reportIncompatibleMethodOverride] (Keras's signature)
        self, inputs: Any, mask: Any = None
    ) -> Any:
        """The joined masks, True for inputs without one; None if there is none.

        Raises:
            ArgumentError: The masks are not a list like that of the inputs.
        """
        masks = _checked_masks(inputs, mask, self.name)
        if all(mask is None for mask in masks):
            return None
        whole = []  # masks with the shapes of the inputs
        for x, one in zip(inputs, masks, strict=True):
            if one is None:
                one = jnp.ones(x.shape, bool)
            elif one.ndim < x.ndim:
                one = jnp.broadcast_to(jnp.asarray(one, bool)[..., None], x.shape)
            whole.append(jnp.asarray(one, bool))
        return jnp.any(jnp.concatenate(whole, axis=self.axis), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "axis": self.axis}


@builtin("keras.layers")
class Dot(_Merging):
    """Dot product of two tensors along an axis of each.

    Args:
        axes: The axis of both tensors (not the batch axis 0), or a pair with one axis for each.
        normalize: Whether to scale both to length 1 first, which gives the cosine of the angle.
        **kwargs: `name`, `dtype`.

    Raises:
        ArgumentTypeError: `axes` is neither an int nor a list.
        ArgumentError: `axes` is not a pair of ints, or contains the batch axis.
        ShapeError: There are not two inputs, or their sizes along `axes` differ.
    """

    def __init__(
        self,
        axes: int | Sequence[int],
        normalize: bool = False,
        **kwargs: Unpack[PenalizedArguments],
    ):
        super().__init__(**kwargs)
        pair = (axes, axes) if isinstance(axes, int) else axes
        if not isinstance(pair, list | tuple):
            raise ArgumentTypeError(
                "Dot: axes must be an int or a pair of ints.", received=repr(axes)
            )
        if len(pair) != 2 or not all(isinstance(axis, int) for axis in pair):
            raise ArgumentError(
                "Dot: axes must be an int or a pair of ints.",
                expected="one axis for each of the two inputs",
                received=repr(axes),
            )
        if 0 in pair:
            raise ArgumentError(
                "Dot: axis 0 is the batch axis.",
                expected="axes >= 1, or negative ones",
                received=repr(axes),
            )
        self.axes = axes if isinstance(axes, int) else tuple(axes)
        self.normalize = normalize

    def _pair(self, shapes: list[tuple[int | None, ...]]) -> tuple[int, int]:
        """The axis of each input, counted from 0.

        Raises:
            ShapeError: An input does not have it, or it is the batch axis.
        """
        pair = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        for axis, shape in zip(pair, shapes, strict=False):
            if axis >= len(shape) or axis % len(shape) == 0 or axis < -len(shape):
                raise ShapeError(
                    f"Layer {self.name!r}: axis {axis} is not an axis of a sample.",
                    expected=f"1 to {len(shape) - 1}, or negative ones",
                    received=f"axes={self.axes!r}, an input of shape {tuple(shape)}",
                )
        return pair[0] % len(shapes[0]), pair[1] % len(shapes[1])

    def build(self, input_shape: Any) -> None:
        """Check that there are two inputs of equal size along the axes."""
        shapes = _list_of_shapes(input_shape, self.name, "Dot")
        if len(shapes) != 2:
            raise ShapeError(
                f"Layer {self.name!r} takes exactly two inputs.", expected=2, received=len(shapes)
            )
        first, second = self._pair(shapes)
        a, b = shapes[0][first], shapes[1][second]
        if None not in (a, b) and a != b:
            raise ShapeError(
                f"Layer {self.name!r}: the inputs differ in size along axes {(first, second)}.",
                expected=a,
                received=b,
            )

    def call(self, inputs: Sequence[Any]) -> Any:
        """The dot products; for two `(n, d)` inputs an `(n, 1)` array."""
        a, b = map(dense, inputs)
        first, second = self._pair([a.shape, b.shape])
        if self.normalize:
            a, b = _unit(a, first), _unit(b, second)

        def product(u: jax.Array, v: jax.Array) -> jax.Array:  # of one sample, without batch axis
            return jnp.tensordot(u, v, axes=(first - 1, second - 1))

        outputs = jax.vmap(product)(a, b)
        outputs = outputs[:, None] if outputs.ndim == 1 else outputs
        return as_sparse(outputs) if all(map(is_sparse, inputs)) else outputs

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The batch axis and the axes of both that are not summed; `(batch, 1)` if none remain."""
        shapes = _list_of_shapes(input_shape, self.name, "Dot")
        first, second = self._pair(shapes)
        rest = [n for i, n in enumerate(shapes[0]) if i not in (0, first)]
        rest += [n for i, n in enumerate(shapes[1]) if i not in (0, second)]
        return (shapes[0][0], *(rest or [1]))

    def compute_mask(  # pyright: ignore[reportIncompatibleMethodOverride] (Keras's signature)
        self, inputs: Any, mask: Any = None
    ) -> Any:
        """None: the products have no steps of the inputs."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._base_config(), "axes": self.axes, "normalize": self.normalize}


def add(inputs: Sequence[Any], **kwargs: Unpack[PenalizedArguments]) -> Any:
    """Sum of a list of tensors: `Add(**kwargs)(inputs)`."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Unpack[PenalizedArguments]) -> Any:
    """First tensor minus second: `Subtract(**kwargs)(inputs)`."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Unpack[PenalizedArguments]) -> Any:
    """Product of a list of tensors: `Multiply(**kwargs)(inputs)`."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Unpack[PenalizedArguments]) -> Any:
    """Mean of a list of tensors: `Average(**kwargs)(inputs)`."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Unpack[PenalizedArguments]) -> Any:
    """Maximum of a list of tensors: `Maximum(**kwargs)(inputs)`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Unpack[PenalizedArguments]) -> Any:
    """Minimum of a list of tensors: `Minimum(**kwargs)(inputs)`."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Unpack[PenalizedArguments]) -> Any:
    """Joins a list of tensors along `axis`: `Concatenate(axis, **kwargs)(inputs)`."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(
    inputs: Sequence[Any], axes: int | Sequence[int] = -1, **kwargs: Unpack[PenalizedArguments]
) -> Any:
    """Dot product of two tensors along `axes`: `Dot(axes, **kwargs)(inputs)`."""
    return Dot(axes=axes, **kwargs)(inputs)


def _list_of_shapes(input_shape: Any, layer_name: str, kind: str) -> list[tuple[int | None, ...]]:
    is_list = isinstance(input_shape, list | tuple) and bool(input_shape)
    if not is_list or not isinstance(input_shape[0], list | tuple):
        raise ShapeError(
            f"Layer {layer_name!r} ({kind}) takes a list of tensors.",
            expected="a list of tensors",
            received=f"one tensor of shape {input_shape}",
            fix=f"call it as {kind}()([a, b])",
        )
    return [tuple(shape) for shape in input_shape]


def _broadcast(shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
    """The common shape; a tensor with fewer axes gets axes of size 1 after the batch axis.

    Raises:
        ValueError: The shapes do not broadcast.
    """
    ndim = max(len(shape) for shape in shapes)
    aligned = [(*shape[:1], *([1] * (ndim - len(shape))), *shape[1:]) for shape in shapes]
    result: list[int | None] = []
    for sizes in zip(*aligned, strict=True):
        known = {n for n in sizes if n not in (None, 1)}
        if len(known) > 1:
            raise ValueError(f"sizes {sorted(known)} along one axis")
        if known:
            result.append(known.pop())
        else:
            result.append(None if None in sizes else 1)
    return tuple(result)


def _checked_masks(inputs: Any, masks: Any, layer_name: str) -> list[Any]:
    """A mask, or None, for each input.

    Raises:
        ArgumentError: The masks are not a list like that of the inputs.
    """
    if masks is None:
        return [None] * len(inputs)
    are_lists = isinstance(masks, list | tuple) and isinstance(inputs, list | tuple)
    if not are_lists or len(masks) != len(inputs):
        raise ArgumentError(
            f"Layer {layer_name!r}: the inputs and their masks should be lists of the same length.",
            expected="a mask or None for each input",
            received=f"{_kind(inputs)} of inputs and {_kind(masks)} of masks",
        )
    return list(masks)


def _kind(value: Any) -> str:
    is_list = isinstance(value, list | tuple)
    return f"a list of {len(value)}" if is_list else f"a {type(value).__name__}"


def _mask_like(x: Any) -> Any:
    """The mask that an input carries, with the input's shape; None if it carries none."""
    mask = mask_of(x)
    return None if mask is None else jnp.broadcast_to(jnp.asarray(mask, bool)[..., None], x.shape)


def _all_sparse_or_none(inputs: list[Any]) -> list[Any]:
    """The inputs, which are made dense if one of them is."""
    return inputs if all(map(is_sparse, inputs)) else list(map(dense, inputs))


def _folded(rule: SparseRule, function: Callable[[Any, Any], Any], inputs: list[Any]) -> Any:
    return functools.reduce(functools.partial(applied, rule, function), inputs)


def _concatenated(*inputs: Any, axis: int) -> jax.Array:
    return jnp.concatenate(inputs, axis=axis)


def _reduced(function: Callable[[Any, Any], Any], inputs: list[Any]) -> Any:
    """The inputs combined two by two; a masked entry gives way to that of the other input."""
    if all(mask_of(x) is None for x in inputs):
        return _folded(EXTREME, function, inputs)
    inputs = list(map(dense, inputs))
    result, counts = inputs[0], _mask_like(inputs[0])
    for x in inputs[1:]:
        mask = _mask_like(x)
        if mask is not None:
            x = jnp.where(mask, x, result)
        if counts is not None:
            result = jnp.where(counts, result, x)
        counts = None if mask is None or counts is None else jnp.logical_or(counts, mask)
        result = function(result, x)
    return result


def _unit(x: Any, axis: int) -> Any:
    square = jnp.sum(jnp.square(x), axis, keepdims=True)
    return x * jax.lax.rsqrt(jnp.maximum(square, 1e-12))
