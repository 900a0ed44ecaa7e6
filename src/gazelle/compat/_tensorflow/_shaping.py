"""Functions that move, select and join elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gazelle import ops
from gazelle._core.errors import ShapeError
from gazelle._core.symbolic import KerasTensor
from gazelle.compat._tensorflow._host import HostTensor, holds_text, text_tensor
from gazelle.compat._tensorflow._math import axes
from gazelle.compat._tensorflow._table import answers
from gazelle.compat._tensorflow._values import cast, convert_to_tensor, sizes


def _moves(function: Callable[..., Any], on_host: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a tensor: `on_host` is NumPy's for text."""

    def call(tensor: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(tensor, HostTensor) or holds_text(tensor):
            host = tensor if isinstance(tensor, HostTensor) else text_tensor(tensor)
            return on_host(host, *args, **kwargs).view(HostTensor)
        return function(convert_to_tensor(tensor), *args, **kwargs)

    return call


_move_reshape = _moves(ops.reshape, np.reshape)
_move_expand = _moves(ops.expand_dims, np.expand_dims)
_move_squeeze = _moves(ops.squeeze, np.squeeze)
_move_tile = _moves(ops.tile, np.tile)
_move_repeat = _moves(ops.repeat, np.repeat)
_move_transpose = _moves(ops.transpose, np.transpose)
_move_take = _moves(ops.take, np.take)


@answers("reshape")
def _reshape(tensor: Any, shape: Any) -> Any:
    return _move_reshape(tensor, sizes(shape))


@answers("transpose")
def _transpose(a: Any, perm: Any = None, conjugate: bool = False) -> Any:
    return _move_transpose(a, None if perm is None else sizes(perm))


@answers("expand_dims")
def _expand_dims(input: Any, axis: Any) -> Any:
    return _move_expand(input, axes(axis))


@answers("squeeze")
def _squeeze(input: Any, axis: Any = None) -> Any:
    return _move_squeeze(input, axis=axes(axis if axis != [] else None))


@answers("identity")
def _identity(input: Any) -> Any:
    return convert_to_tensor(input)


@answers("concat", "concatenate")
def _concat(values: Any, axis: Any) -> Any:
    if isinstance(values, int):  # the order of TensorFlow 0
        values, axis = axis, values
    if any(map(holds_text, values)):
        return np.concatenate([text_tensor(one) for one in values], axes(axis)).view(HostTensor)
    return ops.concatenate([convert_to_tensor(one) for one in values], axis=axes(axis))


@answers("stack", "pack", "parallel_stack")
def _stack(values: Any, axis: int = 0) -> Any:
    if any(map(holds_text, values)):
        return np.stack([text_tensor(one) for one in values], axis).view(HostTensor)
    if all(isinstance(one, int | np.integer | HostTensor) for one in values):
        return np.stack([np.asarray(one, np.int32) for one in values], axis).view(HostTensor)
    return ops.stack([convert_to_tensor(one) for one in values], axis=axis)


@answers("unstack", "unpack")
def _unstack(value: Any, num: Any = None, axis: int = 0) -> Any:
    return ops.unstack(convert_to_tensor(value), num, axis)


@answers("split")
def _split(value: Any, num_or_size_splits: Any, axis: int = 0, num: Any = None) -> Any:
    value = convert_to_tensor(value)
    if np.ndim(num_or_size_splits) == 0:
        return ops.split(value, int(num_or_size_splits), axis=axis)
    parts = [int(size) for size in num_or_size_splits]
    if -1 in parts:
        parts[parts.index(-1)] = value.shape[axis] - sum(parts) - 1
    if value.shape[axis] is not None and sum(parts) != value.shape[axis]:
        raise ShapeError(
            "tf.split: the sizes do not add up to that of the axis.",
            expected=value.shape[axis],
            received=parts,
        )
    return ops.split(value, np.cumsum(parts)[:-1].tolist(), axis=axis)


@answers("tile")
def _tile(input: Any, multiples: Any) -> Any:
    return _move_tile(input, sizes(multiples))


@answers("repeat")
def _repeat(input: Any, repeats: Any, axis: int | None = None) -> Any:
    repeats = int(repeats) if np.ndim(repeats) == 0 else np.asarray(repeats)
    return _move_repeat(input, repeats, axis=axis)


@answers("broadcast_to")
def _broadcast_to(input: Any, shape: Any) -> Any:
    return ops.broadcast_to(convert_to_tensor(input), sizes(shape))


@answers("broadcast_static_shape")
def _broadcast_static_shape(shape_x: Any, shape_y: Any) -> Any:
    return np.broadcast_shapes(tuple(shape_x), tuple(shape_y))


@answers("pad")
def _pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0) -> Any:
    widths = tuple((int(before), int(behind)) for before, behind in np.asarray(paddings))
    constant = constant_values if mode.lower() == "constant" else None
    return ops.pad(convert_to_tensor(tensor), widths, mode.lower(), constant)


