"""Plain data as JSON text and arrays: numbers, texts, lists, tuples, dicts, bytes and NumPy arrays.

What JSON cannot hold is an object with one key that begins with `$`:

- `{"$tuple": [...]}`, `{"$dict": [[key, value], ...]}` (for keys that JSON cannot hold),
- `{"$float": "nan"}` (also `inf` and `-inf`), `{"$bytes": "<hex>"}`,
- `{"$array": 3}` for array number 3, `{"$scalar": 3}` for a NumPy number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gazelle._core.errors import ModelFileError
from gazelle._formats.h5_checks import BFLOAT16
from gazelle._formats.strict_json import parse_json

_DEEPEST = 64
_MOST_VALUES = 2_000_000  # a long history has many
_KINDS = "biuf"  # of arrays: bool, int, unsigned int, float


def is_plain(value: Any, depth: int = 0) -> bool:
    """Whether `encode` can write a value."""
    if depth > _DEEPEST:
        return False
    if value is None or type(value) in (bool, int, float, str, bytes):
        return True
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in _KINDS or value.dtype == BFLOAT16
    if type(value) in (list, tuple):
        return all(is_plain(item, depth + 1) for item in value)
    if type(value) is dict:
        return all(
            is_plain(key, depth + 1) and is_plain(item, depth + 1) for key, item in value.items()
        )
    return False


def encode(value: Any) -> tuple[bytes, list[np.ndarray]]:
    """Plain data as JSON text and the arrays that it names."""
    arrays: list[np.ndarray] = []
    return json.dumps(_encoded(value, arrays), allow_nan=False).encode(), arrays


def decode(text: bytes, arrays: Sequence[np.ndarray], label: str, member: str) -> Any:
    """The data of `encode`.

    Args:
        text: The text.
        arrays: The arrays.
        label: The file, for messages.
        member: The member of the file, for messages.

    Raises:
        ModelFileError: It was not written by `encode`.
    """
    values = parse_json(text, label, member, _MOST_VALUES)
    try:
        return _decoded(values, arrays)
    except (LookupError, TypeError, ValueError) as error:
        raise ModelFileError(
            "config-field",
            file=label,
            where=member,
            found=f"values that cannot be read: {type(error).__name__}",
            expected="what Gazelle writes",
            fix="get the file again, or save it again",
        ) from None


def _encoded(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        arrays.append(np.asarray(value))
        return {"$array" if isinstance(value, np.ndarray) else "$scalar": len(arrays) - 1}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, list):
        return [_encoded(item, arrays) for item in value]
    if isinstance(value, tuple):
        return {"$tuple": [_encoded(item, arrays) for item in value]}
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _encoded(item, arrays) for key, item in value.items()}
        return {"$dict": [[_encoded(part, arrays) for part in pair] for pair in value.items()]}
    return value


def _decoded(value: Any, arrays: Sequence[np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_decoded(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, content),) = value.items()
        if key.startswith("$"):
            return _SPECIAL[key](content, arrays)
    return {key: _decoded(item, arrays) for key, item in value.items()}


def _array(number: Any, arrays: Sequence[np.ndarray]) -> np.ndarray:
    if type(number) is not int or number < 0:
        raise ValueError("not the number of an array")
    return arrays[number]


_SPECIAL: dict[str, Callable[[Any, Sequence[np.ndarray]], Any]] = {
    "$tuple": lambda content, arrays: tuple(_decoded(content, arrays)),
    "$dict": lambda content, arrays: {
        _decoded(key, arrays): _decoded(item, arrays) for key, item in content
    },
    "$float": lambda content, arrays: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[
        content
    ],
    "$bytes": lambda content, arrays: bytes.fromhex(content),
    "$array": _array,
    "$scalar": lambda content, arrays: _array(content, arrays)[()],
}
