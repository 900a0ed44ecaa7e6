"""Arrays from what users bring (arrays, tables, tensors, lists); what cannot be trained on is refused with its place.

Rows and columns in messages are counted from 0. Large arrays are looked at in pieces, so that no
copy of them is made.
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

_PIECE = 1 << 18  # elements looked at in one go
_FEW = 1 << 12


def as_numeric(name: str, value: Any) -> np.ndarray | jax.Array:
    """`value` as an array of real numbers that fit the types used on the device.

    64-bit integers stay as they are when 32 bits can hold them, float64 when the default float type
    can; objects that are all numbers become int64 or float64. NaN and infinity pass: see
    `check_finite`.

    Args:
        name: What `value` is called in messages: `x`, `y`, `validation x`.
        value: A NumPy or JAX array, a table (anything with `to_numpy()`), an object with
            `__array__` (a tensor on the CPU), or a nested list of numbers.

    Returns:
        The array; the same object where nothing had to be done.

    Raises:
        ArgumentTypeError: `value` is no data at all, or sparse.
        DataError: It is empty, or holds text, dates, missing values or numbers that are too large.
    """
    array = value if isinstance(value, jax.Array) else _as_array(name, value)
    if array.size == 0:
        raise DataError(
            f"{name} is empty.",
            expected="at least one row",
            received=f"shape {tuple(array.shape)}",
            fix="check how the data was loaded and split",
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
    """The names of a table's columns; None for what is no table."""
    columns = getattr(value, "columns", None)
    return None if columns is None or callable(columns) else [str(column) for column in columns]


def check_finite(
    name: str, array: np.ndarray | jax.Array, column_names: Sequence[str] | None = None
) -> None:
    """Refuse NaN and infinity.

    Args:
        name: What the array is called in messages.
        array: Numbers; integers pass at once.
        column_names: Names of the columns of a 2-D array, or None.

    Raises:
        DataError: A value is NaN or infinite; the message says how many, where the first one is and
            in which columns.
    """
    if not is_float(array.dtype):
        return
    # Looking for a zero byte is much faster than `all` where there are few numbers, as in a batch.
    if array.size <= _FEW and b"\0" not in np.isfinite(np.asarray(array)).tobytes():
        return
    count = nans = 0
    first = ""
    hit = np.zeros(array.shape[1] if array.ndim == 2 else 0, bool)
    for start, piece in pieces(array):
        with np.errstate(all="ignore"):
            if np.isfinite(piece.sum()):  # a sum is finite only if all its terms are
                continue
        bad = ~np.isfinite(piece)
        if not bad.any():  # finite terms, but their sum is too large
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
    where = [
        repr(column_names[i]) if column_names else str(i) for i in np.flatnonzero(hit).tolist()
    ]
    columns = (
        f", in columns {', '.join(where[:5])}{' ...' if len(where) > 5 else ''}"
        if len(where) > 1
        else ""
    )
    one = "1 value that is" if count == 1 else f"{count:,} values that are"
    raise DataError(
        f"{name} holds {one} not finite ({nans:,} NaN, {count - nans:,} infinite).",
        expected="finite numbers",
        received=f"first {first}{columns}",
        fix=(
            "leave out the rows without a target: keep = np.isfinite(y); x[keep], y[keep]"
            if is_target(name)
            else "fill the gaps (np.nan_to_num, or the column's mean) or leave out these rows"
        ),
    )