@answers("reverse")
def _reverse(tensor: Any, axis: Any) -> Any:
    return ops.flip(convert_to_tensor(tensor), axis=axes(axis))


@answers("roll")
def _roll(input: Any, shift: Any, axis: Any) -> Any:
    return ops.roll(convert_to_tensor(input), axes(shift), axis=axes(axis))


@answers("meshgrid")
def _meshgrid(*args: Any, indexing: str = "xy", name: Any = None) -> Any:
    return ops.meshgrid(*map(convert_to_tensor, args), indexing=indexing)


@answers("slice")
def _slice(input_: Any, begin: Any, size: Any) -> Any:
    input_, begin, size = convert_to_tensor(input_), sizes(begin), sizes(size)
    return input_[
        tuple(slice(b, None if n == -1 else b + n) for b, n in zip(begin, size, strict=True))
    ]


# ---- Selecting ----


@answers("gather")
def _gather(
    params: Any, indices: Any, validate_indices: Any = None, axis: Any = None, batch_dims: int = 0
) -> Any:
    if not batch_dims:
        return _move_take(params, _index(indices), axis=0 if axis is None else axes(axis))
    params, indices = convert_to_tensor(params), convert_to_tensor(indices)
    place = batch_dims if axis is None else axes(axis) % params.ndim

    def take(values: Any, places: Any) -> Any:
        return jnp.take(values, places, axis=place - batch_dims)

    for _ in range(batch_dims):
        take = jax.vmap(take)
    return take(params, indices)


def _index(indices: Any) -> Any:
    return indices if isinstance(indices, KerasTensor) else convert_to_tensor(indices)


@answers("gather_nd")
def _gather_nd(params: Any, indices: Any, batch_dims: int = 0) -> Any:
    params, indices = convert_to_tensor(params), convert_to_tensor(indices)

    def take(values: Any, places: Any) -> Any:
        return values[tuple(jnp.moveaxis(places, -1, 0))]

    for _ in range(batch_dims):
        take = jax.vmap(take)
    return take(params, indices)


@answers("boolean_mask")
def _boolean_mask(tensor: Any, mask: Any, axis: Any = None) -> Any:
    mask, axis = np.asarray(mask), axes(axis) or 0
    if isinstance(tensor, HostTensor):
        return tensor[(slice(None),) * axis + (mask,)]
    return convert_to_tensor(tensor)[(slice(None),) * axis + (mask,)]


@answers("where", "where_v2")
def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None and y is None:
        return cast(np.argwhere(np.asarray(condition)), "int64")
    condition = condition if isinstance(condition, KerasTensor) else convert_to_tensor(condition)
    x, y = (_array_or_number(one) for one in (x, y))
    ndim = max(np.ndim(x), np.ndim(y))
    is_old = condition.ndim == 1 < ndim and np.shape(x) == np.shape(y)
    if is_old and x.shape[0] == condition.shape[0] != x.shape[-1]:  # rows, as in TensorFlow 1
        condition = ops.reshape(condition, (-1, *[1] * (ndim - 1)))
    return ops.where(condition, x, y)


