"""Which variables a function reads and assigns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gazelle._core.lending import borrowed_here
from gazelle._core.variable import Variable


@dataclass
class Touched:
    """The variables that a block has used.

    Attributes:
        read: Those that were read, in the order of their first reading.
        assigned: The values that were assigned last.
    """

    read: dict[Variable, None] = field(default_factory=dict)
    assigned: dict[Variable, Any] = field(default_factory=dict)

    @property
    def variables(self) -> list[Variable]:
        """All of them."""
        return list({**self.read, **dict.fromkeys(self.assigned)})


@contextmanager
def touched_variables() -> Iterator[Touched]:
    """Within the block, the use of variables is noted; they keep their values behind it."""
    here = borrowed_here
    before = here.values, here.notes_all, here.on_read, here.follows
    values = here.values = dict(here.values)
    found = Touched()

    def on_read(variable: Variable, value: Any) -> Any:
        found.read.setdefault(variable)
        return value if before[2] is None else before[2](variable, value)

    here.notes_all, here.on_read, here.follows = True, on_read, True
    try:
        yield found
    finally:
        here.values, here.notes_all, here.on_read, here.follows = before
        outer = before[0]
        found.assigned = {v: new for v, new in values.items() if outer.get(v) is not new}
