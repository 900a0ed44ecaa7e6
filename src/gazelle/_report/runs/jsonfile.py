"""Dataclasses in JSON files: written atomically and without NaN, every type checked on reading."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from gazelle._core.errors import short
from gazelle._files.reading import read_bytes
from gazelle._files.writing import atomic_path
from gazelle._formats.strict_json import json_values
from gazelle._report.runs.damage import reporting_damage

MOST_BYTES = 16 << 20

T = TypeVar("T")


def write_json(path: Path, value: Any) -> Path:
    """Write a dataclass; numbers that are not finite become null.

    Args:
        path: The file to create or replace.
        value: A dataclass of JSON values and dataclasses.

    Returns:
        `path`.
    """
    content = _finite(dataclasses.asdict(value))
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    return write_text(path, text + "\n")


def write_text(path: Path, text: str) -> Path:
    """Write a text as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", errors="replace"))
    return path


def read_json(path: Path) -> Any:
    """Read a JSON file of at most 16 MB and a million values.

    Raises:
        DataError: The file is missing, cannot be read, or is not JSON.
    """
    with reporting_damage(path, "a JSON file"):
        return json_values(read_bytes(path, MOST_BYTES), only_finite=True)


def build(kind: type[T], value: Any, path: Path) -> T:
    """Build a dataclass from the content of a JSON file.

    Args:
        kind: The dataclass.
        value: The content.
        path: The file, for messages.

    Raises:
        DataError: A field is missing, unknown or has the wrong type.
    """
    with reporting_damage(path, f"the fields of {kind.__name__}"):
        return _build(kind, value, kind.__name__)


def _finite(value: Any) -> Any:
    """Convert numbers that are not finite to None, and NumPy and JAX numbers to plain ones."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _build(kind: Any, value: Any, where: str) -> Any:
    """Check that a value has a type, and convert it.

    Args:
        kind: A dataclass, list, dict, union or plain type, as in the annotations of a dataclass.
        value: A JSON value.
        where: Where the value is, for messages.

    Raises:
        TypeError: The value has another type.
    """
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        _check_type(value, list, "a list", where)
        return [_build(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(value)]
    if origin is dict:
        _check_type(value, dict, "an object", where)
        return {
            _build(str, key, where): _build(arguments[1], item, f"{where}.{key}")
            for key, item in value.items()
        }
    if origin is types.UnionType:
        return _build_union(arguments, value, where, str(kind))
    if kind is float and type(value) is int:
        return float(value)
    _check_type(value, kind, kind.__name__, where)
    if isinstance(value, str):
        value.encode("utf-8")  # refuses lone surrogates, which could not be written
    return value


def _build_union(kinds: tuple[Any, ...], value: Any, where: str, name: str) -> Any:
    """Check that a value has one of several types, of which at most one is a dataclass."""
    for kind in kinds:
        if dataclasses.is_dataclass(kind) and value is not None:
            return _build_dataclass(kind, value, where)
    if type(value) in kinds:
        return _build(type(value), value, where)
    if type(value) is int and float in kinds:
        return float(value)
    raise TypeError(f"{where} is a {type(value).__name__}, not {name}")


def _check_type(value: Any, kind: type, name: str, where: str) -> None:
    if type(value) is not kind:
        raise TypeError(f"{where} is a {type(value).__name__}, not {name}")


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:
    _check_type(value, dict, "an object", where)
    hints = _hints(kind)
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
