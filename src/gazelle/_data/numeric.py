"""Conversion of user data (arrays, tables, tensors, lists) to numeric arrays.

Data that cannot be trained on is refused, with the place of the first bad value. Rows and columns
in messages count from 0. Large arrays are checked in pieces, so that no copy of them is made.
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.dtypes import floatx, is_float
from gazelle._core.errors import ArgumentTypeError, DataError

_PIECE = 1 << 18  # elements that are checked at a time
_FEW = 1 << 12  # elements in an array that counts as small


def as_numeric(name: str, value: Any) -> np.ndarray | jax.Array:
    """Convert `value` to an array of real numbers that the device's types can hold.

    Only the values must fit: int64 data stays int64 if 32 bits can hold it, and float64 data stays
    float64 if the default float type can. Object arrays of numbers become int64 or float64. NaN and
    infinity are accepted here; see `check_finite`.

    Args:
        name: Name of `value` in messages: `x`, `y`, `validation x`.
        value: A NumPy or JAX array, a table (anything with `to_numpy()`), an object with
            `__array__` (a tensor on the CPU), or a nested list of numbers.

    Returns:
        The array; the same object if it needs no conversion.

    Raises:
        ArgumentTypeError: `value` is not data, or it is a sparse matrix.
        DataError: It is empty, or holds text, dates, missing values or numbers that are too large.
    """
    array = value if isinstance(value, jax.Array) else _as_array(name, value)
    if array.size == 0:
        raise DataError(
            f"{name} is empty.",
            expected="at least one row",
            received=f"shape {tuple(array.shape)}",
            fix="check how the data is loaded and split",
        )
    columns = column_names(value)
    if isinstance(array, np.ndarray):
        if array.dtype.kind == "O":
            array = _from_objects(name, array, columns)
        if not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        if array.dtype.kind == "f" and array.dtype.itemsize > 8:
            array = array.astype(np.float64)
    if not _is_real(array.dtype):
        _refuse_kind(name, array, columns)
    check_range(name, array, columns)
    return array


def column_names(value: Any) -> list[str] | None:
    """The names of a table's columns; None if `value` is not a table."""
    columns = getattr(value, "columns", None)
    if columns is None or callable(columns):
        return None
    return [str(column) for column in columns]


def check_finite(
    name: str, array: np.ndarray | jax.Array, column_names: Sequence[str] | None = None
) -> None:
    """Refuse NaN and infinity.

    Args:
        name: Name of the array in messages.
        array: Numbers; integers are always finite.
        column_names: Names of the columns of a 2-D array, or None.

    Raises:
        DataError: A value is NaN or infinite. The message tells how many there are, where the first
            one is and in which columns they are.
    """
    if not is_float(array.dtype):
        return
    # For a small array, such as a batch, searching for a zero byte is much faster than `all`.
    if array.size <= _FEW and b"\0" not in np.isfinite(np.asarray(array)).tobytes():
        return
    count = nans = 0
    first = ""
    hit = np.zeros(array.shape[1] if array.ndim == 2 else 0, bool)
    for start, piece in pieces(array):
        with np.errstate(all="ignore"):
            if np.isfinite(piece.sum()):  # a finite sum means finite terms
                continue
        bad = ~np.isfinite(piece)
        if not bad.any():  # the terms are finite, only their sum is too large
            continue
        if not count:
            index = np.unravel_index(int(bad.argmax()), bad.shape)
            first = f"{piece[index]} at {place((int(index[0]) + start, *index[1:]), column_names)}"
        count += int(bad.sum())
        nans += int(np.isnan(piece).sum())
        if array.ndim == 2:
            hit |= bad.any(axis=0)
    if not count:
        return
    columns = [
        repr(column_names[i]) if column_names else str(i) for i in np.flatnonzero(hit).tolist()
    ]
    where = ""
    if len(columns) > 1:
        where = f", in columns {', '.join(columns[:5])}"
        where += " ..." if len(columns) > 5 else ""
    values = "1 value that is" if count == 1 else f"{count:,} values that are"
    raise DataError(
        f"{name} holds {values} not finite ({nans:,} NaN, {count - nans:,} infinite).",
        expected="finite numbers",
        received=f"first {first}{where}",
        fix=(
            "drop the rows without a target: keep = np.isfinite(y); x[keep], y[keep]"
            if is_target(name)
            else "replace these values (np.nan_to_num, or the column's mean) or drop the rows"
        ),
    )


