"""JSON from a file that is not trusted."""

from __future__ import annotations

import json
import math
from typing import Any

from gazelle._core.errors import ModelFileError, reason

_DEEPEST = 200  # a model within a model takes four levels
_MOST_VALUES = 400_000  # of a model's config; a layer has about 60
_MOST_DIGITS = 400  # the states of random generators have up to 77


def parse_json(data: bytes, label: str, member: str, most_values: int = _MOST_VALUES) -> Any:
    """The values of a JSON text, as `json_values` reads it.

    Args:
        data: The text.
        label: The file, for messages.
        member: The member of the file, for messages.
        most_values: Values at most.

    Raises:
        ModelFileError: `json_values` refuses the text.
    """
    try:
        return json_values(data, most_values=most_values)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(
            "config-json",
            file=label,
            where=member,
            found=reason(error, 64) if data.strip() else "nothing",
            expected="JSON",
            fix="get the file again, or save it again",
        ) from None


def json_values(data: bytes, *, most_values: int = 1_000_000, only_finite: bool = False) -> Any:
    """The values of a JSON text in UTF-8; a byte order mark is allowed.

    Args:
        data: The text.
        most_values: Values at most.
        only_finite: Whether NaN, Infinity and numbers that are too large for a float are refused.

    Raises:
        ValueError: It is not JSON, names a key twice, is nested too deeply, has too many values, or
            a whole number of more than 400 digits.
        RecursionError: It is nested far too deeply.
    """
    if sum(data.count(mark) for mark in (b",", b"[", b"{")) > most_values:
        raise ValueError(f"more than {most_values:,} values")
    values = json.loads(
        data.decode("utf-8-sig"),
        object_pairs_hook=_unique_pairs,
        parse_int=_short_int,
        parse_float=_finite_float if only_finite else None,
        parse_constant=_refuse_constant if only_finite else None,
    )
    _check_depth(values)
    return values


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        raise ValueError(f"the key {twice!r} twice")
    return values


def _short_int(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


def _finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number that is too large")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"the token {name}")


def _check_depth(values: Any) -> None:
    """Go down level by level, without recursion."""
    level, depth = [values], 0
    while level:
        if depth > _DEEPEST:
            raise ValueError(f"values nested more than {_DEEPEST} deep")
        depth += 1
        inner = [value.values() if isinstance(value, dict) else value for value in level
                 if isinstance(value, dict | list)]  # fmt: skip
        level = [value for values in inner for value in values]