def check_range(
    name: str, array: np.ndarray | jax.Array, columns: Sequence[str] | None = None
) -> None:
    """Refuse numbers that turn into others on the device: integers past 32 bits, floats past the default float type.

    Args:
        name: What the array is called in messages.
        array: Real numbers.
        columns: Names of the columns of a 2-D array, or None.

    Raises:
        DataError: The first such number and its place.
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
            "for a quantity: .astype('float32'); for ids: number them with np.unique(...,"
            " return_inverse=True)"
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
                    f"numbers from {low:,} to {high:,}"
                    if not is_float(target)
                    else f"numbers up to {high:.3g}"
                ),
                received=f"{piece[index]} at {place((index[0] + start, *index[1:]), columns)}",
                fix=fix,
            )


def pieces(array: np.ndarray | jax.Array) -> Iterator[tuple[int, np.ndarray]]:
    """The array along its first axis in pieces on the host: (number of the first row, rows)."""
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        return  # lies on other machines too
    if isinstance(array, jax.Array) and all(device.platform == "cpu" for device in array.devices()):
        array = np.asarray(array)  # the same memory
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
    if len(rest) == 1:
        return (
            f"row {row}, column {columns[rest[0]]!r}" if columns else f"row {row}, column {rest[0]}"
        )
    return f"row {row}, position {tuple(rest)}"


def is_target(name: str) -> bool:
    """Whether a name in messages stands for targets."""
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
        ragged = isinstance(value, list | tuple)
        raise DataError(
            f"{name} cannot become an array.",
            expected=(
                "rows of one length" if ragged else "data in the main memory that NumPy can read"
            ),
            received=f"{type(value).__name__}: {' '.join(str(error).split())[:120]}",
            fix="make all rows equally long" if ragged else "for a tensor: .detach().cpu().numpy()",
        ) from None
    raise ArgumentTypeError(
        f"Unrecognized data type: {name}={str(value)[:60]!r} (of type {type(value).__name__}).",
        expected="an array, a table or a list of numbers",
        fix="pass a NumPy array",
    )


def _is_real(dtype: Any) -> bool:
    real = (jnp.floating, jnp.integer, jnp.bool_)
    return any(jnp.issubdtype(dtype, kind) for kind in real) and dtype != jax.dtypes.float0


def _from_objects(name: str, array: np.ndarray, columns: Sequence[str] | None) -> np.ndarray:
    """Objects that are all numbers as int64 or float64; else the first that is none is refused."""
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
        expected="numbers" if not nested else "rows of one length",
        received=f"{str(item)[:40]!r} of type {type(item).__name__} at {place(index, columns)}",
        fix="stack the arrays: np.stack(list(...))" if nested else "turn it into a number first",
    )


def _refuse_kind(name: str, array: Any, columns: Sequence[str] | None) -> None:
    """Raise the error for an array whose dtype is none of the real numbers'."""
    index = (0,) * array.ndim
    kind = array.dtype.kind
    if kind in "UST":
        raise _text(name, array, columns)
    if kind in "Mm":
        raise _dates(name, array[index], index, columns)
    if kind == "c":
        raise DataError(
            f"{name} holds complex numbers.",
            expected="real numbers",
            received=f"{array[index]} at {place(index, columns)}",
            fix="give real and imaginary part as two columns: np.stack([z.real, z.imag], axis=-1)",
        )
    raise DataError(
        f"{name} holds records or another type that is not numeric.",
        expected="numbers",
        received=f"dtype {array.dtype}",
        fix="make one plain array of it: numpy.lib.recfunctions.structured_to_unstructured",
    )


def _text(name: str, array: np.ndarray, columns: Sequence[str] | None) -> DataError:
    """The error for an array with text in it: it shows the first text that is no number, if there is one."""
    texts = [(at, item) for at, item in enumerate(array.flat) if isinstance(item, str | bytes)]
    numberless = next(((at, item) for at, item in texts if not _is_number(item)), None)
    at, item = numberless or texts[0]
    if numberless is None:
        fix = "these are numbers written as text: convert them with .astype('float32')"
    elif any(
        not isinstance(item, str | bytes) or _is_number(item) for item in _column_of(array, at)
    ):
        fix = (
            "find out what this text stands for. A missing value becomes NaN with"
            " pandas.to_numeric(column, "
        )
        fix += (
            "errors='coerce') and is then filled or left out; encode a category with"
            " pandas.factorize"
        )
    elif is_target(name):
        fix = "encode text as numbers: classes, y = np.unique(y, return_inverse=True)"
    else:
        fix = "encode text as numbers: pandas.get_dummies or pandas.factorize"
    where = place(np.unravel_index(at, array.shape), columns)
    return DataError(
        f"{name} holds text.",
        expected="numbers",
        received=f"{str(item)[:40]!r} at {where}",
        fix=fix,
    )


def _column_of(array: np.ndarray, at: int) -> np.ndarray:
    """The column in which element number `at` of an array is; the whole array unless it is a table."""
    return array[:, at % array.shape[1]] if array.ndim == 2 else array.ravel()


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _dates(name: str, item: Any, index: Sequence[Any], columns: Sequence[str] | None) -> DataError:
    return DataError(
        f"{name} holds dates or times.",
        expected="numbers",
        received=f"{item} at {place(index, columns)}",
        fix=(
            "turn them into numbers, for example days since a first day: (t - t.min()) /"
            " np.timedelta64(1, 'D')"
        ),
    )


def _missing(
    name: str, item: str, index: Sequence[Any], columns: Sequence[str] | None
) -> DataError:
    return DataError(
        f"{name} has missing values.",
        expected="a number in every place",
        received=f"{item} at {place(index, columns)}",
        fix="leave out these rows (dropna) or fill the gaps (fillna, filled)",
    )