def check_range(
    name: str, array: np.ndarray | jax.Array, columns: Sequence[str] | None = None
) -> None:
    """Refuse numbers that the device's types cannot hold.

    These are integers of more than 32 bits, and floats above the largest value of the default float
    type.

    Args:
        name: Name of the array in messages.
        array: Real numbers.
        columns: Names of the columns of a 2-D array, or None.

    Raises:
        DataError: The array holds such a number; the message shows the first one and its place.
    """
    if is_float(array.dtype):
        target = jnp.dtype(floatx())
        low, high = -float(jnp.finfo(target).max), float(jnp.finfo(target).max)
        if float(jnp.finfo(array.dtype).max) <= high:
            return
        fix = "scale the column, or take its logarithm"
    else:
        target = np.dtype(jax.dtypes.canonicalize_dtype(array.dtype))
        if target.itemsize == array.dtype.itemsize or target == np.bool_:
            return
        low, high = int(np.iinfo(target).min), int(np.iinfo(target).max)
        fix = (
            "for a quantity use .astype('float32'); for ids use np.unique(...,"
            " return_inverse=True), which numbers them"
        )
    for start, piece in pieces(array):
        with np.errstate(all="ignore"):
            if piece.min() >= low and piece.max() <= high:
                continue
            bad = (piece < low) | (piece > high)
            bad &= np.isfinite(piece)
        if bad.any():
            index = np.unravel_index(int(bad.argmax()), bad.shape)
            raise DataError(
                f"{name} holds a number that {target} cannot hold.",
                expected=(
                    f"numbers up to {high:.3g}"
                    if is_float(target)
                    else f"numbers from {low:,} to {high:,}"
                ),
                received=f"{piece[index]} at {place((index[0] + start, *index[1:]), columns)}",
                fix=fix,
            )


