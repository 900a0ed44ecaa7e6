"""Whatever compile and fit take per output (losses, weights, metrics, targets) as one list, an entry an output."""

from __future__ import annotations

from typing import Any

from gazelle._core.errors import ArgumentError
from gazelle._core.symbolic import leaves


class Outputs:
    """The outputs of a model: how many, their names, and the structure that they come in.

    Args:
        structure: What the model returns: a tensor, or a list or dict of tensors.
        names: Names of the outputs in order of the structure's leaves, or None where the model
            gives none.
    """

    def __init__(self, structure: Any, names: list[str] | None):
        self.count = len(leaves(structure))
        self.keyed = isinstance(structure, dict)
        if isinstance(structure, dict) and all(
            not isinstance(v, list | tuple | dict) for v in structure.values()
        ):
            names = sorted(structure)
        self.names: list[str] | None = (
            names if names is not None and len(names) == self.count else None
        )
        if self.names is not None and len(set(self.names)) < len(self.names):
            seen: dict[str, int] = {}
            unique = []
            for name in self.names:
                seen[name] = seen.get(name, -1) + 1
                unique.append(name if seen[name] == 0 else f"{name}_{seen[name]}")
            self.names = unique

    @property
    def single(self) -> bool:
        """Whether there is one output."""
        return self.count == 1

    def prefix(self, index: int) -> str:
        """What stands before the log names of an output: nothing for a single one."""
        return (
            f"{self.names[index]}_"
            if self.names is not None and (not self.single or self.keyed)
            else ""
        )

    def spread(
        self, value: Any, what: str, *, repeat: bool = False, partial: bool = False
    ) -> list[Any]:
        """One entry an output.

        Args:
            value: A list in order of the outputs, a dict by their names, or a single value.
            what: Its name for error texts: `"loss"`, `"y"`.
            repeat: Whether a single value stands for every output.
            partial: Whether a dict may leave outputs out (they get None).

        Raises:
            ArgumentError: Names that are no outputs, outputs left out, or a wrong number of
                entries.
        """
        if value is None:
            return [None] * self.count
        if isinstance(value, dict):
            return self._from_dict(value, what, partial)
        if self.single:
            return [value[0] if isinstance(value, list | tuple) and len(value) == 1 else value]
        if isinstance(value, list | tuple):
            flat = leaves(value) if what in ("y", "sample_weight") else list(value)
            if len(flat) != self.count:
                raise ArgumentError(
                    f"{what} has {len(flat)} entries and the model has {self.count} outputs.",
                    expected=f"one entry for each of {self.names or self.count}",
                    received=f"{len(flat)} entries",
                    fix=f"pass a list of {self.count}, or a dict by the outputs' names",
                )
            return flat
        if repeat:
            return [value] * self.count
        raise ArgumentError(
            f"{what} is a single value and the model has {self.count} outputs.",
            expected=f"a list of {self.count}, or a dict by the outputs' names {self.names or ''}",
            received=type(value).__name__,
        )

    def _from_dict(self, value: dict[str, Any], what: str, partial: bool) -> list[Any]:
        if self.names is None:
            if len(value) == self.count:
                return [value[key] for key in sorted(value)]
            raise ArgumentError(
                f"{what} is a dict, and the model's outputs have no names.", fix="pass a list"
            )
        unknown = sorted(set(value) - set(self.names))
        missing = [name for name in self.names if name not in value]
        if unknown or (missing and not partial):
            raise ArgumentError(
                f"The keys of {what} are not the names of the model's outputs. Expected keys"
                f" {self.names}.",
                expected=self.names,
                received=sorted(value),
                fix="use the names of the output layers"
                + (" and None for an output without one" if missing else ""),
            )
        return [value.get(name) for name in self.names]
