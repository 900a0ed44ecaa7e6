"""Preparing arrays: one-hot labels, normalized rows, padded sequences, a split in two."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.checks import one_of, positive_int
from gazelle._core.dtypes import floatx
from gazelle._core.errors import ArgumentError, ArgumentTypeError, ShapeError


class ClassIndexError(ArgumentError, IndexError):
    """A label outside the range of classes."""


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Convert class numbers to one-hot rows.

    Example:
        >>> to_categorical([0, 2], 3).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]

    Args:
        x: Whole numbers from 0 to `num_classes` - 1, `(n,)`, `(n, 1)` or any other shape.
        num_classes: Number of classes; None for the largest label plus 1.

    Returns:
        float64, `(n, num_classes)` for `(n,)` and `(n, 1)`, `(..., num_classes)` for other shapes;
        a JAX array of type floatx if `x` is one.

    Raises:
        ClassIndexError: A label is negative or not below `num_classes` (an `ArgumentError` and an
            `IndexError`).
        ArgumentError: Labels are not whole numbers.
    """
    labels = _as_whole_numbers(x)
    shape = labels.shape
    if labels.ndim > 1 and shape[-1] == 1:
        shape = shape[:-1]
    flat = labels.ravel()
    if num_classes is None:
        num_classes = int(flat.max()) + 1 if flat.size else 0
    else:
        num_classes = positive_int("num_classes", num_classes, "to_categorical")
    outside = np.flatnonzero((flat < 0) | (flat >= num_classes))
    if outside.size:
        raise ClassIndexError(
            "to_categorical got a label outside the range of classes.",
            expected=f"labels from 0 to {num_classes - 1}",
            received=f"{flat[outside[0]]} at position {outside[0]} ({outside.size} such labels)",
            fix="subtract 1 if the labels start at 1; otherwise increase num_classes",
        )
    rows = np.zeros((flat.size, num_classes))
    rows[np.arange(flat.size), flat] = 1.0
    rows = rows.reshape(*shape, num_classes)
    return jnp.asarray(rows, floatx()) if isinstance(x, jax.Array) else rows


