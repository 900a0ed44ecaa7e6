"""Elements of data sets: structures of arrays, their groups, and their numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from gazelle._core.errors import ShapeError
from gazelle._core.symbolic import leaves, map_structure
from gazelle._core.variable import Variable
from gazelle.compat._tensorflow._data.rows import INFINITE, UNKNOWN
from gazelle.compat._tensorflow._host import HostTensor, as_texts, holds_text
from gazelle.compat._tensorflow._shapes import TensorShape
from gazelle.compat._tensorflow._values import convert_to_tensor

# ---- Elements ----


def as_tensors(element: Any) -> Any:
    """The arrays of an element as tensors."""
    return map_structure(_as_tensor, element)


def _as_tensor(leaf: Any) -> Any:
    is_ready = isinstance(leaf, jax.Array) or hasattr(leaf, "element_spec")  # a data set
    return leaf if is_ready else convert_to_tensor(leaf)


def as_numpy(leaf: Any) -> Any:
    """A leaf as an array of NumPy's, a number or bytes."""
    if isinstance(leaf, HostTensor):
        return leaf.numpy()
    found = np.asarray(leaf)
    return found if found.ndim else found[()]


def plain_element(element: Any) -> Any:
    """The results of a function of a user's, variables as their values."""
    return map_structure(lambda leaf: leaf.value if isinstance(leaf, Variable) else leaf, element)


def as_tuple(element: Any) -> Any:
    """An element; a list as a tuple."""
    return tuple(element) if isinstance(element, list) else element


def as_arrays(tensors: Any) -> Any:
    """Data in any form as a structure of arrays of NumPy's: lists are arrays, tuples are not."""
    if isinstance(tensors, dict):
        return {key: as_arrays(value) for key, value in tensors.items()}
    if isinstance(tensors, tuple):
        made = getattr(tensors, "_make", tuple)
        return made(as_arrays(value) for value in tensors)
    if (hasattr(tensors, "columns") and hasattr(tensors, "to_numpy")) or hasattr(
        tensors, "to_numpy"
    ):  # a table of pandas
        tensors = tensors.to_numpy()
    if holds_text(tensors):
        return as_texts(tensors)
    array = np.asarray(tensors)
    if array.dtype == object:
        if array.size and holds_text(array):
            return as_texts(array)
        array = np.asarray(array.tolist())
    return array


def typed(element: Any, types: Any) -> Any:
    """An element of a generator in the types that were given."""
    element = as_tuple(element)
    if types is None:
        return as_arrays(element)
    types = as_tuple(types)
    if isinstance(types, tuple):
        return tuple(typed(one, kind) for one, kind in zip(element, types, strict=True))
    if isinstance(types, dict):
        return {key: typed(element[key], kind) for key, kind in types.items()}
    return np.asarray(convert_to_tensor(element, types)) if types != "string" else as_texts(element)


# ---- Groups ----


def groups(elements: Iterator[Any], size: int, drop_remainder: bool) -> Iterator[list[Any]]:
    """Groups of `size` elements; the last may be smaller."""
    while group := list(itertools.islice(elements, size)):
        if len(group) < size and drop_remainder:
            return
        yield group


def stacked(group: Sequence[Any]) -> Any:
    """Elements of one shape as a batch."""

    def stack(*parts: Any) -> np.ndarray:
        arrays = [np.asarray(part) for part in parts]
        if len({array.shape for array in arrays}) > 1:
            raise ShapeError(
                "Cannot batch tensors with different shapes.",
                received=sorted({array.shape for array in arrays}),
                fix="use padded_batch, or bring them to one shape with map",
            )
        return np.stack(arrays)

    return map_structure(stack, *group)


def padded(group: Sequence[Any], shapes: Any, fillers: Any) -> Any:
    """Elements of different shapes as a batch, filled up."""
    flat = [leaves(element) for element in group]
    count = len(flat[0])
    wanted = [None] * count if shapes is None else _shapes_of(shapes, count)
    filling = [None] * count if fillers is None else leaves(fillers)
    filling = filling * count if len(filling) == 1 else filling
    columns = []
    for place in range(count):
        arrays = [np.asarray(row[place]) for row in flat]
        sizes = np.max([array.shape for array in arrays], axis=0).astype(int).tolist()
        shape: Any = wanted[place]
        if shape is not None:
            sizes = [n if w in (None, -1) else w for n, w in zip(sizes, shape, strict=True)]
        empty = b"" if arrays[0].dtype == object else 0
        filler = empty if filling[place] is None else filling[place]
        batch = np.full((len(arrays), *sizes), filler, arrays[0].dtype)
        for number, array in enumerate(arrays):
            batch[(number, *(slice(n) for n in array.shape))] = array
        columns.append(batch)
    return jax.tree.unflatten(jax.tree.structure(group[0]), columns)


def _shapes_of(shapes: Any, count: int) -> list[Any]:
    """The shape for each leaf."""
    if count == 1 and not (isinstance(shapes, tuple) and shapes and _is_shape(shapes[0])):
        return [shapes]
    if isinstance(shapes, dict):
        return [shapes[key] for key in sorted(shapes)]
    return list(shapes)


def _is_shape(value: Any) -> bool:
    return isinstance(value, list | tuple | TensorShape)


# ---- Lengths ----


def batches(length: int, size: int, drop_remainder: bool) -> int:
    """The number of batches of so many elements."""
    return length if length < 0 else length // size if drop_remainder else -(-length // size)


def times(length: int, count: int) -> int:
    """The number of elements of so many passes."""
    return length if length < 0 else length * count


def at_most(length: int, count: int) -> int:
    """The number of elements of those that are taken."""
    return length if length < 0 else min(length, count)


def shortest(lengths: Sequence[int]) -> int:
    """The number of elements that all data sets have."""
    if UNKNOWN in lengths:
        return UNKNOWN
    finite = [length for length in lengths if length >= 0]
    return min(finite) if finite else INFINITE