def _array_or_number(value: Any) -> Any:
    return value if isinstance(value, int | float) else convert_to_tensor(value)


@answers("argwhere")
def _argwhere(condition: Any) -> Any:
    return cast(np.argwhere(np.asarray(condition)), "int64")


@answers("sort")
def _sort(values: Any, axis: int = -1, direction: str = "ASCENDING") -> Any:
    found = ops.sort(convert_to_tensor(values), axis=axis)
    return found if direction == "ASCENDING" else ops.flip(found, axis=axis)


@answers("argsort")
def _argsort(
    values: Any, axis: int = -1, direction: str = "ASCENDING", stable: bool = False
) -> Any:
    values = convert_to_tensor(values)
    if direction != "ASCENDING":
        return jnp.argsort(values, axis=axis, stable=True, descending=True)
    return ops.argsort(values, axis=axis)


class Unique(NamedTuple):
    """Each value once, in the order of its first appearance, and where each one is among them."""

    y: Any
    idx: Any


class UniqueWithCounts(NamedTuple):
    """`Unique`, and how often each value appears."""

    y: Any
    idx: Any
    count: Any


def _unique_parts(x: Any) -> tuple[Any, Any, Any]:
    text = isinstance(x, HostTensor) or holds_text(x)
    array = np.asarray(text_tensor(x) if text else x)
    values, first, places, counts = np.unique(
        array, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first)
    back = np.argsort(order)
    values = values[order].view(HostTensor) if text else convert_to_tensor(values[order])
    return values, convert_to_tensor(back[places.reshape(-1)]), convert_to_tensor(counts[order])


@answers("unique")
def _unique(x: Any, out_idx: Any = "int32") -> Unique:
    return Unique(*_unique_parts(x)[:2])


@answers("unique_with_counts")
def _unique_with_counts(x: Any, out_idx: Any = "int32") -> UniqueWithCounts:
    return UniqueWithCounts(*_unique_parts(x))


# ---- Scattering ----


@answers("scatter_nd")
def _scatter_nd(indices: Any, updates: Any, shape: Any) -> Any:
    return ops.scatter(convert_to_tensor(indices), convert_to_tensor(updates), sizes(shape))


def _scattered(reduction: str | None) -> Callable[..., Any]:
    def call(tensor: Any, indices: Any, updates: Any) -> Any:
        parts = map(convert_to_tensor, (tensor, indices, updates))
        return ops.scatter_update(*parts, reduction=reduction)

    return call


answers("tensor_scatter_nd_update")(_scattered(None))
for _reduction in ("add", "max", "min"):
    answers(f"tensor_scatter_nd_{_reduction}")(_scattered(_reduction))


@answers("tensor_scatter_nd_sub")
def _scatter_sub(tensor: Any, indices: Any, updates: Any) -> Any:
    return _scattered("add")(tensor, indices, -convert_to_tensor(updates))


@answers("dynamic_partition")
def _dynamic_partition(data: Any, partitions: Any, num_partitions: int) -> list[Any]:
    data, places = convert_to_tensor(data), np.asarray(partitions)
    return [data[places == number] for number in range(num_partitions)]


@answers("dynamic_stitch")
def _dynamic_stitch(indices: Sequence[Any], data: Sequence[Any]) -> Any:
    places = jnp.concatenate([convert_to_tensor(one).reshape(-1) for one in indices])
    parts = []
    for place, values in zip(indices, data, strict=True):
        values = convert_to_tensor(values)
        parts.append(values.reshape(-1, *values.shape[np.ndim(place) :]))
    values = jnp.concatenate(parts)
    empty = jnp.zeros((int(places.max()) + 1, *values.shape[1:]), values.dtype)
    return empty.at[places].set(values)
