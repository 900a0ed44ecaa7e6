"""`tf.strings`: text in arrays of bytes, on the host."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError
from gazelle._text.hashes import hashed
from gazelle.compat._tensorflow._dtypes import array_dtype, is_text
from gazelle.compat._tensorflow._host import HostTensor, as_texts, host_tensor, one_text
from gazelle.compat._tensorflow._table import answers
from gazelle.compat._tensorflow._values import convert_to_tensor


def _each(function: Callable[[bytes], Any], input: Any, kind: Any = object) -> HostTensor:
    """A function of each text."""
    texts = as_texts(input)
    found = np.empty(texts.shape, kind)
    found.reshape(-1)[:] = [function(one) for one in texts.reshape(-1)]
    return found.view(HostTensor)


def _pattern(pattern: Any) -> re.Pattern[bytes]:
    text = one_text(pattern)
    return re.compile(text.replace(rb"\pP", rb"[^\w\s]").replace(rb"[[:punct:]]", rb"[^\w\s]"))


@answers("strings.lower")
def _lower(input: Any, encoding: str = "") -> HostTensor:
    return _each(lambda text: text.decode().lower().encode() if encoding else text.lower(), input)


@answers("strings.upper")
def _upper(input: Any, encoding: str = "") -> HostTensor:
    return _each(lambda text: text.decode().upper().encode() if encoding else text.upper(), input)


@answers("strings.strip", "string_strip")
def _strip(input: Any) -> HostTensor:
    return _each(bytes.strip, input)


@answers("strings.length")
def _length(input: Any, unit: str = "BYTE") -> HostTensor:
    count = (lambda text: len(text.decode())) if unit == "UTF8_CHAR" else len
    return _each(count, input, np.int32)


@answers("strings.regex_replace")
def _regex_replace(
    input: Any, pattern: Any, rewrite: Any, replace_global: bool = True
) -> HostTensor:
    found, text = _pattern(pattern), one_text(rewrite)
    return _each(lambda one: found.sub(text, one, count=0 if replace_global else 1), input)


@answers("strings.regex_full_match")
def _regex_full_match(input: Any, pattern: Any) -> HostTensor:
    found = _pattern(pattern)
    return _each(lambda text: found.fullmatch(text) is not None, input, bool)


@answers("strings.substr", "substr")
def _substr(input: Any, pos: int, len: int, unit: str = "BYTE") -> HostTensor:
    def cut(text: bytes) -> bytes:
        if unit == "BYTE":
            return text[int(pos) :][: int(len)]
        return text.decode()[int(pos) :][: int(len)].encode()

    return _each(cut, input)


@answers("strings.join", "string_join")
def _join(inputs: Sequence[Any], separator: str = "") -> HostTensor:
    parts = np.broadcast_arrays(*map(as_texts, inputs))
    joined = np.empty(parts[0].shape, object)
    rows = zip(*(part.reshape(-1) for part in parts), strict=True)
    joined.reshape(-1)[:] = [separator.encode().join(row) for row in rows]
    return joined.view(HostTensor)


@answers("strings.reduce_join", "reduce_join")
def _reduce_join(inputs: Any, axis: Any = None, keepdims: bool = False, separator: str = "") -> Any:
    texts = as_texts(inputs)
    if axis is None:
        return host_tensor(separator.encode().join(texts.reshape(-1)))
    joined = np.apply_along_axis(lambda row: separator.encode().join(row), axis, texts)
    joined = joined.astype(object)
    return (np.expand_dims(joined, axis) if keepdims else joined).view(HostTensor)


@answers("strings.as_string", "as_string")
def _as_string(input: Any, precision: int = -1) -> HostTensor:
    def written(number: Any) -> bytes:
        if isinstance(number, float | np.floating):
            return f"{number:.{6 if precision < 0 else precision}f}".encode()
        return str(number).lower().encode() if isinstance(number, np.bool_) else b"%d" % number

    numbers = np.asarray(input)
    found = np.empty(numbers.shape, object)
    found.reshape(-1)[:] = [written(number) for number in numbers.reshape(-1)]
    return found.view(HostTensor)


@answers("strings.to_number", "string_to_number")
def _to_number(input: Any, out_type: Any = "float32") -> Any:
    kind = float if np.issubdtype(array_dtype(out_type), np.floating) else int
    return convert_to_tensor(np.asarray(_each(kind, input, kind)), out_type)


@answers("strings.to_hash_bucket_fast", "strings.to_hash_bucket")
def _to_hash_bucket(input: Any, num_buckets: int) -> Any:
    texts = as_texts(input)
    words = np.array([text.decode() for text in texts.reshape(-1)], object)
    return convert_to_tensor(hashed(words, num_buckets).reshape(texts.shape))


@answers("strings.split", "string_split")
def _split(input: Any, sep: Any = None, maxsplit: int = -1) -> Any:
    texts = as_texts(input)
    separator = one_text(sep) if sep else None
    if texts.ndim == 0:
        return _as_row(one_text(input).split(separator, maxsplit))
    rows = [text.split(separator, maxsplit) for text in texts.reshape(-1)]
    if len({len(row) for row in rows}) > 1:
        raise ArgumentError(
            "tf.strings.split: the texts have different numbers of words, and there are no ragged"
            " tensors.",
            expected="one text, or texts of equally many words",
            fix="use keras.layers.TextVectorization, or split one text at a time",
        )
    return np.stack([_as_row(row) for row in rows]).view(HostTensor)


def _as_row(words: Sequence[bytes]) -> HostTensor:
    row = np.empty(len(words), object)
    row[:] = words
    return row.view(HostTensor)


@answers("strings.unicode_split")
def _unicode_split(input: Any, input_encoding: str = "UTF-8") -> HostTensor:
    return _as_row([letter.encode() for letter in one_text(input).decode()])


# ---- Decoding ----


@answers("io.decode_raw", "decode_raw")
def _decode_raw(input_bytes: Any, out_type: Any, little_endian: bool = True) -> Any:
    texts = as_texts(input_bytes)
    kind = np.dtype(str(out_type)).newbyteorder("<" if little_endian else ">")
    rows = [np.frombuffer(text, kind) for text in texts.reshape(-1)]
    return convert_to_tensor(np.stack(rows).reshape(*texts.shape, -1))


@answers("io.decode_csv", "decode_csv")
def _decode_csv(
    records: Any,
    record_defaults: Sequence[Any],
    field_delim: str = ",",
    use_quote_delim: bool = True,
    na_value: str = "",
    select_cols: Sequence[int] | None = None,
) -> list[Any]:
    import csv

    texts = as_texts(records)
    lines = [text.decode() for text in texts.reshape(-1)]
    rows = list(csv.reader(lines, delimiter=field_delim))
    places = range(len(record_defaults)) if select_cols is None else select_cols
    columns = []
    for place, default in zip(places, record_defaults, strict=True):
        values = [row[place] for row in rows]
        columns.append(_column(values, default, na_value, texts.shape))
    return columns


def _column(values: Sequence[str], default: Any, missing: str, shape: tuple[int, ...]) -> Any:
    """A column of a table as a tensor; `default` tells its type and what is in empty fields."""
    is_type = isinstance(default, str) and hasattr(default, "as_numpy_dtype")
    if is_text(default) if is_type else _is_text_default(default):
        given = b"" if is_type else as_texts(default).reshape(-1)[0]
        return (
            as_texts([v.encode() if v else given for v in values]).reshape(shape).view(HostTensor)
        )
    kind = array_dtype(default if is_type else np.asarray(default).dtype)
    filler = None if is_type else np.asarray(default).reshape(-1)[:1]
    convert = float if np.issubdtype(kind, np.floating) else int

    def number(value: str) -> Any:
        if value not in ("", missing):
            return convert(value)
        if filler is None or not len(filler):
            raise ArgumentError("decode_csv: a required field is empty.", received=repr(value))
        return filler[0]

    return convert_to_tensor(np.asarray([number(v) for v in values], kind).reshape(shape))


def _is_text_default(default: Any) -> bool:
    return np.asarray(default).dtype.kind in "SUO"
