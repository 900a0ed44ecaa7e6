"""JSON from a file that is not trusted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gazelle._core.errors import ModelFileError, reason

_DEEPEST = 200  # a model within a model takes four levels
_MOST_VALUES = 2_000_000


def parse_json(data: bytes, label: str, member: str) -> Any:
    """The values of a JSON text in UTF-8; a byte order mark is allowed.

    Args:
        data: The text.
        label: The file, for messages.
        member: The member of the file, for messages.

    Raises:
        ModelFileError: It is not JSON, names a key twice, is nested too deeply, or has too many
            values.
    """
    try:
        if data.count(b",") > _MOST_VALUES:
            raise ValueError(f"more than {_MOST_VALUES:,} values")
        values = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_unique_pairs)
        if max(_depths(values)) > _DEEPEST:
            raise ValueError(f"values nested more than {_DEEPEST} deep")
    except (ValueError, RecursionError) as error:
        raise ModelFileError(
            "config-json",
            file=label,
            where=member,
            found=reason(error, 64) if data.strip() else "nothing",
            expected="JSON",
            fix="get the file again, or save it again",
        ) from None
    return values


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        raise ValueError(f"the key {twice!r} twice")
    return values


def _depths(value: Any) -> Iterator[int]:
    """The depth of each list and dict, without recursion."""
    to_visit = [(value, 0)]
    while to_visit:
        inner, depth = to_visit.pop()
        yield depth
        if isinstance(inner, dict):
            to_visit += [(item, depth + 1) for item in inner.values()]
        elif isinstance(inner, list):
            to_visit += [(item, depth + 1) for item in inner]
