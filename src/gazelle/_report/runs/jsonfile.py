"""Dataclasses to JSON files and back: no NaN tokens, atomic writes, every type checked on reading."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from gazelle._core.errors import short
from gazelle._files.reading import read_bytes
from gazelle._files.writing import atomic_path
from gazelle._report.runs.reading import reading

MOST_BYTES = 16 << 20
MOST_VALUES = 1_000_000

T = TypeVar("T")


def write_json(path: Path, value: Any) -> Path:
    """Write a dataclass; numbers that are not finite become null.

    Args:
        path: The file to make or replace.
        value: A dataclass of JSON-ready values and dataclasses.

    Returns:
        `path`.
    """
    text = json.dumps(
        _finite(dataclasses.asdict(value)), indent=1, ensure_ascii=False, allow_nan=False
    )
    return write_text(path, text + "\n")


def write_text(path: Path, text: str) -> Path:
    """Write a text as UTF-8; after a crash `path` holds the old text or the new one."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", errors="replace"))
    return path


def read_json(path: Path) -> Any:
    """The content of a JSON file of at most 16 MB and a million values.

    Raises:
        DataError: The file is missing, cannot be read, or is not JSON.
    """
    with reading(path, "a JSON file"):
        return parse_json(read_bytes(path, MOST_BYTES).decode("utf-8"))


def parse_json(text: str) -> Any:
    """The content of a JSON text, whose numbers are finite and of at most 20 digits.

    Raises:
        ValueError: The text is not JSON, or holds more than a million values.
        RecursionError: Its parts are nested too deep.
    """
    if sum(text.count(mark) for mark in ",[{") > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES:,} values")
    return json.loads(
        text, parse_constant=_refuse_constant, parse_int=_whole, parse_float=_fraction
    )


def build(kind: type[T], value: Any, path: Path) -> T:
    """A dataclass of type `kind` from the content of a JSON file.

    Raises:
        DataError: A field is missing, unknown or has the wrong type.
    """
    with reading(path, f"the fields of {kind.__name__}"):
        return _build(kind, value, kind.__name__)


def _whole(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _fraction(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number that is too large")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"the token {name}")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str):  # a NumPy or JAX number
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _build(kind: Any, value: Any, where: str) -> Any:
    """`value` as `kind`: a dataclass, list, dict, union or plain type."""
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        if not isinstance(value, list):
            raise TypeError(f"{where} is a {type(value).__name__}, not a list")
        return [_build(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise TypeError(f"{where} is a {type(value).__name__}, not an object")
        return {
            _build(str, key, where): _build(arguments[1], item, f"{where}.{key}")
            for key, item in value.items()
        }
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if origin is types.UnionType:
        if (
            value is not None
            and (part := next(filter(dataclasses.is_dataclass, arguments), None)) is not None
        ):
            return _build(part, value, where)
        if (
            float in arguments
            and int not in arguments
            and isinstance(value, int)
            and not isinstance(value, bool)
        ):
            return float(value)
        if type(value) in arguments:
            return _build(type(value), value, where) if type(value) is str else value
    elif type(value) is kind:
        if isinstance(value, str):
            value.encode("utf-8")  # half a letter (a lone surrogate) could be written nowhere
        return value
    name = kind.__name__ if isinstance(kind, type) else str(kind)
    raise TypeError(f"{where} is a {type(value).__name__}, not {name}")


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise TypeError(f"{where} is a {type(value).__name__}, not an object")
    hints = typing.get_type_hints(kind)
    required = {
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    if unknown := sorted(set(value) - set(hints)):
        raise ValueError(f"{where} has unknown fields: {short(', '.join(unknown), 60)}")
    if absent := sorted(required - set(value)):
        raise ValueError(f"{where} lacks the fields: {', '.join(absent)}")
    return kind(**{key: _build(hints[key], item, f"{where}.{key}") for key, item in value.items()})