def pieces(array: np.ndarray | jax.Array) -> Iterator[tuple[int, np.ndarray]]:
    """Yield an array in pieces along its first axis, as NumPy arrays.

    Yields:
        (number of the first row, rows of the piece).
    """
    if isinstance(array, jax.Array):
        if not array.is_fully_addressable:
            return  # a part of it is on other machines
        if all(device.platform == "cpu" for device in array.devices()):
            array = np.asarray(array)  # shares the memory
    if array.ndim == 0:
        yield 0, np.asarray(array)[None]
        return
    rows = max(1, _PIECE // max(1, array[:1].size if len(array) else 1))
    for start in range(0, len(array), rows):
        yield start, np.asarray(array[start : start + rows])


def place(index: Sequence[Any], columns: Sequence[str] | None = None) -> str:
    """Where an element is, in words: `row 4, column 'age'`."""
    row, *rest = (int(i) for i in index)
    if not rest:
        return f"row {row}"
    if len(rest) > 1:
        return f"row {row}, position {tuple(rest)}"
    column = repr(columns[rest[0]]) if columns else rest[0]
    return f"row {row}, column {column}"


def is_target(name: str) -> bool:
    """Whether a name in messages means targets."""
    return re.search(r"\by\b", name) is not None


def _as_array(name: str, value: Any) -> np.ndarray:
    if hasattr(value, "todense") or hasattr(value, "toarray"):
        raise ArgumentTypeError(
            f"{name} is a sparse matrix.",
            expected="a dense array",
            received=(
                f"{type(value).__module__}.{type(value).__name__} of shape {tuple(value.shape)}"
            ),
            fix=f"pass {name}.{'toarray' if hasattr(value, 'toarray') else 'todense'}()",
        )
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            raise _missing(name, "masked", np.argwhere(np.ma.getmaskarray(value))[0].tolist(), None)
        return np.asarray(value)
    try:
        if hasattr(value, "to_numpy"):
            return np.asarray(value.to_numpy())
        if hasattr(value, "__array__") or isinstance(value, list | tuple | numbers.Real):
            return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        expected = "data in main memory that NumPy can read"
        fix = "for a tensor use .detach().cpu().numpy()"
        if isinstance(value, list | tuple):
            expected = "rows of equal length"
            fix = "make all rows the same length"
        raise DataError(
            f"{name} cannot be converted to an array.",
            expected=expected,
            received=f"{type(value).__name__}: {' '.join(str(error).split())[:120]}",
            fix=fix,
        ) from None
    raise ArgumentTypeError(
        f"Unrecognized data type: {name}={str(value)[:60]!r} (of type {type(value).__name__}).",
        expected="an array, a table or a list of numbers",
        fix="pass a NumPy array",
    )


def _is_real(dtype: np.dtype) -> bool:
    real = (jnp.floating, jnp.integer, jnp.bool_)
    return any(jnp.issubdtype(dtype, kind) for kind in real) and dtype != jax.dtypes.float0


def _from_objects(name: str, array: np.ndarray, columns: Sequence[str] | None) -> np.ndarray:
    """Convert objects that are all numbers to int64 or float64; refuse others."""
    number = (numbers.Real, np.bool_, Decimal)
    kinds = set(map(type, array.flat))
    if all(issubclass(kind, number) for kind in kinds):
        if all(issubclass(kind, (numbers.Integral, np.bool_)) for kind in kinds):
            try:
                return array.astype(np.int64)
            except OverflowError:
                pass
        return array.astype(np.float64)
    at = next(i for i, item in enumerate(array.flat) if not isinstance(item, number))
    index = np.unravel_index(at, array.shape)
    item = array[index]
    if item is None or type(item).__name__ in ("NAType", "NaTType"):
        raise _missing(name, repr(item), index, columns)
    if isinstance(item, str | bytes):
        raise _text(name, array, columns)
    if hasattr(item, "year") or hasattr(item, "days"):
        raise _dates(name, item, index, columns)
    nested = hasattr(item, "__len__")
    raise DataError(
        f"{name} holds something that is not a number.",
        expected="rows of equal length" if nested else "numbers",
        received=f"{str(item)[:40]!r} of type {type(item).__name__} at {place(index, columns)}",
        fix="stack the arrays: np.stack(list(...))" if nested else "convert it to a number first",
    )


def _refuse_kind(name: str, array: np.ndarray | jax.Array, columns: Sequence[str] | None) -> None:
    """Raise the error for an array whose dtype is not one of real numbers."""
    index = (0,) * array.ndim
    kind = array.dtype.kind
    if kind in "UST":
        raise _text(name, np.asarray(array), columns)
    if kind in "Mm":
        raise _dates(name, array[index], index, columns)
    if kind == "c":
        raise DataError(
            f"{name} holds complex numbers.",
            expected="real numbers",
            received=f"{array[index]} at {place(index, columns)}",
            fix="use the real and imaginary parts as columns: np.stack([z.real, z.imag], axis=-1)",
        )
    raise DataError(
        f"{name} holds records or another type that is not numeric.",
        expected="numbers",
        received=f"dtype {array.dtype}",
        fix="convert it with numpy.lib.recfunctions.structured_to_unstructured",
    )


def _text(name: str, array: np.ndarray, columns: Sequence[str] | None) -> DataError:
    """The error for an array that holds text.

    It shows the first text that is not a number, if there is one.
    """
    texts = [(at, item) for at, item in enumerate(array.flat) if isinstance(item, str | bytes)]
    words = [(at, item) for at, item in texts if not _is_number(item)]
    at, item = words[0] if words else texts[0]
    if not words:
        fix = "these are numbers stored as text: convert them with .astype('float32')"
    elif any(_is_number(other) for other in _column_of(array, at)):
        fix = (
            "find out what this text means. If it marks a missing value, convert it to NaN with"
            " pandas.to_numeric(column, errors='coerce') and fill or drop it; if it is a category,"
            " encode it with pandas.factorize"
        )
    elif is_target(name):
        fix = "encode text as numbers: classes, y = np.unique(y, return_inverse=True)"
    else:
        fix = (
            "encode text as numbers: gazelle.layers.StringLookup or TextVectorization as the first"
            " layer, or pandas.get_dummies"
        )
    where = place(np.unravel_index(at, array.shape), columns)
    return DataError(
        f"{name} holds text.",
        expected="numbers",
        received=f"{str(item)[:40]!r} at {where}",
        fix=fix,
    )


def _column_of(array: np.ndarray, at: int) -> np.ndarray:
    """The column of element number `at` in a 2-D array; all elements of another array."""
    return array[:, at % array.shape[1]] if array.ndim == 2 else array.ravel()


def _is_number(item: Any) -> bool:
    """Whether an item is a number or anything else but text, or text that reads as a number."""
    if not isinstance(item, str | bytes):
        return True
    try:
        float(item)
    except ValueError:
        return False
    return True


def _dates(name: str, item: Any, index: Sequence[Any], columns: Sequence[str] | None) -> DataError:
    return DataError(
        f"{name} holds dates or times.",
        expected="numbers",
        received=f"{item} at {place(index, columns)}",
        fix=(
            "convert them to numbers, for example days since the first date: (t - t.min()) /"
            " np.timedelta64(1, 'D')"
        ),
    )


def _missing(
    name: str, item: str, index: Sequence[Any], columns: Sequence[str] | None
) -> DataError:
    return DataError(
        f"{name} has missing values.",
        expected="a number everywhere",
        received=f"{item} at {place(index, columns)}",
        fix="drop these rows (dropna) or fill the gaps (fillna, filled)",
    )