def normalize(x: Any, axis: int = -1, order: float = 2) -> Any:
    """Divide `x` by its norm along `axis`; rows of zeros stay zeros.

    Args:
        x: An array. `(n,)` is treated as one row, `(1, n)`.
        axis: Axis along which the norm is computed.
        order: Order of the norm: 2, 1, `np.inf` or another positive number.

    Returns:
        An array like `x` (a JAX array for a JAX array); integers become floats.

    Raises:
        ArgumentError: `order` is not a positive number.
    """
    if not isinstance(order, numbers.Real) or not order > 0:
        raise ArgumentError(
            "normalize: order must be a positive number.",
            expected="1, 2, np.inf",
            received=repr(order),
        )
    xp = jnp if isinstance(x, jax.Array) else np
    x = xp.atleast_2d(x if hasattr(x, "dtype") else np.asarray(x, floatx()))
    norms = xp.linalg.norm(x, ord=order, axis=axis, keepdims=True)
    return x / xp.where(norms == 0, 1, norms)


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Pad or truncate sequences to the same length and stack them into one array.

    Args:
        sequences: A list of sequences, whose elements are numbers or arrays of the same shape.
        maxlen: Length of the result; None for the length of the longest sequence.
        dtype: Type of the result; `object` for strings.
        padding: Where to pad short sequences: at the beginning (`"pre"`) or end (`"post"`).
        truncating: Where to cut long sequences: at the beginning (`"pre"`) or end (`"post"`).
        value: Padding value.

    Returns:
        `(sequences, maxlen, ...)`.

    Raises:
        ArgumentError: An argument has an unknown value, or an element is not a sequence.
        ShapeError: Elements have different shapes.
    """
    one_of("padding", padding, ("pre", "post"), "pad_sequences")
    one_of("truncating", truncating, ("pre", "post"), "pad_sequences")
    items = [_as_sequence(item, i) for i, item in enumerate(sequences)]
    if maxlen is None:
        maxlen = max(map(len, items), default=0)
    if isinstance(value, str) and np.dtype(dtype).kind not in "OUS":
        raise ArgumentError(
            "pad_sequences cannot pad numbers with a string.",
            expected=f"a value of dtype {dtype}",
            received=repr(value),
            fix="pass dtype=object",
        )
    inner = next((np.shape(item)[1:] for item in items if len(item)), ())
    result = np.full((len(items), maxlen, *inner), value, dtype=dtype)
    for i, item in enumerate(items):
        if not len(item) or not maxlen:
            continue
        kept = item[-maxlen:] if truncating == "pre" else item[:maxlen]
        elements = np.asarray(kept, dtype=dtype)
        if elements.shape[1:] != inner:
            raise ShapeError(
                f"The elements of sequence {i} differ in shape from those before.",
                expected=inner,
                received=elements.shape[1:],
            )
        if padding == "pre":
            result[i, maxlen - len(elements) :] = elements
        else:
            result[i, : len(elements)] = elements
    return result


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """Split arrays in two along their first axis.

    Unlike Keras, which returns `tf.data` datasets, this returns the structure that it was given:
    arrays for arrays, a tuple for a tuple, a dict for a dict.

    Example:
        >>> (x, y), (x_val, y_val) = split_dataset((np.zeros((10, 3)), np.zeros(10)), left_size=0.8)
        >>> len(x), len(y_val)
        (8, 2)

    Args:
        dataset: An array, or arrays of the same length in tuples, lists and dicts.
        left_size: Size of the left part: a number of rows (int) or a share (float, 0 to 1).
        right_size: Size of the right part, which is taken from the end; None for the remaining
            rows.
        shuffle: Whether to shuffle the rows first. Otherwise the parts are views, in order.
        seed: Seed of the shuffling; None for NumPy's global random state.
        preferred_backend: Ignored; accepted for compatibility with Keras.

    Returns:
        `(left, right)`.

    Raises:
        ArgumentError: No size, a size out of range, or sizes that exceed the data.
        ArgumentTypeError: `dataset` holds something that is not an array.
        ShapeError: The arrays have different lengths.
    """
    arrays = jax.tree.map(_rows, dataset, is_leaf=_is_plain_list)
    lengths = sorted({len(array) for array in jax.tree.leaves(arrays)})
    if len(lengths) != 1:
        raise ShapeError(
            "split_dataset needs arrays of the same length.",
            expected="the same number of rows in each",
            received=f"lengths {lengths}",
        )
    total = lengths[0]
    left, right = _sizes(total, left_size, right_size)
    left_rows: Any = slice(0, left)
    right_rows: Any = slice(total - right, total)
    if shuffle:
        generator = np.random if seed is None else np.random.RandomState(seed)
        order = generator.permutation(total)
        left_rows, right_rows = order[left_rows], order[right_rows]
    return (
        jax.tree.map(lambda array: array[left_rows], arrays),
        jax.tree.map(lambda array: array[right_rows], arrays),
    )


def _as_whole_numbers(x: Any) -> np.ndarray:
    """Labels as int64."""
    given = np.asarray(x)
    kind = given.dtype.kind
    received = ""
    if kind not in "biuf":
        received = f"dtype {given.dtype}"
    elif kind == "f" and not np.array_equal(given, np.trunc(given)):
        received = f"for example {given[given % 1 != 0].flat[0]}"
    if received:
        raise ArgumentError(
            "to_categorical needs whole numbers as labels.",
            expected="class numbers 0, 1, 2, ...",
            received=received,
            fix=(
                "number the classes first: classes, labels = np.unique(labels, return_inverse=True)"
            ),
        )
    return given.astype(np.int64)


def _as_sequence(item: Any, position: int) -> Any:
    if not isinstance(item, Iterable):
        raise ArgumentError(
            "`sequences` must be a list of iterables.",
            expected="sequences of numbers",
            received=f"{item!r} at position {position}",
            fix="wrap a single sequence in a list",
        )
    return item if hasattr(item, "__getitem__") else list(item)


def _is_plain_list(node: Any) -> bool:
    """Whether a node is a list of numbers, which is one array and not a structure of arrays."""
    return isinstance(node, list) and bool(node) and all(np.ndim(item) == 0 for item in node)


def _rows(leaf: Any) -> Any:
    array = leaf if isinstance(leaf, (np.ndarray, jax.Array)) else np.asarray(leaf)
    if array.ndim == 0:
        raise ArgumentTypeError(
            "split_dataset needs arrays.",
            expected="arrays, or tuples, lists and dicts of arrays",
            received=type(leaf).__name__,
            fix=(
                "for an image data set pass dataset.x and dataset.y; for a PyDataset concatenate"
                " its batches first"
            ),
        )
    return array


def _sizes(total: int, left: float | None, right: float | None) -> tuple[int, int]:
    """Number of rows in the left and right part."""
    if left is None and right is None:
        raise ArgumentError(
            "split_dataset needs a size.", expected="left_size or right_size", received="neither"
        )
    first = None if left is None else _count(total, left, "left_size")
    second = None if right is None else _count(total, right, "right_size")
    if first is None:
        first = total - (second or 0)
    if second is None:
        second = total - first
    if first + second > total or min(first, second) < 1:
        raise ArgumentError(
            "split_dataset: the sizes do not fit the data.",
            expected=f"two parts of at least one row, together at most {total}",
            received=f"left_size={left}, right_size={right}: {first} and {second} rows",
            fix="choose smaller sizes, or pass only one of them",
        )
    return first, second


def _count(total: int, size: Any, name: str) -> int:
    if isinstance(size, numbers.Integral) and not isinstance(size, bool):
        return int(size)
    if not isinstance(size, (float, np.floating)) or not 0 < size < 1:
        raise ArgumentError(
            f"split_dataset: {name} is not a size.",
            expected="an int, or a share between 0 and 1",
            received=repr(size),
        )
    return round(float(size) * total)
