"""Objects compared by identity, not by `==`, which arrays and users' classes redefine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def unique(items: Iterable[T]) -> list[T]:
    """Each object once, in the order of its first occurrence."""
    return list({id(item): item for item in items}.values())


def without(items: Iterable[T], others: Iterable[object]) -> list[T]:
    """The items that are not among `others`."""
    excluded = {id(other) for other in others}
    return [item for item in items if id(item) not in excluded]


def is_among(item: object, items: Iterable[object]) -> bool:
    """Whether `item` is one of `items`."""
    return any(item is other for other in items)


def are_same(items: Sequence[object], others: Sequence[object]) -> bool:
    """Whether two sequences hold the same objects in the same order."""
    return len(items) == len(others) and all(a is b for a, b in zip(items, others, strict=True))
