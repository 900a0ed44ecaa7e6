"""Whatever compile and fit take per output (losses, weights, metrics, targets) as a list."""

from __future__ import annotations

from typing import Any

from gazelle._core.errors import ArgumentError
from gazelle._core.symbolic import leaves
from gazelle._core.types import Structure


class Outputs:
    """The outputs of a model: how many, their names, and their structure.

    Args:
        structure: What the model returns: a tensor, or a list or dict of tensors.
        names: Names of the outputs in the order of the structure's leaves; None where the model
            gives none.
    """

    def __init__(self, structure: Structure, names: list[str] | None):
        self.count = len(leaves(structure))
        self.keyed = isinstance(structure, dict)
        if isinstance(structure, dict):
            values = structure.values()
            if not any(isinstance(value, list | tuple | dict) for value in values):
                names = sorted(structure)
        if names is not None and len(names) != self.count:
            names = None
        self.names: list[str] | None = None if names is None else _numbered(names)
        self.targeted = list(range(self.count))  # the outputs that have targets

    def take_losses(self, losses: Any) -> None:
        """Outputs whose loss is None need no targets: y may be given for the others alone."""
        if self.single or not isinstance(losses, list | tuple) or len(losses) != self.count:
            return
        self.targeted = [index for index, loss in enumerate(losses) if loss is not None]

    @property
    def single(self) -> bool:
        """Whether there is one output."""
        return self.count == 1

    def prefix(self, index: int) -> str:
        """What the log names of an output begin with; empty for the only output of a model."""
        if self.names is None or (self.single and not self.keyed):
            return ""
        return f"{self.names[index]}_"

    def spread(
        self, value: Any, what: str, *, repeat: bool = False, partial: bool = False
    ) -> list[Any]:
        """A list with one entry per output.

        Args:
            value: A list in the order of the outputs, a dict by their names, or a single value.
            what: Its name for error texts: `"loss"`, `"y"`.
            repeat: Whether a single value holds for every output.
            partial: Whether a dict may leave outputs out, which then get None.

        Raises:
            ArgumentError: Names that are not outputs, outputs left out, or a wrong number of
                entries.
        """
        if value is None:
            return [None] * self.count
        if isinstance(value, dict):
            return self._from_dict(value, what, partial)
        if self.single:
            is_list_of_one = isinstance(value, list | tuple) and len(value) == 1
            return [value[0]] if is_list_of_one else [value]
        if what in ("y", "sample_weight") and 0 < len(self.targeted) < self.count:
            given = leaves(value)
            if len(given) == len(self.targeted):
                by_index = dict(zip(self.targeted, given, strict=True))
                return [by_index.get(index) for index in range(self.count)]
        if isinstance(value, list | tuple):
            return self._from_list(value, what)
        if repeat:
            return [value] * self.count
        raise ArgumentError(
            f"{what} is a single value and the model has {self.count} outputs.",
            expected=f"a list of {self.count}, or a dict by the outputs' names {self.names or ''}",
            received=type(value).__name__,
        )

    def _from_list(self, value: list[Any] | tuple[Any, ...], what: str) -> list[Any]:
        entries = leaves(value) if what in ("y", "sample_weight") else list(value)
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


def _numbered(names: list[str]) -> list[str]:
    """The names, with `_1`, `_2`, ... behind those that occur again."""
    counts: dict[str, int] = {}
    numbered = []
    for name in names:
        count = counts[name] = counts.get(name, -1) + 1
        numbered.append(f"{name}_{count}" if count else name)
    return numbered
