"""Functions that arrange elements: shapes, axes, joining, splitting, picking."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.operation import specs, unwrapped
from gazelle._core.sparse import JOINED, RESHAPED, TRANSPOSED, applied, is_sparse
from gazelle._core.symbolic import KerasTensor
from gazelle.ops._table import Axis, axes_of, numpy_op, unary, within

fliplr = unary("fliplr", jnp.fliplr, "Columns in reversed order.")
flipud = unary("flipud", jnp.flipud, "Rows in reversed order.")
ravel = unary("ravel", jnp.ravel, "All elements in one row.")


@numpy_op()
def broadcast_to(x: Any, shape: Sequence[int]) -> jax.Array:
    """`x` repeated to `shape`."""
    return jnp.broadcast_to(x, tuple(shape))


@numpy_op(sparse=RESHAPED)
def expand_dims(x: Any, axis: int | Sequence[int]) -> jax.Array:
    """`x` with new axes of size 1."""
    return jnp.expand_dims(x, axis)


@numpy_op()
def flip(x: Any, axis: Axis = None) -> jax.Array:
    """The elements in reversed order."""
    return jnp.flip(x, axes_of(axis))


@numpy_op()
def moveaxis(x: Any, source: Any, destination: Any) -> jax.Array:
    """Axes at other places."""
    return jnp.moveaxis(x, source, destination)


def _repeat_spec(x: KerasTensor, repeats: Any, axis: int | None = None) -> KerasTensor:
    if np.ndim(repeats) == 0 or np.size(repeats) == 1 or axis is None:
        return specs(lambda x: jnp.repeat(x, np.asarray(repeats), axis=axis), (x,), {})
    place = within(axis, len(x.shape))
    if x.shape[place] not in (None, np.size(repeats)):
        raise ShapeError(
            "repeat: there must be a number for each element of the axis.",
            expected=f"{x.shape[place]} numbers",
            received=np.size(repeats),
        )
    return KerasTensor((*x.shape[:place], int(np.sum(repeats)), *x.shape[place + 1 :]), x.dtype)


@numpy_op(spec=_repeat_spec)
def repeat(x: Any, repeats: Any, axis: int | None = None) -> jax.Array:
    """Each element several times."""
    return jnp.repeat(jnp.asarray(x), np.asarray(repeats), axis=axis)


def _valid_shape(newshape: Any) -> list[int]:
    shape = [newshape] if isinstance(newshape, int) else list(newshape)
    if any(isinstance(n, int) and n < -1 for n in shape) or shape.count(-1) > 1:
        raise ArgumentError(
            "reshape: sizes must not be negative, but for one that may be -1.", received=shape
        )
    return shape


def _reshape_spec(x: KerasTensor, newshape: Any) -> KerasTensor:
    shape = _valid_shape(newshape)
    total = None if None in x.shape else math.prod(n for n in x.shape if n is not None)
    rest = math.prod(n for n in shape if n not in (-1, None))
    if total is not None and (total != rest if -1 not in shape else not rest or total % rest):
        raise ShapeError(
            "reshape: the shapes have different numbers of elements.",
            received=(x.shape, tuple(shape)),
        )
    free = None if total is None or not rest else total // rest
    sizes = [free if n == -1 else n for n in shape]
    return KerasTensor(sizes, x.dtype, sparse=x.sparse)


@numpy_op(sparse=RESHAPED, spec=_reshape_spec)
def reshape(x: Any, newshape: Any) -> jax.Array:
    """The elements in another shape, in which one size may be -1."""
    return jnp.reshape(x, _valid_shape(newshape))


@numpy_op()
def roll(x: Any, shift: Any, axis: Any = None) -> jax.Array:
    """Elements moved along an axis; the last ones come first."""
    return jnp.roll(x, shift, axis)


@numpy_op(tensors=("array",))
def rot90(array: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> jax.Array:
    """`array` turned by 90 degrees, `k` times."""
    return jnp.rot90(array, k, axes)


def _squeeze_spec(x: KerasTensor, axis: Any = None) -> KerasTensor:
    ndim = len(x.shape)
    axes = [axis] if isinstance(axis, int) else axis
    if axes is None:
        axes = [place for place, n in enumerate(x.shape) if n == 1]
    axes = [within(one, ndim) for one in axes]
    for place in axes:
        if x.shape[place] != 1:
            raise ShapeError(
                f"squeeze: axis {place} is not known to be of size 1.",
                expected="axes of size 1",
                received=x.shape,
            )
    rest = [n for place, n in enumerate(x.shape) if place not in axes]
    return KerasTensor(rest, x.dtype, sparse=x.sparse)


@numpy_op(sparse=RESHAPED, spec=_squeeze_spec)
def squeeze(x: Any, axis: Any = None) -> jax.Array:
    """`x` without axes of size 1."""
    return jnp.squeeze(x, axes_of(axis))


@numpy_op()
def swapaxes(x: Any, axis1: int, axis2: int) -> jax.Array:
    """Two axes exchanged."""
    return jnp.swapaxes(x, axis1, axis2)


@numpy_op()
def tile(x: Any, repeats: Any) -> jax.Array:
    """`x` several times side by side."""
    return jnp.tile(x, repeats)


@numpy_op(sparse=TRANSPOSED)
def transpose(x: Any, axes: Sequence[int] | None = None) -> jax.Array:
    """The axes in another order, by default the reversed one."""
    return jnp.transpose(x, axes)


# ---- Joining and splitting ----


def _concatenate_spec(xs: Any, axis: int = 0) -> KerasTensor:
    joined = specs(lambda xs: jnp.concatenate(xs, axis), (xs,), {})
    joined.sparse = all(map(is_sparse, xs))
    return joined


@numpy_op(convert=unwrapped, spec=_concatenate_spec)
def concatenate(xs: Any, axis: int = 0) -> jax.Array:
    """Tensors one after another along an axis; sparse where all of them are."""
    return applied(JOINED, lambda *xs, axis: jnp.concatenate(xs, axis), *xs, axis=axis)


@numpy_op(convert=unwrapped)
def stack(x: Any, axis: int = 0) -> jax.Array:
    """Tensors along a new axis."""
    return jnp.stack(x, axis)


@numpy_op(convert=unwrapped)
def hstack(xs: Any) -> jax.Array:
    """Tensors side by side."""
    return jnp.hstack(xs)


@numpy_op(convert=unwrapped)
def vstack(xs: Any) -> jax.Array:
    """Tensors one below another."""
    return jnp.vstack(xs)


@numpy_op(convert=unwrapped)
def dstack(xs: Any) -> jax.Array:
    """Tensors one behind another."""
    return jnp.dstack(xs)


@numpy_op(tensors=2)
def append(x1: Any, x2: Any, axis: int | None = None) -> jax.Array:
    """`x2` after `x1`."""
    return jnp.append(x1, x2, axis)


def _split_spec(x: KerasTensor, indices_or_sections: Any, axis: int = 0) -> list[KerasTensor]:
    place = within(axis, len(x.shape))
    size = x.shape[place]
    if isinstance(indices_or_sections, int):
        if size is not None and size % indices_or_sections:
            raise ShapeError(f"An axis of size {size} does not split into {indices_or_sections}.")
        part = None if size is None else size // indices_or_sections
        sizes: list[int | None] = [part] * indices_or_sections
    else:
        sizes = _part_sizes(size, list(indices_or_sections))
    return [KerasTensor((*x.shape[:place], part, *x.shape[place + 1 :]), x.dtype) for part in sizes]


def _part_sizes(size: int | None, places: list[int]) -> list[int | None]:
    """The sizes of the parts of an axis that is split before some places."""
    if size is None:
        between = [b - a for a, b in zip([0, *places], places, strict=False)]
        return [*between, None]
    bounds = [0, *(min(place, size) for place in places), size]
    return [b - a for a, b in itertools.pairwise(bounds)]


@numpy_op(spec=_split_spec)
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[jax.Array]:
    """Equal parts along an axis, or those before some places."""
    return list(jnp.split(x, _sections(indices_or_sections), axis))


@numpy_op()
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[jax.Array]:
    """Parts along an axis whose sizes may differ by 1."""
    return list(jnp.array_split(x, _sections(indices_or_sections), axis))


@numpy_op()
def hsplit(x: Any, indices_or_sections: Any) -> list[jax.Array]:
    """Parts along axis 1, or of a row."""
    return list(jnp.hsplit(x, _sections(indices_or_sections)))


@numpy_op()
def vsplit(x: Any, indices_or_sections: Any) -> list[jax.Array]:
    """Parts along axis 0."""
    return list(jnp.vsplit(x, _sections(indices_or_sections)))


@numpy_op()
def dsplit(x: Any, indices_or_sections: Any) -> list[jax.Array]:
    """Parts along axis 2."""
    return list(jnp.dsplit(x, _sections(indices_or_sections)))


def _sections(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@numpy_op(tensors=("x", "constant_values"))
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> jax.Array:
    """`x` with elements added around it."""
    if constant_values is not None and mode != "constant":
        raise ArgumentError(
            "pad: Argument `constant_values` can only be provided when `mode == 'constant'`.",
            received=repr(mode),
        )
    more = {} if constant_values is None else {"constant_values": constant_values}
    return jnp.pad(x, pad_width, mode=mode, **more)


# ---- Picking ----


@numpy_op(tensors=2, convert=unwrapped)
def get_item(x: Any, key: Any) -> jax.Array:
    """`x[key]`. A number that is outside of an axis is refused, which JAX takes for the last one.

    Raises:
        ShapeError: There is no such place, or the key has more parts than `x` axes.
    """
    x = jnp.asarray(x)
    key = tuple(key) if isinstance(key, list) else key
    _check_key(x.shape, key if isinstance(key, tuple) else (key,))
    return x[key]


def _check_key(shape: tuple[int, ...], key: tuple[Any, ...]) -> None:
    parts = [part for part in key if part is not None]
    if any(isinstance(part, bool) or str(getattr(part, "dtype", "")) == "bool" for part in parts):
        return  # a mask is for several axes, or for none
    gaps = [place for place, part in enumerate(parts) if part is Ellipsis]
    if len(gaps) > 1 or len(parts) - len(gaps) > len(shape):
        raise ShapeError(
            f"A key with {len(parts)} parts does not fit a tensor with {len(shape)} axes.",
            received=f"{key}",
        )
    if gaps:
        whole = len(shape) - len(parts) + 1
        parts[gaps[0] : gaps[0] + 1] = [slice(None)] * whole
    for place, (part, size) in enumerate(zip(parts, shape, strict=False)):
        if isinstance(part, int | np.integer) and not -size <= part < size:
            raise ShapeError(
                f"Index {part} is out of bounds for axis {place}.",
                expected=f"{-size} to {size - 1}",
                received=f"{part} of a tensor of shape {shape}",
            )


@numpy_op(tensors=2)
def take(x: Any, indices: Any, axis: int | None = None) -> jax.Array:
    """The elements at some places of an axis, or of all elements; -1 is the last."""
    x, indices = jnp.asarray(x), jnp.asarray(indices)
    size = x.size if axis is None else x.shape[axis]
    indices = indices.astype("int32")
    indices = jnp.where(indices < 0, indices + size, indices)
    return jnp.take(x, indices, axis)


@numpy_op(tensors=2)
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> jax.Array:
    """For each row the elements at its own places."""
    return jnp.take_along_axis(jnp.asarray(x), jnp.asarray(indices).astype("int32"), axis)


def _least(*sizes: int | None) -> int | None:
    """The smallest size; None if one is unknown."""
    known = [max(size, 0) for size in sizes if size is not None]
    return min(known) if len(known) == len(sizes) else None


def _diag_spec(x: KerasTensor, k: int = 0) -> KerasTensor:
    if len(x.shape) == 1:
        size = None if x.shape[0] is None else x.shape[0] + abs(k)
        return KerasTensor((size, size), x.dtype)
    if len(x.shape) > 2:
        raise ShapeError("diag: the input must have one axis or two.", received=x.shape)
    return _diagonal_spec(x, k)


def _diagonal_spec(x: KerasTensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> KerasTensor:
    ndim = len(x.shape)
    if ndim < 2:
        raise ShapeError("A diagonal needs at least two axes.", received=x.shape)
    axis1, axis2 = _two_axes(ndim, axis1, axis2)
    rows, columns = x.shape[axis1], x.shape[axis2]
    rows = None if rows is None else rows + min(offset, 0)
    columns = None if columns is None else columns - max(offset, 0)
    rest = [n for axis, n in enumerate(x.shape) if axis not in (axis1, axis2)]
    return KerasTensor((*rest, _least(rows, columns)), x.dtype)


@numpy_op(spec=_diag_spec)
def diag(x: Any, k: int = 0) -> jax.Array:
    """The diagonal of a matrix, or the matrix with this diagonal."""
    return jnp.diag(x, k)


@numpy_op()
def diagflat(x: Any, k: int = 0) -> jax.Array:
    """The matrix with all elements on its diagonal."""
    return jnp.diagflat(x, k)


@numpy_op(spec=_diagonal_spec)
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array:
    """The diagonals of matrices."""
    axis1, axis2 = _two_axes(jnp.ndim(x), axis1, axis2)
    return jnp.diagonal(x, offset, axis1, axis2)


def _two_axes(ndim: int, axis1: int, axis2: int) -> tuple[int, int]:
    axis1, axis2 = within(axis1, ndim), within(axis2, ndim)
    if axis1 == axis2:
        raise ShapeError(f"A diagonal needs two axes, and both are axis {axis1}.")
    return axis1, axis2


@numpy_op()
def tril(x: Any, k: int = 0) -> jax.Array:
    """The lower triangle, 0 above."""
    return jnp.tril(x, k)


@numpy_op()
def triu(x: Any, k: int = 0) -> jax.Array:
    """The upper triangle, 0 below."""
    return jnp.triu(x, k)


@numpy_op()
def unravel_index(indices: Any, shape: Any) -> tuple[jax.Array, ...]:
    """Places among all elements as indices of each axis."""
    return tuple(jnp.unravel_index(indices, shape))
