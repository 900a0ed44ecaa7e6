"""Whatever compile and fit take per output (losses, weights, metrics, targets) as a list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gazelle._core.errors import ArgumentError
from gazelle._core.symbolic import leaves, map_structure
from gazelle._core.types import Structure


class Outputs:
    """The outputs of a model: how many, their names, and their structure.

    Args:
        structure: What the model returns: a tensor, or nested lists, tuples and dicts of tensors.
        names: Names of the outputs in the order of the structure's leaves; None where the model
            gives none.

    Attributes:
        places: The structure with the number of each output for its tensor.
        names: Names that differ, or None.
        targeted: The outputs that have targets.
    """

    def __init__(self, structure: Structure, names: list[str] | None):
        numbers = iter(range(len(leaves(structure))))
        self.places: Structure = map_structure(lambda _: next(numbers), structure)
        self.count = len(leaves(structure))
        self.is_deep = any(map(is_nested, _values(self.places)))
        if isinstance(structure, dict) and not self.is_deep:
            names = [""] * self.count
            for key, number in self.places.items():
                names[number] = str(key)
        if names is not None and len(names) != self.count:
            names = None
        self.names: list[str] | None = None if names is None else _numbered(names)
        self.targeted = list(range(self.count))

    @property
    def single(self) -> bool:
        """Whether there is one output."""
        return self.count == 1

    def prefix(self, index: int) -> str:
        """What the log names of an output's metrics begin with; empty for the only output."""
        return "" if self.names is None or self.single else f"{self.names[index]}_"

    def spread(
        self, value: Any, what: str, *, repeat: bool = False, partial: bool = False
    ) -> list[Any]:
        """A list with one entry per output.

        Args:
            value: Entries in the structure of the outputs, a list in the order of the outputs, a
                dict by their names, or a single value.
            what: Its name for error texts: `"loss"`, `"y"`.
            repeat: Whether a single value holds for every output.
            partial: Whether a dict may leave outputs out, which then get None.

        Raises:
            ArgumentError: Names that are not outputs, outputs left out, or a wrong number of
                entries.
        """
        if value is None:
            return [None] * self.count
        is_data = what in ("y", "sample_weight")
        if self.is_deep and is_nested(value):
            return self._from_structure(value, what, is_data, partial)
        if isinstance(value, dict):
            return self._from_dict(value, what, partial)
        if self.single:
            is_list_of_one = isinstance(value, list | tuple) and len(value) == 1
            return [value[0]] if is_list_of_one else [value]
        if isinstance(value, list | tuple):
            return self._from_list(value, what, is_data)
        if what == "y" and len(self.targeted) == 1:
            return [value if index in self.targeted else None for index in range(self.count)]
        if repeat:
            return [value] * self.count
        raise ArgumentError(
            f"{what} is a single value and the model has {self.count} outputs.",
            expected=f"a list of {self.count}, or a dict by the outputs' names {self.names or ''}",
            received=type(value).__name__,
        )

    def _from_structure(self, value: Any, what: str, is_data: bool, partial: bool) -> list[Any]:
        entries: list[Any] = [None] * self.count
        pairs = list(_pairs(self.places, value, partial))
        if None not in pairs:
            for number, entry in pairs:  # pyright: ignore[reportGeneralTypeIssues]
                entries[number] = entry
            return entries
        names = self.names or []
        if (
            isinstance(value, dict)
            and set(value) <= set(names)
            and (partial or len(value) == len(names))
        ):
            return [value.get(name) for name in names]
        if is_data and isinstance(value, list | tuple) and not any(map(is_nested, value)):
            return self._from_list(value, what, is_data)
        raise ArgumentError(
            f"{what} does not have the structure of the model's outputs.",
            expected=str(map_structure(lambda _: "X", self.places)),
            received=str(map_structure(lambda _: "X", value)),
            fix="give one entry for each output, in lists, tuples and dicts like the outputs'",
        )

    def _from_list(self, value: list[Any] | tuple[Any, ...], what: str, is_data: bool) -> list[Any]:
        entries = leaves(value) if is_data else list(value)
        if is_data and len(entries) == len(self.targeted) < self.count:
            by_index = dict(zip(self.targeted, entries, strict=True))
            return [by_index.get(index) for index in range(self.count)]
        if len(entries) != self.count:
            raise ArgumentError(
                f"{what} has {len(entries)} entries and the model has {self.count} outputs.",
                expected=f"one entry for each of {self.names or self.count}",
                received=f"{len(entries)} entries",
                fix=f"pass a list of {self.count}, or a dict by the outputs' names",
            )
        return entries

    def _from_dict(self, value: dict[str, Any], what: str, partial: bool) -> list[Any]:
        if self.names is None:
            if len(value) == self.count:
                return [value[key] for key in sorted(value)]
            raise ArgumentError(
                f"{what} is a dict, and the model's outputs have no names.", fix="pass a list"
            )
        unknown = set(value) - set(self.names)
        missing = set(self.names) - set(value)
        if unknown or (missing and not partial):
            fix = "use the names of the output layers"
            if missing:
                fix += " and None for an output without one"
            raise ArgumentError(
                f"The keys of {what} are not the names of the model's outputs. Expected keys"
                f" {self.names}.",
                expected=self.names,
                received=sorted(value),
                fix=fix,
            )
        return [value.get(name) for name in self.names]


def is_nested(value: Any) -> bool:
    """Whether a value is a list, tuple or dict of values, and not the config of an object."""
    if isinstance(value, dict):
        return "class_name" not in value
    return isinstance(value, list | tuple)


def _values(structure: Any) -> list[Any]:
    """What a structure holds at its top."""
    if isinstance(structure, dict):
        return list(structure.values())
    return list(structure) if isinstance(structure, list | tuple) else []


def _pairs(places: Any, value: Any, partial: bool) -> Iterator[tuple[int, Any] | None]:
    """Each output's number with its entry in a structure; None where the structures differ.

    Args:
        places: The numbers in the structure of the outputs.
        value: Entries in the same structure; lists and tuples are alike.
        partial: Whether dicts may leave keys out.
    """
    if value is None:
        return
    if not is_nested(places):
        yield places, value
    elif isinstance(places, dict) and isinstance(value, dict):
        if not set(value) <= set(places) or not (partial or len(value) == len(places)):
            yield None
            return
        for key, entry in value.items():
            yield from _pairs(places[key], entry, partial)
    elif isinstance(places, list | tuple) and isinstance(value, list | tuple):
        if len(value) != len(places):
            yield None
            return
        for place, entry in zip(places, value, strict=True):
            yield from _pairs(place, entry, partial)
    else:
        yield None


def _numbered(names: list[str]) -> list[str]:
    """The names, with `_1`, `_2`, ... behind those that occur again."""
    counts: dict[str, int] = {}
    numbered = []
    for name in names:
        count = counts[name] = counts.get(name, -1) + 1
        numbered.append(f"{name}_{count}" if count else name)
    return numbered
