"""Arrays before training: one-hot labels, unit rows, padded sequences, a split in two."""

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
    """A class number outside the classes."""


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """One row of zeros with a single one (at the class number) for every label.

    Example:
        >>> to_categorical([0, 2], 3).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]

    Args:
        x: Whole numbers from 0 to `num_classes` - 1, `(n,)`, `(n, 1)` or any other shape.
        num_classes: Number of classes; the largest label plus 1 when None.

    Returns:
        float64, `(n, num_classes)` for `(n,)` and `(n, 1)`, `(..., num_classes)` for other shapes.

    Raises:
        ClassIndexError: A label that is negative or not below `num_classes` (an `ArgumentError` and
            an `IndexError`).
        ArgumentError: Labels that are no whole numbers.
    """
    given = np.asarray(x)
    if given.dtype.kind not in "biuf" or (
        given.dtype.kind == "f" and not np.array_equal(given, np.trunc(given))
    ):
        raise ArgumentError(
            "to_categorical needs whole numbers as labels.",
            expected="class numbers 0, 1, 2, ...",
            received=(
                f"dtype {given.dtype}"
                if given.dtype.kind not in "f"
                else f"for one {given[given % 1 != 0].flat[0]}"
            ),
            fix=(
                "number the classes first: classes, labels = np.unique(labels, return_inverse=True)"
            ),
        )
    labels = given.astype(np.int64)
    shape = labels.shape[:-1] if labels.ndim > 1 and labels.shape[-1] == 1 else labels.shape
    flat = labels.ravel()
    if num_classes is None:
        num_classes = int(flat.max()) + 1 if flat.size else 0
    else:
        num_classes = positive_int("num_classes", num_classes, "to_categorical")
    outside = np.flatnonzero((flat < 0) | (flat >= num_classes))
    if outside.size:
        raise ClassIndexError(
            "to_categorical got a label outside the classes.",
            expected=f"labels from 0 to {num_classes - 1}",
            received=f"{flat[outside[0]]} at position {outside[0]} ({outside.size} such labels)",
            fix="labels that begin with 1: subtract 1; else raise num_classes",
        )
    rows = np.zeros((flat.size, num_classes))
    rows[np.arange(flat.size), flat] = 1.0
    return rows.reshape(*shape, num_classes)


def normalize(x: Any, axis: int = -1, order: float = 2) -> Any:
    """`x` divided by its norm along `axis`; rows of zeros stay zeros.

    Args:
        x: An array; of one axis it counts as one row, `(1, n)`.
        axis: The axis that a norm is taken over.
        order: Which norm: 2, 1, `np.inf` or another number above 0.

    Returns:
        An array like `x` (a JAX array for a JAX array); float for integers.

    Raises:
        ArgumentError: `order` is no number above 0.
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
    """Sequences of different lengths as one array, the short ones filled up, the long ones cut.

    Args:
        sequences: A list of sequences; their elements are numbers or arrays of one shape.
        maxlen: Length of the result; that of the longest sequence when None.
        dtype: Type of the result; `object` for strings.
        padding: Where to fill up, `"pre"` or `"post"`.
        truncating: Where to cut, `"pre"` or `"post"`.
        value: What to fill up with.

    Returns:
        `(sequences, maxlen, ...)`.

    Raises:
        ArgumentError: An argument has an unknown value, or an element is no sequence.
        ShapeError: Elements have different shapes.
    """
    one_of("padding", padding, ("pre", "post"), "pad_sequences")
    one_of("truncating", truncating, ("pre", "post"), "pad_sequences")
    items = [_as_sequence(item, i) for i, item in enumerate(sequences)]
    if maxlen is None:
        maxlen = max(map(len, items), default=0)
    if isinstance(value, str) and np.dtype(dtype).kind not in "OUS":
        raise ArgumentError(
            "pad_sequences cannot fill up numbers with a string.",
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
                f"The elements of sequence {i} have another shape than those before.",
                expected=inner,
                received=elements.shape[1:],
            )
        place = slice(maxlen - len(elements), None) if padding == "pre" else slice(len(elements))
        result[i, place] = elements
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

    Unlike Keras, which returns `tf.data` data sets, this returns what it was given: arrays for
    arrays, a tuple for a tuple, a dict for a dict.

    Example:
        >>> (x, y), (x_val, y_val) = split_dataset((np.zeros((10, 3)), np.zeros(10)), left_size=0.8)
        >>> len(x), len(y_val)
        (8, 2)

    Args:
        dataset: An array, or arrays of one length in tuples, lists and dicts.
        left_size: Rows of the left part: a count (int) or a share (float, 0 to 1).
        right_size: The same of the right part, whose rows come from the end; the rest when None.
        shuffle: Whether rows are drawn at random; otherwise the parts are views, in order.
        seed: Makes the draw repeatable; None goes by NumPy's global state.
        preferred_backend: Taken for Keras's sake.

    Returns:
        `(left, right)`.

    Raises:
        ArgumentError: No size, a size out of range, or sizes that are more than the whole.
        ArgumentTypeError: `dataset` holds something that is no array.
        ShapeError: The arrays have different lengths.
    """
    arrays = jax.tree.map(_rows, dataset, is_leaf=_is_plain_list)
    lengths = sorted({len(array) for array in jax.tree.leaves(arrays)})
    if len(lengths) != 1:
        raise ShapeError(
            "split_dataset needs arrays of one length.",
            expected="as many rows in each",
            received=f"lengths {lengths}",
        )
    total = lengths[0]
    left, right = _sizes(total, left_size, right_size)
    if not shuffle:
        parts = slice(0, left), slice(total - right, total)
    else:
        order = (np.random if seed is None else np.random.RandomState(seed)).permutation(total)
        parts = order[:left], order[total - right :]
    return tuple(jax.tree.map(lambda array, part=part: array[part], arrays) for part in parts)  # pyright: ignore


def _as_sequence(item: Any, position: int) -> Any:
    if not isinstance(item, Iterable):
        raise ArgumentError(
            "`sequences` must be a list of iterables.",
            expected="sequences of numbers",
            received=f"{item!r} at position {position}",
            fix="wrap a single sequence into a list",
        )
    return item if hasattr(item, "__getitem__") else list(item)


def _is_plain_list(node: Any) -> bool:
    return isinstance(node, list) and bool(node) and all(np.ndim(item) == 0 for item in node)


def _rows(leaf: Any) -> Any:
    array = leaf if isinstance(leaf, (np.ndarray, jax.Array)) else np.asarray(leaf)
    if array.ndim == 0:
        raise ArgumentTypeError(
            "split_dataset needs arrays.",
            expected="arrays, or tuples, lists and dicts of arrays",
            received=type(leaf).__name__,
            fix=(
                "pass dataset.x and dataset.y of an image data set; gather the batches of a"
                " PyDataset first"
            ),
        )
    return array


def _sizes(total: int, left: float | None, right: float | None) -> tuple[int, int]:
    """Rows left and right."""
    if left is None and right is None:
        raise ArgumentError(
            "split_dataset needs a size.", expected="left_size or right_size", received="neither"
        )
    first = 0 if left is None else _count(total, left, "left_size")
    second = total - first if right is None else _count(total, right, "right_size")
    first = total - second if left is None else first
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
